/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_map64.h"
#include "mw_num.h"
#include "mw_test.h"

enum { MAX_KEYS = 3000 };

/* The reference: an array of pairs, searched from the front. */
struct model {
	struct mw_map64_entry pairs[MAX_KEYS];
	size_t count;
};

static struct mw_map64_entry *model_find(struct model *model, uint64_t key)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->pairs[i].key == key)
			return &model->pairs[i];
	return NULL;
}

static void check_walk(struct model *model, const struct mw_map64 *map)
{
	bool seen[MAX_KEYS] = { false };
	uint64_t key, value;
	size_t at = 0, count = 0;

	while (mw_map64_next(map, &at, &key, &value)) {
		struct mw_map64_entry *pair = model_find(model, key);

		assert_non_null(pair);
		ASSERT_EQ(pair->value, value);
		assert_false(seen[pair - model->pairs]);
		seen[pair - model->pairs] = true;
		count++;
	}
	ASSERT_EQ(model->count, count);
	// The end stays the end.
	assert_false(mw_map64_next(map, &at, &key, &value));
}

/** A key of the kinds that memwhy has: small, addresses, pairs, hashes. */
static uint64_t random_key(uint64_t *seed)
{
	uint64_t n = mw_test_below(seed, 600);

	switch (mw_test_below(seed, 4)) {
	case 0:
		return n;
	case 1:
		return UINT64_C(0xc000000000) + n * MW_PAGE_BYTES;
	case 2:
		return n << 32 | n % 3;
	default:
		return n % 2 ? UINT64_MAX - n : mw_test_random(seed);
	}
}

TEST(an_empty_map_has_nothing)
{
	struct mw_map64 map = { 0 };
	uint64_t key = 1, value = 2;
	size_t at = 0;

	assert_null(mw_map64_find(&map, 0));
	assert_null(mw_map64_find(&map, 1));
	assert_null(mw_map64_find(&map, UINT64_MAX));
	assert_false(mw_map64_next(&map, &at, &key, &value));
	ASSERT_EQ(1, key);
	ASSERT_EQ(2, value);
	mw_map64_free(&map);
}

TEST(key_zero_is_a_key_like_any_other)
{
	struct mw_map64 map = { 0 };
	uint64_t key, value;
	size_t at = 0;

	assert_non_null(mw_map64_at(&map, 0));
	ASSERT_EQ(0, *mw_map64_find(&map, 0));
	*mw_map64_at(&map, 0) = 7;
	ASSERT_EQ(7, *mw_map64_find(&map, 0));
	assert_null(mw_map64_find(&map, 1));
	assert_true(mw_map64_next(&map, &at, &key, &value));
	ASSERT_EQ(0, key);
	ASSERT_EQ(7, value);
	assert_false(mw_map64_next(&map, &at, &key, &value));

	*mw_map64_at(&map, 5) = 8;
	ASSERT_EQ(7, *mw_map64_find(&map, 0));
	ASSERT_EQ(8, *mw_map64_find(&map, 5));

	mw_map64_free(&map);
	assert_null(mw_map64_find(&map, 0));
	assert_null(mw_map64_find(&map, 5));
}

TEST(a_new_key_has_value_zero_and_an_old_one_keeps_its_own)
{
	struct mw_map64 map = { 0 };

	for (uint64_t key = 1; key < 1000; key++) {
		uint64_t *value = mw_map64_at(&map, key << 12);

		assert_non_null(value);
		ASSERT_EQ(0, *value);
		*value = ~key;
	}
	for (uint64_t key = 1; key < 1000; key++)
		ASSERT_EQ(~key, *mw_map64_at(&map, key << 12));
	ASSERT_EQ(999, map.count);
	// "at most two thirds full"
	assert_true(map.count * 3 <= (map.mask + 1) * 2);
	mw_map64_free(&map);
}

TEST(random_operations_agree_with_an_array)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct model model = { .count = 0 };
		struct mw_map64 map = { 0 };
		uint64_t random = seed;

		for (int i = 0; i < 4000; i++) {
			uint64_t key = random_key(&random);
			struct mw_map64_entry *pair = model_find(&model, key);
			uint64_t *found = mw_map64_find(&map, key);

			assert_true(!pair == !found);
			if (pair)
				ASSERT_EQ(pair->value, *found);
			if (mw_test_below(&random, 2) ||
			    model.count == MAX_KEYS)
				continue;
			found = mw_map64_at(&map, key);
			assert_non_null(found);
			if (!pair) {
				ASSERT_EQ(0, *found);
				pair = &model.pairs[model.count++];
				pair->key = key;
			}
			*found = pair->value = mw_test_random(&random);
		}
		assert_true(model.count > 500);
		check_walk(&model, &map);
		mw_map64_free(&map);
	}
}

static struct mw_error *fill(void *ctx)
{
	struct mw_map64 map = { 0 };
	bool ok = true;
	uint64_t key;
	(void)ctx;

	for (key = 0; ok && key < 200; key++) {
		uint64_t *value = mw_map64_at(&map, key);

		ok = value != NULL;
		if (ok)
			*value = key * 3;
	}
	// A refused insertion leaves the others as they were.
	for (uint64_t k = 0; k + (ok ? 0 : 1) < key; k++)
		ASSERT_EQ(k * 3, *mw_map64_find(&map, k));
	if (!ok)
		assert_null(mw_map64_find(&map, key - 1));
	mw_map64_free(&map);
	return mw_test_memory(ok);
}

TEST(insertions_survive_a_lack_of_memory)
{
	OUT_OF_MEMORY(fill, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_map_has_nothing),
		CASE(key_zero_is_a_key_like_any_other),
		CASE(a_new_key_has_value_zero_and_an_old_one_keeps_its_own),
		CASE(random_operations_agree_with_an_array),
		CASE(insertions_survive_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
