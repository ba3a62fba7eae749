/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BOOKS_H
#define LEDGER_BOOKS_H

#include "mw_ledger.h"

#define PAGE MW_PAGE_BYTES

/** An address space that a test describes, and a ledger over it. */
struct books {
	struct mw_mappings maps;
	struct mw_pages pages;
	struct mw_ledger *ledger;
};

/**
 * Add a mapping at @start, behind the last one, with a page for each letter of
 * @states: P present, S swapped, B both, H huge, Z the zero page, '.' absent.
 */
struct mw_mapping *books_map(struct books *books, uint64_t start,
			     const char *states);

/** Make the ledger; the mappings are complete. */
void books_open(struct books *books);

/** The account @name, "parent/leaf". */
mw_account_id books_account(struct books *books, const char *name);

/** Claim [@start, @end) for the account @name. */
void books_claim(struct books *books, enum mw_layer layer, const char *walker,
		 uint64_t start, uint64_t end, const char *name);

/** Claim it for an owner whose parts @refine(@ctx) reports. */
void books_own(struct books *books, uint64_t start, uint64_t end,
	       const char *name, mw_refine_fn *refine, void *ctx);

void books_settle(struct books *books);

/** Check what is posted to the account @name; one that is not there has 0. */
void books_check(const struct books *books, const char *name,
		 uint64_t vsz_bytes, uint64_t rss_bytes, uint64_t swap_bytes);

/** Check overlap number @at. */
void books_check_overlap(const struct books *books, size_t at, uint64_t start,
			 uint64_t end, const char *first, const char *second);

/** The number of overlaps. */
size_t books_overlaps(const struct books *books);

void books_close(struct books *books);

#endif
