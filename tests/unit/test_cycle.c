/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_cycle.h"
#include "mw_test.h"

/* Lists 0, 1, …, length - 1 that lead back to `back`, or end. */

static uint64_t walk(uint64_t length, uint64_t back, uint64_t most)
{
	struct mw_cycle cycle = { 0 };
	uint64_t met = 0;

	for (uint64_t at = 0; met < most && !mw_cycle_meets(&cycle, at);
	     at = at + 1 < length ? at + 1 : back)
		met++;
	return met;
}

TEST(a_list_that_leads_back_ends_soon)
{
	for (uint64_t length = 1; length < 70; length++)
		for (uint64_t back = 0; back < length; back++) {
			uint64_t met = walk(length, back, 1000);

			assert_true(met >= length);
			assert_true(met <= 3 * length);
		}
	assert_true(walk(100000, 99999, 1 << 20) <= 300000);
	assert_true(walk(100000, 0, 1 << 20) <= 300000);
}

TEST(a_list_without_a_way_back_is_met_whole)
{
	ASSERT_EQ(100000, walk(UINT64_MAX, 0, 100000));
	ASSERT_EQ(2 * MW_CYCLE_LONGEST - 1, walk(UINT64_MAX, 0, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_list_that_leads_back_ends_soon),
		CASE(a_list_without_a_way_back_is_met_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
