/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_parse.h"
#include "mw_guard.h"
#include "mw_test.h"

/* Fields 4 to 52 of /proc/PID/stat; each field that is read tells its number */
#define STAT_REST                                                            \
	" 4 5 6 7 -1 9 10 11 12 13 14 15 16 17 18 -19 20 21 2222 23 24 "     \
	"18446744073709551615 2626 27 2828 29 30 31 32 33 34 35 36 37 38 39 " \
	"40 41 42 43 44 45 46 4747 4848 4949 5050 5151 52\n"

static void check_stat_rest(const struct mw_status *status)
{
	ASSERT_EQ(20, status->threads);
	ASSERT_EQ(2222, status->start_ticks);
	ASSERT_EQ(2626, status->start.start_code);
	ASSERT_EQ(2828, status->start.start_stack);
	ASSERT_EQ(4747, status->start.start_brk);
	ASSERT_EQ(4848, status->start.arg_start);
	ASSERT_EQ(4949, status->start.arg_end);
	ASSERT_EQ(5050, status->start.env_start);
	ASSERT_EQ(5151, status->start.env_end);
}

TEST(stat_fields_are_found_behind_any_name)
{
	const char *const names[] = {
		"cat",	  "a b  c",	     ") S 1 (", "))) ((( )",
		"",	  ") R 4 5 6 7 8 9", "tab\there", "\n) Z",
	};

	for (size_t i = 0; i < MW_COUNT(names); i++) {
		struct mw_status status = { 0 };
		char text[600];
		int len = snprintf(text, sizeof(text), "77 (%s) D" STAT_REST,
				   names[i]);

		ASSERT_OK(mw_parse_stat(text, (size_t)len, &status));
		ASSERT_EQ('D', status.state);
		check_stat_rest(&status);
	}
}

TEST(a_stat_that_breaks_off_gives_what_it_has)
{
	const char text[] = "77 (x) S 4 5 6 7 -1 9 10 11 12 13 14 15 16 17 "
			    "18 -19 20 21 2222 x 24 25 2626\n";
	struct mw_status status = { 0 };

	ASSERT_OK(mw_parse_stat(text, sizeof(text) - 1, &status));
	ASSERT_EQ('S', status.state);
	ASSERT_EQ(20, status.threads);
	ASSERT_EQ(2222, status.start_ticks);
	ASSERT_EQ(0, status.start.start_code);
	ASSERT_EQ(0, status.start.env_end);
}

TEST(stat_numbers_keep_to_their_fields)
{
	// 2^32 threads and a negative address: neither is believed.
	const char text[] = "1 (x) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
			    "19 4294967296 21 -2222 23 24 25 26 27 2828\n";
	struct mw_status status = { .start_ticks = 9 };

	ASSERT_OK(mw_parse_stat(text, sizeof(text) - 1, &status));
	ASSERT_EQ(UINT32_MAX, status.threads);
	ASSERT_EQ(9, status.start_ticks);
	ASSERT_EQ(2828, status.start.start_stack);
}

TEST(a_stat_without_a_name_is_an_error)
{
	const char *const texts[] = { "", "77", "77 x S 1 2 3", "77 (x)",
				      "77 (x) ", "77 (x) S" };
	struct mw_status status = { .state = '?' };

	for (size_t i = 0; i < MW_COUNT(texts); i++)
		ASSERT_ERR(MW_E_FORMAT, mw_parse_stat(texts[i],
						      strlen(texts[i]),
						      &status));
	ASSERT_EQ('?', status.state);
	ASSERT_OK(mw_parse_stat("77 (x) S ", 9, &status));
	ASSERT_EQ('S', status.state);
}

static void parse_status(struct mw_status *status, const char *text)
{
	mw_parse_status(text, strlen(text), status);
}

