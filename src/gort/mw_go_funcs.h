/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_FUNCS_H
#define MW_GO_FUNCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_target.h"

/*
 * The functions of a Go program, from the table that its runtime uses for
 * tracebacks (pclntab): it is there in stripped binaries too, so that every
 * address of Go code has a name, a file and a line. All formats since Go 1.2
 * are known.
 *
 * The table is read where it lies, when something is asked for. Nothing in it
 * is trusted.
 */
struct mw_go_funcs;

/** Where the bytes of a program come from. */
struct mw_go_reader {
	/** Copy @bytes at @va; false, and @to undefined, when it cannot. */
	bool (*read)(void *ctx, uint64_t va, void *to, size_t bytes);
	void *ctx;
};

/** Where the tables of one module lie. */
struct mw_go_tables {
	uint64_t pclntab; /* of its header */
	uint64_t text;	  /* 0: as in the header, which has it up to 1.25 */
	uint64_t gofunc; /* go:func.*, since 1.18; 0: inlining is not told */
	unsigned minor;	  /* of the Go release; 0: not known */
};

/**
 * An empty list of modules, then one module more.
 *
 * Owns:   what @reader reads from outlives the list.
 * Errors: MW_E_FORMAT when there is no such table at that address.
 * Cost:   O(1); what is kept later is each name asked for, once.
 */
MW_MUST_USE struct mw_error *mw_go_funcs_new(const struct mw_go_reader *reader,
					     struct mw_go_funcs **ret);
MW_MUST_USE struct mw_error *
mw_go_funcs_add(struct mw_go_funcs *funcs, const struct mw_go_tables *tables);

/**
 * The functions of the Go program in @target, all modules of it. The runtime
 * need not have started. *@ret is NULL when there is none, which is not an
 * error.
 */
MW_MUST_USE struct mw_error *mw_go_funcs_open(struct mw_target *target,
					      struct mw_go_funcs **ret);
void mw_go_funcs_close(struct mw_go_funcs *funcs);

static inline void mw_go_funcs_closep(struct mw_go_funcs **funcs)
{
	mw_go_funcs_close(*funcs);
	*funcs = NULL;
}

/* Functions */

enum mw_go_func_flag { /* since Go 1.17 */
	MW_GO_FUNC_TOP_FRAME = 1, /* outermost on its stack */
	MW_GO_FUNC_SP_WRITE = 2,  /* moves the stack pointer at will */
	MW_GO_FUNC_ASM = 4,
};

struct mw_go_func {
	uint64_t entry, end; /* [entry, end), with padding at its end */
	uint64_t index;	     /* among all functions */
	uint64_t record;     /* where its _func lies */
	uint32_t module;
	uint32_t name_off;
	int32_t args_bytes; /* of arguments and results */
	uint32_t deferreturn; /* offset of the call, 0 if none */
	uint32_t start_line; /* of the func keyword */
	uint32_t pcsp, pcfile, pcln, cu_off;
	uint32_t pcdata_count, funcdata_count;
	uint8_t id; /* funcID, which means another thing in each release */
	uint8_t flags;
};

/** How many functions there are. */
uint64_t mw_go_funcs_count(const struct mw_go_funcs *funcs);

/**
 * The function with that number; within a module they ascend by address.
 * False for one that is damaged or cannot be read.
 */
bool mw_go_func_at(struct mw_go_funcs *funcs, uint64_t index,
		   struct mw_go_func *ret);

/** The function whose code holds @pc. Cost: O(log functions). */
bool mw_go_func_of(struct mw_go_funcs *funcs, uint64_t pc,
		   struct mw_go_func *ret);

/**
 * Where the code of @func ends. Behind it, up to func->end, the linker has put
 * breakpoints (0xcc) to align the next.
 */
uint64_t mw_go_func_code_end(const struct mw_go_funcs *funcs,
			     const struct mw_go_func *func);

/** The first function with that name. Cost: reads the names of all before. */
bool mw_go_func_named(struct mw_go_funcs *funcs, const char *name,
		      struct mw_go_func *ret);

/**
 * As the linker wrote it: "net/http.(*conn).serve". "?" when it cannot be
 * read. Owned by @funcs, and the same pointer each time. Bytes that are not
 * printable are replaced.
 */
const char *mw_go_func_name(struct mw_go_funcs *funcs,
			    const struct mw_go_func *func);

/**
 * Whether the compiler made the function only to call another: a method of an
 * embedded field, or what a go statement with arguments begins with.
 */
bool mw_go_func_is_wrapper(struct mw_go_funcs *funcs,
			   const struct mw_go_func *func);

/** The line of the func keyword, from the line table where need be; or 0. */
uint32_t mw_go_func_start_line(struct mw_go_funcs *funcs,
			       const struct mw_go_func *func);

/**
 * Write the import path of the package that a function of this name belongs
 * to: "net/http"; "" for what the compiler made. Cut to @size; its length.
 */
size_t mw_go_package(const char *name, char *to, size_t size);

/* Places */

/** A place in the source. Strings are owned by the mw_go_funcs. */
struct mw_go_line {
	const char *function;
	const char *file; /* "?" when not known */
	uint32_t line;
	bool is_inlined; /* into the function of the next line */
	bool is_wrapper; /* the compiler made it, only to call another */
};

#define MW_GO_MAX_LINES 64

/**
 * The source of the instruction at @pc in @func: the innermost inlined
 * function first, @func itself last. For a return address ask for the byte
 * before it. How many there are, at most @max; @max is at least 1.
 */
size_t mw_go_lines(struct mw_go_funcs *funcs, const struct mw_go_func *func,
		   uint64_t pc, struct mw_go_line *to, size_t max);

/**
 * Bytes between the stack pointer and the return address when @func is about
 * to execute the instruction at @pc.
 */
bool mw_go_frame_bytes(struct mw_go_funcs *funcs,
		       const struct mw_go_func *func, uint64_t pc,
		       uint64_t *ret);

#endif
