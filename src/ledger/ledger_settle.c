/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_int.h"

static uint64_t end_of(const struct mw_claim *claim)
{
	return claim->start + claim->bytes;
}

static int by_start(const void *a, const void *b)
{
	const struct mw_claim *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static struct mw_error *sort_claims(struct mw_ledger *ledger,
				    enum mw_layer layer)
{
	for (size_t i = 0; i < ledger->claims[layer].n; i++) {
		struct mw_claim *place = mw_vec_push(&ledger->sorted);

		if (!place)
			return mw_error_nomem();
		*place = ledger->claims[layer].v[i];
	}
	if (ledger->sorted.n > 0)
		qsort(ledger->sorted.v, ledger->sorted.n,
		      sizeof(*ledger->sorted.v), by_start);
	return NULL;
}

/** Who claims what, for reports of overlaps. */
static const char *name_of(const struct mw_claim *claim)
{
	return claim->what ? claim->what : claim->walker;
}

/** Find the bytes with two owners, and the union of all owners' claims. */
static struct mw_error *find_overlaps(struct mw_ledger *ledger)
{
	const struct mw_claim *longest = NULL; // reaches furthest so far

	for (size_t i = 0; i < ledger->sorted.n; i++) {
		const struct mw_claim *claim = &ledger->sorted.v[i];

		if (longest && claim->start < end_of(longest)) {
			struct mw_overlap *overlap =
				mw_vec_push(&ledger->overlaps);
			uint64_t end = mw_min(end_of(claim), end_of(longest));

			if (!overlap || !mw_intervals_add(&ledger->contested,
							  claim->start, end))
				return mw_error_nomem();
			*overlap = (struct mw_overlap){
				.start = claim->start,
				.end = end,
				.first = name_of(longest),
				.second = name_of(claim),
			};
		}
		if (!mw_intervals_add(&ledger->covered, claim->start,
				      end_of(claim)))
			return mw_error_nomem();
		if (!longest || end_of(claim) > end_of(longest))
			longest = claim;
	}
	return NULL;
}

static void count_mappings(struct mw_ledger *ledger)
{
	size_t run = 0;

	for (size_t i = 0; i < ledger->maps->list.n; i++) {
		const struct mw_mapping *m = &ledger->maps->list.v[i];
		struct mw_tally *mapped = &ledger->mapped[i];

		mapped->vsz_bytes = mw_mapping_bytes(m);
		mw_pages_tally(ledger->pages, &run, m->start, m->end, mapped);
		mapped->rss_bytes += m->unplaced_rss_bytes;
		mapped->swap_bytes += m->unplaced_swap_bytes;
		ledger->totals.vsz_bytes += mapped->vsz_bytes;
		ledger->totals.rss_bytes += mapped->rss_bytes;
		ledger->totals.swap_bytes += mapped->swap_bytes;
	}
}

/**
 * Take the next part of the current claim: post what lies between the last
 * part and this one to the claim's own account. False when nothing is left of
 * [*start, *end) after cutting off what leaves the claim or goes backwards.
 */
static bool begin_part(struct mw_ledger *ledger, uint64_t *start,
		       uint64_t *end)
{
	const struct mw_claim *claim = ledger->claim;
	uint64_t from = mw_max(*start, ledger->part_end);
	uint64_t to = mw_min(*end, end_of(claim));

	if (*start < ledger->part_end || *end > end_of(claim)) {
		struct mw_overlap *overlap = mw_vec_push(&ledger->overlaps);

		if (overlap)
			*overlap = (struct mw_overlap){
				.start = *start,
				.end = *end,
				.first = name_of(claim),
				.second = name_of(claim),
			};
		else if (!ledger->error)
			ledger->error = mw_error_nomem();
	}
	if (from >= to)
		return false;
	mw_ledger_post(ledger, ledger->part_end, from, claim->account);
	ledger->part_end = to;
	*start = from;
	*end = to;
	return true;
}

static void part_range(void *ctx, uint64_t start, uint64_t bytes,
		       mw_account_id account)
{
	struct mw_ledger *ledger = ctx;
	uint64_t end;

	if (bytes > 0 && mw_end(start, bytes, &end) &&
	    begin_part(ledger, &start, &end))
		mw_ledger_post(ledger, start, end, account);
}

static void part_slots(void *ctx, const struct mw_slots *slots)
{
	struct mw_ledger *ledger = ctx;
	uint64_t bytes, start = slots->start, end;

	if (__builtin_mul_overflow(slots->slot_bytes, slots->count, &bytes) ||
	    !mw_end(start, bytes, &end) || bytes == 0)
		return;

	uint64_t whole = end - start;
	if (!begin_part(ledger, &start, &end))
		return;
	if (end - start == whole)
		mw_ledger_post_slots(ledger, slots);
	else
		mw_ledger_post(ledger, start, end, slots->unknown);
}

static uint64_t uniform_until(void *ctx, uint64_t va)
{
	struct mw_ledger *ledger = ctx;

	return va < ledger->part_end
		       ? va
		       : mw_min(mw_ledger_uniform_until(ledger, va),
				end_of(ledger->claim));
}

static void part_sums(void *ctx, uint64_t start, uint64_t end,
		      const struct mw_sum *sums, size_t count)
{
	struct mw_ledger *ledger = ctx;
	uint64_t from = start, to = end;

	if (!begin_part(ledger, &from, &to))
		return;
	assert(from == start && to == end);
	mw_ledger_post_sums(ledger, start, end, sums, count,
			    ledger->claim->account);
}

static const struct mw_part_ops part_ops = {
	.uniform_until = uniform_until,
	.sums = part_sums,
	.range = part_range,
	.slots = part_slots,
};

static struct mw_error *settle_owner(struct mw_ledger *ledger,
				     const struct mw_claim *claim)
{
	struct mw_parts parts = { &part_ops, ledger };
	struct mw_error *error = NULL;

	ledger->claim = claim;
	ledger->part_end = claim->start;
	if (claim->refine)
		error = claim->refine(claim->ctx, claim, &parts);
	mw_ledger_post(ledger, ledger->part_end, end_of(claim),
		       claim->account);
	return error ? error : ledger->error;
}

/** Give a remainder claim what is not covered yet. */
static struct mw_error *settle_remainder(struct mw_ledger *ledger,
					 const struct mw_claim *claim)
{
	uint64_t start = claim->start, end = end_of(claim);

	for (size_t i = mw_intervals_after(&ledger->covered, start);
	     start < end; i++) {
		bool more = i < ledger->covered.list.n;
		uint64_t stop =
			more ? mw_min(end, ledger->covered.list.v[i].start)
			     : end;

		if (start < stop)
			mw_ledger_post(ledger, start, stop, claim->account);
		if (!more)
			break;
		start = mw_max(start, ledger->covered.list.v[i].end);
	}
	return mw_intervals_add(&ledger->covered, claim->start, end)
		       ? NULL
		       : mw_error_nomem();
}

/** Give mapping number @i, claimed as @claim, what of it is left. */
static struct mw_error *settle_mapping(struct mw_ledger *ledger, size_t i,
				       mw_account_id account)
{
	const struct mw_mapping *m = &ledger->maps->list.v[i];
	uint64_t start = m->start;
	mw_account_id unplaced;

	for (size_t k = mw_intervals_after(&ledger->covered, start);
	     start < m->end; k++) {
		bool more = k < ledger->covered.list.n;
		uint64_t stop =
			more ? mw_min(m->end, ledger->covered.list.v[k].start)
			     : m->end;

		if (start < stop)
			mw_ledger_post(ledger, start, stop, account);
		if (!more)
			break;
		start = mw_max(start, ledger->covered.list.v[k].end);
	}

	// Bytes that are somewhere in the mapping: its own when nobody else
	// has a part of it.
	if (m->unplaced_rss_bytes == 0 && m->unplaced_swap_bytes == 0)
		return NULL;
	size_t at = mw_intervals_after(&ledger->covered, m->start);
	if (at < ledger->covered.list.n &&
	    ledger->covered.list.v[at].start < m->end) {
		struct mw_error *error = mw_ledger_account(
			ledger, "unknown", "unplaced",
			"the kernel tells only how much of the mapping is "
			"resident, not which pages", &unplaced);
		if (error)
			return error;
		account = unplaced;
	}

	struct mw_tally rest = {
		.rss_bytes = m->unplaced_rss_bytes,
		.swap_bytes = m->unplaced_swap_bytes,
	};
	mw_ledger_enter(ledger, i, account, &rest);
	return NULL;
}

static struct mw_error *settle_mappings(struct mw_ledger *ledger)
{
	mw_account_id unclaimed;
	struct mw_error *error = mw_ledger_account(
		ledger, "unknown", "unclaimed",
		"a mapping that no rule describes", &unclaimed);
	size_t c = 0;

	// The mappings' own claims come in any order; sorted they pair up.
	struct mw_claim *claims = ledger->claims[MW_LAYER_MAPPING].v;
	size_t count = ledger->claims[MW_LAYER_MAPPING].n;
	if (count > 0)
		qsort(claims, count, sizeof(*claims), by_start);
	for (size_t i = 0; !error && i < ledger->maps->list.n; i++) {
		const struct mw_mapping *m = &ledger->maps->list.v[i];

		while (c < count && claims[c].start < m->start)
			c++;
		error = settle_mapping(ledger, i,
				       c < count && claims[c].start == m->start
					       ? claims[c].account
					       : unclaimed);
	}
	return error;
}

/** The books must balance: a wrong sum is our own fault, never the target's. */
static void assert_balanced(const struct mw_ledger *ledger)
{
	struct mw_tally sum = { 0 };

	for (size_t i = 0; i < ledger->accounts.n; i++) {
		const struct mw_tally *t = &ledger->accounts.v[i].tally;

		sum.vsz_bytes += t->vsz_bytes;
		sum.rss_bytes += t->rss_bytes;
		sum.swap_bytes += t->swap_bytes;
	}
	assert(sum.vsz_bytes == ledger->totals.vsz_bytes);
	assert(sum.rss_bytes == ledger->totals.rss_bytes);
	assert(sum.swap_bytes == ledger->totals.swap_bytes);
	(void)sum;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct mw_ledger_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int compare_shares(const void *a, const void *b)
{
	const struct mw_ledger_share *x = a, *y = b;

	if (x->mapping != y->mapping)
		return x->mapping < y->mapping ? -1 : 1;
	if (x->tally.vsz_bytes != y->tally.vsz_bytes)
		return x->tally.vsz_bytes > y->tally.vsz_bytes ? -1 : 1;
	return x->account < y->account ? -1 : x->account > y->account;
}

static int compare_pages(const void *a, const void *b)
{
	const struct mw_ledger_page *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->account < y->account ? -1 : x->account > y->account;
}

static int compare_pages_by_account(const void *a, const void *b)
{
	const struct mw_ledger_page *x = a, *y = b;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	return x->account < y->account ? -1 : x->account > y->account;
}

/** Sort the pages' shares, and add up what one account has in pieces. */
static void tidy_pages(struct mw_ledger *ledger)
{
	struct mw_ledger_page *pages = ledger->page_shares.v;
	size_t kept = 0;

	if (ledger->page_shares.n == 0)
		return;
	qsort(pages, ledger->page_shares.n, sizeof(*pages),
	      compare_pages_by_account);
	for (size_t i = 0; i < ledger->page_shares.n; i++) {
		if (kept > 0 && pages[kept - 1].va == pages[i].va &&
		    pages[kept - 1].account == pages[i].account)
			pages[kept - 1].bytes += pages[i].bytes;
		else
			pages[kept++] = pages[i];
	}
	ledger->page_shares.n = kept;
	qsort(pages, kept, sizeof(*pages), compare_pages);
}

static struct mw_error *settle_contested(struct mw_ledger *ledger)
{
	struct intervals contested = ledger->contested;
	struct mw_error *error;

	if (contested.list.n == 0)
		return NULL;
	error = mw_ledger_account(ledger, "unknown", "contested",
				  "two walkers claim the same bytes",
				  &ledger->contested_account);
	if (error)
		return error;
	// Posted last, and as ordinary ranges: nothing else is contested now.
	ledger->contested = (struct intervals){ 0 };
	for (size_t i = 0; i < contested.list.n; i++)
		mw_ledger_post(ledger, contested.list.v[i].start,
			       contested.list.v[i].end,
			       ledger->contested_account);
	mw_vec_free(&contested.list);
	return NULL;
}

struct mw_error *mw_ledger_settle(struct mw_ledger *ledger)
{
	struct mw_error *error;

	assert(ledger->sorted.n == 0);
	count_mappings(ledger);
	error = sort_claims(ledger, MW_LAYER_OWNER);
	if (!error)
		error = find_overlaps(ledger);
	for (size_t i = 0; !error && i < ledger->claims[MW_LAYER_OWNER].n; i++)
		error = settle_owner(ledger,
				     &ledger->claims[MW_LAYER_OWNER].v[i]);
	if (!error)
		error = settle_contested(ledger);
	for (size_t i = 0; !error && i < ledger->claims[MW_LAYER_REMAINDER].n;
	     i++)
		error = settle_remainder(
			ledger, &ledger->claims[MW_LAYER_REMAINDER].v[i]);
	if (!error)
		error = settle_mappings(ledger);
	if (!error)
		error = sort_claims(ledger, MW_LAYER_REMAINDER);
	if (!error)
		error = ledger->error;
	if (error) {
		ledger->error = NULL;
		return error;
	}
	assert_balanced(ledger);
	tidy_pages(ledger);
	if (ledger->ranges.n > 0)
		qsort(ledger->ranges.v, ledger->ranges.n,
		      sizeof(*ledger->ranges.v), compare_ranges);
	if (ledger->shares.n > 0)
		qsort(ledger->shares.v, ledger->shares.n,
		      sizeof(*ledger->shares.v), compare_shares);
	return NULL;
}

void mw_ledger_add_pss(struct mw_ledger *ledger, const uint64_t *pss_bytes)
{
	assert(ledger->keep_mappings);
	for (size_t i = 0; i < ledger->shares.n;) {
		size_t mapping = ledger->shares.v[i].mapping;
		uint64_t left_pss = pss_bytes[mapping];
		uint64_t left_rss = 0;
		size_t end = i;

		for (; end < ledger->shares.n &&
		       ledger->shares.v[end].mapping == mapping;
		     end++)
			left_rss += ledger->shares.v[end].tally.rss_bytes;
		// Its pages came after their states had been read: they most
		// likely belong to the account with most of the mapping.
		if (left_rss == 0)
			ledger->accounts.v[ledger->shares.v[i].account]
				.pss_bytes += left_pss;
		// Each takes its part of what is left, so the last one takes
		// the rest and nothing is lost to rounding.
		for (; i < end; i++) {
			const struct mw_ledger_share *s = &ledger->shares.v[i];
			uint64_t rss = s->tally.rss_bytes;

			if (rss == 0)
				continue;
			uint64_t take = (uint64_t)((__uint128_t)left_pss * rss /
						   left_rss);
			ledger->accounts.v[s->account].pss_bytes += take;
			left_pss -= take;
			left_rss -= rss;
		}
	}
}
