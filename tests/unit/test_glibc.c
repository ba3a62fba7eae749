/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_heap.h"
#include "fake_target.h"
#include "mw_num.h"
#include "mw_test.h"

#define MAIN "malloc/glibc/main/"

/** Walk @heap; the main arena's row, NULL when none was found. */
static const struct mw_alloc_arena *walk(struct fake_heap *heap,
					 struct fake_sink *sink,
					 struct mw_alloc **alloc)
{
	const struct mw_alloc_arena *const *arenas;
	size_t count;

	ASSERT_OK(mw_alloc_claim(heap->target, &sink->sink, alloc));
	ASSERT_OK(fake_sink_settle(sink));
	assert_false(sink->broken);
	arenas = mw_alloc_arenas(*alloc, &count);
	return count ? arenas[0] : NULL;
}

/** A link of a fastbin at chunk @at to @next, safe as since 2.32. */
static void link_fast(struct fake_heap *heap, uint64_t at, uint64_t next)
{
	fake_heap_write(heap, at + 16, next ^ (at + 16) >> 12);
}

struct known {
	uint64_t in_use, free, fast[3], top;
};

/** In use, free, three in a fastbin, one between them, top. */
static struct known make(struct fake_heap *heap)
{
	struct known k;

	fake_heap_init(heap);
	k.in_use = fake_heap_chunk(heap, 0x100, true);
	k.free = fake_heap_chunk(heap, 0x5000, false);
	fake_heap_chunk(heap, 0x40, true);
	for (int i = 0; i < 3; i++)
		k.fast[i] = fake_heap_chunk(heap, 0x30, true);
	fake_heap_chunk(heap, 0x1000, true);
	k.top = heap->at;
	fake_heap_finish(heap);
	// 0x30 is the second fastbin.
	fake_heap_write(heap, FAKE_ARENA + 0x18, k.fast[1]);
	link_fast(heap, k.fast[1], k.fast[2]);
	link_fast(heap, k.fast[2], k.fast[0]);
	link_fast(heap, k.fast[0], 0);
	return k;
}

static void check_known(struct fake_heap *heap, bool by_range)
{
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	const struct mw_alloc_arena *a;
	uint64_t top = FAKE_BREAK_BYTES - 0x100 - 0x5000 - 0x40 - 0x90 - 0x1000;

	fake_sink_init(&sink);
	sink.by_range = by_range;
	a = walk(heap, &sink, &alloc);
	assert_non_null(a);
	ASSERT_EQ(0x100 + 0x40 + 0x1000, fake_sink_bytes(&sink, MAIN "in-use"));
	ASSERT_EQ(0x5000 + 0x90, fake_sink_bytes(&sink, MAIN "free"));
	ASSERT_EQ(top, fake_sink_bytes(&sink, MAIN "top"));
	ASSERT_EQ(3, a->in_use_blocks);
	ASSERT_EQ(4, a->free_blocks);
	ASSERT_EQ(0x5000, a->largest_free_bytes);
	ASSERT_EQ(0, a->torn_bytes);
	ASSERT_EQ(FAKE_BREAK_BYTES, a->system_bytes);
	// Whole pages of the free chunk, and of the top above MINSIZE.
	ASSERT_EQ(0x4000 + mw_align_down(top - 33, 4096), a->trimmable_bytes);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
}

TEST(a_heap_is_told_to_the_byte)
{
	struct fake_heap heap;

	make(&heap);
	check_known(&heap, false);
	check_known(&heap, true);
	fake_heap_deinit(&heap);
}

TEST(what_looks_like_a_link_is_none)
{
	struct fake_heap heap;
	struct known k = make(&heap);

	// A block of the same size in use that still has its old link.
	fake_heap_write(&heap, FAKE_ARENA + 0x18, k.fast[2]);
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;

	fake_sink_init(&sink);
	walk(&heap, &sink, &alloc);
	ASSERT_EQ(0x5000 + 0x60, fake_sink_bytes(&sink, MAIN "free"));
	ASSERT_EQ(0x100 + 0x40 + 0x30 + 0x1000,
		  fake_sink_bytes(&sink, MAIN "in-use"));
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	fake_heap_deinit(&heap);
}

TEST(a_ring_in_a_fastbin_ends)
{
	struct fake_heap heap;
	struct known k = make(&heap);

	link_fast(&heap, k.fast[0], k.fast[1]);
	check_known(&heap, false);
	link_fast(&heap, k.fast[2], k.fast[2]);
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;

	fake_sink_init(&sink);
	walk(&heap, &sink, &alloc);
	ASSERT_EQ(0x5000 + 0x60, fake_sink_bytes(&sink, MAIN "free"));
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	fake_heap_deinit(&heap);
}

