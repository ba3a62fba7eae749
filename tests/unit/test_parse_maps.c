/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_parse.h"
#include "mw_guard.h"
#include "mw_test.h"

static void parse(struct mw_mappings *maps, const char *text)
{
	ASSERT_OK(mw_parse_maps(text, strlen(text), maps));
}

static void check_path(const struct mw_mappings *maps, size_t at,
		       const char *path)
{
	assert_true(at < maps->list.n);
	ASSERT_TEXT(path, mw_mapping_path(maps, &maps->list.v[at]));
}

TEST(numbers_are_taken_off_the_front)
{
	const char text[] = "123abc 18446744073709551615 ffffffffffffffff";
	const char *at = text, *end = text + sizeof(text) - 1;
	uint64_t value = 0;

	assert_true(mw_parse_u64(&at, end, 10, &value));
	ASSERT_EQ(123, value);
	assert_ptr_equal(text + 3, at);
	at = text;
	assert_true(mw_parse_u64(&at, end, 16, &value));
	ASSERT_EQ(0x123abc, value);
	assert_ptr_equal(text + 6, at);
	at = text + 7;
	assert_true(mw_parse_u64(&at, end, 10, &value));
	ASSERT_EQ(UINT64_MAX, value);
	at = text + 28;
	assert_true(mw_parse_u64(&at, end, 16, &value));
	ASSERT_EQ(UINT64_MAX, value);
	assert_ptr_equal(end, at);
}

TEST(what_is_no_number_is_left_where_it_is)
{
	const char *const texts[] = {
		"",    "-1",  " 1", "x1", "ABC", "+1",
		"18446744073709551616",  // 2^64
		"99999999999999999999",
	};

	for (size_t i = 0; i < MW_COUNT(texts); i++) {
		const char *at = texts[i];
		uint64_t value = 77;

		assert_false(mw_parse_u64(&at, at + strlen(at), 10, &value));
		assert_ptr_equal(texts[i], at);
		ASSERT_EQ(77, value);
	}

	const char *hex = "10000000000000000", *at = hex;
	uint64_t value = 77;
	assert_false(mw_parse_u64(&at, hex + 17, 16, &value));
	assert_ptr_equal(hex, at);
	// One digit less, and it fits.
	assert_true(mw_parse_u64(&at, hex + 16, 16, &value));
	ASSERT_EQ(UINT64_C(1) << 60, value);
}

TEST(a_line_has_all_its_fields)
{
	struct mw_mappings maps = { 0 };

	parse(&maps, "00400000-004a1000 r-xp 00002000 fe:1f 9978128"
		     "                 /tmp/big\n");
	ASSERT_EQ(1, maps.list.n);
	const struct mw_mapping *m = &maps.list.v[0];
	ASSERT_EQ(0x400000, m->start);
	ASSERT_EQ(0x4a1000, m->end);
	ASSERT_EQ(MW_PERM_R | MW_PERM_X, m->perms);
	ASSERT_EQ(0x2000, m->offset);
	ASSERT_EQ(0xfe, m->dev_major);
	ASSERT_EQ(0x1f, m->dev_minor);
	ASSERT_EQ(9978128, m->inode);
	assert_false(m->hugetlb);
	ASSERT_EQ(0, m->unplaced_rss_bytes);
	ASSERT_EQ(0, m->unplaced_swap_bytes);
	check_path(&maps, 0, "/tmp/big");
	mw_mappings_free(&maps);
}

TEST(each_permission_has_its_place)
{
	struct mw_mappings maps = { 0 };
	const unsigned want[] = {
		0,
		MW_PERM_R,
		MW_PERM_W,
		MW_PERM_X,
		MW_PERM_SHARED,
		MW_PERM_R | MW_PERM_W | MW_PERM_X | MW_PERM_SHARED,
	};

	parse(&maps, "1000-2000 ---p 00000000 00:00 0 \n"
		     "2000-3000 r--p 00000000 00:00 0 \n"
		     "3000-4000 -w-p 00000000 00:00 0 \n"
		     "4000-5000 --xp 00000000 00:00 0 \n"
		     "5000-6000 ---s 00000000 00:00 0 \n"
		     "6000-7000 rwxs 00000000 00:00 0 \n");
	ASSERT_EQ(MW_COUNT(want), maps.list.n);
	for (size_t i = 0; i < MW_COUNT(want); i++)
		ASSERT_EQ(want[i], maps.list.v[i].perms);
	mw_mappings_free(&maps);
}

