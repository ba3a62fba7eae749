/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_print.h"
#include "mw_locals.h"
#include "mw_num.h"

/* What memory, or the pieces of a local variable, hold, by their type. */

#define MOST_ELEMENTS 64 /* of an array or slice */

/* Bytes */

static bool is_in_pieces(const struct printer *p, uint64_t va)
{
	return p->local && va >= VARS_PIECES_VA;
}

bool vars_read(const struct printer *p, uint64_t va, void *to, size_t bytes)
{
	return is_in_pieces(p, va)
		       ? vars_read_pieces(p, va - VARS_PIECES_VA, to, bytes)
		       : p->memory->read(p->memory->ctx, va, to, bytes);
}

bool vars_read_word(const struct printer *p, uint64_t va, uint64_t *ret)
{
	return vars_read(p, va, ret, sizeof(*ret));
}

void vars_add_unreadable(const struct printer *p, uint64_t va)
{
	mw_text_add(p->to, "(%s)",
		    is_in_pieces(p, va)
			    ? vars_why_unreadable(p, va - VARS_PIECES_VA)
			    : "not readable");
}

/* Sequences */

void vars_add_elements(const struct printer *p, Dwarf_Die *type, uint64_t va,
		       uint64_t count, int depth)
{
	uint64_t size;

	if (!vars_bytes(type, &size)) {
		mw_text_add(p->to, "?");
		return;
	}
	mw_text_add(p->to, "[");
	for (uint64_t i = 0; i < count && !p->to->is_full; i++) {
		uint64_t at;

		if (i == MOST_ELEMENTS || !mw_end(va, i * size, &at)) {
			mw_text_add(p->to, ", …");
			break;
		}
		mw_text_add(p->to, i ? ", " : "");
		vars_add_value(p, type, at, depth + 1);
	}
	mw_text_add(p->to, "]");
}

/** The elements of the innermost dimension: text, or one by one. */
static void add_row(const struct printer *p, Dwarf_Die *element, uint64_t va,
		    uint64_t count, int depth)
{
	uint64_t unit = vars_is_char(element) ? 1 : vars_wide_bytes(element);

	if (count == 0 || unit == 0)
		vars_add_elements(p, element, va, count, depth);
	else if (unit > 1)
		vars_add_wide(p, va, unit, count);
	else
		vars_add_chars(p, va, count, vars_is_go_byte(element));
}

/** Each element of the first dimension is an array of those behind it. */
static void add_dimensions(const struct printer *p, Dwarf_Die *element,
			   uint64_t va, const uint64_t *counts, size_t n,
			   int depth)
{
	uint64_t step;

	if (n == 1) {
		add_row(p, element, va, counts[0], depth);
		return;
	}
	if (!vars_bytes(element, &step)) {
		mw_text_add(p->to, "?");
		return;
	}
	for (size_t i = 1; i < n; i++)
		if (__builtin_mul_overflow(step, counts[i], &step))
			step = UINT64_MAX;
	mw_text_add(p->to, "[");
	for (uint64_t i = 0; i < counts[0] && !p->to->is_full; i++) {
		uint64_t bytes, at;

		if (i == MOST_ELEMENTS ||
		    __builtin_mul_overflow(i, step, &bytes) ||
		    !mw_end(va, bytes, &at)) {
			mw_text_add(p->to, ", …");
			break;
		}
		mw_text_add(p->to, i ? ", " : "");
		add_dimensions(p, element, at, counts + 1, n - 1, depth);
	}
	mw_text_add(p->to, "]");
}

static void add_array(const struct printer *p, Dwarf_Die *type, uint64_t va,
		      int depth)
{
	uint64_t counts[VARS_MAX_DIMENSIONS];
	size_t n = vars_array_dimensions(type, counts);
	Dwarf_Die element;

	if (n > 0 && vars_type_of(type, &element))
		add_dimensions(p, &element, va, counts, n, depth);
	else
		mw_text_add(p->to, "?");
}

/* Pointers */

/** What it is called; a function value of Go points to a pointer to code. */
static void add_function(const struct printer *p, uint64_t value)
{
	const struct mw_vars_memory *m = p->memory;
	uint64_t code;

	mw_text_add(p->to, " ");
	if (m->name && !(vars_read_word(p, value, &code) &&
			 m->name(m->ctx, code, p->to)))
		m->name(m->ctx, value, p->to);
}

static bool is_shown_behind_pointers(Dwarf_Die *type)
{
	switch (dwarf_tag(type)) {
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		// What is only declared has members elsewhere, if at all.
		return !dwarf_hasattr(type, DW_AT_declaration);
	default:
		return false;
	}
}

static void add_pointer(const struct printer *p, const char *name,
			Dwarf_Die *type, uint64_t va, int depth)
{
	uint64_t value;
	Dwarf_Die to;

	if (!vars_read_word(p, va, &value)) {
		vars_add_unreadable(p, va);
		return;
	}
	if (value == 0) {
		mw_text_add(p->to, "nil");
		return;
	}
	mw_text_add(p->to, "0x%" PRIx64, value);
	if (vars_add_counted(p, name, value) || !vars_type_of(type, &to))
		return;
	if ((vars_is_char(&to) && !vars_is_go_byte(&to)) ||
	    vars_wide_bytes(&to) > 0) {
		mw_text_add(p->to, " ");
		vars_add_c_string(p, value, vars_wide_bytes(&to));
		return;
	}
	if (!vars_peel(&to))
		return;
	if (dwarf_tag(&to) == DW_TAG_subroutine_type) {
		add_function(p, value);
		return;
	}
	if (depth == 0 && is_shown_behind_pointers(&to)) {
		mw_text_add(p->to, " -> ");
		vars_add_value(p, &to, value, depth + 1);
	}
}

void vars_add_value(const struct printer *p, Dwarf_Die *type, uint64_t va,
		    int depth)
{
	const char *name = dwarf_diename(type);
	Dwarf_Die peeled = *type;

	if (depth > VARS_MAX_DEPTH || p->to->is_full)
		return;
	if (!vars_peel(&peeled)) {
		mw_text_add(p->to, "?");
		return;
	}
	switch (dwarf_tag(&peeled)) {
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
		vars_add_scalar(p, &peeled, va);
		break;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		add_pointer(p, name, &peeled, va, depth);
		break;
	case DW_TAG_array_type:
		add_array(p, &peeled, va, depth);
		break;
	case DW_TAG_structure_type:
		if (!vars_add_go(p, &peeled, va, depth))
			vars_add_struct(p, &peeled, va, depth);
		break;
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		vars_add_struct(p, &peeled, va, depth);
		break;
	case DW_TAG_subroutine_type: {
		uint64_t value; // Go's are values

		if (!vars_read_word(p, va, &value))
			break;
		mw_text_add(p->to, value ? "0x%" PRIx64 : "nil", value);
		if (value)
			add_function(p, value);
		break;
	}
	default:
		mw_text_add(p->to, "?");
		break;
	}
}

void mw_vars_value(struct mw_vars *vars, uint64_t type,
		   const struct mw_vars_memory *memory, uint64_t va,
		   struct mw_text *to)
{
	const struct printer p = { .memory = memory, .to = to };
	Dwarf_Die die;

	if (vars_type(vars, type, &die))
		vars_add_value(&p, &die, va, 0);
}
