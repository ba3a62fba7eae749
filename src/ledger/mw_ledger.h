/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_LEDGER_H
#define MW_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_facts.h"
#include "mw_space.h"

/*
 * The ledger: it takes the claims of all walkers, gives every mapped byte to
 * exactly one account, and counts each account's bytes in each domain. The
 * sums are exact by construction: what is not claimed stays with its mapping,
 * and what two walkers claim goes to unknown/contested.
 *
 * Use: mw_ledger_new(), hand mw_ledger_sink() to the walkers, then
 * mw_ledger_settle() once, then the getters.
 */
struct mw_ledger;

/** @maps and @pages are borrowed for the ledger's life. */
MW_MUST_USE struct mw_error *mw_ledger_new(const struct mw_mappings *maps,
					   const struct mw_pages *pages,
					   struct mw_ledger **ret);
void mw_ledger_free(struct mw_ledger *ledger);

static inline void mw_ledger_freep(struct mw_ledger **ledger)
{
	mw_ledger_free(*ledger);
	*ledger = NULL;
}

/** Where walkers claim; borrowed, and of use until the ledger is settled. */
const struct mw_sink *mw_ledger_sink(struct mw_ledger *ledger);

/** Also keep what each account has in each mapping: for maps and for PSS. */
void mw_ledger_keep_mappings(struct mw_ledger *ledger);

/** Also keep what each account has on each resident page; takes its time. */
void mw_ledger_keep_pages(struct mw_ledger *ledger);

/**
 * Who owns single bytes, told while the ledger settles. Bytes of interest are
 * followed to their owner exactly; all others are counted as without a trace.
 */
struct mw_ledger_trace {
	/**
	 * The first address of interest that is not below @va, UINT64_MAX if
	 * there is none. Asked with addresses in any order.
	 */
	uint64_t (*next)(void *ctx, uint64_t va);
	/**
	 * [@start, @end), which holds an address of interest, was posted to
	 * @account. Ranges do not overlap and come in no order; neighbours may
	 * be of one account.
	 */
	void (*range)(void *ctx, uint64_t start, uint64_t end,
		      mw_account_id account);
	void *ctx;
};

/**
 * Trace what is posted. @trace is borrowed until the ledger is settled.
 * Cost: the bits of slots are read wherever an address is of interest.
 */
void mw_ledger_trace(struct mw_ledger *ledger,
		     const struct mw_ledger_trace *trace);

/**
 * Resolve the claims, ask them for their parts, and count.
 *
 * Errors: MW_E_NOMEM; whatever a refine function returns.
 * Cost:   O(claims · log claims + parts + page runs).
 */
MW_MUST_USE struct mw_error *mw_ledger_settle(struct mw_ledger *ledger);

struct mw_ledger_account {
	const char *name; /* parent/leaf, as in JSON */
	const char *parent;
	const char *leaf;
	const char *evidence;
	struct mw_tally tally;
	uint64_t pss_bytes; /* 0 until mw_ledger_add_pss() */
};

/** All accounts in order of creation; also those without bytes. */
const struct mw_ledger_account *
mw_ledger_accounts(const struct mw_ledger *ledger, size_t *ret_count);

/** The account called @name, or NULL. */
const struct mw_ledger_account *mw_ledger_find(const struct mw_ledger *ledger,
					       const char *name);

/** The sum over all accounts. */
struct mw_tally mw_ledger_totals(const struct mw_ledger *ledger);

/** The ledger's totals held against the kernel's books. */
struct mw_audit {
	struct mw_tally kernel;
	int64_t drift_vsz_bytes, drift_rss_bytes, drift_swap_bytes;
	size_t overlaps;
	/*
	 * Accounts add up to the totals, no byte has two owners, and in an
	 * exact capture the totals are the kernel's.
	 */
	bool balanced;
};

/** @exact: the target stood still, so that there can be no drift. */
struct mw_audit mw_ledger_audit(const struct mw_ledger *ledger,
				const struct mw_tally *kernel, bool exact);

/** Bytes claimed twice, and by whom. */
struct mw_overlap {
	uint64_t start, end;
	const char *first, *second;
};
/** All of them; borrowed, as their names are. */
const struct mw_overlap *mw_ledger_overlaps(const struct mw_ledger *ledger,
					    size_t *ret_count);

/** A range that was posted to an account of unknown or anonymous/private. */
struct mw_ledger_range {
	uint64_t start, end;
	mw_account_id account; /* index into mw_ledger_accounts() */
	struct mw_tally tally;
};

/**
 * Ranges whose owner is not known, ascending, at most 10,000;
 * @ret_left_out counts the others.
 */
const struct mw_ledger_range *mw_ledger_ranges(const struct mw_ledger *ledger,
					       size_t *ret_count,
					       size_t *ret_left_out);

/** What one account has in one mapping. */
struct mw_ledger_share {
	size_t mapping; /* index into mw_mappings.list */
	mw_account_id account;
	struct mw_tally tally;
};

/** By mapping, then by falling vsz; only after mw_ledger_keep_mappings(). */
const struct mw_ledger_share *mw_ledger_shares(const struct mw_ledger *ledger,
					       size_t *ret_count);

/** What one account has on one resident page. */
struct mw_ledger_page {
	uint64_t va;
	mw_account_id account;
	uint32_t bytes;
};

/** By address, then by falling bytes; only after mw_ledger_keep_pages(). */
const struct mw_ledger_page *mw_ledger_pages(const struct mw_ledger *ledger,
					     size_t *ret_count);

/** The claims on the owner and remainder layers, ascending by start. */
const struct mw_claim *mw_ledger_claims(const struct mw_ledger *ledger,
					size_t *ret_count);

/**
 * Divide each mapping's PSS (@pss_bytes, one a mapping) among the accounts in
 * it by their resident bytes. Needs mw_ledger_keep_mappings(). The sum is
 * kept to the byte.
 */
void mw_ledger_add_pss(struct mw_ledger *ledger, const uint64_t *pss_bytes);

#endif