TEST(status_lines_are_found_by_their_names)
{
	struct mw_status status = { 0 };

	parse_status(&status, "Name:\tmy prog\n"
			      "State:\tS (sleeping)\n"
			      "Uid:\t1000\t1001\t1002\t1003\n"
			      "VmPeak:\t  99 kB\n"
			      "VmSize:\t  12345 kB\n"
			      "VmLck:\t       3 kB\n"
			      "VmHWM:\t       9 kB\n"
			      "VmRSS:\t       8 kB\n"
			      "RssAnon:\t       5 kB\n"
			      "RssFile:\t       2 kB\n"
			      "RssShmem:\t       1 kB\n"
			      "VmPTE:\t      44 kB\n"
			      "VmSwap:\t       6 kB\n"
			      "HugetlbPages:\t    2048 kB\n"
			      "Threads:\t7\n");
	ASSERT_TEXT("my prog", status.comm);
	ASSERT_EQ(1000, status.uid);
	ASSERT_EQ(MW_KIB(12345), status.vsz_bytes);
	ASSERT_EQ(MW_KIB(3), status.locked_bytes);
	ASSERT_EQ(MW_KIB(9), status.rss_peak_bytes);
	ASSERT_EQ(MW_KIB(8), status.rss_bytes);
	ASSERT_EQ(MW_KIB(5), status.rss_anon_bytes);
	ASSERT_EQ(MW_KIB(2), status.rss_file_bytes);
	ASSERT_EQ(MW_KIB(1), status.rss_shmem_bytes);
	ASSERT_EQ(MW_KIB(44), status.page_table_bytes);
	ASSERT_EQ(MW_KIB(6), status.swap_bytes);
	ASSERT_EQ(MW_MIB(2), status.hugetlb_bytes);
}

TEST(status_values_that_are_none_count_as_zero)
{
	struct mw_status status = { .vsz_bytes = 5, .swap_bytes = 5,
				    .rss_bytes = 5, .uid = 5 };

	parse_status(&status, "VmSize:\tmany kB\n"
			      "VmSwap:\n"
			      "VmRSS:\t18014398509481984 kB\n" // 2^64 bytes
			      "Uid:\tnobody\n");
	ASSERT_EQ(0, status.vsz_bytes);
	ASSERT_EQ(0, status.swap_bytes);
	ASSERT_EQ(0, status.rss_bytes);
	ASSERT_EQ(5, status.uid);
	parse_status(&status, "VmRSS:\t18014398509481983 kB");
	ASSERT_EQ(UINT64_MAX - 1023, status.rss_bytes);
}

TEST(a_name_cannot_pass_for_another_line)
{
	struct mw_status status = { 0 };

	// The kernel writes a line end in a name as \n.
	parse_status(&status, "Name:\tx\\nVmRSS: 1 kB\n"
			      "XVmRSS:\t3 kB\n"
			      " VmRSS:\t3 kB\n"
			      "VmRSSX:\t3 kB\n");
	ASSERT_TEXT("x\\nVmRSS: 1 kB", status.comm);
	ASSERT_EQ(0, status.rss_bytes);
}

TEST(a_long_name_is_cut)
{
	struct mw_status status = { .state = 'S' };
	char text[300] = "Name:\t";

	memset(text + 6, 'n', 200);
	text[206] = '\n';
	mw_parse_status(text, 207, &status);
	ASSERT_EQ(sizeof(status.comm) - 1, strlen(status.comm));
	ASSERT_EQ('n', status.comm[0]);
	ASSERT_EQ('S', status.state);
}

