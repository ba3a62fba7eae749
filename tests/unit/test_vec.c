/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_test.h"
#include "mw_vec.h"

struct odd { // a size that is no power of two
	uint64_t a;
	uint8_t b[5];
};

TEST(elements_stay_as_they_were_pushed)
{
	MW_VEC(struct odd) vec = { 0 };
	uint64_t random = 1;

	for (size_t i = 0; i < 10000; i++) {
		struct odd *place = mw_vec_push(&vec);

		assert_non_null(place);
		assert_ptr_equal(&vec.v[i], place);
		place->a = mw_test_random(&random);
		memset(place->b, (int)i, sizeof(place->b));
		ASSERT_EQ(i + 1, vec.n);
		assert_true(vec.n <= vec.cap);
	}
	random = 1;
	for (size_t i = 0; i < vec.n; i++) {
		ASSERT_EQ(mw_test_random(&random), vec.v[i].a);
		for (size_t k = 0; k < sizeof(vec.v[i].b); k++)
			ASSERT_EQ((uint8_t)i, vec.v[i].b[k]);
	}
	mw_vec_free(&vec);
}

TEST(it_is_empty_and_usable_after_free)
{
	MW_VEC(int) vec = { 0 };

	mw_vec_free(&vec);
	*mw_vec_push(&vec) = 1;
	mw_vec_free(&vec);
	assert_null(vec.v);
	ASSERT_EQ(0, vec.n);
	ASSERT_EQ(0, vec.cap);
	*mw_vec_push(&vec) = 2;
	ASSERT_EQ(1, vec.n);
	ASSERT_EQ(2, vec.v[0]);
	mw_vec_free(&vec);
}

TEST(growth_is_by_half)
{
	void *elements = NULL;
	size_t cap = 0;

	assert_true(mw_vec_grow(&elements, &cap, 0, 8));
	ASSERT_EQ(16, cap);
	void *before = elements;
	assert_true(mw_vec_grow(&elements, &cap, 15, 8));
	ASSERT_EQ(16, cap);
	assert_ptr_equal(before, elements);
	assert_true(mw_vec_grow(&elements, &cap, 16, 8));
	ASSERT_EQ(24, cap);
	assert_true(mw_vec_grow(&elements, &cap, 24, 8));
	ASSERT_EQ(36, cap);
	mw_free(elements);
}

TEST(a_size_that_overflows_is_refused)
{
	void *elements = NULL;
	size_t cap = SIZE_MAX / 4;

	assert_false(mw_vec_grow(&elements, &cap, cap, 16));
	assert_null(elements);
	ASSERT_EQ(SIZE_MAX / 4, cap);
}

static struct mw_error *fill(void *ctx)
{
	MW_VEC(uint64_t) vec = { 0 };
	uint64_t *place = NULL;
	size_t want;
	(void)ctx;

	for (want = 0; want < 100; want++) {
		place = mw_vec_push(&vec);
		if (!place)
			break;
		*place = want * 7;
	}
	// What was there before the refusal is there still.
	ASSERT_EQ(want, vec.n);
	for (size_t i = 0; i < want; i++)
		ASSERT_EQ(i * 7, vec.v[i]);
	mw_vec_free(&vec);
	return mw_test_memory(place != NULL);
}

TEST(pushing_survives_a_lack_of_memory)
{
	OUT_OF_MEMORY(fill, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(elements_stay_as_they_were_pushed),
		CASE(it_is_empty_and_usable_after_free),
		CASE(growth_is_by_half),
		CASE(a_size_that_overflows_is_refused),
		CASE(pushing_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
