/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_num.h"
#include "mw_search.h"
#include "mw_test.h"

enum { COUNT = 100 };

/** The reference: from the front. */
static size_t first_above(const uint64_t *v, size_t from, size_t end,
			  uint64_t value)
{
	while (from < end && v[from] <= value)
		from++;
	return from;
}

static void finds_the_first(void **state)
{
	uint64_t v[COUNT];

	(void)state;
	// Ascending, with what is there several times.
	for (size_t i = 0; i < COUNT; i++)
		v[i] = i * i / 50;
	for (size_t end = 0; end <= COUNT; end++)
		for (size_t from = 0; from <= end; from += 1 + end / 8)
			for (uint64_t value = 0; value < 210; value += 3)
				ASSERT_EQ(first_above(v, from, end, value),
					  mw_first(i, from, end,
						   v[i] > value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(finds_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
