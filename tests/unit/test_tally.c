/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_space.h"
#include "mw_test.h"

#define PAGE MW_PAGE_BYTES

enum {
	BASE_PAGE = 7,
	MODEL_PAGES = 200,
};

/* The reference: the state of each page in a byte of its own. */
static uint8_t model[MODEL_PAGES];

/** Count [@start, @end) page by page. */
static struct mw_tally count_pages(uint64_t start, uint64_t end)
{
	struct mw_tally tally = { 0 };

	for (uint64_t i = 0; i < MODEL_PAGES; i++) {
		uint64_t from = mw_max(start, (BASE_PAGE + i) * PAGE);
		uint64_t to = mw_min(end, (BASE_PAGE + i + 1) * PAGE);
		uint64_t bytes = to > from ? to - from : 0;

		if (model[i] == MW_PAGE_PRESENT ||
		    model[i] == (MW_PAGE_PRESENT | MW_PAGE_HUGE) ||
		    model[i] == (MW_PAGE_PRESENT | MW_PAGE_FILE) ||
		    model[i] == (MW_PAGE_PRESENT | MW_PAGE_SWAPPED))
			tally.rss_bytes += bytes;
		if (model[i] == MW_PAGE_SWAPPED ||
		    model[i] == (MW_PAGE_PRESENT | MW_PAGE_SWAPPED))
			tally.swap_bytes += bytes;
	}
	return tally;
}

static void fill(uint64_t *random, struct mw_pages *pages)
{
	const uint8_t states[] = {
		0,
		MW_PAGE_PRESENT,
		MW_PAGE_PRESENT,
		MW_PAGE_SWAPPED,
		MW_PAGE_PRESENT | MW_PAGE_HUGE,
		MW_PAGE_PRESENT | MW_PAGE_FILE,
		MW_PAGE_PRESENT | MW_PAGE_ZERO,
		MW_PAGE_PRESENT | MW_PAGE_HUGETLB | MW_PAGE_HUGE,
		MW_PAGE_PRESENT | MW_PAGE_SWAPPED,
	};

	for (size_t i = 0; i < MODEL_PAGES;) {
		size_t end = mw_min(i + 1 + mw_test_below(random, 6),
				    MODEL_PAGES);
		uint8_t state = states[mw_test_below(random,
						     MW_COUNT(states))];

		if (state)
			assert_true(mw_pages_add(pages, (BASE_PAGE + i) * PAGE,
						 (BASE_PAGE + end) * PAGE,
						 state));
		for (; i < end; i++)
			model[i] = state;
	}
}

static void check_tally(const struct mw_pages *pages, size_t *hint,
			uint64_t start, uint64_t end)
{
	struct mw_tally want = count_pages(start, end);
	struct mw_tally tally = { 5, 6, 7 }; // is added to

	mw_pages_tally(pages, hint, start, end, &tally);
	ASSERT_EQ(5, tally.vsz_bytes);
	ASSERT_EQ(6 + want.rss_bytes, tally.rss_bytes);
	ASSERT_EQ(7 + want.swap_bytes, tally.swap_bytes);
	assert_true(*hint <= pages->runs.n);
}

TEST(random_ranges_agree_with_a_byte_a_page)
{
	const uint64_t span = (BASE_PAGE + MODEL_PAGES + 3) * PAGE;

	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct mw_pages pages = { 0 };
		uint64_t random = seed;
		size_t hint = 0;

		fill(&random, &pages);
		for (int i = 0; i < 400; i++) {
			uint64_t a = mw_test_below(&random, span);
			uint64_t b = mw_test_below(&random, 2)
					     ? mw_test_below(&random, span)
					     : a + mw_test_below(&random,
								 3 * PAGE);
			size_t any = mw_test_below(&random,
						   pages.runs.n + 3);

			check_tally(&pages, &hint, mw_min(a, b), mw_max(a, b));
			check_tally(&pages, &any, mw_min(a, b), mw_max(a, b));
		}
		mw_pages_free(&pages);
	}
}

TEST(pieces_add_up_to_the_whole)
{
	const uint64_t span = (BASE_PAGE + MODEL_PAGES + 1) * PAGE;

	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct mw_pages pages = { 0 };
		struct mw_tally sum = { 0 }, want;
		uint64_t random = seed, from = 0;
		size_t hint = 0;

		fill(&random, &pages);
		want = count_pages(0, span);
		while (from < span) {
			uint64_t to = mw_min(
				from + mw_test_below(&random, 2 * PAGE), span);

			mw_pages_tally(&pages, &hint, from, to, &sum);
			from = to;
		}
		ASSERT_EQ(want.rss_bytes, sum.rss_bytes);
		ASSERT_EQ(want.swap_bytes, sum.swap_bytes);
		mw_pages_free(&pages);
	}
}

TEST(empty_and_far_ranges_have_nothing)
{
	struct mw_pages pages = { 0 };
	struct mw_tally tally = { 0 };
	uint64_t random = 1;
	size_t hint = 0;

	fill(&random, &pages);
	mw_pages_tally(&pages, &hint, 10 * PAGE, 10 * PAGE, &tally);
	mw_pages_tally(&pages, &hint, 20 * PAGE, 10 * PAGE, &tally);
	mw_pages_tally(&pages, &hint, 0, BASE_PAGE * PAGE, &tally);
	mw_pages_tally(&pages, &hint, UINT64_MAX - 1, UINT64_MAX, &tally);
	mw_pages_tally(&pages, &hint, 5000 * PAGE, UINT64_MAX, &tally);
	ASSERT_EQ(0, tally.rss_bytes);
	ASSERT_EQ(0, tally.swap_bytes);

	check_tally(&pages, &hint, 0, UINT64_MAX);
	mw_pages_free(&pages);
}

TEST(a_run_in_several_words_counts_whole)
{
	struct mw_pages pages = { 0 };
	struct mw_tally tally = { 0 };
	size_t hint = 0;

	assert_true(mw_pages_add(&pages, 0, 100000 * PAGE, MW_PAGE_PRESENT));
	mw_pages_tally(&pages, &hint, 1, 100000 * PAGE - 1, &tally);
	ASSERT_EQ(100000 * PAGE - 2, tally.rss_bytes);
	ASSERT_EQ(0, tally.swap_bytes);
	mw_pages_free(&pages);
}

TEST(only_what_smaps_counts_is_resident)
{
	assert_true(mw_state_is_rss(MW_PAGE_PRESENT));
	assert_true(mw_state_is_rss(MW_PAGE_PRESENT | MW_PAGE_HUGE));
	assert_true(mw_state_is_rss(MW_PAGE_PRESENT | MW_PAGE_FILE));
	assert_false(mw_state_is_rss(0));
	assert_false(mw_state_is_rss(MW_PAGE_SWAPPED));
	assert_false(mw_state_is_rss(MW_PAGE_PRESENT | MW_PAGE_ZERO));
	assert_false(mw_state_is_rss(MW_PAGE_PRESENT | MW_PAGE_ZERO |
				     MW_PAGE_HUGE));
	assert_false(mw_state_is_rss(MW_PAGE_PRESENT | MW_PAGE_HUGETLB));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(random_ranges_agree_with_a_byte_a_page),
		CASE(pieces_add_up_to_the_whole),
		CASE(empty_and_far_ranges_have_nothing),
		CASE(a_run_in_several_words_counts_whole),
		CASE(only_what_smaps_counts_is_resident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
