/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "mw_find.h"
#include "mw_hash.h"
#include "mw_num.h"
#include "mw_strings.h"

/*
 * Memory as `strings` and `search` read it, in pieces, against memory at once
 * and against what a match means.
 *
 *	byte  0  encoding (low bits), least length (high bits)
 *	byte  1  how long pieces are
 *	byte  2  bits 0..3 length of the needle, bit 4 ignore case, bit 5 words
 *	then     the needle, then the memory
 */

struct found {
	uint64_t hash;
	size_t count;
};

static bool note(void *ctx, uint64_t va, const char *text, size_t count)
{
	struct found *f = ctx;

	f->hash = mw_hash_bytes(mw_hash_bytes(f->hash, &va, sizeof(va)), text,
				count);
	f->count++;
	return true;
}

static struct found strings_of(const uint8_t *data, size_t size, uint8_t how,
			       size_t piece)
{
	struct found f = { 0 };
	struct mw_strings s = {
		.encoding = (enum mw_text_encoding)(how % 6),
		.least = 1 + how / 16,
		.found = note,
		.ctx = &f,
	};
	size_t keep = mw_text_bytes(s.encoding) - 1;

	for (size_t at = 0; at < size; at += piece)
		CHECK(mw_strings_feed(&s, 0x1000 + at, data + at,
				      mw_min(piece, size - at),
				      mw_min(keep, at)));
	CHECK(mw_strings_end(&s));
	mw_strings_free(&s);
	return f;
}

static bool fits(const uint8_t *at, const uint8_t *text, size_t bytes,
		 bool ignore_case)
{
	for (size_t i = 0; i < bytes; i++) {
		uint8_t a = at[i], b = text[i];

		if (ignore_case && a >= 'A' && a <= 'Z')
			a |= 0x20;
		if (ignore_case && b >= 'A' && b <= 'Z')
			b |= 0x20;
		if (a != b)
			return false;
	}
	return true;
}

static void check_text(const uint8_t *text, size_t bytes, bool ignore_case,
		       const uint8_t *data, size_t size)
{
	struct mw_needle *needle;
	size_t found = 0;

	CHECK(!mw_needle_text(text, bytes, ignore_case, &needle));
	for (size_t at = 0;; at = found + 1) {
		found = mw_needle_find(needle, data, size, 0x1000, at);
		for (; at + bytes <= size && at < found; at++)
			CHECK(!fits(data + at, text, bytes, ignore_case));
		if (found == SIZE_MAX)
			break;
		CHECK(found + bytes <= size &&
		      fits(data + found, text, bytes, ignore_case));
	}
	mw_needle_free(needle);
}

static void check_words(uint64_t first, uint64_t last, const uint8_t *data,
			size_t size)
{
	struct mw_needle *needle;
	size_t at = 0;

	if (first > last)
		return;
	CHECK(!mw_needle_words(first, last, &needle));
	for (size_t i = 3; i + 8 <= size; i += 8) {
		uint64_t word = mw_u64(data + i);

		if (word < first || word > last)
			continue;
		CHECK(mw_needle_find(needle, data, size, 0x1005, at) == i);
		at = i + 1;
	}
	CHECK(mw_needle_find(needle, data, size, 0x1005, at) == SIZE_MAX);
	mw_needle_free(needle);
}

/** Hexadecimal from anybody: a needle, or an error with a reason. */
static void parse_hex(const uint8_t *data, size_t size)
{
	char text[256];
	struct mw_needle *needle = NULL;
	struct mw_error *error;

	size = mw_min(size, sizeof(text) - 1);
	memcpy(text, data, size);
	text[size] = '\0';
	error = mw_needle_hex(text, &needle);
	fuzz_check_error(error);
	CHECK(!error == !!needle);
	mw_error_free(error);
	mw_needle_free(needle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct found whole, pieces;
	size_t bytes;

	if (size < 3)
		return 0;
	parse_hex(data, size);
	bytes = data[2] & 15;
	if (bytes > size - 3)
		bytes = size - 3;
	whole = strings_of(data + 3, size - 3, data[0], size);
	pieces = strings_of(data + 3, size - 3, data[0], 1 + data[1]);
	CHECK(whole.count == pieces.count && whole.hash == pieces.hash);
	if (data[2] & 32 && size >= 19)
		check_words(mw_u64(data + 3), mw_u64(data + 11), data + 3,
			    size - 3);
	else if (bytes > 0)
		check_text(data + 3, bytes, data[2] & 16, data + 3 + bytes,
			   size - 3 - bytes);
	return 0;
}
