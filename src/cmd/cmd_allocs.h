/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_ALLOCS_H
#define CMD_ALLOCS_H

#include "cmd.h"
#include "cmd_code.h"
#include "mw_go_allocs.h"
#include "mw_go_funcs.h"
#include "mw_map64.h"

/* What the files of `allocs` share. */

/** A call that allocates. Strings are owned by the allocs. */
struct allocs_call {
	uint64_t va;
	const char *function; /* whose code it is in */
	const char *inlined;  /* the one inlined there that it is of, or NULL */
	const char *file;
	const char *call;     /* what is called */
	const char *type;     /* NULL: not known */
	const char *package;
	uint64_t bytes;
	uint64_t class_bytes;
	uint32_t line;
	bool has_bytes;
};

struct allocs {
	struct mw_target *target;
	struct mw_go_funcs *funcs;
	struct mw_go_types *types;
	struct mw_go_classes classes;
	bool has_classes;
	struct mw_map64 callees; /* entry -> 1 + place in names */
	struct mw_map64 barriers; /* entries of write barriers -> 0 */
	MW_VEC(struct allocs_callee) names;
	MW_VEC(struct allocs_call) calls; /* ascending by address */
	MW_VEC(char *) texts; /* behind the calls' types and packages */
	struct mw_map64 by_text;
	uint64_t functions; /* that have such calls */
	uint64_t all_functions;
};

struct allocs_callee {
	const char *name;
	const struct mw_go_alloc *alloc;
};

/**
 * Find all calls in the Go program allocs->target; only those in the package
 * @package, unless that is NULL.
 *
 * Errors: MW_E_NOT_FOUND when it is not a Go program.
 */
MW_MUST_USE struct mw_error *allocs_scan(struct allocs *allocs,
					 const char *package);
void allocs_free(struct allocs *allocs);

/** @text, kept once; NULL without memory. */
const char *allocs_keep(struct allocs *allocs, const char *text);

/* What registers and the stack hold before an instruction. */

#define ALLOCS_SLOTS 16 /* words above the stack pointer */

struct allocs_state {
	uint32_t known_regs, known_slots; /* a bit each */
	uint64_t regs[16], slots[ALLOCS_SLOTS];
};

/** Let @insn take effect. */
void allocs_step(struct allocs_state *state, struct mw_target *target,
		 const struct mw_insn *insn);
/** Let a call of a write barrier take effect. */
void allocs_pass_barrier(struct allocs_state *state);

/**
 * Find what @alloc, called by the instruction @i of @code in @state, makes;
 * fills the call's type, bytes and class.
 */
void allocs_resolve(struct allocs *allocs, const struct cmd_code *code,
		    size_t i, const struct allocs_state *state,
		    const struct mw_go_alloc *alloc, struct allocs_call *call);

#endif
