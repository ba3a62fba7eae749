/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_print.h"
#include "mw_num.h"

/* Text, of characters of any width. */

#define MOST_TEXT 256 /* bytes of a string */
#define MOST_WIDE 128 /* of a string of wide characters */

void vars_add_string(const struct printer *p, uint64_t va, uint64_t bytes)
{
	uint8_t text[MOST_TEXT];
	uint64_t take = mw_min(bytes, sizeof(text));

	if (take > 0 && !vars_read(p, va, text, take))
		mw_text_add(p->to, "%" PRIu64 " bytes at 0x%" PRIx64
			    " (not readable)", bytes, va);
	else
		mw_text_quote(p->to, text, take, take < bytes);
}

/** Text of single bytes up to a NUL, as far as it can be read. */
static void add_c_string(const struct printer *p, uint64_t va)
{
	uint8_t text[MOST_TEXT];
	size_t n = 0;

	// Whole words may lie behind the end of what can be read.
	while (n < sizeof(text)) {
		uint64_t take = mw_min(sizeof(text) - n,
				       64 - ((va + n) & 63));
		uint8_t *nul;

		if (!vars_read(p, va + n, text + n, take))
			break;
		nul = memchr(text + n, 0, take);
		if (nul) {
			mw_text_quote(p->to, text, (size_t)(nul - text), false);
			return;
		}
		n += take;
	}
	if (n > 0)
		mw_text_quote(p->to, text, n, true);
}

bool vars_is_char(Dwarf_Die *type)
{
	Dwarf_Die peeled = *type;
	Dwarf_Attribute attr;
	Dwarf_Word encoding;
	uint64_t bytes;

	return vars_peel(&peeled) && dwarf_tag(&peeled) == DW_TAG_base_type &&
	       vars_bytes(&peeled, &bytes) && bytes == 1 &&
	       dwarf_attr(&peeled, DW_AT_encoding, &attr) &&
	       dwarf_formudata(&attr, &encoding) == 0 &&
	       (encoding == DW_ATE_signed_char ||
		encoding == DW_ATE_unsigned_char);
}

void vars_add_chars(const struct printer *p, uint64_t va, uint64_t count,
		    bool with_nul)
{
	uint64_t size = mw_min(count, MOST_TEXT);
	uint8_t text[MOST_TEXT];
	const uint8_t *nul;

	if (!vars_read(p, va, text, size)) {
		vars_add_unreadable(p, va);
		return;
	}
	nul = with_nul ? NULL : memchr(text, 0, size);
	mw_text_quote(p->to, text, nul ? (size_t)(nul - text) : size,
		      !nul && size < count);
}

/* Wide characters */

size_t vars_utf8(uint32_t c, uint8_t *to)
{
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd; // what Unicode has for what is none
	if (c < 0x80) {
		to[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (uint8_t)(0xc0 | c >> 6);
		to[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (uint8_t)(0xe0 | c >> 12);
		to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		to[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | c >> 18);
	to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	to[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/** By their names: in C they are other names of numbers. */
uint64_t vars_wide_bytes(Dwarf_Die *type)
{
	static const char *const names[] = { "wchar_t", "char16_t",
					     "char32_t" };
	Dwarf_Die at = *type;

	for (int depth = 0; depth < VARS_MAX_DEPTH; depth++) {
		const char *name = dwarf_diename(&at);
		uint64_t bytes;

		for (size_t i = 0; name && i < MW_COUNT(names); i++)
			if (strcmp(name, names[i]) == 0)
				return vars_bytes(&at, &bytes) &&
						       (bytes == 2 ||
							bytes == 4)
					       ? bytes
					       : 0;
		if (dwarf_tag(&at) == DW_TAG_base_type ||
		    dwarf_tag(&at) == DW_TAG_pointer_type ||
		    !vars_type_of(&at, &at))
			return 0;
	}
	return 0;
}

void vars_add_wide(const struct printer *p, uint64_t va, uint64_t unit,
		   uint64_t count)
{
	uint8_t text[4 * MOST_WIDE];
	uint32_t high = 0; // the first half of a pair, of 16 bits
	uint64_t i = 0;
	size_t n = 0;
	bool is_whole = false;

	for (; i < mw_min(count, MOST_WIDE); i++) {
		uint32_t c = 0;

		if (!vars_read(p, va + i * unit, &c, unit)) {
			if (i == 0)
				vars_add_unreadable(p, va);
			break;
		}
		is_whole = c == 0;
		if (is_whole)
			break;
		if (unit == 2 && high == 0 && c >= 0xd800 && c < 0xdc00) {
			high = c;
			continue;
		}
		if (high && c >= 0xdc00 && c < 0xe000)
			c = 0x10000 + ((high - 0xd800) << 10) + (c - 0xdc00);
		high = 0;
		n += vars_utf8(c, text + n);
	}
	if (i > 0 || is_whole)
		mw_text_quote(p->to, text, n, !is_whole && i < count);
}

void vars_add_c_string(const struct printer *p, uint64_t va, uint64_t unit)
{
	if (unit > 1)
		vars_add_wide(p, va, unit, UINT64_MAX);
	else
		add_c_string(p, va);
}
