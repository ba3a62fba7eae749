/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "glibc_post.h"

static void flush_range(struct glibc_post *post)
{
	const struct glibc_arena *arena = post->region->arena;

	if (post->range_start < post->range_end)
		mw_part_range(post->parts, post->range_start,
			      post->range_end - post->range_start,
			      arena->accounts[post->range_kind]);
	post->range_start = post->range_end = 0;
}

static void flush_sums(struct glibc_post *post)
{
	const struct glibc_arena *arena = post->region->arena;
	struct mw_sum sums[GLIBC_KINDS];

	for (size_t k = 0; k < GLIBC_KINDS; k++) {
		sums[k] = (struct mw_sum){ arena->accounts[k],
					   post->sums[k] };
		post->bytes[k] += post->sums[k];
		post->sums[k] = 0;
	}
	if (post->at > post->start)
		mw_part_sums(post->parts, post->start, post->at, sums,
			     GLIBC_KINDS);
	post->start = post->at = post->until = 0;
}

void glibc_post_across(struct glibc_post *post, enum glibc_kind kind,
		       uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t stop = mw_min(end, post->until);

		if (start < stop) {
			post->sums[kind] += stop - start;
			post->at = start = stop;
			continue;
		}
		flush_sums(post);
		stop = mw_part_uniform_until(post->parts, start);
		if (stop > start) {
			flush_range(post);
			post->start = post->at = start;
			post->until = stop;
			continue;
		}
		// Sums are no use here: neighbours of one kind as one range.
		if (post->range_end != start || post->range_kind != kind)
			flush_range(post);
		if (post->range_end == 0) {
			post->range_start = start;
			post->range_kind = kind;
		}
		post->range_end = end;
		post->bytes[kind] += end - start;
		start = end;
	}
}

/*
 * What malloc_trim(0) gives back: of a free chunk large enough, the whole pages
 * behind its head; of the main arena's top, those above MINSIZE. (mtrim() and
 * systrim() in malloc/malloc.c.)
 */
#define TRIM_HEAD 48 /* sizeof(struct malloc_chunk) */

static uint64_t resident(struct glibc_post *post, uint64_t start,
			 uint64_t end)
{
	struct mw_tally tally = { 0 };

	if (start < end)
		mw_pages_tally(mw_target_pages(post->glibc->target),
			       &post->hint, start, end, &tally);
	return tally.rss_bytes;
}

static void end_run(struct glibc_post *post)
{
	const struct glibc_free_run *run = &post->run;

	if (run->end - run->start > MW_PAGE_BYTES - 1 + TRIM_HEAD)
		post->trimmable += resident(
			post, mw_align_up(run->start + TRIM_HEAD,
					  MW_PAGE_BYTES),
			mw_align_down(run->end, MW_PAGE_BYTES));
	post->run = (struct glibc_free_run){ 0 };
}

void glibc_post_free(struct glibc_post *post, bool is_fast, uint64_t start,
		     uint64_t end)
{
	struct glibc_free_run *run = &post->run;

	post->largest_free = mw_max(post->largest_free, end - start);
	if (run->end != start || (!is_fast && !run->is_merged)) {
		end_run(post);
		run->start = start;
	}
	run->end = end;
	run->is_merged = is_fast;
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
	// The tops of other arenas are not trimmed.
	if (post->region->arena->is_main)
		post->trimmable += resident(
			post, mw_align_up(end - mw_align_down(area, unit),
					  MW_PAGE_BYTES), end);
	glibc_post(post, GLIBC_TOP, start, end);
}

void glibc_post_finish(struct glibc_post *post)
{
	const struct glibc_region *region = post->region;
	struct mw_alloc_arena *f = region->arena->figures;
	const uint64_t *bytes = post->bytes, *blocks = post->blocks;

	flush_sums(post);
	flush_range(post);
	end_run(post);
	f->in_use_bytes += bytes[GLIBC_IN_USE];
	f->in_use_blocks += blocks[GLIBC_IN_USE];
	f->free_bytes += bytes[GLIBC_FREE] + bytes[GLIBC_FAST];
	f->free_blocks += blocks[GLIBC_FREE] + blocks[GLIBC_FAST];
	f->largest_free_bytes = mw_max(f->largest_free_bytes,
				       post->largest_free);
	f->cache_bytes += bytes[GLIBC_CACHE];
	f->cache_blocks += blocks[GLIBC_CACHE];
	f->top_bytes += bytes[GLIBC_TOP];
	f->metadata_bytes += bytes[GLIBC_METADATA];
	f->foreign_bytes += bytes[GLIBC_FOREIGN];
	f->reserved_bytes += bytes[GLIBC_RESERVED];
	f->torn_bytes += bytes[GLIBC_TORN] + bytes[GLIBC_UNREADABLE];
	f->trimmable_bytes += post->trimmable;
	f->resident_bytes += resident(post, region->start, region->limit);
}
