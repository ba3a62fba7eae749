/* SPDX-License-Identifier: Apache-2.0 */
#include "../tests/unit/fake_heap.h"
#include "fuzz.h"
#include "mw_alloc_classes.h"
#include "mw_alloc_contents.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * A sound heap of glibc with words overwritten: the input is a list of them,
 * 11 bytes each. The first has bit 0: in libc's data instead of the heap; bits
 * 1 and 2: the word is an address there (1: in the heap, 2: in libc's data).
 * Two bytes of index and the word follow.
 */
#define PATCH_BYTES 11
#define MOST_PATCHES 64

struct input {
	struct fake_heap heap;
	bool by_range;
};

static void make(struct fake_heap *heap)
{
	uint64_t fast[3];

	fake_heap_init(heap);
	fake_heap_chunk(heap, 0x290, true);
	fake_heap_chunk(heap, 0x5000, false);
	for (int i = 0; i < 40; i++)
		fake_heap_chunk(heap, 0x20 + 0x10 * (uint64_t)i, i % 4 != 1);
	for (int i = 0; i < 3; i++)
		fast[i] = fake_heap_chunk(heap, 0x30, true);
	fake_heap_chunk(heap, 0x1000, true);
	fake_heap_finish(heap);
	fake_heap_write(heap, FAKE_ARENA + 0x18, fast[0]);
	for (int i = 0; i < 3; i++)
		fake_heap_write(heap, fast[i] + 16,
				(i < 2 ? fast[i + 1] : 0) ^
					(fast[i] + 16) >> 12);
}

static void patch(struct fake_heap *heap, const uint8_t *bytes)
{
	uint64_t index = mw_u16(bytes + 1), word = mw_u64(bytes + 3);
	uint64_t at = bytes[0] & 1 ? FAKE_LIBC : FAKE_BREAK;

	if (bytes[0] & 2)
		word = FAKE_BREAK + word % FAKE_BREAK_BYTES;
	else if (bytes[0] & 4)
		word = FAKE_LIBC + word % FAKE_LIBC_BYTES;
	fake_heap_write(heap, at + index * 8, word);
}

/** The sums of all blocks, to be held against the arenas' figures. */
struct sums {
	uint64_t in_use, in_use_blocks, free, free_blocks, cached;
	uint64_t end; /* of the last block */
	struct mw_target *target;
	struct mw_alloc_contents *contents;
};

static void check_content(const struct sums *sums,
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

static struct mw_error *add_block(void *ctx, const struct mw_alloc_block *b)
{
	struct sums *sums = ctx;

	CHECK(b->start >= sums->end && b->bytes > 0);
	CHECK(b->user >= b->start && b->user_bytes <= b->bytes);
	sums->end = b->start + b->bytes;
	switch (b->holder) {
	case MW_ALLOC_IN_USE:
		sums->in_use += b->bytes;
		sums->in_use_blocks++;
		check_content(sums, b);
		break;
	case MW_ALLOC_FREE:
		sums->free += b->bytes;
		sums->free_blocks++;
		break;
	case MW_ALLOC_CACHED:
		sums->cached += b->bytes;
		break;
	case MW_ALLOC_NO_BLOCK:
		CHECK(false);
	}
	return NULL;
}

static struct mw_error *sum_up(struct mw_alloc *alloc, struct sums *sums)
{
	MW_CLEANUP(mw_alloc_contents_closep)
	struct mw_alloc_contents *contents = NULL;
	struct mw_error *error = mw_alloc_contents_open(sums->target,
							alloc, &contents);

	sums->contents = contents;
	return error ? error
		     : mw_alloc_blocks(alloc, MW_ALLOC_IN_USE | MW_ALLOC_FREE |
						      MW_ALLOC_CACHED,
				       add_block, sums);
}

/** What classes and bins tell is what single blocks tell. */
static struct mw_error *check_lists(struct mw_alloc *alloc,
				    const struct sums *sums)
{
	MW_CLEANUP(mw_alloc_classes_free) struct mw_alloc_classes all = { 0 };
	MW_CLEANUP(mw_alloc_bins_free) struct mw_alloc_bins bins = { 0 };
	struct sums left = *sums;
	uint64_t free = sums->free_blocks;
	struct mw_error *error = mw_alloc_classes(alloc, &all);

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
			free -= b->count.blocks;
	}
	CHECK(free == 0);
	return NULL;
}

static struct mw_error *check_blocks(struct mw_target *target,
				     struct mw_alloc *alloc)
{
	struct sums sums = { .target = target };
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(alloc, &count);
	struct mw_error *error = sum_up(alloc, &sums);

	if (!error)
		error = check_lists(alloc, &sums);
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

static void run(void *ctx)
{
	const struct input *in = ctx;
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	struct mw_error *error;

	fake_sink_init(&sink);
	sink.by_range = in->by_range;
	error = mw_alloc_claim(in->heap.target, &sink.sink, &alloc);
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
				      a->torn_bytes <=
			      FAKE_BREAK_BYTES + FAKE_LIBC_BYTES);
		}
	}
	fuzz_check_error(error);
	// Looking for a block without memory finds none, which is no error.
	for (uint64_t va = FAKE_BREAK; !error && va < FAKE_BREAK +
						      FAKE_BREAK_BYTES;
	     va += FAKE_BREAK_BYTES / 16 + 1) {
		struct mw_alloc_block block;
		bool found = false;

		error = mw_alloc_block_at(alloc, va, &block, &found);
		if (!error && found)
			CHECK(va >= block.start &&
			      va - block.start < block.bytes);
	}
	if (!error)
		error = check_blocks(in->heap.target, alloc);
	mw_error_free(error);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .by_range = size % 2 };

	make(&in.heap);
	for (size_t i = 0; i < size / PATCH_BYTES && i < MOST_PATCHES; i++)
		patch(&in.heap, data + i * PATCH_BYTES);
	fuzz_starve(data, size, run, &in);
	fake_heap_deinit(&in.heap);
	return 0;
}