static const char smaps_text[] =
	"00400000-00500000 r-xp 00000000 fe:00 5        /bin/x y\n"
	"Size:               1024 kB\n"
	"KernelPageSize:        4 kB\n"
	"MMUPageSize:           4 kB\n"
	"Rss:                 100 kB\n"
	"Pss:                  50 kB\n"
	"Pss_Dirty:            49 kB\n"
	"Shared_Clean:         48 kB\n"
	"Shared_Dirty:         11 kB\n"
	"Private_Clean:        47 kB\n"
	"Private_Dirty:        12 kB\n"
	"Referenced:           46 kB\n"
	"Anonymous:            45 kB\n"
	"LazyFree:             13 kB\n"
	"AnonHugePages:      2048 kB\n"
	"ShmemPmdMapped:     4096 kB\n"
	"FilePmdMapped:      6144 kB\n"
	"Shared_Hugetlb:       14 kB\n"
	"Private_Hugetlb:       1 kB\n"
	"Swap:                 15 kB\n"
	"SwapPss:              16 kB\n"
	"Locked:               17 kB\n"
	"THPeligible:           0\n"
	"VmFlags: rd ex mr mw me\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n"
	"Rss:                   0 kB\n"
	"KernelPageSize:     2048 kB\n";

TEST(smaps_values_belong_to_the_line_above)
{
	struct mw_smaps_list smaps = { 0 };
	const char before[] = "Rss: 5 kB\nVmFlags: rd\n\n";

	// Nothing to belong to yet.
	ASSERT_OK(mw_parse_smaps(before, sizeof(before) - 1, &smaps));
	ASSERT_EQ(0, smaps.list.n);
	ASSERT_OK(mw_parse_smaps(smaps_text, sizeof(smaps_text) - 1, &smaps));
	ASSERT_EQ(2, smaps.list.n);

	const struct mw_smaps *s = &smaps.list.v[0];
	ASSERT_EQ(0x400000, s->start);
	ASSERT_EQ(0x500000, s->end);
	ASSERT_EQ(MW_KIB(100), s->rss_bytes);
	ASSERT_EQ(MW_KIB(50), s->pss_bytes);
	ASSERT_EQ(MW_KIB(11), s->shared_dirty_bytes);
	ASSERT_EQ(MW_KIB(12), s->private_dirty_bytes);
	ASSERT_EQ(MW_KIB(13), s->lazy_free_bytes);
	ASSERT_EQ(MW_MIB(2), s->anon_huge_bytes);
	ASSERT_EQ(MW_MIB(4), s->shmem_huge_bytes);
	ASSERT_EQ(MW_MIB(6), s->file_huge_bytes);
	ASSERT_EQ(MW_KIB(15), s->hugetlb_bytes);
	ASSERT_EQ(MW_KIB(15), s->swap_bytes);
	ASSERT_EQ(MW_KIB(16), s->swap_pss_bytes);
	ASSERT_EQ(MW_KIB(17), s->locked_bytes);
	ASSERT_EQ(4096, s->kernel_page_bytes);

	s = &smaps.list.v[1];
	ASSERT_EQ(UINT64_C(0xffffffffff600000), s->start);
	ASSERT_EQ(0, s->rss_bytes);
	ASSERT_EQ(0, s->pss_bytes);
	ASSERT_EQ(MW_MIB(2), s->kernel_page_bytes);

	// A piece may begin in the middle of a mapping.
	ASSERT_OK(mw_parse_smaps("Swap: 3 kB\n", 11, &smaps));
	ASSERT_EQ(MW_KIB(3), smaps.list.v[1].swap_bytes);
	mw_vec_free(&smaps.list);
}

static struct mw_error *parse_smaps(void *ctx)
{
	struct mw_smaps_list smaps = { 0 };
	struct mw_error *error = mw_parse_smaps(
		smaps_text, sizeof(smaps_text) - 1, &smaps);
	(void)ctx;

	if (!error)
		ASSERT_EQ(2, smaps.list.n);
	mw_vec_free(&smaps.list);
	return error;
}

static struct mw_error *parse_bad_stat(void *ctx)
{
	struct mw_status status = { 0 };
	struct mw_error *error = mw_parse_stat("x", 1, &status);
	(void)ctx;

	// With memory it is MW_E_FORMAT, as it should be.
	if (error && error->code == MW_E_FORMAT) {
		mw_error_free(error);
		return NULL;
	}
	return error;
}

