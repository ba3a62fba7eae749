/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_GO_GOROUTINES_H
#define CMD_GO_GOROUTINES_H

#include "cmd.h"
#include "mw_go_goroutines.h"
#include "mw_go_unwind.h"

/** How goroutines are listed. */
enum goroutines_by {
	BY_GOROUTINE, /* a row each */
	BY_STATE,
	BY_CREATOR,
	BY_FUNCTION,
	BY_STACK, /* identical backtraces */
	BY_SIZE,  /* of the stack */
};

/** What `go goroutines` has read, and works out of it when it is asked for. */
struct goroutines {
	struct mw_go *go;
	struct mw_go_goroutines all;
	uint64_t now_ns; /* on the runtime's clock; 0 when not known */
	struct mw_map64 places; /* pc -> number in place_texts + 1 */
	MW_VEC(char *) place_texts;
	/* Of each trace; NULL until asked for. */
	char **texts;
	const char **tops;
};

void goroutines_free(struct goroutines *g);

/** Whether a goroutine is to be listed. */
bool goroutines_wanted(const struct mw_go_goroutine *g, bool all);

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

void goroutines_columns(enum goroutines_by by, struct mw_table *table,
			bool backtrace);
MW_MUST_USE struct mw_error *goroutines_fill(struct goroutines *g, bool all,
					     bool backtrace,
					     struct mw_table *table);
MW_MUST_USE struct mw_error *goroutines_fill_groups(struct goroutines *g,
						    enum goroutines_by by,
						    bool all, bool backtrace,
						    struct mw_table *table);
void goroutines_help(FILE *out);

/**
 * Print them with their backtraces, as a Go program does when it crashes; with
 * @whole also the runtime's frames that it leaves out.
 */
MW_MUST_USE struct mw_error *goroutines_dump(struct goroutines *g, bool all,
					     bool whole, bool by_stack);

#endif