TEST(paths_are_kept_as_they_are)
{
	struct mw_mappings maps = { 0 };

	parse(&maps,
	      "1000-2000 rw-p 00000000 00:00 0 \n"
	      "2000-3000 rw-p 00000000 00:00 0\n"
	      "3000-4000 r--p 00000000 08:01 5      /a b/c  d (deleted)\n"
	      "4000-5000 rw-p 00000000 00:00 0      [heap]\n"
	      "5000-6000 rw-p 00000000 00:00 0      [anon: Go: heap]\n"
	      "6000-7000 rw-s 00000000 00:01 6      /memfd:x y (deleted)\n"
	      "7000-8000 r--p 00000000 08:01 7      /new\\012line\n"
	      "8000-9000 r--p 00000000 08:01 8      /\xff\xc3\xa4 \n");
	ASSERT_EQ(8, maps.list.n);
	check_path(&maps, 0, "");
	check_path(&maps, 1, "");
	check_path(&maps, 2, "/a b/c  d (deleted)");
	check_path(&maps, 3, "[heap]");
	check_path(&maps, 4, "[anon: Go: heap]");
	check_path(&maps, 5, "/memfd:x y (deleted)");
	check_path(&maps, 6, "/new\\012line");
	check_path(&maps, 7, "/\xff\xc3\xa4 ");
	mw_mappings_free(&maps);
}

TEST(the_highest_addresses_are_mappings_too)
{
	struct mw_mappings maps = { 0 };

	parse(&maps,
	      // five levels of page tables: 56 bits for programs
	      "ff000000000000-fffffffffff000 rw-p 00000000 00:00 0 \n"
	      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0"
	      "                  [vsyscall]\n");
	ASSERT_EQ(2, maps.list.n);
	ASSERT_EQ(UINT64_C(0xff000000000000), maps.list.v[0].start);
	ASSERT_EQ(UINT64_C(0xfffffffffff000), maps.list.v[0].end);
	ASSERT_EQ(UINT64_C(0xffffffffff600000), maps.list.v[1].start);
	ASSERT_EQ(UINT64_C(0xffffffffff601000), maps.list.v[1].end);
	ASSERT_EQ(MW_PERM_X, maps.list.v[1].perms);
	check_path(&maps, 1, "[vsyscall]");
	mw_mappings_free(&maps);
}

TEST(the_last_line_may_lack_its_end)
{
	struct mw_mappings maps = { 0 };
	const char text[] = "1000-2000 r--p 00000000 08:01 5 /abcdef";

	ASSERT_OK(mw_parse_maps(text, sizeof(text) - 4, &maps));
	ASSERT_EQ(1, maps.list.n);
	check_path(&maps, 0, "/abc");
	mw_mappings_free(&maps);
}

TEST(lines_that_make_no_sense_are_passed_over)
{
	const char *const lines[] = {
		"",
		" ",
		"garbage",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 r--p",
		"1000-2000 r--p 0",
		"1000-2000 r--p 0 08",
		"1000-2000 r--p 0 08:01",
		"1000-2000 r--p 0 08:01 ",
		"1000-2000 r--p 0 08:01 x",
		"1000-2000 r--p 0 0801 5",
		"1000-2000 r--p x 08:01 5",
		"1000-2000 r--pp 0 08:01 5",
		"1000 2000 r--p 0 08:01 5",
		"-2000 r--p 0 08:01 5",
		" 1000-2000 r--p 0 08:01 5",
		"1000-1000 r--p 0 08:01 5", // empty
		"2000-1000 r--p 0 08:01 5", // backwards
		"1001-2000 r--p 0 08:01 5", // no page
		"1000-2001 r--p 0 08:01 5",
		"1000-10000000000000000 r--p 0 08:01 5", // 2^64
		"10000000000001000-2000 r--p 0 08:01 5",
		"1000-2000 r--p 10000000000000000 08:01 5",
		"1000-2000 r--p 0 100000000:01 5", // 2^32
		"1000-2000 r--p 0 08:100000000 5",
		"1000-2000 r--p 0 08:01 18446744073709551616",
		"Rss:                   4 kB",
	};

	for (size_t i = 0; i < MW_COUNT(lines); i++) {
		struct mw_mappings maps = { 0 };
		char text[200];

		// The good ones around it are found all the same.
		snprintf(text, sizeof(text),
			 "0-1000 r--p 0 00:00 1\n%s\n4000-5000 r--p 0 00:00 2\n",
			 lines[i]);
		parse(&maps, text);
		if (maps.list.n != 2)
			print_error("line %zu: %s\n", i, lines[i]);
		ASSERT_EQ(2, maps.list.n);
		ASSERT_EQ(1, maps.list.v[0].inode);
		ASSERT_EQ(2, maps.list.v[1].inode);
		mw_mappings_free(&maps);
	}
}

