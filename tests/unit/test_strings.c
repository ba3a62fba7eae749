/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_strings.h"
#include "mw_test.h"

/* Strings that were found, as lines "ADDRESS TEXT". */
struct lines {
	char text[1 << 16];
	size_t used;
};

static bool note(void *ctx, uint64_t va, const char *text, size_t count)
{
	struct lines *l = ctx;

	l->used += (size_t)snprintf(l->text + l->used,
				    sizeof(l->text) - l->used, "%lx %.*s\n",
				    va, (int)count, text);
	assert_true(l->used < sizeof(l->text));
	return true;
}

/** The rules of strings(1), character by character from each byte. */
static void find_plainly(enum mw_text_encoding encoding, size_t least,
			 uint64_t va, const uint8_t *data, size_t bytes,
			 struct lines *ret)
{
	size_t size = mw_text_bytes(encoding);
	bool big = encoding == MW_TEXT_16BE || encoding == MW_TEXT_32BE;
	char run[4096];

	for (size_t at = 0; at + size <= bytes;) {
		size_t n = 0, i = at;

		for (; i + size <= bytes && n < sizeof(run); i += size) {
			uint32_t c = 0;

			for (size_t k = 0; k < size; k++)
				c |= (uint32_t)data[i + k]
				     << 8 * (big ? size - 1 - k : k);
			if (c != '\t' && (c < 0x20 || c == 0x7f || c > 0xff ||
					  (c > 0x7f &&
					   encoding != MW_TEXT_8BIT)))
				break;
			run[n++] = (char)c;
		}
		if (n >= least)
			note(ret, va + at, run, n);
		at = i + 1;
	}
}

static void fill(uint8_t *data, size_t bytes, size_t size, uint64_t *seed)
{
	for (size_t i = 0; i < bytes; i++) {
		uint64_t dice = mw_test_random(seed);

		data[i] = size > 1 && dice % 3 ? 0
			  : dice % 16 < 13     ? (uint8_t)(' ' + dice / 16 % 95)
					       : (uint8_t)(dice >> 8);
	}
}

static void check_rounds(enum mw_text_encoding encoding)
{
	static struct lines want, got;
	uint64_t seed = 10 + (uint64_t)encoding;
	size_t size = mw_text_bytes(encoding);
	uint8_t data[600];

	for (int round = 0; round < 2000; round++) {
		struct mw_strings s = {
			.encoding = encoding,
			.least = 1 + mw_test_random(&seed) % 6,
			.found = note,
			.ctx = &got,
		};
		size_t bytes = mw_test_random(&seed) % sizeof(data);
		uint64_t va = 0x1000 + mw_test_random(&seed) % 16;

		fill(data, bytes, size, &seed);
		want.used = got.used = 0;
		want.text[0] = got.text[0] = '\0';
		find_plainly(encoding, s.least, va, data, bytes, &want);
		for (size_t at = 0; at < bytes;) {
			size_t take = 1 + mw_test_random(&seed) % 200;

			take = mw_min(take, bytes - at);
			assert_true(mw_strings_feed(&s, va + at, data + at,
						    take,
						    mw_min(at, size - 1)));
			at += take;
		}
		assert_true(mw_strings_end(&s));
		ASSERT_TEXT(want.text, got.text);
		mw_strings_free(&s);
	}
}

TEST(all_encodings_in_pieces_of_any_length)
{
	for (unsigned e = MW_TEXT_7BIT; e <= MW_TEXT_32BE; e++)
		check_rounds((enum mw_text_encoding)e);
}

TEST(a_gap_ends_a_string)
{
	struct lines got = { .used = 0 };
	struct mw_strings s = { .least = 4, .found = note, .ctx = &got };

	mw_strings_feed(&s, 0x1000, (const uint8_t *)"abcd", 4, 0);
	mw_strings_feed(&s, 0x1004, (const uint8_t *)"ef", 2, 0);
	mw_strings_feed(&s, 0x1007, (const uint8_t *)"ghi", 3, 0);
	mw_strings_feed(&s, 0x2000, (const uint8_t *)"jklm", 4, 0);
	mw_strings_end(&s);
	ASSERT_TEXT("1000 abcdef\n2000 jklm\n", got.text);
	mw_strings_free(&s);
}

static bool stop_at_once(void *ctx, uint64_t va, const char *text,
			 size_t count)
{
	(void)va, (void)text, (void)count;
	++*(int *)ctx;
	return false;
}

TEST(no_more_than_wanted)
{
	int calls = 0;
	struct mw_strings s = { .least = 2, .found = stop_at_once,
				.ctx = &calls };

	assert_false(mw_strings_feed(&s, 0, (const uint8_t *)"ab\0cd\0ef", 8,
				     0));
	assert_false(mw_strings_end(&s));
	ASSERT_EQ(1, calls);
	mw_strings_free(&s);
}

static struct mw_error *keep_a_run(void *ctx)
{
	struct lines got = { .used = 0 };
	struct mw_strings s = { .least = 4, .found = note, .ctx = &got };
	bool good;

	(void)ctx;
	good = mw_strings_feed(&s, 0, (const uint8_t *)"abcdefgh", 8, 0) &&
	       mw_strings_end(&s);
	mw_strings_free(&s);
	return mw_test_memory(good);
}

TEST(strings_without_memory)
{
	OUT_OF_MEMORY(keep_a_run, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(all_encodings_in_pieces_of_any_length),
		CASE(a_gap_ends_a_string),
		CASE(no_more_than_wanted),
		CASE(strings_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
