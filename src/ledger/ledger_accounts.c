/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "ledger_int.h"
#include "mw_guard.h"
#include "mw_hash.h"

static uint64_t hash_names(const char *parent, const char *leaf)
{
	uint64_t hash = mw_hash_text(MW_HASH_START, parent);

	return mw_hash_text(mw_hash_text(hash, "/"), leaf);
}

static bool lists_ranges(const char *parent, const char *leaf)
{
	return strcmp(parent, "unknown") == 0 ||
	       (strcmp(parent, "anonymous") == 0 &&
		strcmp(leaf, "private") == 0);
}

struct mw_error *mw_ledger_account(void *ctx, const char *parent,
				   const char *leaf, const char *evidence,
				   mw_account_id *ret)
{
	struct mw_ledger *ledger = ctx;
	uint64_t *first = mw_map64_at(&ledger->by_hash,
				      hash_names(parent, leaf));

	if (!first)
		return mw_error_nomem();
	for (uint64_t at = *first; at != 0;) {
		const struct mw_ledger_account *a =
			&ledger->accounts.v[at - 1];

		if (strcmp(a->parent, parent) == 0 &&
		    strcmp(a->leaf, leaf) == 0) {
			*ret = (mw_account_id)(at - 1);
			return NULL;
		}
		at = ledger->more.v[at - 1].same_hash;
	}

	MW_CLEANUP(mw_freep) char *name = mw_format("%s/%s", parent, leaf);
	MW_CLEANUP(mw_freep) char *parent_copy = mw_strdup(parent);
	MW_CLEANUP(mw_freep) char *evidence_copy = mw_strdup(evidence);
	struct mw_ledger_account *account;
	struct account_more *more;

	if (!name || !parent_copy || !evidence_copy)
		return mw_error_nomem();
	more = mw_vec_push(&ledger->more);
	if (!more)
		return mw_error_nomem();
	account = mw_vec_push(&ledger->accounts);
	if (!account) {
		ledger->more.n--;
		return mw_error_nomem();
	}
	*account = (struct mw_ledger_account){
		.leaf = name + strlen(parent) + 1,
		.parent = mw_steal(parent_copy),
		.evidence = mw_steal(evidence_copy),
	};
	account->name = mw_steal(name);
	*more = (struct account_more){
		.same_hash = (mw_account_id)*first,
		.lists_ranges = lists_ranges(parent, leaf),
	};
	*first = ledger->accounts.n;
	*ret = (mw_account_id)(ledger->accounts.n - 1);
	return NULL;
}

static struct mw_error *claim(void *ctx, const struct mw_claim *claim)
{
	struct mw_ledger *ledger = ctx;
	struct mw_claim *place;
	uint64_t end;

	assert(claim->layer < MW_LAYERS);
	assert(claim->account < ledger->accounts.n);
	if (!mw_end(claim->start, claim->bytes, &end))
		return mw_error_at(MW_E_RANGE, claim->start,
				   "%s claims more than the address space",
				   claim->walker);
	place = mw_vec_push(&ledger->claims[claim->layer]);
	if (!place)
		return mw_error_nomem();
	*place = *claim;
	return NULL;
}

static const struct mw_sink_ops sink_ops = {
	.account = mw_ledger_account,
	.claim = claim,
};

struct mw_error *mw_ledger_new(const struct mw_mappings *maps,
			       const struct mw_pages *pages,
			       struct mw_ledger **ret)
{
	MW_CLEANUP(mw_ledger_freep) struct mw_ledger *ledger =
		mw_calloc(1, sizeof(*ledger));

	if (!ledger)
		return mw_error_nomem();
	ledger->maps = maps;
	ledger->pages = pages;
	ledger->sink = (struct mw_sink){ &sink_ops, ledger };
	ledger->mapped = mw_calloc(maps->list.n, sizeof(*ledger->mapped));
	ledger->claimed = mw_calloc(maps->list.n, sizeof(*ledger->claimed));
	if (!ledger->mapped || !ledger->claimed)
		return mw_error_nomem();
	*ret = mw_steal(ledger);
	return NULL;
}

