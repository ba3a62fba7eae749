/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_print.h"
#include "mw_num.h"

/* Numbers and enumerations. */

/** The largest: a complex number of two long doubles. */
#define MOST_BYTES 32

__extension__ typedef unsigned __int128 wide;

/* Floating point */

/** As an x87 number: what it has fewer bits for is cut off. */
static long double from_quad(const uint8_t *bytes)
{
	uint64_t low = mw_u64(bytes), high = mw_u64(bytes + 8);
	uint64_t exponent = high >> 48 & 0x7fff;
	uint64_t mantissa = (high << 15 & INT64_MAX) | low >> 49;
	uint8_t raw[sizeof(long double)] = { 0 };
	long double value;

	if (exponent > 0)
		mantissa |= UINT64_C(1) << 63;
	memcpy(raw, &mantissa, 8);
	raw[8] = (uint8_t)exponent;
	raw[9] = (uint8_t)(high >> 56);
	memcpy(&value, raw, sizeof(value));
	return value;
}

/** Of 16 bits: 5 of exponent, or 8 in __bf16, as a float has. */
static float from_half(const uint8_t *bytes, bool is_brain)
{
	uint32_t raw = bytes[0] | (uint32_t)bytes[1] << 8;
	uint32_t sign = raw >> 15, exponent = raw >> 10 & 31;
	uint32_t rest = raw & 1023, bits;
	float value;

	if (!is_brain && exponent == 0)
		return (sign ? -1.0f : 1.0f) * (float)rest / (1 << 24);
	bits = is_brain ? raw << 16
			: sign << 31 |
				  (exponent == 31 ? 255 : exponent + 112)
					  << 23 |
				  rest << 13;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/** 10 bytes and padding; what has all 16 is called _Float128 or the like. */
static bool is_x87(const char *name, uint64_t size)
{
	return size == 12 ||
	       (size == 16 && !(name && strstr(name, "128")));
}

static void add_float(const struct printer *p, const char *name,
		      const uint8_t *bytes, uint64_t size)
{
	long double extended = 0;
	float single;
	double value;

	switch (size) {
	case 2:
		mw_text_add(p->to, "%.9g",
			    (double)from_half(bytes,
					      name && strstr(name, "bf16")));
		break;
	case 4:
		memcpy(&single, bytes, sizeof(single));
		mw_text_add(p->to, "%.9g", (double)single);
		break;
	case 8:
		memcpy(&value, bytes, sizeof(value));
		mw_text_add(p->to, "%.17g", value);
		break;
	case 12:
	case 16:
		if (is_x87(name, size))
			memcpy(&extended, bytes, 10);
		else
			extended = from_quad(bytes);
		mw_text_add(p->to, "%.21Lg", extended);
		break;
	default:
		mw_text_add(p->to, "?");
		break;
	}
}

/* Whole numbers */

static uint64_t encoding_of(Dwarf_Die *type)
{
	Dwarf_Attribute attr;
	Dwarf_Word encoding = 0;

	if (dwarf_attr(type, DW_AT_encoding, &attr))
		dwarf_formudata(&attr, &encoding);
	return encoding;
}

/** Whether @type is a number, or an enumeration of numbers, with a sign. */
static bool is_signed(Dwarf_Die *type)
{
	Dwarf_Die base = *type;
	uint64_t encoding;

	if (dwarf_tag(type) == DW_TAG_enumeration_type &&
	    (!vars_type_of(type, &base) || !vars_peel(&base)))
		return false;
	encoding = encoding_of(&base);
	return encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
}

static void add_decimal(const struct printer *p, wide value, bool has_sign)
{
	bool is_negative = has_sign && value >> 127;
	char digits[48];
	size_t at = sizeof(digits);

	if (is_negative)
		value = -value;
	digits[--at] = '\0';
	do
		digits[--at] = (char)('0' + (unsigned)(value % 10));
	while ((value /= 10) > 0);
	mw_text_add(p->to, "%s%s", is_negative ? "-" : "", digits + at);
}

static wide whole(const uint8_t *bytes, uint64_t size, bool has_sign)
{
	wide value = has_sign && bytes[size - 1] & 0x80 ? ~(wide)0 : 0;

	for (uint64_t i = size; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

/** What a character is, where that can be shown. */
static void add_character(const struct printer *p, uint32_t c, bool is_utf)
{
	char text[5];

	if (c < 0x20 || c == 0x7f || (!is_utf && c > 0x7f) ||
	    (is_utf && c > 0x7f && c < 0xa0))
		return;
	text[vars_utf8(c, (uint8_t *)text)] = '\0';
	mw_text_add(p->to, " '%s'", text);
}

static void add_base(const struct printer *p, Dwarf_Die *type,
		     const uint8_t *bytes, uint64_t size)
{
	const char *name = dwarf_diename(type);
	uint64_t encoding = encoding_of(type), half = size / 2;
	bool is_utf = encoding == DW_ATE_UTF;

	if (encoding == DW_ATE_float) {
		add_float(p, name, bytes, size);
		return;
	}
	if (encoding == DW_ATE_complex_float) {
		uint64_t top = is_x87(name, half) ? 10 : half;

		mw_text_add(p->to, "(");
		add_float(p, name, bytes, half);
		mw_text_add(p->to,
			    bytes[half + top - 1] & 0x80 ? "" : "+");
		add_float(p, name, bytes + half, half);
		mw_text_add(p->to, "i)");
		return;
	}
	if (size > 16) {
		mw_text_add(p->to, "?");
		return;
	}
	if (encoding == DW_ATE_boolean) {
		wide value = whole(bytes, size, false);

		mw_text_add(p->to, value == 0	? "false"
				   : value == 1 ? "true"
						: "true (%" PRIu64 ")",
			    (uint64_t)value);
		return;
	}
	if (encoding == DW_ATE_decimal_float) {
		mw_text_add(p->to, "0x");
		for (uint64_t i = size; i-- > 0;)
			mw_text_add(p->to, "%02x", bytes[i]);
		return;
	}
	add_decimal(p, whole(bytes, size, is_signed(type)), is_signed(type));
	if (is_utf && size <= 4)
		add_character(p, (uint32_t)whole(bytes, size, false), true);
	else if (encoding == DW_ATE_signed_char ||
		 encoding == DW_ATE_unsigned_char)
		add_character(p, bytes[0], false);
}

/* Enumerations */

/** The next enumerator, at @one or behind it, and its value. */
static bool enumerator(Dwarf_Die *one, uint64_t mask, uint64_t *ret)
{
	do {
		Dwarf_Attribute attr;
		Dwarf_Sword value;
		Dwarf_Word bits;

		if (dwarf_tag(one) != DW_TAG_enumerator ||
		    !dwarf_diename(one) ||
		    !dwarf_attr(one, DW_AT_const_value, &attr))
			continue;
		// Small unsigned ones have a form that may count as signed.
		if (dwarf_whatform(&attr) == DW_FORM_sdata ||
		    dwarf_whatform(&attr) == DW_FORM_implicit_const) {
			if (dwarf_formsdata(&attr, &value) != 0)
				continue;
			bits = (Dwarf_Word)value;
		} else if (dwarf_formudata(&attr, &bits) != 0) {
			continue;
		}
		*ret = bits & mask;
		return true;
	} while (dwarf_siblingof(one, one) == 0);
	return false;
}

/** Whether enumerators are flags, of which none has the bit of another. */
static bool are_flags(Dwarf_Die *type, uint64_t mask, uint64_t *ret_all)
{
	uint64_t all = 0, value;
	Dwarf_Die one;

	if (dwarf_child(type, &one) != 0)
		return false;
	while (enumerator(&one, mask, &value)) {
		if (all & value)
			return false;
		all |= value;
		if (dwarf_siblingof(&one, &one) != 0)
			break;
	}
	*ret_all = all;
	return true;
}

static bool add_flags(const struct printer *p, Dwarf_Die *type, uint64_t mask,
		      uint64_t raw)
{
	const char *between = "";
	uint64_t all, value, found = 0;
	Dwarf_Die one;

	if (raw == 0 || !are_flags(type, mask, &all) || raw & ~all ||
	    dwarf_child(type, &one) != 0)
		return false;
	// Of flags with several bits, some may be set.
	for (Dwarf_Die next = one; enumerator(&next, mask, &value);) {
		found |= value & ~raw ? 0 : value;
		if (dwarf_siblingof(&next, &next) != 0)
			break;
	}
	if (found != raw)
		return false;
	while (enumerator(&one, mask, &value)) {
		if (value && !(value & ~raw)) {
			mw_text_add(p->to, "%s%s", between,
				    dwarf_diename(&one));
			between = " | ";
		}
		if (dwarf_siblingof(&one, &one) != 0)
			break;
	}
	return true;
}

static void add_enum(const struct printer *p, Dwarf_Die *type,
		     const uint8_t *bytes, uint64_t size)
{
	uint64_t mask = size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
	uint64_t raw = mw_u64(bytes) & mask, value;
	Dwarf_Die one;

	if (dwarf_child(type, &one) == 0)
		while (enumerator(&one, mask, &value)) {
			if (value == raw) {
				mw_text_add(p->to, "%s", dwarf_diename(&one));
				return;
			}
			if (dwarf_siblingof(&one, &one) != 0)
				break;
		}
	if (!add_flags(p, type, mask, raw))
		add_decimal(p, whole(bytes, size, is_signed(type)),
			    is_signed(type));
}

/* Both */

static void add_scalar(const struct printer *p, Dwarf_Die *type,
		       const uint8_t *bytes, uint64_t size)
{
	if (dwarf_tag(type) == DW_TAG_enumeration_type)
		add_enum(p, type, bytes, size);
	else
		add_base(p, type, bytes, size);
}

/** How large a number of @type is; false when it is none that can be shown. */
static bool scalar_bytes(Dwarf_Die *type, uint64_t *ret)
{
	bool is_enum = dwarf_tag(type) == DW_TAG_enumeration_type;

	if (!is_enum && dwarf_tag(type) != DW_TAG_base_type)
		return false;
	if (!vars_bytes(type, ret) || *ret == 0 || (is_enum && *ret > 8))
		*ret = is_enum ? 4 : 0;
	return *ret > 0 && *ret <= MOST_BYTES;
}

void vars_add_scalar(const struct printer *p, Dwarf_Die *type, uint64_t va)
{
	uint8_t bytes[MOST_BYTES] = { 0 };
	uint64_t size;

	if (!scalar_bytes(type, &size))
		mw_text_add(p->to, "?");
	else if (!vars_read(p, va, bytes, size))
		vars_add_unreadable(p, va);
	else
		add_scalar(p, type, bytes, size);
}

bool vars_read_scalar(const struct printer *p, Dwarf_Die *type, uint64_t va,
		      uint64_t *ret)
{
	uint64_t size;

	*ret = 0;
	return scalar_bytes(type, &size) && size <= sizeof(*ret) &&
	       vars_read(p, va, ret, size);
}

void vars_add_bits(const struct printer *p, Dwarf_Die *type, uint64_t raw,
		   unsigned bits)
{
	uint8_t bytes[MOST_BYTES] = { 0 };
	uint64_t size;

	if (!scalar_bytes(type, &size) || size > sizeof(raw)) {
		mw_text_add(p->to, "%" PRIu64, raw);
		return;
	}
	if (is_signed(type) && bits < 64 && raw >> (bits - 1))
		raw |= UINT64_MAX << bits;
	memcpy(bytes, &raw, sizeof(raw));
	add_scalar(p, type, bytes, size);
}
