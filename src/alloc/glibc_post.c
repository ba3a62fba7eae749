/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_post.h"

/* Into a digest */

static void push(struct glibc_post *post, unsigned kind, uint64_t bytes)
{
	uint64_t *word = mw_vec_push(&post->region->digest);

	if (word)
		*word = (uint64_t)kind << GLIBC_DIGEST_SHIFT | bytes;
	else
		post->failed = true;
}

static void flush_stretch(struct glibc_post *post)
{
	if (post->at > post->start)
		push(post, GLIBC_STRETCH, post->at - post->start);
	for (unsigned k = 0; k < GLIBC_KINDS; k++) {
		if (post->stretch[k] > 0)
			push(post, k, post->stretch[k]);
		post->sums.bytes[k] += post->stretch[k];
		post->stretch[k] = 0;
	}
	post->start = post->at = post->until = 0;
}

/** The end of the stretch from @va on whose pages are in one state. */
static uint64_t uniform_until(struct glibc_post *post, uint64_t va)
{
	const struct mw_mappings *maps =
		mw_target_mappings(post->glibc->target);
	const struct mw_pages *pages = mw_target_pages(post->glibc->target);
	size_t m = post->mapping_hint, i;
	uint64_t end, run;

	if (m >= maps->list.n || maps->list.v[m].end <= va ||
	    (m > 0 && maps->list.v[m - 1].end > va))
		m = mw_mappings_after(maps, va);
	post->mapping_hint = m;
	if (m == maps->list.n)
		return UINT64_MAX;
	if (maps->list.v[m].start > va)
		return maps->list.v[m].start;
	end = maps->list.v[m].end;
	i = post->run_hint = mw_pages_after_hint(pages, va, post->run_hint);
	if (i == pages->runs.n)
		return end;
	run = pages->runs.v[i];
	if (mw_run_start(run) > va)
		return mw_min(end, mw_run_start(run));
	// A long stretch is stored as several runs.
	while (i + 1 < pages->runs.n && mw_run_end(run) < end &&
	       mw_run_start(pages->runs.v[i + 1]) == mw_run_end(run) &&
	       mw_run_state(pages->runs.v[i + 1]) == mw_run_state(run))
		run = pages->runs.v[++i];
	return mw_min(end, mw_run_end(run));
}

/* Into parts */

static void flush_range(struct glibc_post *post)
{
	const struct glibc_arena *arena = post->region->arena;

	if (post->range_start < post->range_end)
		mw_part_range(post->parts, post->range_start,
			      post->range_end - post->range_start,
			      arena->accounts[post->range_kind]);
	post->range_start = post->range_end = 0;
}

static void add_to_range(struct glibc_post *post, enum glibc_kind kind,
			 uint64_t start, uint64_t end)
{
	if (post->range_end != start || post->range_kind != kind) {
		flush_range(post);
		post->range_start = start;
		post->range_kind = kind;
	}
	post->range_end = end;
}

void glibc_post_across(struct glibc_post *post, enum glibc_kind kind,
		       uint64_t start, uint64_t end)
{
	if (post->visitor) {
		if (!post->error)
			post->error = post->visitor->take(post->visitor->ctx,
							  kind, start, end);
		return;
	}
	if (post->parts) {
		add_to_range(post, kind, start, end);
		return;
	}
	while (start < end) {
		uint64_t stop = mw_min(end, post->until);

		if (start >= stop) {
			flush_stretch(post);
			post->start = post->at = start;
			post->until = uniform_until(post, start);
			continue;
		}
		post->stretch[kind] += stop - start;
		post->at = start = stop;
	}
}

/* Trimming */

/*
 * What malloc_trim(0) gives back: of a free chunk large enough, the whole pages
 * behind its head; of the main arena's top, those above MINSIZE. (mtrim() and
 * systrim() in malloc/malloc.c.)
 */
static uint64_t resident(struct glibc_post *post, uint64_t start,
			 uint64_t end)
{
	struct mw_tally tally = { 0 };

	if (start < end)
		mw_pages_tally(mw_target_pages(post->glibc->target),
			       &post->run_hint, start, end, &tally);
	return tally.rss_bytes;
}