TEST(plain_links_are_followed)
{
	struct fake_heap heap;
	struct known k = make(&heap);

	// As up to 2.31; and a list of the program's own looks the same.
	fake_heap_write(&heap, k.fast[1] + 16, k.fast[2]);
	fake_heap_write(&heap, k.fast[2] + 16, k.fast[0]);
	fake_heap_write(&heap, k.fast[0] + 16, 0);
	fake_heap_write(&heap, k.in_use + 16, k.fast[0]);
	check_known(&heap, false);
	fake_heap_deinit(&heap);
}

TEST(an_overwritten_size_costs_its_neighbourhood_only)
{
	struct fake_heap heap;
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	const struct mw_alloc_arena *a;
	uint64_t broken = 0;

	fake_heap_init(&heap);
	for (int i = 0; i < 100; i++) {
		uint64_t chunk = fake_heap_chunk(&heap, 0x80, true);

		broken = i == 50 ? chunk : broken;
	}
	fake_heap_finish(&heap);
	fake_heap_write(&heap, broken + 8, UINT64_MAX);
	fake_sink_init(&sink);
	a = walk(&heap, &sink, &alloc);
	ASSERT_EQ(0x80, a->torn_bytes);
	ASSERT_EQ(0x80, fake_sink_bytes(&sink, "unknown/malloc-torn"));
	ASSERT_EQ(99 * 0x80, fake_sink_bytes(&sink, MAIN "in-use"));
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	fake_heap_deinit(&heap);
}

TEST(no_arena_without_its_ring)
{
	struct fake_heap heap;
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;

	make(&heap);
	fake_heap_write(&heap, FAKE_ARENA + 0x870, FAKE_ARENA + 8);
	fake_sink_init(&sink);
	assert_null(walk(&heap, &sink, &alloc));
	ASSERT_EQ(0, sink.claims.n);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	fake_heap_deinit(&heap);
}

/* Thread arenas: heap_info, 48 bytes, and the arena, of glibc 2.36 */

#define HEAP(n) (UINT64_C(0x7f1000000000) + (n) * MW_MIB(64))
#define THREAD_ARENA(n) (HEAP(n) + 0x30)
#define HEAP_PAGES (4 * MW_PAGE_BYTES)
#define THREAD(n) "malloc/glibc/thread-" #n "/"

/** Map heap @n, with one chunk in use and the top; @next in the ring. */
static void make_thread_arena(struct fake_heap *heap, uint64_t n,
			      uint64_t next, bool is_new)
{
	uint64_t arena = THREAD_ARENA(n);
	uint64_t chunk = mw_align_up(arena + 2200, 16);

	if (is_new)
		fake_memory_map_new(heap->target, HEAP(n), HEAP_PAGES);
	else
		fake_memory_map(heap->target, HEAP(n), HEAP_PAGES, "");
	fake_heap_write(heap, HEAP(n), arena);
	fake_heap_write(heap, HEAP(n) + 16, HEAP_PAGES);
	fake_heap_write(heap, HEAP(n) + 24, HEAP_PAGES);
	fake_heap_write(heap, arena + 0x870, next);
	fake_heap_write(heap, arena + 0x888, HEAP_PAGES);
	fake_heap_write(heap, arena + 0x890, HEAP_PAGES);
	fake_heap_write(heap, arena + 0x60, chunk + 0x100);
	fake_heap_write(heap, chunk + 8, 0x100 | 1 | 4);
	fake_heap_write(heap, chunk + 0x108,
			(HEAP(n) + HEAP_PAGES - chunk - 0x100) | 1);
}

/** How many arenas are told, and bytes in use in those of threads. */
static void check_arenas(struct fake_heap *heap, size_t arenas,
			 uint64_t in_use)
{
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	size_t count;

	fake_sink_init(&sink);
	walk(heap, &sink, &alloc);
	(void)mw_alloc_arenas(alloc, &count);
	ASSERT_EQ(arenas, count);
	ASSERT_EQ(in_use, fake_sink_bytes(&sink, THREAD(1) "in-use") +
				  fake_sink_bytes(&sink, THREAD(2) "in-use"));
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
}

TEST(an_arena_newer_than_the_picture_is_passed)
{
	struct fake_heap heap;

	for (int live = 0; live < 2; live++) {
		fake_heap_init(&heap);
		heap.target->info.mode = live ? MW_CAPTURE_LIVE
					      : MW_CAPTURE_STOP;
		make_thread_arena(&heap, 0, FAKE_ARENA, false);
		make_thread_arena(&heap, 1, THREAD_ARENA(0), false);
		make_thread_arena(&heap, 2, THREAD_ARENA(1), true);
		fake_heap_write(&heap, FAKE_ARENA + 0x870, THREAD_ARENA(2));
		fake_heap_finish(&heap);
		// Where nothing moves, the ring would be damaged.
		check_arenas(&heap, live ? 3 : 0, live ? 2 * 0x100 : 0);
		fake_heap_deinit(&heap);
	}
}

