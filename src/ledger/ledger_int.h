/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_INT_H
#define LEDGER_INT_H

#include "mw_ledger.h"
#include "mw_map64.h"
#include "mw_vec.h"

#define MAX_RANGES 10000

struct interval {
	uint64_t start, end;
};

struct intervals {
	MW_VEC(struct interval) list; /* ascending, disjoint */
};

/** What the ledger keeps of an account besides what it shows. */
struct account_more {
	mw_account_id same_hash; /* 1 + next account with this hash, or 0 */
	bool lists_ranges; /* its ranges are kept: the owner is not known */
};

struct mw_ledger {
	const struct mw_mappings *maps;
	const struct mw_pages *pages;
	struct mw_sink sink;
	MW_VEC(struct mw_ledger_account) accounts;
	MW_VEC(struct account_more) more; /* per account */
	struct mw_map64 by_hash; /* hash of the name -> 1 + account */
	MW_VEC(struct mw_claim) claims[MW_LAYERS];
	MW_VEC(struct mw_claim) sorted; /* owners and remainders, by start */
	MW_VEC(struct mw_overlap) overlaps;
	struct intervals contested;
	struct intervals covered; /* by owners and remainders */
	struct mw_tally *mapped;  /* per mapping: all its bytes */
	struct mw_tally *claimed; /* per mapping: posted so far */
	MW_VEC(struct mw_ledger_range) ranges;
	size_t ranges_left_out;
	bool keep_mappings;
	struct mw_map64 share_at; /* mapping and account -> 1 + index */
	MW_VEC(struct mw_ledger_share) shares;
	bool keep_pages;
	MW_VEC(struct mw_ledger_page) page_shares;
	const struct mw_ledger_trace *trace; /* NULL: nothing is traced */
	struct mw_tally totals;
	mw_account_id contested_account;
	/* While settling */
	size_t mapping_hint, run_hint;
	const struct mw_claim *claim; /* whose parts are being posted */
	uint64_t part_end; /* end of its last part */
	uint8_t *bits;
	size_t bits_bytes;
	struct mw_error *error; /* first failure inside a part */
};

/** Enter @tally, all of it in mapping number @mapping, for @account. */
void mw_ledger_enter(struct mw_ledger *ledger, size_t mapping,
		     mw_account_id account, const struct mw_tally *tally);

/** Post [@start, @end) to @account, without the contested bytes. */
void mw_ledger_post(struct mw_ledger *ledger, uint64_t start, uint64_t end,
		    mw_account_id account);

/** End of the uniform stretch from @va on; @va when there is none. */
uint64_t mw_ledger_uniform_until(struct mw_ledger *ledger, uint64_t va);

/** Post sums of [@start, @end), a uniform stretch; the rest to @account. */
void mw_ledger_post_sums(struct mw_ledger *ledger, uint64_t start,
			 uint64_t end, const struct mw_sum *sums, size_t count,
			 mw_account_id account);

/** Post slots, of which any may be contested. */
void mw_ledger_post_slots(struct mw_ledger *ledger,
			  const struct mw_slots *slots);

/** Tell the trace, if there is one, who has [@start, @end). */
void mw_ledger_tell(const struct mw_ledger *ledger, uint64_t start,
		    uint64_t end, mw_account_id account);

/** Tell the trace who has the slots in [@from, @to) of their memory. */
void mw_ledger_tell_slots(const struct mw_ledger *ledger,
			  const struct mw_slots *slots, const uint8_t *bits,
			  uint64_t from, uint64_t to);

/** The first address of interest from @va on. */
uint64_t mw_ledger_next_traced(const struct mw_ledger *ledger, uint64_t va);

/** Put @fresh into @set, joining neighbours. False without memory. */
bool mw_intervals_add(struct intervals *set, uint64_t start, uint64_t end);

/** First interval that ends above @va. */
size_t mw_intervals_after(const struct intervals *set, uint64_t va);

MW_MUST_USE struct mw_error *mw_ledger_account(void *ctx, const char *parent,
					       const char *leaf,
					       const char *evidence,
					       mw_account_id *ret);

#endif
