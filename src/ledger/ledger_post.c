/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "ledger_int.h"

static void add(struct mw_tally *to, const struct mw_tally *more)
{
	to->vsz_bytes += more->vsz_bytes;
	to->rss_bytes += more->rss_bytes;
	to->swap_bytes += more->swap_bytes;
}

static void fail(struct mw_ledger *ledger)
{
	if (!ledger->error)
		ledger->error = mw_error_nomem();
}

static void keep_share(struct mw_ledger *ledger, size_t mapping,
		       mw_account_id account, const struct mw_tally *tally)
{
	uint64_t *at = mw_map64_at(&ledger->share_at,
				   (uint64_t)mapping << 32 | account);
	if (at && *at == 0) {
		struct mw_ledger_share *share = mw_vec_push(&ledger->shares);

		if (share) {
			*share = (struct mw_ledger_share){
				.mapping = mapping,
				.account = account,
			};
			*at = ledger->shares.n;
		}
	}
	if (at && *at)
		add(&ledger->shares.v[*at - 1].tally, tally);
	else
		fail(ledger);
}

void mw_ledger_enter(struct mw_ledger *ledger, size_t mapping,
		     mw_account_id account, const struct mw_tally *tally)
{
	struct mw_tally *claimed = &ledger->claimed[mapping];

	add(claimed, tally);
	add(&ledger->accounts.v[account].tally, tally);
	if (ledger->keep_mappings)
		keep_share(ledger, mapping, account, tally);
	// No mapping can give more than it has: a byte was posted twice.
	assert(claimed->vsz_bytes <= ledger->mapped[mapping].vsz_bytes);
	assert(claimed->rss_bytes <= ledger->mapped[mapping].rss_bytes);
	assert(claimed->swap_bytes <= ledger->mapped[mapping].swap_bytes);
}

static void keep_range(struct mw_ledger *ledger, uint64_t start, uint64_t end,
		       mw_account_id account, const struct mw_tally *tally)
{
	if (ledger->ranges.n >= MAX_RANGES) {
		ledger->ranges_left_out++;
		return;
	}

	struct mw_ledger_range *range = mw_vec_push(&ledger->ranges);
	if (!range) {
		fail(ledger);
		return;
	}
	*range = (struct mw_ledger_range){ start, end, account, *tally };
}

static void keep_page(struct mw_ledger *ledger, uint64_t va,
		      mw_account_id account, uint64_t bytes)
{
	struct mw_ledger_page *page =
		bytes ? mw_vec_push(&ledger->page_shares) : NULL;

	if (page)
		*page = (struct mw_ledger_page){ va, account,
						 (uint32_t)bytes };
	else if (bytes)
		fail(ledger);
}

/** Keep what @account has on each resident page of [@start, @end). */
static void keep_pages(struct mw_ledger *ledger, uint64_t start, uint64_t end,
		       mw_account_id account)
{
	const struct mw_pages *pages = ledger->pages;

	for (size_t i = mw_pages_after(pages, start); i < pages->runs.n; i++) {
		uint64_t run = pages->runs.v[i];
		uint64_t from = mw_max(start, mw_run_start(run));
		uint64_t to = mw_min(end, mw_run_end(run));

		if (from >= to)
			break;
		while (mw_state_is_rss(mw_run_state(run)) && from < to) {
			uint64_t page = mw_align_down(from, MW_PAGE_BYTES);
			uint64_t stop = mw_min(to, page + MW_PAGE_BYTES);

			keep_page(ledger, page, account, stop - from);
			from = stop;
		}
	}
}

/** Number of the mapping to look at first for @va, moving the hint. */
static size_t mapping_after(struct mw_ledger *ledger, uint64_t va)
{
	const struct mw_mappings *maps = ledger->maps;
	size_t at = ledger->mapping_hint;

	if (at < maps->list.n && maps->list.v[at].end > va &&
	    (at == 0 || maps->list.v[at - 1].end <= va))
		return at;
	return ledger->mapping_hint = mw_mappings_after(maps, va);
}

/** Post a range without contested bytes: what of it is mapped. */
static void post_clean(struct mw_ledger *ledger, uint64_t start, uint64_t end,
		       mw_account_id account)
{
	for (size_t i = mapping_after(ledger, start);
	     i < ledger->maps->list.n; i++) {
		const struct mw_mapping *m = &ledger->maps->list.v[i];
		uint64_t from = mw_max(start, m->start);
		uint64_t to = mw_min(end, m->end);
		struct mw_tally tally = { 0 };

		if (from >= to)
			break;
		tally.vsz_bytes = to - from;
		mw_pages_tally(ledger->pages, &ledger->run_hint, from, to,
			       &tally);
		mw_ledger_enter(ledger, i, account, &tally);
		mw_ledger_tell(ledger, from, to, account);
		if (ledger->keep_pages)
			keep_pages(ledger, from, to, account);
		if (ledger->more.v[account].lists_ranges)
			keep_range(ledger, from, to, account, &tally);
		ledger->mapping_hint = i;
	}
}

