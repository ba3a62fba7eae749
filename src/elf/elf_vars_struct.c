/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_print.h"
#include "mw_num.h"

/* What structs, classes, unions and Rust's enums hold: their members. */

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

/** The value of a bit-field of the struct at @va; false when it is none. */
static bool add_bits(const struct printer *p, Dwarf_Die *member, uint64_t va)
{
	uint64_t bits, first, words[2] = { 0 };
	Dwarf_Die type;
	unsigned shift;

	if (!number_of(member, DW_AT_bit_size, &bits) || bits == 0 ||
	    bits > 64 || !first_bit(member, bits, &first) ||
	    !vars_type_of(member, &type) || !vars_peel(&type) ||
	    !vars_read(p, va + first / 8, words, (first % 8 + bits + 7) / 8))
		return false;
	shift = first % 8;
	if (shift > 0)
		words[0] = words[0] >> shift | words[1] << (64 - shift);
	if (bits < 64)
		words[0] &= (UINT64_C(1) << bits) - 1;
	vars_add_bits(p, &type, words[0], (unsigned)bits);
	return true;
}

/* Members */

static void add_members(const struct printer *p, Dwarf_Die *parent,
			uint64_t va, int depth, const char **comma);

static void add_member(const struct printer *p, Dwarf_Die *member, uint64_t va,
		       int depth, const char **comma)
{
	bool is_base = dwarf_tag(member) == DW_TAG_inheritance;
	const char *name = dwarf_diename(member), *before = *comma;
	size_t start = p->to->n, value;
	Dwarf_Die inner;
	bool is_typed = vars_type_of(member, &inner);
	uint64_t at;

	if (is_base)
		name = is_typed ? vars_type_name(&inner) : NULL;
	mw_text_add(p->to, is_base ? "%s<%s>: " : name ? "%s%s: " : "%s%s",
		    *comma, name ? name : "");
	*comma = ", ";
	if (!is_base && add_bits(p, member, va))
		return;
	// A union's members have no place, a virtual base a computed one.
	if (!dwarf_hasattr(member, DW_AT_data_member_location))
		at = 0;
	else if (!vars_member_offset(member, &at))
		is_typed = false;
	value = p->to->n;
	if (is_typed)
		vars_add_value(p, &inner, va + at, depth + 1);
	else
		mw_text_add(p->to, "?");
	// C++ libraries have many bases without members, as allocators.
	if (is_base && !p->to->is_full && p->to->v &&
	    strcmp(p->to->v + value, "{}") == 0) {
		p->to->n = start;
		p->to->v[start] = '\0';
		*comma = before;
	}
}

/* Rust's enums: a discriminant tells which of the variants is there. */

static bool is_chosen(Dwarf_Die *variant, bool has_tag, uint64_t tag,
		      unsigned bits, bool *is_default)
{
	uint64_t value;

	*is_default = !number_of(variant, DW_AT_discr_value, &value);
	return !*is_default && has_tag &&
	       ((value ^ tag) & UINT64_MAX >> (64 - bits)) == 0;
}

static void add_variant(const struct printer *p, Dwarf_Die *part, uint64_t va,
			int depth, const char **comma)
{
	Dwarf_Die tag_die, type, one, other;
	Dwarf_Attribute attr;
	uint64_t at = 0, tag = 0, size = 0;
	bool has_other = false, is_default;
	bool has_tag = dwarf_attr(part, DW_AT_discr, &attr) &&
		       dwarf_formref_die(&attr, &tag_die) &&
		       vars_type_of(&tag_die, &type) && vars_peel(&type) &&
		       vars_member_offset(&tag_die, &at) &&
		       vars_bytes(&type, &size) && size > 0 && size <= 8 &&
		       vars_read_scalar(p, &type, va + at, &tag);

	if (dwarf_child(part, &one) != 0)
		return;
	do {
		if (dwarf_tag(&one) != DW_TAG_variant)
			continue;
		if (is_chosen(&one, has_tag, tag, 8 * (unsigned)size,
			      &is_default)) {
			add_members(p, &one, va, depth + 1, comma);
			return;
		}
		if (is_default) {
			other = one;
			has_other = true;
		}
	} while (dwarf_siblingof(&one, &one) == 0);
	if (has_other)
		add_members(p, &other, va, depth + 1, comma);
	else
		mw_text_add(p->to, "%s?", *comma);
}

static void add_members(const struct printer *p, Dwarf_Die *parent,
			uint64_t va, int depth, const char **comma)
{
	Dwarf_Die child;

	if (depth > VARS_MAX_DEPTH || dwarf_child(parent, &child) != 0)
		return;
	do {
		if (p->to->is_full)
			break;
		switch (dwarf_tag(&child)) {
		case DW_TAG_member:
			// Static members have an address of their own.
			if (dwarf_hasattr(&child, DW_AT_external))
				break;
			add_member(p, &child, va, depth, comma);
			break;
		case DW_TAG_inheritance:
			add_member(p, &child, va, depth, comma);
			break;
		case DW_TAG_variant_part:
			add_variant(p, &child, va, depth, comma);
			break;
		default:
			break;
		}
	} while (dwarf_siblingof(&child, &child) == 0);
}

void vars_add_struct(const struct printer *p, Dwarf_Die *type, uint64_t va,
		     int depth)
{
	const char *comma = "";

	mw_text_add(p->to, "{");
	add_members(p, type, va, depth, &comma);
	mw_text_add(p->to, "}");
}
