/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc_book.h"
#include "fake_memory.h"
#include "fake_sink.h"
#include "mw_num.h"
#include "mw_test.h"

#define START UINT64_C(0x10000)
#define BYTES UINT64_C(0x10000)
#define PAGE MW_PAGE_BYTES

static struct mw_target *make_target(void)
{
	struct mw_target *target = fake_memory_new();

	fake_memory_map(target, START, BYTES, "");
	fake_memory_make_present(target, START, BYTES / 2);
	fake_memory_finish(target);
	return target;
}

/** A book about [START, START + BYTES) with one arena. */
struct fixture {
	struct mw_target *target;
	struct fake_sink sink;
	struct mw_alloc alloc;
	struct alloc_book book;
	uint32_t arena;
};

static void open_book(struct fixture *f, struct mw_target *target)
{
	*f = (struct fixture){ .target = target };
	fake_sink_init(&f->sink);
	f->alloc.target = target;
	f->alloc.sink = &f->sink.sink;
	alloc_book_init(&f->book, &f->alloc, "test");
	f->arena = alloc_book_arena(&f->book, "one");
}

static void close_book(struct fixture *f)
{
	alloc_book_deinit(&f->book);
	for (size_t i = 0; i < f->alloc.arenas.n; i++)
		mw_free(f->alloc.arenas.v[i]);
	mw_vec_free(&f->alloc.arenas);
	fake_sink_deinit(&f->sink);
}

static void set_up(struct fixture *f)
{
	open_book(f, make_target());
}

static void tear_down(struct fixture *f)
{
	close_book(f);
	fake_memory_free(f->target);
}

static uint64_t bytes_of(const struct fixture *f, const char *name)
{
	return fake_sink_bytes(&f->sink, name);
}

TEST(slots_and_rests_are_told)
{
	for (int by_range = 0; by_range < 2; by_range++) {
		const struct mw_alloc_arena *a;
		struct alloc_piece *p;
		struct fixture f;
		size_t index;

		set_up(&f);
		f.sink.by_range = by_range;
		// 40 bytes before the slots, and 56 behind them, are metadata.
		index = alloc_book_slots(&f.book, f.arena, ALLOC_METADATA,
					 START, PAGE, START + 40, 100, 40);
		p = &f.book.pieces.v[index];
		alloc_book_set(&f.book, p, 3, ALLOC_FREE);
		alloc_book_set(&f.book, p, 4, ALLOC_CACHE);
		alloc_book_set(&f.book, p, 4, ALLOC_IN_USE);
		alloc_book_set(&f.book, p, 39, ALLOC_CACHE);
		ASSERT_EQ(ALLOC_FREE, alloc_book_get(&f.book, p, 3));
		ASSERT_EQ(ALLOC_IN_USE, alloc_book_get(&f.book, p, 4));
		alloc_book_add(&f.book, f.arena, ALLOC_DIRTY,
			       START + BYTES / 2 - PAGE, 2 * PAGE);
		alloc_book_sort(&f.book);
		ASSERT_OK(alloc_book_claim(&f.book));
		ASSERT_OK(fake_sink_settle(&f.sink));
		assert_false(f.sink.broken);
		ASSERT_EQ(3800, bytes_of(&f, "malloc/test/one/in-use"));
		ASSERT_EQ(100, bytes_of(&f, "malloc/test/one/free"));
		ASSERT_EQ(100, bytes_of(&f, "malloc/test/one/cache"));
		ASSERT_EQ(96, bytes_of(&f, "malloc/test/one/metadata"));
		ASSERT_EQ(2 * PAGE, bytes_of(&f, "malloc/test/one/dirty"));
		a = f.alloc.arenas.v[0];
		ASSERT_EQ(38, a->in_use_blocks);
		ASSERT_EQ(2, a->free_blocks);
		ASSERT_EQ(2 * PAGE, a->largest_free_bytes);
		// The second half of the memory is not resident.
		ASSERT_EQ(2 * PAGE, a->resident_bytes);
		ASSERT_EQ(PAGE, a->trimmable_bytes);
		tear_down(&f);
	}
}

TEST(slots_are_counted_by_kind)
{
	uint64_t seed = 1;
	struct fixture f;

	set_up(&f);
	// Pieces of all lengths, so that they begin anywhere in a word.
	for (uint32_t n = 1; n <= 100; n++) {
		uint64_t want[ALLOC_KINDS] = { 0 }, got[ALLOC_KINDS];
		size_t index = alloc_book_slots(&f.book, f.arena, ALLOC_TOP,
						START, PAGE, START, 8, n);
		const struct alloc_piece *p = &f.book.pieces.v[index];

		for (uint32_t i = 0; i < n; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			alloc_book_set(&f.book, p, i, seed >> 62);
			want[alloc_book_get(&f.book, p, i)]++;
		}
		alloc_book_count(&f.book, p, got);
		assert_memory_equal(want, got, sizeof(want));
	}
	tear_down(&f);
}

