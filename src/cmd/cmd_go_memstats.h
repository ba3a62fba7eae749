/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_GO_MEMSTATS_H
#define CMD_GO_MEMSTATS_H

#include "cmd_books.h"

/*
 * What the runtime has obtained and not given back (Sys - HeapReleased), held
 * against RSS: the difference by accounts.
 */

/** What an account has of both. */
struct reconcile_row {
	const char *account; /* a leaf, or go/runtime as a whole */
	const char *why;     /* static */
	uint64_t counted_bytes; /* in Sys - HeapReleased */
	uint64_t resident_bytes;
};

struct reconciliation {
	uint64_t sys_bytes, released_bytes, rss_bytes;
	MW_VEC(struct reconcile_row) rows; /* falling by difference */
	/*
	 * What the rows leave of the difference: nothing, unless the target
	 * moved between the reading of its counters and of its heap.
	 */
	int64_t left_bytes;
};

/** Needs books->memstats. */
MW_MUST_USE struct mw_error *reconcile(const struct cmd_books *books,
				       struct reconciliation *ret);
void reconciliation_free(struct reconciliation *r);
void reconciliation_print(const struct reconciliation *r,
			  const struct cmd_call *call);
void reconciliation_json(const struct reconciliation *r, struct mw_json *json);

#endif