static void end_run(struct glibc_post *post)
{
	const struct glibc_free_run *run = &post->run;

	if (post->first && run->start == post->first)
		post->first_run = *run;
	else if (run->end - run->start > GLIBC_RUN_SMALL)
		post->sums.trimmable += resident(
			post, mw_align_up(run->start + GLIBC_TRIM_HEAD,
					  MW_PAGE_BYTES),
			mw_align_down(run->end, MW_PAGE_BYTES));
	post->run = (struct glibc_free_run){ 0 };
}

void glibc_post_free(struct glibc_post *post, bool is_fast, uint64_t start,
		     uint64_t end)
{
	struct glibc_free_run *run = &post->run;

	post->sums.largest_free = mw_max(post->sums.largest_free, end - start);
	// Chunks in bins have no free neighbours but those in fastbins.
	if (run->end != start || (!is_fast && !run->is_merged)) {
		end_run(post);
		run->start = start;
	}
	if (post->first && start == post->first) {
		post->first_is_free = true;
		post->first_is_fast = is_fast;
	}
	run->end = end;
	run->is_merged = is_fast;
}

bool glibc_post_may_pass(struct glibc_post *post, uint64_t start,
			 uint64_t *ret_run)
{
	const struct glibc_free_run *run = &post->run;

	if (post->first && start == post->first)
		return false;
	if (run->end != start)
		end_run(post);
	*ret_run = run->end == start ? run->start : start;
	return *ret_run != post->first &&
	       start - *ret_run <= GLIBC_RUN_SMALL;
}

void glibc_post_passed(struct glibc_post *post, const struct glibc_passed *p)
{
	uint64_t bytes = p->end - p->start;

	post->at = p->end;
	post->stretch[GLIBC_FAST] += p->free_bytes;
	post->stretch[GLIBC_IN_USE] += bytes - p->free_bytes;
	post->sums.blocks[GLIBC_FAST] += p->free_blocks;
	post->sums.blocks[GLIBC_IN_USE] += p->blocks - p->free_blocks;
	post->sums.link_check += p->link_check;
	post->run = (struct glibc_free_run){ 0 };
	if (p->run < p->end)
		post->run = (struct glibc_free_run){ p->run, p->end, true };
}

void glibc_post_top(struct glibc_post *post, uint64_t start, uint64_t end)
{
	uint64_t huge = post->glibc->params.thp_pagesize;
	uint64_t unit = huge ? huge : MW_PAGE_BYTES, from = start, area;

	if (post->run.end == start && post->run.is_merged) {
		from = post->run.start;
		post->run = (struct glibc_free_run){ 0 };
	}
	end_run(post);
	area = end - from > CHUNK_MIN ? end - from - CHUNK_MIN - 1 : 0;
	// The tops of other arenas are not trimmed, nor one that somebody has
	// moved the break behind.
	if (post->region->is_break && end == post->region->end)
		post->sums.trimmable += resident(
			post, mw_align_up(end - mw_align_down(area, unit),
					  MW_PAGE_BYTES), end);
	glibc_post(post, GLIBC_TOP, start, end);
}

bool glibc_post_join(struct glibc_post *post, struct glibc_post *next)
{
	struct glibc_free_run *run = &post->run;
	struct glibc_free_run *behind = &next->first_run;

	if (next->first_is_free && behind->end == 0)
		return false;
	if (run->end != next->first ||
	    (!next->first_is_fast && !run->is_merged)) {
		end_run(post);
		*run = *behind;
	} else if (next->first_is_free) {
		run->end = behind->end;
		run->is_merged = behind->is_merged;
	}
	next->first = 0;
	return true;
}

void glibc_post_finish(struct glibc_post *post)
{
	struct glibc_region *region = post->region;

	if (post->visitor) {
		post->region->error = post->error;
		return;
	}
	if (post->parts) {
		flush_range(post);
		return;
	}
	flush_stretch(post);
	end_run(post);
	region->sums = post->sums;
	if (post->failed)
		region->error = mw_error_nomem();
}