TEST(what_does_not_fit_is_left_out)
{
	struct fixture f;

	set_up(&f);
	alloc_book_add(&f.book, f.arena, ALLOC_DIRTY, START - PAGE, 2 * PAGE);
	alloc_book_add(&f.book, f.arena, ALLOC_DIRTY, START, BYTES + 1);
	alloc_book_add(&f.book, f.arena, ALLOC_DIRTY, START, UINT64_MAX);
	alloc_book_add(&f.book, f.arena, ALLOC_DIRTY, START, 0);
	alloc_book_add(&f.book, f.arena + 1, ALLOC_DIRTY, START, PAGE);
	ASSERT_EQ(SIZE_MAX, alloc_book_slots(&f.book, f.arena, ALLOC_TOP,
					     START, PAGE, START, 100, 41));
	ASSERT_EQ(SIZE_MAX, alloc_book_slots(&f.book, f.arena, ALLOC_TOP,
					     START, PAGE, START - 8, 8, 1));
	ASSERT_EQ(SIZE_MAX, alloc_book_slots(&f.book, f.arena, ALLOC_TOP,
					     START, PAGE, START, 0, 1));
	ASSERT_EQ(SIZE_MAX, alloc_book_slots(&f.book, f.arena, ALLOC_TOP,
					     START, PAGE, START, UINT64_MAX,
					     3));
	ASSERT_EQ(SIZE_MAX, alloc_book_slots(&f.book, f.arena, ALLOC_TOP,
					     START, PAGE, START, 1,
					     UINT32_MAX));
	ASSERT_EQ(0, f.book.pieces.n);
	alloc_book_sort(&f.book);
	ASSERT_OK(alloc_book_claim(&f.book));
	ASSERT_EQ(0, f.sink.claims.n);
	tear_down(&f);
}

TEST(what_two_pieces_have_is_torn)
{
	struct fixture f;
	uint32_t slot;

	set_up(&f);
	(void)alloc_book_slots(&f.book, f.arena, ALLOC_METADATA, START + PAGE,
			       2 * PAGE, START + PAGE, 64, 128);
	(void)alloc_book_slots(&f.book, f.arena, ALLOC_METADATA, START,
			       2 * PAGE, START, 64, 128);
	alloc_book_add(&f.book, f.arena, ALLOC_DIRTY, START + 64, 64);
	alloc_book_sort(&f.book);
	ASSERT_EQ(2, f.book.pieces.n);
	assert_non_null(alloc_book_find(&f.book, START + 64, &slot));
	ASSERT_EQ(1, slot);
	// What the first left of the second has no slots any more.
	assert_null(alloc_book_find(&f.book, START + 2 * PAGE, &slot));
	ASSERT_OK(alloc_book_claim(&f.book));
	ASSERT_OK(fake_sink_settle(&f.sink));
	assert_false(f.sink.broken);
	ASSERT_EQ(2 * PAGE, bytes_of(&f, "malloc/test/one/in-use"));
	ASSERT_EQ(PAGE, bytes_of(&f, "unknown/malloc-torn"));
	tear_down(&f);
}

TEST(slots_are_found_where_they_begin)
{
	struct fixture f;
	uint32_t slot = 77;

	set_up(&f);
	(void)alloc_book_slots(&f.book, f.arena, ALLOC_METADATA, START, PAGE,
			       START + 16, 48, 10);
	alloc_book_add(&f.book, f.arena, ALLOC_DIRTY, START + 2 * PAGE, PAGE);
	alloc_book_sort(&f.book);
	assert_non_null(alloc_book_find(&f.book, START + 16 + 9 * 48, &slot));
	ASSERT_EQ(9, slot);
	assert_null(alloc_book_find(&f.book, START, &slot));
	assert_null(alloc_book_find(&f.book, START + 17, &slot));
	assert_null(alloc_book_find(&f.book, START + 16 + 10 * 48, &slot));
	assert_null(alloc_book_find(&f.book, START + PAGE, &slot));
	assert_null(alloc_book_find(&f.book, START + 2 * PAGE, &slot));
	assert_null(alloc_book_at(&f.book, START + PAGE));
	assert_null(alloc_book_at(&f.book, START - 1));
	assert_non_null(alloc_book_at(&f.book, START + 3 * PAGE - 1));
	assert_null(alloc_book_at(&f.book, START + 3 * PAGE));
	tear_down(&f);
}

static struct mw_error *fill(void *ctx)
{
	struct mw_error *error;
	struct fixture f;

	open_book(&f, ctx);
	for (uint64_t i = 0; i < 8; i++)
		(void)alloc_book_slots(&f.book, f.arena, ALLOC_METADATA,
				       START + 2 * i * PAGE, PAGE,
				       START + 2 * i * PAGE, 8, 512);
	alloc_book_sort(&f.book);
	error = alloc_book_claim(&f.book);
	if (!error)
		error = fake_sink_settle(&f.sink);
	close_book(&f);
	return error;
}

TEST(without_memory)
{
	struct mw_target *target = make_target();

	OUT_OF_MEMORY(fill, target);
	fake_memory_free(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(slots_and_rests_are_told),
		CASE(slots_are_counted_by_kind),
		CASE(what_does_not_fit_is_left_out),
		CASE(what_two_pieces_have_is_torn),
		CASE(slots_are_found_where_they_begin),
		CASE(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
