/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_find.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/* What a needle means, said plainly. */
struct plain {
	size_t bytes;
	uint8_t values[64], masks[64];
};

static size_t find_plainly(const struct plain *p, const uint8_t *data,
			   size_t bytes, size_t from)
{
	for (; from + p->bytes <= bytes; from++) {
		size_t i = 0;

		while (i < p->bytes &&
		       (data[from + i] & p->masks[i]) == p->values[i])
			i++;
		if (i == p->bytes)
			return from;
	}
	return SIZE_MAX;
}

/** Those found @room at a time are those found one by one. */
static void check_some(const struct mw_needle *needle, const uint8_t *data,
		       size_t bytes, size_t room)
{
	size_t from = 0, at = 0, places[64], count;

	while ((count = mw_needle_find_some(needle, data, bytes, 0, &from,
					    places, room)) > 0)
		for (size_t i = 0; i < count; i++) {
			at = mw_needle_find(needle, data, bytes, 0, at);
			ASSERT_EQ(at, places[i]);
			at++;
		}
	ASSERT_EQ(SIZE_MAX, mw_needle_find(needle, data, bytes, 0, at));
}

static void check_all(const struct mw_needle *needle, const struct plain *p,
		      const uint8_t *data, size_t bytes)
{
	size_t at = 0;
	uint64_t count = 0;

	for (;; count++) {
		size_t want = find_plainly(p, data, bytes, at);

		ASSERT_EQ(want, mw_needle_find(needle, data, bytes, 0, at));
		if (want == SIZE_MAX)
			break;
		at = want + 1;
	}
	ASSERT_EQ(count, mw_needle_count(needle, data, bytes, 0));
	check_some(needle, data, bytes, 2);
	check_some(needle, data, bytes, 64);
}

/** Text of few letters, so that there are many matches and near misses. */
static void fill(uint8_t *data, size_t bytes, uint64_t *seed)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = "aAbB\0"[mw_test_random(seed) % 5];
}

TEST(text_is_found_wherever_it_is)
{
	uint64_t seed = 1;
	uint8_t data[300];

	for (int round = 0; round < 3000; round++) {
		MW_CLEANUP(mw_needle_freep) struct mw_needle *needle = NULL;
		bool ignore_case = round % 2;
		size_t bytes = mw_test_random(&seed) % sizeof(data);
		struct plain p = { .bytes = 1 + mw_test_random(&seed) % 5 };
		uint8_t text[8];

		fill(data, sizeof(data), &seed);
		fill(text, sizeof(text), &seed);
		for (size_t i = 0; i < p.bytes; i++) {
			p.masks[i] = ignore_case && text[i] ? 0xdf : 0xff;
			p.values[i] = text[i] & p.masks[i];
		}
		ASSERT_OK(mw_needle_text(text, p.bytes, ignore_case, &needle));
		ASSERT_EQ(p.bytes, mw_needle_bytes(needle));
		check_all(needle, &p, data, bytes);
	}
}

TEST(hexadecimal_with_wildcards)
{
	static const struct {
		const char *text;
		struct plain plain;
	} cases[] = {
		{ "61", { 1, { 0x61 }, { 0xff } } },
		{ "6?", { 1, { 0x60 }, { 0xf0 } } },
		{ "?1 42", { 2, { 0x01, 0x42 }, { 0x0f, 0xff } } },
		{ "61??41", { 3, { 0x61, 0, 0x41 }, { 0xff, 0, 0xff } } },
		{ " 00\t?? ", { 2, { 0 }, { 0xff, 0 } } },
	};
	uint64_t seed = 2;
	uint8_t data[500];

	fill(data, sizeof(data), &seed);
	for (size_t i = 0; i < MW_COUNT(cases); i++) {
		MW_CLEANUP(mw_needle_freep) struct mw_needle *needle = NULL;

		ASSERT_OK(mw_needle_hex(cases[i].text, &needle));
		ASSERT_EQ(cases[i].plain.bytes, mw_needle_bytes(needle));
		for (size_t bytes = 0; bytes < sizeof(data); bytes += 7)
			check_all(needle, &cases[i].plain, data, bytes);
	}
}

TEST(wrong_needles_are_refused)
{
	static const char *const wrong[] = {
		"", " ", "1", "123", "zz", "1 2", "0x12", "??", "? ?", "12 3",
	};
	static const char long_text[MW_NEEDLE_BYTES + 1];
	struct mw_needle *needle = NULL;

	for (size_t i = 0; i < MW_COUNT(wrong); i++)
		ASSERT_ERR(MW_E_USAGE, mw_needle_hex(wrong[i], &needle));
	ASSERT_ERR(MW_E_USAGE, mw_needle_text("", 0, false, &needle));
	ASSERT_ERR(MW_E_USAGE, mw_needle_text(long_text, sizeof(long_text),
					      false, &needle));
	ASSERT_ERR(MW_E_USAGE, mw_needle_words(2, 1, &needle));
	assert_null(needle);
}

TEST(longest_needle)
{
	MW_CLEANUP(mw_needle_freep) struct mw_needle *needle = NULL;
	static uint8_t data[2 * MW_NEEDLE_BYTES];

	data[1000] = 1;
	data[1000 + MW_NEEDLE_BYTES - 1] = 2;
	ASSERT_OK(mw_needle_text(data + 1000, MW_NEEDLE_BYTES, false,
				 &needle));
	ASSERT_EQ(1000, mw_needle_find(needle, data, sizeof(data), 0, 0));
	ASSERT_EQ(SIZE_MAX, mw_needle_find(needle, data,
					   1000 + MW_NEEDLE_BYTES - 1, 0, 0));
}

TEST(words_are_aligned_by_their_address)
{
	uint64_t seed = 3;
	uint8_t data[400];

	for (int round = 0; round < 2000; round++) {
		MW_CLEANUP(mw_needle_freep) struct mw_needle *needle = NULL;
		uint64_t va = mw_test_random(&seed) % 64;
		size_t bytes = mw_test_random(&seed) % sizeof(data);
		uint64_t first = mw_test_random(&seed) % 4, last = first;
		size_t want = 0;

		if (round % 3 == 0)
			last = first + mw_test_random(&seed) % 3;
		if (round % 7 == 0)
			last = UINT64_MAX;
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = 0;
		for (size_t i = 0; i + 8 <= sizeof(data); i += 4)
			data[i] = (uint8_t)(mw_test_random(&seed) % 5);
		ASSERT_OK(mw_needle_words(first, last, &needle));
		for (size_t at = 0;; at = want + 1) {
			want = SIZE_MAX;
			for (size_t i = at; i + 8 <= bytes; i++)
				if ((va + i) % 8 == 0 &&
				    mw_u64(data + i) >= first &&
				    mw_u64(data + i) <= last) {
					want = i;
					break;
				}
			ASSERT_EQ(want, mw_needle_find(needle, data, bytes, va,
						       at));
			if (want == SIZE_MAX)
				break;
		}
	}
}

static struct mw_error *make_needle(void *ctx)
{
	MW_CLEANUP(mw_needle_freep) struct mw_needle *needle = NULL;

	(void)ctx;
	return mw_needle_hex("de ad ?? ef", &needle);
}

TEST(needles_without_memory)
{
	OUT_OF_MEMORY(make_needle, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_is_found_wherever_it_is),
		CASE(hexadecimal_with_wildcards),
		CASE(wrong_needles_are_refused),
		CASE(longest_needle),
		CASE(words_are_aligned_by_their_address),
		CASE(needles_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
