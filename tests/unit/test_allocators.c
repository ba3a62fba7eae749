/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc_int.h"
#include "fake_allocators.h"
#include "fake_sink.h"
#include "mw_alloc.h"
#include "mw_num.h"
#include "mw_test.h"

/* Small heaps, one of each allocator: what is in use in them is told. */

static const struct mw_alloc_arena *arena(const struct mw_alloc *alloc,
					  const char *allocator)
{
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(alloc, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(arenas[i]->allocator, allocator) == 0 &&
		    arenas[i]->in_use_blocks > 0)
			return arenas[i];
	return NULL;
}

static void check(const struct fake_allocator *fake, bool by_range)
{
	struct mw_target *target = fake->make();
	const struct mw_alloc_arena *a;
	struct mw_alloc *alloc = NULL;
	struct fake_sink sink;
	char name[96];

	fake_memory_finish(target);
	fake_sink_init(&sink);
	sink.by_range = by_range;
	ASSERT_OK(mw_alloc_claim(target, &sink.sink, &alloc));
	ASSERT_OK(fake_sink_settle(&sink));
	assert_false(sink.broken);
	a = arena(alloc, fake->name);
	assert_non_null(a);
	assert_string_equal(a->name, fake->arena);
	assert_int_equal(a->in_use_blocks, FAKE_BLOCKS - FAKE_FREE);
	assert_int_equal(a->in_use_bytes,
			 (FAKE_BLOCKS - FAKE_FREE) * FAKE_BLOCK_BYTES);
	assert_true(a->free_blocks >= FAKE_FREE);
	assert_int_equal(a->torn_bytes, 0);
	assert_int_equal(a->unsettled, 0);
	snprintf(name, sizeof(name), "malloc/%s/%s/in-use", fake->name,
		 fake->arena);
	assert_int_equal(fake_sink_bytes(&sink, name), a->in_use_bytes);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	fake_memory_free(target);
}

TEST(heaps_are_told_to_the_block)
{
	for (size_t i = 0; i < fake_allocator_count; i++) {
		check(&fake_allocators[i], false);
		check(&fake_allocators[i], true);
	}
}

/** What jemalloc's HPA has, beside the blocks that it gave out. */
TEST(pages_of_the_hpa_are_told)
{
	struct mw_target *target = NULL;
	struct mw_alloc *alloc = NULL;
	struct fake_sink sink;

	for (size_t i = 0; i < fake_allocator_count; i++)
		if (strcmp(fake_allocators[i].name, "jemalloc") == 0)
			target = fake_allocators[i].make();
	fake_memory_finish(target);
	fake_sink_init(&sink);
	sink.by_range = true;
	ASSERT_OK(mw_alloc_claim(target, &sink.sink, &alloc));
	ASSERT_OK(fake_sink_settle(&sink));
	assert_false(sink.broken);
	// One page is dirty, one kept for its size.
	assert_int_equal(fake_sink_bytes(&sink, "malloc/jemalloc/hpa/dirty"),
			 2 * MW_PAGE_BYTES);
	assert_int_equal(fake_sink_bytes(&sink,
					 "malloc/jemalloc/hpa/retained"),
			 510 * MW_PAGE_BYTES);
	assert_int_equal(fake_sink_bytes(&sink,
					 "malloc/jemalloc/hpa/reserved"),
			 MW_MIB(2));
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	fake_memory_free(target);
}

TEST(an_unknown_release_is_named)
{
	struct mw_target *target = fake_unknown_google_tcmalloc();
	struct mw_alloc *alloc = NULL;
	struct fake_sink sink;

	fake_memory_finish(target);
	fake_sink_init(&sink);
	ASSERT_OK(mw_alloc_claim(target, &sink.sink, &alloc));
	ASSERT_OK(fake_sink_settle(&sink));
	assert_int_equal(alloc->heaps.n, 0);
	assert_int_equal(sink.claims.n, 1);
	// It is claimed as a whole.
	assert_int_equal(sink.claims.v[0].bytes, MW_MIB(1));
	assert_int_equal(sink.claims.v[0].layer, MW_LAYER_REMAINDER);
	assert_string_equal(sink.accounts.v[sink.claims.v[0].account].name,
			    "malloc/unwalked/google-tcmalloc");
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	fake_memory_free(target);
}

/** Detectors that do not find their allocator leave nothing behind. */
TEST(only_what_is_there_is_kept)
{
	for (size_t i = 0; i < fake_allocator_count; i++) {
		struct mw_target *target = fake_allocators[i].make();
		struct mw_alloc *alloc = NULL;
		struct fake_sink sink;

		fake_memory_finish(target);
		fake_sink_init(&sink);
		ASSERT_OK(mw_alloc_claim(target, &sink.sink, &alloc));
		assert_int_equal(alloc->heaps.n, 1);
		mw_alloc_free(alloc);
		fake_sink_deinit(&sink);
		fake_memory_free(target);
	}
}

static struct mw_error *walk(void *ctx)
{
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	struct mw_error *error;

	fake_sink_init(&sink);
	error = mw_alloc_claim(ctx, &sink.sink, &alloc);
	if (!error)
		error = fake_sink_settle(&sink);
	assert_false(sink.broken);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
	return error;
}

TEST(without_memory)
{
	for (size_t i = 0; i < fake_allocator_count; i++) {
		struct mw_target *target = fake_allocators[i].make();

		fake_memory_finish(target);
		OUT_OF_MEMORY(walk, target);
		fake_memory_free(target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(heaps_are_told_to_the_block),
		CASE(pages_of_the_hpa_are_told),
		CASE(an_unknown_release_is_named),
		CASE(only_what_is_there_is_kept),
		CASE(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
