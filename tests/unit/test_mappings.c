/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_space.h"
#include "mw_test.h"

static void add(struct mw_mappings *maps, uint64_t start, uint64_t end,
		const char *path)
{
	struct mw_mapping *m =
		mw_mappings_add(maps, start, end, path, strlen(path));

	assert_non_null(m);
	ASSERT_EQ(start, m->start);
	ASSERT_EQ(end, m->end);
	ASSERT_TEXT(path, mw_mapping_path(maps, m));
}

TEST(an_empty_space_holds_no_address)
{
	struct mw_mappings maps = { 0 };

	ASSERT_EQ(0, mw_mappings_after(&maps, 0));
	ASSERT_EQ(0, mw_mappings_after(&maps, UINT64_MAX));
	assert_null(mw_mappings_find(&maps, 0));
	mw_mappings_free(&maps);
}

TEST(a_new_mapping_is_blank_but_for_its_bounds)
{
	struct mw_mappings maps = { 0 };
	// Not terminated: only the first three bytes are the path.
	struct mw_mapping *m = mw_mappings_add(&maps, 0x1000, 0x3000, "abcd", 3);

	ASSERT_TEXT("abc", mw_mapping_path(&maps, m));
	ASSERT_EQ(0x2000, mw_mapping_bytes(m));
	ASSERT_EQ(0, m->offset);
	ASSERT_EQ(0, m->inode);
	ASSERT_EQ(0, m->perms);
	assert_false(m->hugetlb);
	ASSERT_EQ(0, m->unplaced_rss_bytes);
	ASSERT_EQ(0, m->unplaced_swap_bytes);
	mw_mappings_free(&maps);
	ASSERT_EQ(0, maps.list.n);
}

TEST(neighbours_share_their_path)
{
	struct mw_mappings maps = { 0 };

	add(&maps, 0x1000, 0x2000, "/lib/a");
	add(&maps, 0x2000, 0x3000, "/lib/a");
	add(&maps, 0x3000, 0x4000, "/lib/ab");
	add(&maps, 0x4000, 0x5000, "/lib/a");
	add(&maps, 0x5000, 0x6000, "");
	add(&maps, 0x6000, 0x7000, "");
	add(&maps, 0x7000, 0x8000, "/lib");

	ASSERT_EQ(maps.list.v[0].path, maps.list.v[1].path);
	assert_true(maps.list.v[1].path != maps.list.v[2].path);
	ASSERT_EQ(maps.list.v[4].path, maps.list.v[5].path);
	// 7 + 8 + 7 + 1 + 5 bytes with their NULs
	ASSERT_EQ(28, maps.paths.n);

	const char *want[] = { "/lib/a", "/lib/a", "/lib/ab", "/lib/a",
			       "",	 "",	   "/lib" };
	for (size_t i = 0; i < MW_COUNT(want); i++)
		ASSERT_TEXT(want[i],
			    mw_mapping_path(&maps, &maps.list.v[i]));
	mw_mappings_free(&maps);
}

TEST(bounds_are_half_open)
{
	struct mw_mappings maps = { 0 };

	add(&maps, 0x1000, 0x2000, "a");
	add(&maps, 0x2000, 0x3000, "b");
	add(&maps, 0x5000, 0x6000, "c");
	add(&maps, UINT64_C(0xffffffffff600000), UINT64_C(0xffffffffff601000),
	    "[vsyscall]");

	assert_null(mw_mappings_find(&maps, 0xfff));
	assert_ptr_equal(&maps.list.v[0], mw_mappings_find(&maps, 0x1000));
	assert_ptr_equal(&maps.list.v[0], mw_mappings_find(&maps, 0x1fff));
	assert_ptr_equal(&maps.list.v[1], mw_mappings_find(&maps, 0x2000));
	assert_null(mw_mappings_find(&maps, 0x3000));
	assert_null(mw_mappings_find(&maps, 0x4fff));
	assert_ptr_equal(&maps.list.v[2], mw_mappings_find(&maps, 0x5000));
	assert_ptr_equal(&maps.list.v[3],
			 mw_mappings_find(&maps,
					  UINT64_C(0xffffffffff600fff)));
	assert_null(mw_mappings_find(&maps, UINT64_MAX));

	ASSERT_EQ(0, mw_mappings_after(&maps, 0));
	ASSERT_EQ(0, mw_mappings_after(&maps, 0x1fff));
	ASSERT_EQ(1, mw_mappings_after(&maps, 0x2000));
	ASSERT_EQ(2, mw_mappings_after(&maps, 0x3000));
	ASSERT_EQ(3, mw_mappings_after(&maps, 0x6000));
	ASSERT_EQ(4, mw_mappings_after(&maps, UINT64_MAX));
	mw_mappings_free(&maps);
}

TEST(looking_up_agrees_with_looking_through)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct mw_mappings maps = { 0 };
		uint64_t random = seed, at = 0x1000;
		size_t count = mw_test_below(&random, 40);

		for (size_t i = 0; i < count; i++) {
			uint64_t start =
				at + mw_test_below(&random, 3) * MW_PAGE_BYTES;

			at = start + (1 + mw_test_below(&random, 4)) *
					     MW_PAGE_BYTES;
			add(&maps, start, at,
			    mw_test_below(&random, 2) ? "/a" : "/b");
		}
		for (uint64_t va = 0; va < at + 0x2000; va += 0x400) {
			size_t after = 0;

			while (after < count && maps.list.v[after].end <= va)
				after++;
			ASSERT_EQ(after, mw_mappings_after(&maps, va));
			assert_ptr_equal(
				after < count && maps.list.v[after].start <= va
					? &maps.list.v[after]
					: NULL,
				mw_mappings_find(&maps, va));
		}
		mw_mappings_free(&maps);
	}
}

TEST(anonymous_means_private_and_without_file)
{
	struct mw_mapping m = { .perms = MW_PERM_R | MW_PERM_W };

	assert_true(mw_mapping_is_anonymous(&m));
	m.inode = 1;
	assert_false(mw_mapping_is_anonymous(&m));
	m.perms |= MW_PERM_SHARED;
	assert_false(mw_mapping_is_anonymous(&m));
	m.inode = 0;
	assert_false(mw_mapping_is_anonymous(&m));
}

static struct mw_error *fill(void *ctx)
{
	struct mw_mappings maps = { 0 };
	bool ok = true;
	(void)ctx;

	for (uint64_t i = 0; ok && i < 50; i++) {
		char path[32];
		int len = snprintf(path, sizeof(path), "/file/%lu", i / 3);

		ok = mw_mappings_add(&maps, i << 12, (i + 1) << 12, path,
				     (size_t)len) != NULL;
		ASSERT_EQ(ok ? i + 1 : i, maps.list.n);
	}
	for (size_t i = 0; i < maps.list.n; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/file/%zu", i / 3);
		ASSERT_TEXT(path, mw_mapping_path(&maps, &maps.list.v[i]));
	}
	mw_mappings_free(&maps);
	return mw_test_memory(ok);
}

TEST(adding_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(fill, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_space_holds_no_address),
		CASE(a_new_mapping_is_blank_but_for_its_bounds),
		CASE(neighbours_share_their_path),
		CASE(bounds_are_half_open),
		CASE(looking_up_agrees_with_looking_through),
		CASE(anonymous_means_private_and_without_file),
		CASE(adding_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
