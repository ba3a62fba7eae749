/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_fingerprint.h"
#include "mw_test.h"

enum { WORDS = MW_FINGERPRINT_BYTES / 8 };

static struct mw_fingerprint_key key;
static uint64_t page[WORDS];

static void make_page(void)
{
	uint64_t x = 1;

	for (size_t i = 0; i < WORDS; i++)
		page[i] = x = x * UINT64_C(6364136223846793005) + 1;
}

/* The same from the definition, bit by bit. */

struct product {
	uint64_t high, low;
};

static struct product multiply(uint64_t a, uint64_t b)
{
	struct product p = { 0 };

	for (unsigned i = 0; i < 64; i++)
		if (b >> i & 1) {
			p.low ^= a << i;
			p.high ^= i ? a >> (64 - i) : 0;
		}
	return p;
}

/** a * b in GF(2^64), by shifts. */
static uint64_t multiply_in_field(uint64_t a, uint64_t b)
{
	uint64_t sum = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			sum ^= a;
		a = a << 1 ^ (a >> 63 ? 0x1b : 0);
	}
	return sum;
}

static uint64_t by_definition(void)
{
	struct product sum = { 0 };

	for (size_t i = 0; i < WORDS; i += 2) {
		struct product p = multiply(page[i] ^ key.words[i],
					    page[i + 1] ^ key.words[i + 1]);

		sum.high ^= p.high;
		sum.low ^= p.low;
	}
	return multiply_in_field(sum.low, key.words[WORDS]) ^
	       multiply_in_field(sum.high, key.words[WORDS + 1]);
}

static void is_what_its_definition_says(void **state)
{
	(void)state;
	make_page();
	for (int i = 0; i < 20; i++) {
		if (!mw_fingerprint_begin(&key))
			skip();
		ASSERT_EQ(by_definition(), mw_fingerprint(&key, page));
		page[i] = i % 2 ? 0 : UINT64_MAX;
	}
	memset(page, 0, sizeof(page));
	ASSERT_EQ(by_definition(), mw_fingerprint(&key, page));
	// Whose sum is 0 has one all the same.
	memcpy(page, key.words, sizeof(page));
	ASSERT_EQ(0, by_definition());
	ASSERT_EQ(2, mw_fingerprint(&key, page));
}

/** The fingerprint of a new page, by a new key. */
static uint64_t begin(void)
{
	if (!mw_fingerprint_begin(&key))
		skip();
	make_page();
	return mw_fingerprint(&key, page);
}

static void sees_every_bit(void **state)
{
	uint64_t before = begin();

	(void)state;
	for (size_t i = 0; i < WORDS * 64; i++) {
		page[i / 64] ^= UINT64_C(1) << i % 64;
		if (mw_fingerprint(&key, page) == before)
			fail_msg("bit %zu", i);
		page[i / 64] ^= UINT64_C(1) << i % 64;
	}
	ASSERT_EQ(before, mw_fingerprint(&key, page));
}

/** What programs do that a sum would not see: exchange, add and take away. */
static void sees_changes_that_cancel_out(void **state)
{
	uint64_t before = begin();

	(void)state;
	for (size_t i = 1; i < WORDS; i++) {
		uint64_t first = page[0], other = page[i];

		page[0] = other;
		page[i] = first;
		ASSERT_EQ(false, mw_fingerprint(&key, page) == before);
		page[0] = first ^ UINT64_C(1) << 63;
		page[i] = other ^ UINT64_C(1) << 63;
		ASSERT_EQ(false, mw_fingerprint(&key, page) == before);
		page[0] = first + 1;
		page[i] = other - 1;
		ASSERT_EQ(false, mw_fingerprint(&key, page) == before);
		page[0] = first;
		page[i] = other;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(is_what_its_definition_says),
		CASE(sees_every_bit),
		CASE(sees_changes_that_cancel_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
