/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_test.h"
#include "target_int.h"

#define PAGE MW_PAGE_BYTES
#define FIRST UINT64_C(0x7f0000000000)

/** A target with two resident pages at FIRST, and one at FIRST + 4 pages. */
static struct mw_target *make(void)
{
	struct mw_target *target = mw_calloc(1, sizeof(*target));

	assert_non_null(target);
	assert_true(mw_target_keep_structure(target));
	assert_true(mw_pages_add(&target->pages, FIRST, FIRST + 2 * PAGE,
				 MW_PAGE_PRESENT));
	assert_true(mw_pages_add(&target->pages, FIRST + 4 * PAGE,
				 FIRST + 5 * PAGE, MW_PAGE_SWAPPED));
	return target;
}

static void destroy(struct mw_target *target)
{
	mw_kept_free(target->kept);
	mw_pages_free(&target->pages);
	mw_free(target);
}

/** How many words of the page at @va are kept. */
static unsigned words(const struct mw_target *target, uint64_t va)
{
	uint8_t page[PAGE];
	unsigned n = 0;

	memset(page, 7, sizeof(page));
	mw_kept_mask(target, va, page);
	for (size_t i = 0; i < PAGE; i += 8)
		n += page[i] == 7;
	return n;
}

TEST(whole_words_are_kept)
{
	struct mw_target *target = make();

	assert_false(mw_kept_has(target, FIRST));
	mw_target_keep(target, FIRST + 9, 8); // two words
	ASSERT_EQ(2, words(target, FIRST));
	mw_target_keep(target, FIRST + PAGE - 8, 16); // over an edge
	ASSERT_EQ(3, words(target, FIRST));
	ASSERT_EQ(1, words(target, FIRST + PAGE));
	mw_target_keep(target, FIRST, 0);
	ASSERT_EQ(3, words(target, FIRST));
	destroy(target);
}

/** A target's words may be taken for pointers to anywhere. */
TEST(what_is_not_there_costs_nothing)
{
	struct mw_target *target = make();

	mw_target_keep(target, UINT64_MAX - 127, 120);
	mw_target_keep(target, UINT64_MAX - 127, 127);
	mw_target_keep(target, UINT64_MAX - 127, 4096);
	mw_target_keep(target, 0, PAGE);
	mw_target_keep(target, FIRST + 2 * PAGE, 2 * PAGE);
	mw_target_keep(target, 0, FIRST);
	mw_target_keep(target, FIRST + 5 * PAGE, UINT64_MAX / 2);
	for (uint64_t i = 0; i < 5; i++)
		assert_false(mw_kept_has(target, FIRST + i * PAGE));
	// Of all that there may be, what is there.
	mw_target_keep(target, 8, UINT64_MAX - 64);
	ASSERT_EQ(512, words(target, FIRST));
	ASSERT_EQ(512, words(target, FIRST + PAGE));
	assert_false(mw_kept_has(target, FIRST + 2 * PAGE));
	ASSERT_EQ(512, words(target, FIRST + 4 * PAGE));
	destroy(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(whole_words_are_kept),
		CASE(what_is_not_there_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
