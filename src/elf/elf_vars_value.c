/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_print.h"
#include "mw_locals.h"
#include "mw_num.h"

/* What memory, or the pieces of a local variable, hold, by their type. */

#define MOST_TEXT 256	/* bytes of a string */
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

/* Text */

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

/** C's text at @va, as far as it can be read; false when it is none. */
static bool add_c_string(const struct printer *p, uint64_t va)
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
			return true;
		}
		n += take;
	}
	if (n == 0)
		return false;
	mw_text_quote(p->to, text, n, true);
	return true;
}

static bool is_char(Dwarf_Die *type)
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

static void add_array(const struct printer *p, Dwarf_Die *type, uint64_t va,
		      int depth)
{
	uint64_t count = vars_array_count(type), size = 0, all = 0;
	uint8_t text[MOST_TEXT];
	Dwarf_Die element;
	const uint8_t *nul;

	if (!vars_type_of(type, &element)) {
		mw_text_add(p->to, "?");
		return;
	}
	// Of several dimensions an element is what the inner ones make up.
	if (vars_bytes(&element, &size) && vars_bytes(type, &all) && size &&
	    all / size != count)
		count = all / size;
	if (count == 0 || !is_char(&element)) {
		vars_add_elements(p, &element, va, count, depth);
		return;
	}
	size = mw_min(count, sizeof(text));
	if (!vars_read(p, va, text, size)) {
		vars_add_unreadable(p, va);
		return;
	}
	nul = vars_is_go_byte(&element) ? NULL : memchr(text, 0, size);
	mw_text_quote(p->to, text, nul ? (size_t)(nul - text) : size,
		      !nul && size < count);
}

/* Structs and pointers */

static void add_struct(const struct printer *p, Dwarf_Die *type, uint64_t va,
		       int depth)
{
	const char *comma = "";
	Dwarf_Die member;

	mw_text_add(p->to, "{");
	if (dwarf_child(type, &member) == 0)
		do {
			const char *name = dwarf_diename(&member);
			Dwarf_Die inner;
			uint64_t at;

			// Static members have an address of their own.
			if (dwarf_tag(&member) != DW_TAG_member ||
			    dwarf_hasattr(&member, DW_AT_external) ||
			    p->to->is_full)
				continue;
			mw_text_add(p->to, "%s%s%s", comma, name ? name : "",
				    name ? ": " : "");
			comma = ", ";
			if (vars_add_bits(p, &member, va))
				continue;
			// A union's members have no place.
			if (!dwarf_hasattr(&member, DW_AT_data_member_location))
				at = 0;
			else if (!vars_member_offset(&member, &at))
				continue;
			if (vars_type_of(&member, &inner))
				vars_add_value(p, &inner, va + at, depth + 1);
			else
				mw_text_add(p->to, "?");
		} while (dwarf_siblingof(&member, &member) == 0);
	mw_text_add(p->to, "}");
}

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
	if (is_char(&to) && !vars_is_go_byte(&to)) {
		mw_text_add(p->to, " ");
		add_c_string(p, value);
		return;
	}
	if (!vars_peel(&to))
		return;
	if (dwarf_tag(&to) == DW_TAG_subroutine_type) {
		add_function(p, value);
		return;
	}
	if (depth == 0 && (dwarf_tag(&to) == DW_TAG_base_type ||
			   dwarf_tag(&to) == DW_TAG_structure_type)) {
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
		vars_add_base(p, &peeled, va);
		break;
	case DW_TAG_enumeration_type:
		vars_add_enum(p, &peeled, va);
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
			add_struct(p, &peeled, va, depth);
		break;
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		add_struct(p, &peeled, va, depth);
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

	if (dwarf_offdie(vars->dw, type, &die))
		vars_add_value(&p, &die, va, 0);
}