TEST(an_arena_that_was_empty_in_the_picture_is_passed)
{
	struct fake_heap heap;

	fake_heap_init(&heap);
	heap.target->info.mode = MW_CAPTURE_LIVE;
	make_thread_arena(&heap, 0, FAKE_ARENA, false);
	make_thread_arena(&heap, 1, THREAD_ARENA(0), true);
	// It was mapped, but no page of it was there.
	assert_non_null(mw_mappings_add(&heap.target->maps, HEAP(1),
					HEAP(1) + HEAP_PAGES, "", 0));
	fake_heap_write(&heap, FAKE_ARENA + 0x870, THREAD_ARENA(1));
	fake_heap_finish(&heap);
	check_arenas(&heap, 2, 0x100);
	fake_heap_deinit(&heap);
}

TEST(a_damaged_arena_hides_no_other)
{
	struct fake_heap heap;

	fake_heap_init(&heap);
	make_thread_arena(&heap, 0, FAKE_ARENA, false);
	make_thread_arena(&heap, 1, THREAD_ARENA(0), false);
	fake_heap_write(&heap, FAKE_ARENA + 0x870, THREAD_ARENA(1));
	fake_heap_write(&heap, HEAP(1) + 16, 123);
	fake_heap_finish(&heap);
	check_arenas(&heap, 2, 0x100);
	fake_heap_deinit(&heap);
}

TEST(new_arenas_in_a_ring_of_their_own_end)
{
	struct fake_heap heap;

	for (uint64_t n = 1; n < 4; n++) {
		fake_heap_init(&heap);
		heap.target->info.mode = MW_CAPTURE_LIVE;
		for (uint64_t i = 0; i < n; i++)
			make_thread_arena(&heap, i, THREAD_ARENA((i + 1) % n),
					  true);
		fake_heap_write(&heap, FAKE_ARENA + 0x870, THREAD_ARENA(0));
		fake_heap_finish(&heap);
		check_arenas(&heap, 0, 0);
		fake_heap_deinit(&heap);
	}
}

/** Any damage ends in bounded time, with parts that keep their promises. */
TEST(random_damage)
{
	uint64_t seed = 1;

	for (int round = 0; round < 300; round++) {
		struct fake_heap heap;
		struct fake_sink sink;
		struct mw_alloc *alloc = NULL;

		make(&heap);
		for (int i = 0; i < 1 + round % 20; i++) {
			bool in_libc = mw_test_below(&seed, 3) == 0;
			uint64_t at = in_libc ? FAKE_LIBC : FAKE_BREAK;
			uint64_t word = mw_test_random(&seed);

			at += 8 * mw_test_below(&seed, in_libc ? 0x400 : 0xd00);
			switch (mw_test_below(&seed, 4)) {
			case 0:
				word %= 0x8000;
				break;
			case 1:
				word = FAKE_BREAK + word % 0x8000 / 16 * 16;
				break;
			case 2:
				word = FAKE_LIBC + word % 0x2000 / 8 * 8;
				break;
			}
			fake_heap_write(&heap, at, word);
		}
		fake_sink_init(&sink);
		sink.by_range = round % 2;
		walk(&heap, &sink, &alloc);
		mw_alloc_free(alloc);
		fake_sink_deinit(&sink);
		fake_heap_deinit(&heap);
	}
}

static struct mw_error *walk_without_memory(void *ctx)
{
	struct fake_heap *heap = ctx;
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	struct mw_error *error;

	fake_sink_init(&sink);
	error = mw_alloc_claim(heap->target, &sink.sink, &alloc);
	if (!error)
		error = fake_sink_settle(&sink);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	return error;
}

TEST(without_memory)
{
	struct fake_heap heap;

	make(&heap);
	OUT_OF_MEMORY(walk_without_memory, &heap);
	fake_heap_deinit(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_heap_is_told_to_the_byte),
		CASE(what_looks_like_a_link_is_none),
		CASE(a_ring_in_a_fastbin_ends),
		CASE(plain_links_are_followed),
		CASE(an_overwritten_size_costs_its_neighbourhood_only),
		CASE(no_arena_without_its_ring),
		CASE(an_arena_newer_than_the_picture_is_passed),
		CASE(an_arena_that_was_empty_in_the_picture_is_passed),
		CASE(a_damaged_arena_hides_no_other),
		CASE(new_arenas_in_a_ring_of_their_own_end),
		CASE(random_damage),
		CASE(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
