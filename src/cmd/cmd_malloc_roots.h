/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_MALLOC_ROOTS_H
#define CMD_MALLOC_ROOTS_H

#include "cmd_books.h"
#include "mw_target_bulk.h"

/** Where a search for lost blocks begins. */
struct cmd_roots {
	struct mw_extents extents; /* memory that is nobody's block */
	struct mw_extents code;	   /* the same: instructions made at run time */
	MW_VEC(uint64_t) words;	   /* registers */
	uint64_t bytes;		   /* of both that are present */
	uint64_t swapped_bytes;
	size_t threads_without; /* whose registers are not known */
};

/**
 * Take the books of @call's target, which stays stopped if it was to be, and
 * find the roots in it: what the ledger posts to no allocator and that may be
 * written to, live frames, TLS, and what Go has in use.
 */
MW_MUST_USE struct mw_error *cmd_roots_take(const struct cmd_call *call,
					    struct cmd_books *books,
					    struct cmd_roots *ret);
void cmd_roots_free(struct cmd_roots *roots);

#endif
