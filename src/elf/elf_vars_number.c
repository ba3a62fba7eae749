/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_print.h"
#include "mw_num.h"

/* Numbers */

static void add_float(const struct printer *p, const uint8_t *bytes,
		      uint64_t size)
{
	long double extended = 0;
	float single;
	double value;

	switch (size) {
	case 4:
		memcpy(&single, bytes, sizeof(single));
		mw_text_add(p->to, "%.9g", (double)single);
		break;
	case 8:
		memcpy(&value, bytes, sizeof(value));
		mw_text_add(p->to, "%.17g", value);
		break;
	case 16: // x87: 10 bytes, and padding
		memcpy(&extended, bytes, 10);
		mw_text_add(p->to, "%.21Lg", extended);
		break;
	default:
		mw_text_add(p->to, "?");
		break;
	}
}

static void add_signed(const struct printer *p, const uint8_t *bytes,
		       uint64_t size, bool is_char)
{
	uint64_t raw = 0;
	unsigned unused = 64 - 8 * (unsigned)size;
	int64_t value;

	memcpy(&raw, bytes, size);
	value = (int64_t)(raw << unused) >> unused;
	mw_text_add(p->to, "%" PRId64, value);
	if (is_char && value >= 0x20 && value < 0x7f)
		mw_text_add(p->to, " '%c'", (char)value);
}

void vars_add_base(const struct printer *p, Dwarf_Die *type, uint64_t va)
{
	uint8_t bytes[16] = { 0 };
	uint64_t size = 0, raw = 0;
	Dwarf_Attribute attr;
	Dwarf_Word encoding = 0;

	if (dwarf_attr(type, DW_AT_encoding, &attr))
		dwarf_formudata(&attr, &encoding);
	if (!vars_bytes(type, &size) || size == 0 || size > sizeof(bytes)) {
		mw_text_add(p->to, "?");
		return;
	}
	if (!vars_read(p, va, bytes, size)) {
		vars_add_unreadable(p, va);
		return;
	}
	memcpy(&raw, bytes, mw_min(size, 8));
	if (encoding == DW_ATE_float) {
		add_float(p, bytes, size);
	} else if (encoding == DW_ATE_complex_float) {
		mw_text_add(p->to, "(");
		add_float(p, bytes, size / 2);
		mw_text_add(p->to, bytes[size - 1] & 0x80 ? "" : "+");
		add_float(p, bytes + size / 2, size / 2);
		mw_text_add(p->to, "i)");
	} else if (encoding == DW_ATE_boolean) {
		mw_text_add(p->to, raw == 0   ? "false"
				   : raw == 1 ? "true"
					      : "true (%" PRIu64 ")",
			    raw);
	} else if (size > 8) {
		mw_text_add(p->to, "0x%016" PRIx64 "%016" PRIx64,
			    mw_u64(bytes + 8), raw);
	} else if (encoding == DW_ATE_signed ||
		   encoding == DW_ATE_signed_char) {
		add_signed(p, bytes, size, encoding == DW_ATE_signed_char);
	} else {
		mw_text_add(p->to, "%" PRIu64, raw);
		if (encoding == DW_ATE_unsigned_char && raw >= 0x20 &&
		    raw < 0x7f)
			mw_text_add(p->to, " '%c'", (char)raw);
	}
}

void vars_add_enum(const struct printer *p, Dwarf_Die *type, uint64_t va)
{
	uint64_t size = 4, raw = 0;
	Dwarf_Die one;

	if (!vars_bytes(type, &size) || size == 0 || size > 8)
		size = 4;
	if (!vars_read(p, va, &raw, size)) {
		vars_add_unreadable(p, va);
		return;
	}
	if (dwarf_child(type, &one) == 0)
		do {
			Dwarf_Attribute attr;
			Dwarf_Sword value;

			if (dwarf_tag(&one) == DW_TAG_enumerator &&
			    dwarf_attr(&one, DW_AT_const_value, &attr) &&
			    dwarf_formsdata(&attr, &value) == 0 &&
			    (((uint64_t)value ^ raw) << (64 - 8 * size)) == 0 &&
			    dwarf_diename(&one)) {
				mw_text_add(p->to, "%s", dwarf_diename(&one));
				return;
			}
		} while (dwarf_siblingof(&one, &one) == 0);
	mw_text_add(p->to, "%" PRIu64, raw);
}

/* Bit-fields */

/** A number among the attributes of @die; false when it is not there. */
static bool number_of(Dwarf_Die *die, unsigned name, uint64_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attr) ||
	    dwarf_formudata(&attr, &value) != 0)
		return false;
	*ret = value;
	return true;
}

/**
 * The first bit of a bit-field, from the struct's begin. Up to DWARF 3, and of
 * clang, counted from the highest bit of a storage unit.
 */
static bool first_bit(Dwarf_Die *member, uint64_t bits, uint64_t *ret)
{
	uint64_t from_top, unit, at;
	Dwarf_Die type;

	if (number_of(member, DW_AT_data_bit_offset, ret))
		return true;
	if (!number_of(member, DW_AT_bit_offset, &from_top) ||
	    !vars_member_offset(member, &at) || !vars_type_of(member, &type) ||
	    (!number_of(member, DW_AT_byte_size, &unit) &&
	     !vars_bytes(&type, &unit)) ||
	    unit > 16 || from_top + bits > 8 * unit)
		return false;
	*ret = 8 * (at + unit) - from_top - bits;
	return true;
}

bool vars_add_bits(const struct printer *p, Dwarf_Die *member, uint64_t va)
{
	uint64_t bits, first, raw = 0;

	if (!number_of(member, DW_AT_bit_size, &bits) || bits == 0 ||
	    bits > 56 || !first_bit(member, bits, &first) ||
	    !vars_read(p, va + first / 8, &raw,
			     (first % 8 + bits + 7) / 8))
		return false;
	raw = raw >> first % 8 & ((UINT64_C(1) << bits) - 1);
	mw_text_add(p->to, "%" PRIu64, raw);
	return true;
}