TEST(parsing_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(parse_smaps, NULL);
	OUT_OF_MEMORY(parse_bad_stat, NULL);
}

static struct mw_thread parse_syscall(const char *text)
{
	struct mw_thread thread = { .sp = 1, .pc = 2 };

	mw_parse_syscall(text, strlen(text), &thread);
	return thread;
}

TEST(a_blocked_thread_has_its_registers)
{
	struct mw_thread t = parse_syscall(
		"202 0x7f01 0x80 0x0 0x0 0x0 0xffffffff 0x7ffd1230 0x7f0a55\n");

	assert_true(t.has_sp);
	ASSERT_EQ(0x7ffd1230, t.sp);
	ASSERT_EQ(0x7f0a55, t.pc);

	t = parse_syscall("-1 0x7ffe0000 0x4567\n");
	assert_true(t.has_sp);
	ASSERT_EQ(0x7ffe0000, t.sp);
	ASSERT_EQ(0x4567, t.pc);

	t = parse_syscall("0 0x3 0x4 0x5 0x0 0x0 0x0 0xffffffffffffffff 0x1");
	assert_true(t.has_sp);
	ASSERT_EQ(UINT64_MAX, t.sp);
	ASSERT_EQ(1, t.pc);
}

TEST(a_running_thread_has_none)
{
	const char *const texts[] = {
		"running\n", "running", "", "\n", "-1\n", "-1 0x7ffe0000\n",
		"-1 0x 0x\n", "-1 7ffe0000 4567\n", "-1 0x1 0xg\n",
		"-1 0x1 0x10000000000000000\n",
	};

	for (size_t i = 0; i < MW_COUNT(texts); i++) {
		struct mw_thread t = parse_syscall(texts[i]);

		assert_false(t.has_sp);
		ASSERT_EQ(1, t.sp);
		ASSERT_EQ(2, t.pc);
	}
}

/** Random changes in exactly as much memory: a byte too far is found out. */
TEST(random_changes_do_no_harm)
{
	const char stat[] = "77 (x) S" STAT_REST;
	uint64_t random = 1;

	for (int i = 0; i < 20000; i++) {
		const char *from = i % 2 ? stat : smaps_text;
		size_t all = i % 2 ? sizeof(stat) : sizeof(smaps_text);
		size_t bytes = mw_test_below(&random, all);
		MW_CLEANUP(mw_freep) char *text = mw_strndup(from, bytes);
		struct mw_smaps_list smaps = { 0 };
		struct mw_status status = { 0 };
		struct mw_thread thread = { 0 };

		text = mw_realloc(text, bytes, 1); // without the NUL
		for (int k = 0; bytes && k < 5; k++)
			text[mw_test_below(&random, bytes)] =
				(char)mw_test_random(&random);
		mw_error_free(mw_parse_stat(text, bytes, &status));
		mw_parse_status(text, bytes, &status);
		assert_true(strlen(status.comm) < sizeof(status.comm));
		mw_parse_syscall(text, bytes, &thread);
		ASSERT_OK(mw_parse_smaps(text, bytes, &smaps));
		mw_vec_free(&smaps.list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stat_fields_are_found_behind_any_name),
		CASE(a_stat_that_breaks_off_gives_what_it_has),
		CASE(stat_numbers_keep_to_their_fields),
		CASE(a_stat_without_a_name_is_an_error),
		CASE(status_lines_are_found_by_their_names),
		CASE(status_values_that_are_none_count_as_zero),
		CASE(a_name_cannot_pass_for_another_line),
		CASE(a_long_name_is_cut),
		CASE(smaps_values_belong_to_the_line_above),
		CASE(parsing_survives_a_lack_of_memory),
		CASE(a_blocked_thread_has_its_registers),
		CASE(a_running_thread_has_none),
		CASE(random_changes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
