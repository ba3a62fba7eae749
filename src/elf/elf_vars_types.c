/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>

#include "elf_vars_int.h"

/* What types are called, and how they are laid out. */

/** A type that is only named here, by its signature, to where it is told. */
static bool go_to_signed(Dwarf_Die *type)
{
	Dwarf_Attribute attr;
	Dwarf_Die told;

	if (!dwarf_attr(type, DW_AT_signature, &attr) ||
	    !dwarf_formref_die(&attr, &told))
		return false;
	*type = told;
	return true;
}

const char *vars_type_name(Dwarf_Die *type)
{
	const char *name = dwarf_diename(type);
	Dwarf_Die told = *type;

	return name || !go_to_signed(&told) ? name : dwarf_diename(&told);
}

bool vars_peel(Dwarf_Die *type)
{
	for (int depth = 0; depth < VARS_MAX_DEPTH; depth++)
		switch (dwarf_tag(type)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_restrict_type:
		case DW_TAG_atomic_type:
			if (!vars_type_of(type, type))
				return false;
			break;
		default:
			if (!go_to_signed(type))
				return true;
			break;
		}
	return false;
}

bool vars_bytes(Dwarf_Die *type, uint64_t *ret)
{
	Dwarf_Die peeled = *type;
	Dwarf_Word bytes;

	if (!vars_peel(&peeled))
		return false;
	if (dwarf_aggregate_size(&peeled, &bytes) == 0) {
		*ret = bytes;
		return true;
	}
	// Pointers of some compilers have no size.
	if (dwarf_tag(&peeled) == DW_TAG_pointer_type ||
	    dwarf_tag(&peeled) == DW_TAG_reference_type) {
		*ret = 8;
		return true;
	}
	return false;
}

size_t vars_array_dimensions(Dwarf_Die *array,
			     uint64_t counts[VARS_MAX_DIMENSIONS])
{
	Dwarf_Attribute attr;
	Dwarf_Word value;
	Dwarf_Die range;
	size_t n = 0;

	if (dwarf_child(array, &range) != 0)
		return 0;
	do {
		if (dwarf_tag(&range) != DW_TAG_subrange_type)
			continue;
		if (n == VARS_MAX_DIMENSIONS)
			return 0;
		counts[n] = 0; // of flexible ones
		if (dwarf_attr(&range, DW_AT_count, &attr) &&
		    dwarf_formudata(&attr, &value) == 0)
			counts[n] = value;
		else if (dwarf_attr(&range, DW_AT_upper_bound, &attr) &&
			 dwarf_formudata(&attr, &value) == 0)
			counts[n] = value + 1;
		n++;
	} while (dwarf_siblingof(&range, &range) == 0);
	return n;
}

static void add_name(Dwarf_Die *type, struct mw_text *to, int depth);

static void add_inner(Dwarf_Die *type, struct mw_text *to, const char *before,
		      const char *behind, int depth)
{
	Dwarf_Die inner;

	mw_text_add(to, "%s", before);
	if (vars_type_of(type, &inner))
		add_name(&inner, to, depth + 1);
	else
		mw_text_add(to, "void");
	mw_text_add(to, "%s", behind);
}

/** "const int", but "int * const"; an array's elements say it themselves. */
static void add_const(Dwarf_Die *type, struct mw_text *to, int depth)
{
	Dwarf_Die inner;
	int tag = vars_type_of(type, &inner) ? dwarf_tag(&inner) : 0;

	add_inner(type, to,
		  tag == DW_TAG_pointer_type || tag == DW_TAG_array_type
			  ? ""
			  : "const ",
		  tag == DW_TAG_pointer_type ? " const" : "", depth);
}

/** All dimensions: "int [2][3]". */
static void add_array(Dwarf_Die *type, struct mw_text *to, int depth)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;
	Dwarf_Die range;

	add_inner(type, to, "", " ", depth);
	if (dwarf_child(type, &range) != 0)
		return;
	do {
		bool bound = dwarf_attr(&range, DW_AT_upper_bound, &attr);

		if (dwarf_tag(&range) != DW_TAG_subrange_type)
			continue;
		if ((bound || dwarf_attr(&range, DW_AT_count, &attr)) &&
		    dwarf_formudata(&attr, &value) == 0)
			mw_text_add(to, "[%ju]", (uintmax_t)value + bound);
		else
			mw_text_add(to, "[]");
	} while (dwarf_siblingof(&range, &range) == 0);
}

/** A type without a name of its own is told by what it is made of. */
static void add_name(Dwarf_Die *type, struct mw_text *to, int depth)
{
	const char *name = vars_type_name(type);

	if (depth > VARS_MAX_DEPTH)
		return;
	switch (dwarf_tag(type)) {
	case DW_TAG_const_type:
		add_const(type, to, depth);
		return;
	case DW_TAG_volatile_type:
		add_inner(type, to, "volatile ", "", depth);
		return;
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		add_inner(type, to, "", "", depth);
		return;
	default:
		break;
	}
	if (name) {
		mw_text_add(to, "%s", name);
		return;
	}
	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
		add_inner(type, to, "", " *", depth);
		break;
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		add_inner(type, to, "", " &", depth);
		break;
	case DW_TAG_array_type:
		add_array(type, to, depth);
		break;
	case DW_TAG_subroutine_type:
		add_inner(type, to, "", " ()", depth);
		break;
	case DW_TAG_union_type:
		mw_text_add(to, "union");
		break;
	case DW_TAG_enumeration_type:
		mw_text_add(to, "enum");
		break;
	default:
		mw_text_add(to, "struct");
		break;
	}
}

void mw_vars_type_name(struct mw_vars *vars, uint64_t type, struct mw_text *to)
{
	Dwarf_Die die;

	if (vars_type(vars, type, &die))
		add_name(&die, to, 0);
}

uint64_t mw_vars_type_bytes(struct mw_vars *vars, uint64_t type)
{
	Dwarf_Die die;
	uint64_t bytes;

	return vars_type(vars, type, &die) && vars_bytes(&die, &bytes)
		       ? bytes
		       : 0;
}
