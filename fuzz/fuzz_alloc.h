/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_ALLOC_H
#define FUZZ_ALLOC_H

#include "../tests/unit/fake_sink.h"
#include "../tests/unit/fake_target.h"
#include "fuzz.h"
#include "mw_alloc_classes.h"
#include "mw_alloc_contents.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * What the walkers of allocators promise, whatever they find. The input is a
 * list of words that are overwritten, 11 bytes each; what the first one and the
 * two that follow mean, each target says; then the word.
 */
#define FUZZ_PATCH_BYTES 11
#define FUZZ_MOST_PATCHES 64

struct fuzz_alloc {
	struct mw_target *target;
	bool by_range;
};

/** The sums of all blocks, to be held against the arenas' figures. */
struct fuzz_sums {
	uint64_t in_use, in_use_blocks, free, free_blocks, cached;
	uint64_t pages, page_runs; /* of free: no blocks yet */
	uint64_t listed; /* free blocks in bins, which only glibc has */
	uint64_t end;	 /* of the last block */
	struct mw_target *target;
	struct mw_alloc_contents *contents;
};

static inline void fuzz_check_content(const struct fuzz_sums *sums,
			  const struct mw_alloc_block *block)
{
	struct mw_block_content content;

	mw_alloc_content(sums->contents, block, &content);
	CHECK(content.kind < MW_CONTENTS);
	CHECK(content.count <= block->user_bytes);
	CHECK(!content.bytes == (content.kind == MW_CONTENT_UNREADABLE));
	if (content.kind == MW_CONTENT_OBJECT)
		mw_free(mw_alloc_class_name(sums->target,
					    content.pointer));
}

static inline struct mw_error *
fuzz_add_block(void *ctx, const struct mw_alloc_block *b)
{
	struct fuzz_sums *sums = ctx;

	CHECK(b->start >= sums->end && b->bytes > 0);
	CHECK((b->user >= b->start || !b->user) &&
	      b->user_bytes <= b->bytes);
	sums->end = b->start + b->bytes;
	switch (b->holder) {
	case MW_ALLOC_IN_USE:
		sums->in_use += b->bytes;
		sums->in_use_blocks++;
		fuzz_check_content(sums, b);
		break;
	case MW_ALLOC_FREE:
		sums->free += b->bytes;
		sums->free_blocks++;
		sums->pages += b->user ? 0 : b->bytes;
		sums->page_runs += !b->user;
		sums->listed += strcmp(b->allocator, "glibc") == 0;
		break;
	case MW_ALLOC_CACHED:
		sums->cached += b->bytes;
		break;
	case MW_ALLOC_NO_BLOCK:
		CHECK(false);
	}
	return NULL;
}

static inline struct mw_error *fuzz_sum_up(struct mw_alloc *alloc,
					   struct fuzz_sums *sums)
{
	MW_CLEANUP(mw_alloc_contents_closep)
	struct mw_alloc_contents *contents = NULL;
	struct mw_error *error = mw_alloc_contents_open(sums->target,
							alloc, &contents);

	sums->contents = contents;
	return error ? error
		     : mw_alloc_blocks(alloc, MW_ALLOC_IN_USE | MW_ALLOC_FREE |
						      MW_ALLOC_CACHED,
				       fuzz_add_block, sums);
}

/** What classes and bins tell is what single blocks tell. */
static inline struct mw_error *
fuzz_check_lists(struct mw_alloc *alloc, const struct fuzz_sums *sums)
{
	MW_CLEANUP(mw_alloc_classes_free) struct mw_alloc_classes all = { 0 };
	MW_CLEANUP(mw_alloc_bins_free) struct mw_alloc_bins bins = { 0 };
	struct fuzz_sums left = *sums;
	uint64_t listed = sums->listed;
	struct mw_error *error = mw_alloc_classes(alloc, &all);

	left.free -= left.pages;
	left.free_blocks -= left.page_runs;
	if (!error)
		error = mw_alloc_bins(alloc, &bins);
	if (error)
		return error;
	for (size_t i = 0; i < all.list.n; i++) {
		const struct mw_alloc_class *c = &all.list.v[i];

		CHECK(c->least_bytes <= c->most_bytes);
		left.in_use -= c->in_use.bytes;
		left.in_use_blocks -= c->in_use.blocks;
		left.free -= c->free.bytes;
		left.free_blocks -= c->free.blocks;
		left.cached -= c->cached.bytes;
	}
	CHECK(!left.in_use && !left.in_use_blocks && !left.free &&
	      !left.free_blocks && !left.cached);
	for (size_t i = 0; i < bins.list.n; i++) {
		const struct mw_alloc_bin *b = &bins.list.v[i];

		CHECK(b->count.blocks && b->least_bytes <= b->most_bytes);
		if (strcmp(b->kind, "tcache") != 0)
			listed -= b->count.blocks;
	}
	CHECK(listed == 0);
	return NULL;
}

static inline struct mw_error *fuzz_check_blocks(struct mw_target *target,
						 struct mw_alloc *alloc)
{
	struct fuzz_sums sums = { .target = target };
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(alloc, &count);
	struct mw_error *error = fuzz_sum_up(alloc, &sums);

	if (!error)
		error = fuzz_check_lists(alloc, &sums);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		sums.in_use -= arenas[i]->in_use_bytes;
		sums.in_use_blocks -= arenas[i]->in_use_blocks;
		sums.free -= arenas[i]->free_bytes;
		sums.free_blocks -= arenas[i]->free_blocks;
		sums.cached -= arenas[i]->cache_bytes;
	}
	CHECK(!sums.in_use && !sums.in_use_blocks && !sums.free &&
	      !sums.free_blocks && !sums.cached);
	return NULL;
}

/** To be starved: @ctx is a struct fuzz_alloc. */
static inline void fuzz_run_alloc(void *ctx)
{
	const struct fuzz_alloc *in = ctx;
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	struct mw_error *error;
	uint64_t most = 0;

	for (size_t i = 0; i < in->target->area_count; i++)
		most += in->target->areas[i].size;
	fake_sink_init(&sink);
	sink.by_range = in->by_range;
	error = mw_alloc_claim(in->target, &sink.sink, &alloc);
	if (!error)
		error = fake_sink_settle(&sink);
	CHECK(!sink.broken);
	if (!error) {
		const struct mw_alloc_arena *const *arenas;
		size_t count;

		arenas = mw_alloc_arenas(alloc, &count);
		for (size_t i = 0; i < count; i++) {
			const struct mw_alloc_arena *a = arenas[i];

			CHECK(a->trimmable_bytes <= a->resident_bytes);
			CHECK(a->in_use_bytes + a->free_bytes +
				      a->cache_bytes + a->top_bytes +
				      a->torn_bytes <= most);
		}
	}
	fuzz_check_error(error);
	// Looking for a block without memory finds none, which is no error.
	for (size_t i = 0; i < 16 * in->target->area_count && !error; i++) {
		uint64_t bytes = in->target->areas[i / 16].size;
		uint64_t va = in->target->areas[i / 16].va +
			      i % 16 * (bytes / 16 + 1) % bytes;
		struct mw_alloc_block block;
		bool found = false;

		error = mw_alloc_block_at(alloc, va, &block, &found);
		if (!error && found)
			CHECK(va >= block.start &&
			      va - block.start < block.bytes);
	}
	if (!error)
		error = fuzz_check_blocks(in->target, alloc);
	mw_error_free(error);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
}

#endif