static bool is_contested(const struct mw_ledger *ledger, uint64_t start,
			 uint64_t end)
{
	size_t at;

	if (ledger->contested.list.n == 0)
		return false;
	at = mw_intervals_after(&ledger->contested, start);
	return at < ledger->contested.list.n &&
	       ledger->contested.list.v[at].start < end;
}

void mw_ledger_post(struct mw_ledger *ledger, uint64_t start, uint64_t end,
		    mw_account_id account)
{
	const struct intervals *contested = &ledger->contested;

	if (!is_contested(ledger, start, end)) {
		if (start < end)
			post_clean(ledger, start, end, account);
		return;
	}
	for (size_t i = mw_intervals_after(contested, start); start < end;
	     i++) {
		uint64_t stop = i < contested->list.n
					? mw_min(end, contested->list.v[i].start)
					: end;

		if (start < stop)
			post_clean(ledger, start, stop, account);
		if (i >= contested->list.n)
			break;
		start = mw_max(start, contested->list.v[i].end);
	}
}

/** Bytes of used slots in the first @bytes bytes of the slots. */
static uint64_t used_before(const struct mw_slots *slots, const uint8_t *bits,
			    uint64_t bytes)
{
	uint64_t whole = mw_min(bytes / slots->slot_bytes, slots->count);
	uint64_t used = 0;

	for (uint64_t i = 0; i + 64 <= whole; i += 64)
		used += mw_popcount(mw_u64(bits + i / 8));
	if (whole % 64)
		used += mw_popcount(mw_u64(bits + whole / 64 * 8) &
				    ((UINT64_C(1) << whole % 64) - 1));
	used *= slots->slot_bytes;
	if (whole < slots->count && (bits[whole / 8] >> (whole % 8) & 1))
		used += bytes - whole * slots->slot_bytes;
	return used;
}

/** Room for the bits of @count slots, zeroed; NULL without memory. */
static uint8_t *bits_for(struct mw_ledger *ledger, uint64_t count)
{
	enum { LIMIT = 64 << 20 };
	size_t need = mw_align_up(count, 64) / 8;

	if (need > LIMIT)
		return NULL;
	if (need > ledger->bits_bytes) {
		uint8_t *grown = mw_realloc(ledger->bits, need, 1);

		if (!grown)
			return NULL;
		ledger->bits = grown;
		ledger->bits_bytes = need;
	}
	memset(ledger->bits, 0, need);
	return ledger->bits;
}

static bool is_uniform(const struct mw_tally *t)
{
	return (t->rss_bytes == 0 || t->rss_bytes == t->vsz_bytes) &&
	       (t->swap_bytes == 0 || t->swap_bytes == t->vsz_bytes);
}

/** Slots that are all of one kind need no bits. */
static bool are_alike(const struct mw_slots *slots)
{
	return slots->used_count == 0 || slots->used_count == slots->count;
}

/** Bytes of used slots in [@from, @to) of the slots' memory. */
static uint64_t used_in(const struct mw_slots *slots, const uint8_t *bits,
			uint64_t from, uint64_t to)
{
	if (are_alike(slots))
		return slots->used_count ? to - from : 0;
	return used_before(slots, bits, to - slots->start) -
	       used_before(slots, bits, from - slots->start);
}

/** Keep what the slots have on each page of [@from, @to), all resident. */
static void keep_slots(struct mw_ledger *ledger, const struct mw_slots *slots,
		       const uint8_t *bits, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t page = mw_align_down(from, MW_PAGE_BYTES);
		uint64_t stop = mw_min(to, page + MW_PAGE_BYTES);
		uint64_t used = used_in(slots, bits, from, stop);

		keep_page(ledger, page, slots->used, used);
		keep_page(ledger, page, slots->unused, stop - from - used);
		from = stop;
	}
}