TEST(the_largest_numbers_fit)
{
	struct mw_mappings maps = { 0 };

	parse(&maps, "1000-fffffffffffff000 r--p ffffffffffffffff "
		     "ffffffff:ffffffff 18446744073709551615 x\n");
	ASSERT_EQ(1, maps.list.n);
	ASSERT_EQ(UINT64_MAX, maps.list.v[0].offset);
	ASSERT_EQ(UINT32_MAX, maps.list.v[0].dev_major);
	ASSERT_EQ(UINT32_MAX, maps.list.v[0].dev_minor);
	ASSERT_EQ(UINT64_MAX, maps.list.v[0].inode);
	mw_mappings_free(&maps);
}

TEST(mappings_that_do_not_ascend_are_dropped)
{
	struct mw_mappings maps = { 0 };

	parse(&maps, "5000-7000 r--p 0 00:00 1 a\n"
		     "6000-8000 r--p 0 00:00 2 b\n"  // overlaps
		     "5000-7000 r--p 0 00:00 3 c\n"  // once more
		     "1000-2000 r--p 0 00:00 4 d\n"  // behind
		     "7000-8000 r--p 0 00:00 5 e\n");
	ASSERT_EQ(2, maps.list.n);
	ASSERT_EQ(1, maps.list.v[0].inode);
	ASSERT_EQ(5, maps.list.v[1].inode);
	// The next piece goes on where this one ends.
	parse(&maps, "7000-9000 r--p 0 00:00 6 f\n"
		     "8000-9000 r--p 0 00:00 7 g\n");
	ASSERT_EQ(3, maps.list.n);
	ASSERT_EQ(7, maps.list.v[2].inode);
	check_path(&maps, 2, "g");
	mw_mappings_free(&maps);
}

/** Random bytes in exactly as much memory: a byte too far is found out. */
TEST(random_bytes_do_no_harm)
{
	const char alphabet[] = "0123456789abcdef-- \n::rwxps\t/[\xff";
	const char good[] = "1000-2000 r--p 00000000 08:01 5 /x\n";
	uint64_t random = 1;
	size_t found = 0;

	for (int i = 0; i < 20000; i++) {
		size_t bytes = mw_test_below(&random, 90);
		MW_CLEANUP(mw_freep) char *text = mw_alloc(bytes);
		struct mw_mappings maps = { 0 };

		for (size_t k = 0; k < bytes; k++)
			text[k] = alphabet[mw_test_below(
				&random, sizeof(alphabet) - 1)];
		// Every other time: a good line with a few bytes changed.
		for (size_t k = 0; i % 2 && k < bytes && good[k]; k++)
			if (mw_test_below(&random, 40))
				text[k] = good[k];
		ASSERT_OK(mw_parse_maps(text, bytes, &maps));
		for (size_t k = 0; k < maps.list.n; k++) {
			const struct mw_mapping *m = &maps.list.v[k];

			assert_true(m->start < m->end);
			assert_true(k == 0 || m[-1].end <= m->start);
		}
		found += maps.list.n;
		mw_mappings_free(&maps);
	}
	assert_true(found > 100);
}

static struct mw_error *parse_all(void *ctx)
{
	const char text[] = "1000-2000 r--p 0 08:01 5 /a/rather/long/path\n"
			    "2000-3000 r--p 0 08:01 5 /a/rather/long/path\n"
			    "3000-4000 r--p 0 08:01 5 /and/another/one\n";
	struct mw_mappings maps = { 0 };
	struct mw_error *error = mw_parse_maps(text, sizeof(text) - 1, &maps);
	(void)ctx;

	if (!error)
		ASSERT_EQ(3, maps.list.n);
	mw_mappings_free(&maps);
	return error;
}

TEST(parsing_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(parse_all, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(numbers_are_taken_off_the_front),
		CASE(what_is_no_number_is_left_where_it_is),
		CASE(a_line_has_all_its_fields),
		CASE(each_permission_has_its_place),
		CASE(paths_are_kept_as_they_are),
		CASE(the_highest_addresses_are_mappings_too),
		CASE(the_last_line_may_lack_its_end),
		CASE(lines_that_make_no_sense_are_passed_over),
		CASE(the_largest_numbers_fit),
		CASE(mappings_that_do_not_ascend_are_dropped),
		CASE(random_bytes_do_no_harm),
		CASE(parsing_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
