/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_num.h"
#include "render_int.h"

unsigned mw_utf8_len(const uint8_t *c)
{
	unsigned len = *c < 0x80   ? 1
		       : *c < 0xc2 ? 0
		       : *c < 0xe0 ? 2
		       : *c < 0xf0 ? 3
		       : *c < 0xf5 ? 4
				   : 0;

	for (unsigned i = 1; i < len; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	// Overlong forms, surrogates, and what lies above U+10FFFF.
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return len;
}

bool mw_utf8_is_control(const uint8_t *c)
{
	// Some terminals obey U+009B as they do ESC [.
	return *c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0);
}

/** U+2028 to U+202E and U+2066 to U+2069: they would turn a line around. */
static bool turns_text(const uint8_t *c)
{
	if (c[0] != 0xe2)
		return false;
	return (c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) ||
	       (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

/**
 * Whether each of the eight bytes of @word is printable ASCII. A byte sets its
 * upper bit in one of the terms when it is not; one that is carries nothing
 * over to the next.
 */
static bool is_ascii_word(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	return !((word | (word - 0x20 * ones) | (word + ones)) & 0x80 * ones);
}

/** How many bytes of printable ASCII are at @c. */
static size_t ascii_run(const uint8_t *c, const uint8_t *end)
{
	const uint8_t *start = c;

	while (end - c >= 8 && is_ascii_word(mw_u64(c)))
		c += 8;
	while (c < end && *c >= 0x20 && *c < 0x7f)
		c++;
	return (size_t)(c - start);
}

size_t mw_put_text(FILE *out, const char *text, size_t bytes, size_t room)
{
	enum { ESCAPE_COLUMNS = 4 };
	const uint8_t *c = (const uint8_t *)text, *end = c + bytes;
	size_t used = 0;

	while (c < end) {
		// Most text is such, and written at once.
		size_t run = mw_min(ascii_run(c, end), room - used);

		if (out && run)
			fwrite(c, 1, run, out);
		c += run;
		used += run;
		if (c == end || used == room)
			break;
		unsigned len = mw_utf8_len(c);
		bool plain = len > 0 && !mw_utf8_is_control(c) &&
			     !(len == 3 && turns_text(c));
		size_t columns;

		if (len == 0)
			len = 1;
		columns = plain ? 1 : ESCAPE_COLUMNS * len;
		if (columns > room - used)
			break;
		used += columns;
		if (out && plain)
			fwrite(c, 1, len, out);
		for (unsigned i = 0; out && !plain && i < len; i++)
			fprintf(out, "\\x%02x", c[i]);
		c += len;
	}
	return used;
}

size_t mw_text_width(const char *text)
{
	return mw_put_text(NULL, text, strlen(text), SIZE_MAX);
}

void mw_print_escaped(FILE *out, const char *text)
{
	mw_put_text(out, text, strlen(text), SIZE_MAX);
}

void mw_print_wrapped(FILE *out, const char *text, unsigned used,
		      unsigned indent, unsigned width)
{
	size_t at = used; // column
	bool first = true; // word of its line

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t bytes = strcspn(text, " ");
		size_t columns = mw_put_text(NULL, text, bytes, SIZE_MAX);

		if (at > indent && at + !first + columns > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
			first = true;
		}
		if (!first)
			putc(' ', out);
		mw_put_text(out, text, bytes, SIZE_MAX);
		at += !first + columns;
		first = false;
		text += bytes;
	}
	putc('\n', out);
}