/** Enter [@from, @to), a piece of the slots in one mapping. */
static void post_piece(struct mw_ledger *ledger, size_t mapping,
		       const struct mw_slots *slots, const uint8_t *bits,
		       uint64_t from, uint64_t to)
{
	struct mw_tally all = { .vsz_bytes = to - from };
	struct mw_tally used = { 0 };
	size_t run = mw_pages_after_hint(ledger->pages, from,
					 ledger->run_hint);

	used.vsz_bytes = used_in(slots, bits, from, to);
	for (; run < ledger->pages->runs.n; run++) {
		uint64_t packed = ledger->pages->runs.v[run];
		uint64_t start = mw_max(from, mw_run_start(packed));
		uint64_t end = mw_min(to, mw_run_end(packed));

		if (start >= end)
			break;
		uint64_t bytes = used_in(slots, bits, start, end);
		if (mw_state_is_rss(mw_run_state(packed))) {
			all.rss_bytes += end - start;
			used.rss_bytes += bytes;
			if (ledger->keep_pages)
				keep_slots(ledger, slots, bits, start, end);
		}
		if (mw_run_state(packed) & MW_PAGE_SWAPPED) {
			all.swap_bytes += end - start;
			used.swap_bytes += bytes;
		}
	}
	ledger->run_hint = run;

	struct mw_tally unused = {
		.vsz_bytes = all.vsz_bytes - used.vsz_bytes,
		.rss_bytes = all.rss_bytes - used.rss_bytes,
		.swap_bytes = all.swap_bytes - used.swap_bytes,
	};
	mw_ledger_enter(ledger, mapping, slots->used, &used);
	mw_ledger_enter(ledger, mapping, slots->unused, &unused);
}

void mw_ledger_post_slots(struct mw_ledger *ledger,
			  const struct mw_slots *slots)
{
	uint64_t start = slots->start;
	uint64_t end = start + slots->slot_bytes * slots->count;
	const struct mw_mapping *maps = ledger->maps->list.v;
	uint8_t *bits = NULL;

	// Slots are contested in no sound heap: then only their range counts.
	if (is_contested(ledger, start, end)) {
		mw_ledger_post(ledger, start, end, slots->unknown);
		return;
	}
	if (!are_alike(slots)) {
		bits = bits_for(ledger, slots->count);
		if (!bits) {
			fail(ledger);
			return;
		}
		if (!slots->load(slots->load_ctx, bits)) {
			mw_ledger_post(ledger, start, end, slots->unknown);
			return;
		}
	}
	for (size_t i = mapping_after(ledger, start);
	     i < ledger->maps->list.n && maps[i].start < end; i++) {
		uint64_t from = mw_max(start, maps[i].start);
		uint64_t to = mw_min(end, maps[i].end);

		post_piece(ledger, i, slots, bits, from, to);
		mw_ledger_tell_slots(ledger, slots, bits, from, to);
		ledger->mapping_hint = i;
	}
}

uint64_t mw_ledger_uniform_until(struct mw_ledger *ledger, uint64_t va)
{
	size_t i = mapping_after(ledger, va);
	const struct intervals *contested = &ledger->contested;
	const struct mw_pages *pages = ledger->pages;
	uint64_t end, run;
	size_t at;

	// Sums would not tell which page has what.
	if (ledger->keep_pages || i == ledger->maps->list.n ||
	    ledger->maps->list.v[i].start > va)
		return va;
	// Nor who has the bytes that are traced.
	end = mw_min(ledger->maps->list.v[i].end,
		     mw_ledger_next_traced(ledger, va));
	at = mw_intervals_after(contested, va);
	if (at < contested->list.n)
		end = mw_min(end, contested->list.v[at].start);

	at = mw_pages_after_hint(pages, va, ledger->run_hint);
	ledger->run_hint = at;
	if (at == pages->runs.n)
		return end;
	run = pages->runs.v[at];
	if (mw_run_start(run) > va)
		return mw_min(end, mw_run_start(run));
	// A long stretch is stored as several runs.
	while (at + 1 < pages->runs.n && mw_run_end(run) < end &&
	       mw_run_start(pages->runs.v[at + 1]) == mw_run_end(run) &&
	       mw_run_state(pages->runs.v[at + 1]) == mw_run_state(run))
		run = pages->runs.v[++at];
	return mw_min(end, mw_run_end(run));
}

void mw_ledger_post_sums(struct mw_ledger *ledger, uint64_t start,
			 uint64_t end, const struct mw_sum *sums, size_t count,
			 mw_account_id account)
{
	size_t mapping = mapping_after(ledger, start);
	struct mw_tally all = { .vsz_bytes = end - start };
	uint64_t left = end - start;

	mw_pages_tally(ledger->pages, &ledger->run_hint, start, end, &all);
	assert(is_uniform(&all));
	for (size_t i = 0; i <= count; i++) {
		uint64_t bytes = i < count ? sums[i].bytes : left;
		struct mw_tally tally = {
			.vsz_bytes = bytes,
			.rss_bytes = all.rss_bytes ? bytes : 0,
			.swap_bytes = all.swap_bytes ? bytes : 0,
		};

		assert(bytes <= left);
		left -= bytes;
		if (bytes > 0)
			mw_ledger_enter(ledger, mapping,
					i < count ? sums[i].account : account,
					&tally);
	}
}
