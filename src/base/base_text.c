/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mw_mem.h"
#include "mw_vec.h"

static const char ellipsis[] = "…";

/** Room for @bytes more and a NUL. */
static bool grow(struct mw_text *text, size_t bytes)
{
	while (text->cap <= text->n + bytes) {
		if (!mw_vec_grow((void **)&text->v, &text->cap, text->cap, 1)) {
			text->failed = true;
			return false;
		}
		// Terminated, even if there will be no room for more.
		text->v[text->n] = '\0';
	}
	return true;
}

static void add_bytes(struct mw_text *text, const char *bytes, size_t count)
{
	if (text->is_full || text->failed)
		return;
	if (count > text->limit - text->n) {
		text->is_full = true;
		bytes = ellipsis;
		count = sizeof(ellipsis) - 1;
	}
	if (!grow(text, count))
		return;
	memcpy(text->v + text->n, bytes, count);
	text->n += count;
	text->v[text->n] = '\0';
}

void mw_text_add(struct mw_text *text, const char *fmt, ...)
{
	char piece[256];
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(piece, sizeof(piece), fmt, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(piece))
		length = sizeof(piece) - 1;
	add_bytes(text, piece, (size_t)length);
}

size_t mw_utf8_bytes(const uint8_t *at, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t count = left == 0	? 0
		       : at[0] < 0x80	? 1
		       : at[0] < 0xc2	? 0
		       : at[0] < 0xe0	? 2
		       : at[0] < 0xf0	? 3
		       : at[0] < 0xf5	? 4
					: 0;
	uint32_t code;

	if (count < 2)
		return count;
	if (count > left)
		return 0;
	code = at[0] & (0x7fu >> count);
	for (size_t i = 1; i < count; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	return code < least[count] || code > 0x10ffff ||
			       (code >= 0xd800 && code < 0xe000)
		       ? 0
		       : count;
}

static void add_escape(struct mw_text *text, uint8_t byte)
{
	switch (byte) {
	case '\n':
		add_bytes(text, "\\n", 2);
		break;
	case '\t':
		add_bytes(text, "\\t", 2);
		break;
	case '\r':
		add_bytes(text, "\\r", 2);
		break;
	default:
		mw_text_add(text, "\\x%02x", byte);
		break;
	}
}

void mw_text_quote(struct mw_text *text, const void *bytes, size_t count,
		   bool is_cut)
{
	const uint8_t *at = bytes, *end = at + count;

	add_bytes(text, "\"", 1);
	while (at < end) {
		size_t length = mw_utf8_bytes(at, (size_t)(end - at));

		if (length == 0 && is_cut && end - at < 4 && *at >= 0xc2)
			break; // a character that was cut in two
		if (*at == '"' || *at == '\\')
			add_bytes(text, "\\", 1);
		if (length == 0 || *at < 0x20 || *at == 0x7f)
			add_escape(text, *at);
		else
			add_bytes(text, (const char *)at, length);
		at += length ? length : 1;
	}
	add_bytes(text, "\"", 1);
	if (is_cut)
		add_bytes(text, ellipsis, sizeof(ellipsis) - 1);
}

void mw_text_free(struct mw_text *text)
{
	mw_free(text->v);
	*text = (struct mw_text){ .limit = text->limit };
}