void mw_ledger_free(struct mw_ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->accounts.n; i++) {
		mw_free((char *)ledger->accounts.v[i].name);
		mw_free((char *)ledger->accounts.v[i].parent);
		mw_free((char *)ledger->accounts.v[i].evidence);
	}
	mw_vec_free(&ledger->accounts);
	mw_vec_free(&ledger->more);
	mw_map64_free(&ledger->by_hash);
	for (size_t i = 0; i < MW_LAYERS; i++)
		mw_vec_free(&ledger->claims[i]);
	mw_vec_free(&ledger->sorted);
	mw_vec_free(&ledger->overlaps);
	mw_vec_free(&ledger->contested.list);
	mw_vec_free(&ledger->covered.list);
	mw_free(ledger->mapped);
	mw_free(ledger->claimed);
	mw_vec_free(&ledger->ranges);
	mw_map64_free(&ledger->share_at);
	mw_vec_free(&ledger->shares);
	mw_vec_free(&ledger->page_shares);
	mw_free(ledger->bits);
	mw_error_free(ledger->error);
	mw_free(ledger);
}

const struct mw_sink *mw_ledger_sink(struct mw_ledger *ledger)
{
	return &ledger->sink;
}

void mw_ledger_keep_mappings(struct mw_ledger *ledger)
{
	ledger->keep_mappings = true;
}

void mw_ledger_keep_pages(struct mw_ledger *ledger)
{
	ledger->keep_pages = true;
}

const struct mw_ledger_account *
mw_ledger_accounts(const struct mw_ledger *ledger, size_t *ret_count)
{
	*ret_count = ledger->accounts.n;
	return ledger->accounts.v;
}

const struct mw_ledger_account *mw_ledger_find(const struct mw_ledger *ledger,
					       const char *name)
{
	for (size_t i = 0; i < ledger->accounts.n; i++)
		if (strcmp(ledger->accounts.v[i].name, name) == 0)
			return &ledger->accounts.v[i];
	return NULL;
}

struct mw_tally mw_ledger_totals(const struct mw_ledger *ledger)
{
	return ledger->totals;
}

const struct mw_overlap *mw_ledger_overlaps(const struct mw_ledger *ledger,
					    size_t *ret_count)
{
	*ret_count = ledger->overlaps.n;
	return ledger->overlaps.v;
}

const struct mw_ledger_range *mw_ledger_ranges(const struct mw_ledger *ledger,
					       size_t *ret_count,
					       size_t *ret_left_out)
{
	*ret_count = ledger->ranges.n;
	*ret_left_out = ledger->ranges_left_out;
	return ledger->ranges.v;
}

const struct mw_ledger_share *mw_ledger_shares(const struct mw_ledger *ledger,
					       size_t *ret_count)
{
	*ret_count = ledger->shares.n;
	return ledger->shares.v;
}

const struct mw_ledger_page *mw_ledger_pages(const struct mw_ledger *ledger,
					     size_t *ret_count)
{
	*ret_count = ledger->page_shares.n;
	return ledger->page_shares.v;
}

const struct mw_claim *mw_ledger_claims(const struct mw_ledger *ledger,
					size_t *ret_count)
{
	*ret_count = ledger->sorted.n;
	return ledger->sorted.v;
}

struct mw_audit mw_ledger_audit(const struct mw_ledger *ledger,
				const struct mw_tally *kernel, bool exact)
{
	const struct mw_tally *totals = &ledger->totals;
	struct mw_audit audit = {
		.kernel = *kernel,
		.drift_vsz_bytes =
			(int64_t)(totals->vsz_bytes - kernel->vsz_bytes),
		.drift_rss_bytes =
			(int64_t)(totals->rss_bytes - kernel->rss_bytes),
		.drift_swap_bytes =
			(int64_t)(totals->swap_bytes - kernel->swap_bytes),
		.overlaps = ledger->overlaps.n,
	};

	audit.balanced = audit.overlaps == 0 &&
			 (!exact || (audit.drift_vsz_bytes == 0 &&
				     audit.drift_rss_bytes == 0 &&
				     audit.drift_swap_bytes == 0));
	return audit;
}
