/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_GO_GOROUTINES_H
#define CMD_GO_GOROUTINES_H

#include "cmd.h"
#include "mw_go_goroutines.h"
#include "mw_go_unwind.h"
#include "mw_locals.h"

/** How goroutines are listed. */
enum goroutines_by {
	BY_GOROUTINE, /* a row each */
	BY_STATE,
	BY_CREATOR,
	BY_FUNCTION,
	BY_STACK, /* identical backtraces */
	BY_SIZE,  /* of the stack */
};

/** An argument or variable in a frame. */
struct goroutines_local {
	size_t goroutine; /* place in goroutines.all.list, ascending */
	uint32_t line; /* of its backtrace, 0 the innermost; ascending */
	enum mw_local_kind kind;
	bool is_there; /* false: not yet, not any more, or in a register */
	const char *name; /* owned by goroutines.vars */
	const char *type; /* owned by goroutines.types */
	char *value;
	/* The line's place; owned by the mw_go. */
	const char *function, *file;
	uint32_t file_line;
};

/** What `go goroutines` has read, and works out of it when it is asked for. */
struct goroutines {
	struct mw_go *go;
	bool everyone; /* list those of the runtime and dead ones, too */
	bool only_one; /* list the one with this id */
	uint64_t id;
	struct mw_go_goroutines all;
	struct mw_vars *vars; /* NULL: locals were not asked for */
	int vars_fd; /* its file, if has_vars_fd */
	bool has_vars_fd;
	MW_VEC(struct goroutines_local) locals;
	struct mw_map64 type_numbers; /* mw_local.type -> place in types + 1 */
	MW_VEC(char *) types;
	uint64_t now_ns; /* on the runtime's clock; 0 when not known */
	struct mw_map64 places; /* pc -> number in place_texts + 1 */
	MW_VEC(char *) place_texts;
	/* Of each trace; NULL until asked for. */
	char **texts;
	const char **tops;
};

void goroutines_free(struct goroutines *g);

/** Whether @one is to be listed. */
bool goroutines_wanted(const struct goroutines *g,
		       const struct mw_go_goroutine *one);

/** "file:line" of the call before the return address @pc; NULL: no memory. */
const char *goroutines_place(struct goroutines *g, uint64_t pc);

/** A trace as text, "function file:line" a line; NULL without memory. */
const char *goroutines_text(struct goroutines *g, uint32_t trace);

/** Innermost function outside the runtime, or the innermost; "" for none. */
const char *goroutines_top(struct goroutines *g, uint32_t trace);

/** How long it has been blocked at least; false when that is not known. */
bool goroutines_waited(const struct goroutines *g,
		       const struct mw_go_goroutine *one, uint64_t *ret);

/** Bytes from its innermost frame up; false when that is not known. */
bool goroutines_used(const struct mw_go_goroutine *one, uint64_t *ret);

/* Tables; each is for a table whose columns it has set up */

/** Some columns of BY_STACK. */
enum {
	STACK_ID = 0,
	STACK_COUNT = 1,
	STACK_STATE = 11,
	STACK_WAIT_REASON = 12,
};

void goroutines_columns(struct mw_table *table, bool backtrace);
void goroutines_group_columns(enum goroutines_by by, struct mw_table *table,
			      bool backtrace);
MW_MUST_USE struct mw_error *goroutines_fill(struct goroutines *g,
					     bool backtrace,
					     struct mw_table *table);
MW_MUST_USE struct mw_error *goroutines_fill_groups(struct goroutines *g,
						    enum goroutines_by by,
						    bool backtrace,
						    struct mw_table *table);
void goroutines_help(FILE *out);

/**
 * Print them with their backtraces, as a Go program does when it crashes; with
 * @whole also the runtime's frames that it leaves out.
 */
MW_MUST_USE struct mw_error *goroutines_dump(struct goroutines *g, bool whole,
					     bool by_stack);

/** Whether a backtrace leaves out this line of it: where all stacks begin. */
bool goroutines_is_hidden(const char *function);

/* Arguments and variables */

/**
 * Read those of the goroutines that are wanted, while the target is held.
 *
 * Errors: MW_E_NOT_FOUND when the program has no debug information.
 */
MW_MUST_USE struct mw_error *goroutines_read_locals(struct goroutines *g,
						    struct mw_target *target);
void goroutines_free_locals(struct goroutines *g);

/** "arg", "result" or "var". */
const char *goroutines_kind(enum mw_local_kind kind);

/** A table with a row for each. */
MW_MUST_USE struct mw_error *goroutines_fill_locals(struct goroutines *g,
						    struct mw_table *table);
void goroutines_locals_help(FILE *out);

#endif
