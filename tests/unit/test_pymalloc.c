/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_pymalloc.h"
#include "mw_test.h"

#define HEAP "malloc/pymalloc/heap/"
#define IN_USE ((7 + 126) * 32 + 5 * 512)
/* Of 126 and 7 blocks; the second pool is free as a whole. */
#define FREE ((126 - 7) * 32 + (7 - 5) * 512)

struct walked {
	struct fake_sink sink;
	struct mw_alloc *alloc;
	const struct mw_alloc_arena *arena; /* NULL: none was found */
};

static void walk(struct fake_pymalloc *py, struct walked *w)
{
	const struct mw_alloc_arena *const *arenas;
	size_t count;

	w->alloc = NULL;
	fake_sink_init(&w->sink);
	ASSERT_OK(mw_alloc_claim(py->heap.target, &w->sink.sink, &w->alloc));
	ASSERT_OK(fake_sink_settle(&w->sink));
	assert_false(w->sink.broken);
	arenas = mw_alloc_arenas(w->alloc, &count);
	w->arena = NULL;
	for (size_t i = 0; i < count; i++)
		if (strcmp(arenas[i]->allocator, "pymalloc") == 0)
			w->arena = arenas[i];
}

static void finish(struct fake_pymalloc *py, struct walked *w)
{
	mw_alloc_free(w->alloc);
	fake_sink_deinit(&w->sink);
	fake_pymalloc_deinit(py);
}

TEST(an_arena_is_told_to_the_byte)
{
	struct fake_pymalloc py;
	struct walked w;

	fake_pymalloc_init(&py);
	walk(&py, &w);
	assert_non_null(w.arena);
	ASSERT_EQ(IN_USE, w.arena->in_use_bytes);
	ASSERT_EQ(7 + 126 + 5, w.arena->in_use_blocks);
	ASSERT_EQ(0, w.arena->unsettled);
	ASSERT_EQ(IN_USE, fake_sink_bytes(&w.sink, HEAP "in-use"));
	ASSERT_EQ(FREE, fake_sink_bytes(&w.sink, HEAP "free"));
	ASSERT_EQ(FAKE_PY_POOL, fake_sink_bytes(&w.sink, HEAP "dirty"));
	ASSERT_EQ(60 * FAKE_PY_POOL, fake_sink_bytes(&w.sink, HEAP "reserved"));
	ASSERT_EQ(3 * FAKE_PY_POOL - IN_USE - FREE,
		  fake_sink_bytes(&w.sink, HEAP "metadata"));
	finish(&py, &w);
}

TEST(an_older_copy_of_the_array_is_none)
{
	struct fake_pymalloc py;
	struct walked w;

	// One entry on, so that indexes differ from those in the pools.
	fake_pymalloc_init(&py);
	fake_heap_write(&py.heap, FAKE_LIBC + 0x1f00, FAKE_PY_ARRAY + 48);
	walk(&py, &w);
	assert_null(w.arena);
	ASSERT_EQ(0, w.sink.claims.n);
	finish(&py, &w);
}

TEST(a_ring_of_free_blocks_ends)
{
	struct fake_pymalloc py;
	uint64_t blocks = FAKE_PY_ARENA + 48;
	struct walked w;

	fake_pymalloc_init(&py);
	fake_heap_write(&py.heap, blocks + 64, blocks);
	walk(&py, &w);
	ASSERT_EQ(IN_USE, fake_sink_bytes(&w.sink, HEAP "in-use"));
	finish(&py, &w);
}

TEST(a_pool_whose_list_and_count_differ_is_told)
{
	struct fake_pymalloc py;
	struct walked w;

	// The first of three free blocks is the last one now.
	fake_pymalloc_init(&py);
	fake_heap_write(&py.heap, FAKE_PY_ARENA + 48, 0);
	walk(&py, &w);
	ASSERT_EQ(1, w.arena->unsettled);
	finish(&py, &w);
}

TEST(a_damaged_pool_is_torn)
{
	struct fake_pymalloc py;
	struct walked w;

	fake_pymalloc_init(&py);
	fake_heap_write(&py.heap, FAKE_PY_ARENA + 2 * FAKE_PY_POOL + 32, 1);
	walk(&py, &w);
	ASSERT_EQ(FAKE_PY_POOL,
		  fake_sink_bytes(&w.sink, "unknown/malloc-torn"));
	ASSERT_EQ(IN_USE - 5 * 512, fake_sink_bytes(&w.sink, HEAP "in-use"));
	finish(&py, &w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_arena_is_told_to_the_byte),
		CASE(an_older_copy_of_the_array_is_none),
		CASE(a_ring_of_free_blocks_ends),
		CASE(a_pool_whose_list_and_count_differ_is_told),
		CASE(a_damaged_pool_is_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
