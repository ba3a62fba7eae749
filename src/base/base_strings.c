/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_strings.h"

#include <assert.h>
#include <string.h>

#include "mw_num.h"

size_t mw_text_bytes(enum mw_text_encoding encoding)
{
	switch (encoding) {
	case MW_TEXT_7BIT:
	case MW_TEXT_8BIT:
		return 1;
	case MW_TEXT_16LE:
	case MW_TEXT_16BE:
		return 2;
	case MW_TEXT_32LE:
	case MW_TEXT_32BE:
		return 4;
	}
	return 1;
}

static bool is_printable(const struct mw_strings *s, uint8_t c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t' ||
	       (c > 0x7f && s->encoding == MW_TEXT_8BIT);
}

static void report(struct mw_strings *s, uint64_t va, const char *text,
		   size_t count)
{
	if (!s->enough && count >= s->least)
		s->enough = !s->found(s->ctx, va, text, count);
}

/** The run that is open ends. */
static void close_run(struct mw_strings *s)
{
	if (s->run.n > 0)
		report(s, s->start, s->run.v, s->run.n);
	s->run.n = 0;
}

/** Add @count characters at address @va to the open run, or open one. */
static void extend_run(struct mw_strings *s, uint64_t va, const uint8_t *text,
		       size_t count)
{
	if (count == 0 || s->no_memory)
		return;
	if (s->run.n == 0)
		s->start = va;
	if (s->run.n + count > s->run.cap) {
		size_t cap = mw_max(256, 2 * (s->run.n + count));
		char *grown = mw_realloc(s->run.v, cap, 1);

		if (!grown) {
			s->no_memory = true;
			return;
		}
		s->run.v = grown;
		s->run.cap = cap;
	}
	memcpy(s->run.v + s->run.n, text, count);
	s->run.n += count;
}

/* Characters of one byte */

/** End of the printable bytes from @at on. */
static size_t printable_until(const struct mw_strings *s, const uint8_t *data,
			      size_t at, size_t bytes)
{
	while (at < bytes && is_printable(s, data[at]))
		at++;
	return at;
}

/**
 * Where the next string of the shortest length begins, at or behind @at, in
 * front of which there is none. @bytes if there is no room for one.
 *
 * A string of n bytes has its last one at or behind n - 1: where that is not
 * printable, n bytes are done with at once.
 */
static size_t next_string(const struct mw_strings *s, const uint8_t *data,
			  size_t at, size_t bytes)
{
	while (at < bytes && s->least <= bytes - at) {
		size_t i = at + s->least;

		while (i > at && is_printable(s, data[i - 1]))
			i--;
		if (i == at)
			return at;
		at = i;
	}
	return bytes;
}

static void feed_bytes(struct mw_strings *s, uint64_t va, const uint8_t *data,
		       size_t bytes)
{
	size_t at = 0;

	if (s->run.n > 0) {
		at = printable_until(s, data, 0, bytes);
		extend_run(s, va, data, at);
		if (at == bytes)
			return;
		close_run(s);
	}
	while (at < bytes && !s->enough) {
		size_t begin = next_string(s, data, at, bytes), end;

		if (begin == bytes)
			break;
		end = printable_until(s, data, begin + s->least, bytes);
		if (end == bytes) {
			extend_run(s, va + begin, data + begin, end - begin);
			return;
		}
		report(s, va + begin, (const char *)data + begin,
		       end - begin);
		at = end;
	}
	// What begins in the last bytes may go on in the next ones.
	size_t begin = bytes;
	while (begin > at && bytes - begin < s->least &&
	       is_printable(s, data[begin - 1]))
		begin--;
	extend_run(s, va + begin, data + begin, bytes - begin);
}

/* Characters of several bytes */

static uint32_t character(const struct mw_strings *s, const uint8_t *at)
{
	switch (s->encoding) {
	case MW_TEXT_16LE:
		return mw_u16(at);
	case MW_TEXT_16BE:
		return __builtin_bswap16(mw_u16(at));
	case MW_TEXT_32LE:
		return mw_u32(at);
	case MW_TEXT_32BE:
		return __builtin_bswap32(mw_u32(at));
	case MW_TEXT_7BIT:
	case MW_TEXT_8BIT:
		break;
	}
	return *at;
}

/** @data is what address @va has; *@va moves to the first byte left over. */
static void feed_wide(struct mw_strings *s, uint64_t *va, const uint8_t *data,
		      size_t bytes)
{
	size_t size = mw_text_bytes(s->encoding), at = 0;

	while (bytes - at >= size && !s->enough && !s->no_memory) {
		uint32_t c = character(s, data + at);
		uint8_t byte = (uint8_t)c;

		if (c < 256 && is_printable(s, byte)) {
			extend_run(s, *va + at, &byte, 1);
			at += size;
		} else {
			close_run(s);
			at++;
		}
	}
	*va += at;
}

bool mw_strings_feed(struct mw_strings *s, uint64_t va, const uint8_t *data,
		     size_t bytes, size_t before)
{
	assert(s->least > 0);
	if (va != s->seen) {
		close_run(s);
		s->next = va;
	}
	s->seen = va + bytes;
	if (mw_text_bytes(s->encoding) == 1) {
		feed_bytes(s, va, data, bytes);
	} else {
		size_t back = va - s->next;

		assert(back <= before);
		feed_wide(s, &s->next, data - back, bytes + back);
	}
	(void)before;
	return !s->enough && !s->no_memory;
}

bool mw_strings_end(struct mw_strings *s)
{
	close_run(s);
	s->seen = s->next = 0;
	return !s->enough && !s->no_memory;
}

void mw_strings_free(struct mw_strings *s)
{
	mw_vec_free(&s->run);
}
