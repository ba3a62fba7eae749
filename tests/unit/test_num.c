/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_num.h"
#include "mw_test.h"

TEST(alignment_goes_down_and_up)
{
	ASSERT_EQ(0, mw_align_down(0, 4096));
	ASSERT_EQ(0, mw_align_down(4095, 4096));
	ASSERT_EQ(4096, mw_align_down(4096, 4096));
	ASSERT_EQ(4096, mw_align_down(8191, 4096));
	ASSERT_EQ(UINT64_MAX - 4095, mw_align_down(UINT64_MAX, 4096));
	ASSERT_EQ(17, mw_align_down(17, 1));

	ASSERT_EQ(0, mw_align_up(0, 4096));
	ASSERT_EQ(4096, mw_align_up(1, 4096));
	ASSERT_EQ(4096, mw_align_up(4096, 4096));
	ASSERT_EQ(8192, mw_align_up(4097, 4096));
	ASSERT_EQ(17, mw_align_up(17, 1));
	ASSERT_EQ(UINT64_MAX, mw_align_up(UINT64_MAX, 1));

	assert_true(mw_is_aligned(0, 4096));
	assert_true(mw_is_aligned(8192, 4096));
	assert_false(mw_is_aligned(8193, 4096));
	assert_false(mw_is_aligned(2048, 4096));
	assert_true(mw_is_aligned(2047, 1));
}

TEST(alignment_upwards_saturates)
{
	const uint64_t last = UINT64_MAX - 4095; // the highest page

	ASSERT_EQ(last, mw_align_up(last - 1, 4096));
	ASSERT_EQ(last, mw_align_up(last, 4096));
	ASSERT_EQ(last, mw_align_up(last + 1, 4096));
	ASSERT_EQ(last, mw_align_up(UINT64_MAX, 4096));
	ASSERT_EQ(UINT64_C(1) << 63,
		  mw_align_up(UINT64_MAX, UINT64_C(1) << 63));
}

TEST(an_end_that_overflows_is_refused)
{
	uint64_t end = 42;

	assert_true(mw_end(1, 2, &end));
	ASSERT_EQ(3, end);
	assert_true(mw_end(UINT64_MAX, 0, &end));
	ASSERT_EQ(UINT64_MAX, end);
	assert_true(mw_end(UINT64_MAX - 5, 5, &end));
	ASSERT_EQ(UINT64_MAX, end);
	end = 42;
	assert_false(mw_end(UINT64_MAX, 1, &end));
	assert_false(mw_end(UINT64_MAX - 5, 6, &end));
	assert_false(mw_end(2, UINT64_MAX, &end));
	ASSERT_EQ(42, end);
}

TEST(within_knows_its_edges)
{
	assert_true(mw_within(10, 10, 10, 20));
	assert_true(mw_within(19, 1, 10, 20));
	assert_false(mw_within(19, 2, 10, 20));
	assert_false(mw_within(9, 1, 10, 20));
	assert_false(mw_within(9, 11, 10, 20));
	assert_false(mw_within(21, 0, 10, 20));
	// Nothing lies anywhere between the bounds, both included.
	assert_true(mw_within(10, 0, 10, 20));
	assert_true(mw_within(20, 0, 10, 20));
	assert_false(mw_within(9, 0, 10, 20));
	// Sizes that would wrap around.
	assert_false(mw_within(15, UINT64_MAX, 10, 20));
	assert_false(mw_within(15, UINT64_MAX - 14, 0, 20));
	assert_false(mw_within(UINT64_MAX, 1, 0, UINT64_MAX));
	assert_true(mw_within(0, UINT64_MAX, 0, UINT64_MAX));
	assert_true(mw_within(UINT64_MAX - 1, 1, 0, UINT64_MAX));
	// Bounds the wrong way round hold nothing.
	assert_false(mw_within(15, 0, 20, 10));
	assert_false(mw_within(15, 1, 20, 10));
	assert_false(mw_within(25, 1, 20, 10));
}

TEST(within_agrees_with_counting)
{
	for (uint64_t lo = 0; lo < 6; lo++)
		for (uint64_t hi = lo; hi < 6; hi++)
			for (uint64_t start = 0; start < 8; start++)
				for (uint64_t n = 0; n < 8; n++) {
					bool want = start >= lo &&
						    start + n <= hi;

					assert_true(mw_within(start, n, lo,
							      hi) == want);
				}
}

TEST(bits_are_counted)
{
	uint64_t random = 1;

	ASSERT_EQ(0, mw_popcount(0));
	ASSERT_EQ(64, mw_popcount(UINT64_MAX));
	for (int bit = 0; bit < 64; bit++) {
		ASSERT_EQ(1, mw_popcount(UINT64_C(1) << bit));
		ASSERT_EQ(63, mw_popcount(~(UINT64_C(1) << bit)));
		ASSERT_EQ(bit, mw_popcount((UINT64_C(1) << bit) - 1));
	}
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = mw_test_random(&random);

		// Few bits and many ones too.
		if (i % 3 == 1)
			bits &= mw_test_random(&random);
		if (i % 3 == 2)
			bits |= mw_test_random(&random);
		ASSERT_EQ(__builtin_popcountll(bits), mw_popcount(bits));
	}
}

TEST(smaller_larger_and_units)
{
	ASSERT_EQ(1, mw_min(1, UINT64_MAX));
	ASSERT_EQ(1, mw_min(UINT64_MAX, 1));
	ASSERT_EQ(UINT64_MAX, mw_max(1, UINT64_MAX));
	ASSERT_EQ(UINT64_MAX, mw_max(UINT64_MAX, 1));
	ASSERT_EQ(3072, MW_KIB(3));
	ASSERT_EQ(3145728, MW_MIB(3));
	// An int that is shifted too far would have lost its bits.
	ASSERT_EQ(UINT64_C(8589934592), MW_GIB(8));
	ASSERT_EQ(MW_PAGE_BYTES, UINT64_C(1) << MW_PAGE_SHIFT);
}

TEST(bytes_are_little_endian_at_any_address)
{
	const uint8_t bytes[] = { 0xff, 0x01, 0x23, 0x45, 0x67,
				  0x89, 0xab, 0xcd, 0xef, 0xff };

	ASSERT_EQ(UINT64_C(0xefcdab8967452301), mw_u64(bytes + 1));
	ASSERT_EQ(0x67452301, mw_u32(bytes + 1));
	ASSERT_EQ(0x2301, mw_u16(bytes + 1));
	ASSERT_EQ(0x89674523, mw_u32(bytes + 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(alignment_goes_down_and_up),
		CASE(alignment_upwards_saturates),
		CASE(an_end_that_overflows_is_refused),
		CASE(within_knows_its_edges),
		CASE(within_agrees_with_counting),
		CASE(bits_are_counted),
		CASE(smaller_larger_and_units),
		CASE(bytes_are_little_endian_at_any_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
