/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_int.h"
#include "mw_num.h"

/* What memory holds, by its type. */

#define MOST_TEXT 256	/* bytes of a string */
#define MOST_ELEMENTS 64 /* of an array or slice */

struct printer {
	const struct mw_vars_memory *memory;
	struct mw_text *to;
};

static void add_value(const struct printer *p, Dwarf_Die *type, uint64_t va,
		      int depth);

static bool read_word(const struct printer *p, uint64_t va, uint64_t *ret)
{
	return p->memory->read(p->memory->ctx, va, ret, sizeof(*ret));
}

static void add_unreadable(const struct printer *p)
{
	mw_text_add(p->to, "(not readable)");
}

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

static void add_base(const struct printer *p, Dwarf_Die *type, uint64_t va)
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
	if (!p->memory->read(p->memory->ctx, va, bytes, size)) {
		add_unreadable(p);
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

static void add_enum(const struct printer *p, Dwarf_Die *type, uint64_t va)
{
	uint64_t size = 4, raw = 0;
	Dwarf_Die one;

	if (!vars_bytes(type, &size) || size == 0 || size > 8)
		size = 4;
	if (!p->memory->read(p->memory->ctx, va, &raw, size)) {
		add_unreadable(p);
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

/* Text */

static void add_string(const struct printer *p, uint64_t va, uint64_t bytes)
{
	uint8_t text[MOST_TEXT];
	uint64_t take = mw_min(bytes, sizeof(text));

	if (take > 0 && !p->memory->read(p->memory->ctx, va, text, take))
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

		if (!p->memory->read(p->memory->ctx, va + n, text + n, take))
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

static bool is_go_byte(Dwarf_Die *type)
{
	Dwarf_Die peeled = *type;
	const char *name;

	if (!vars_peel(&peeled))
		return false;
	name = dwarf_diename(&peeled);
	return name && strcmp(name, "uint8") == 0;
}

/* Sequences */

static void add_elements(const struct printer *p, Dwarf_Die *type, uint64_t va,
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
		add_value(p, type, at, depth + 1);
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
		add_elements(p, &element, va, count, depth);
		return;
	}
	size = mw_min(count, sizeof(text));
	if (!p->memory->read(p->memory->ctx, va, text, size)) {
		add_unreadable(p);
		return;
	}
	nul = is_go_byte(&element) ? NULL : memchr(text, 0, size);
	mw_text_quote(p->to, text, nul ? (size_t)(nul - text) : size,
		      !nul && size < count);
}

/* Go's own */

enum shape { PLAIN, GO_STRING, GO_SLICE, GO_IFACE, GO_EFACE };

/** By the names of the members, which the user's types may rename. */
static enum shape shape_of(Dwarf_Die *type, Dwarf_Die *ret_first)
{
	static const struct {
		enum shape shape;
		const char *members[4];
	} shapes[] = {
		{ GO_STRING, { "str", "len" } },
		{ GO_SLICE, { "array", "len", "cap" } },
		{ GO_IFACE, { "tab", "data" } },
		{ GO_EFACE, { "_type", "data" } },
	};
	const char *names[4] = { NULL };
	size_t count = 0;
	Dwarf_Die member;

	if (dwarf_child(type, &member) != 0)
		return PLAIN;
	do {
		if (dwarf_tag(&member) != DW_TAG_member)
			continue;
		if (count == MW_COUNT(names) || !dwarf_diename(&member))
			return PLAIN;
		if (count == 0)
			*ret_first = member;
		names[count++] = dwarf_diename(&member);
	} while (dwarf_siblingof(&member, &member) == 0);
	for (size_t i = 0; i < MW_COUNT(shapes); i++) {
		size_t k = 0;

		while (k < count && shapes[i].members[k] &&
		       strcmp(names[k], shapes[i].members[k]) == 0)
			k++;
		if (k == count && !shapes[i].members[k])
			return shapes[i].shape;
	}
	return PLAIN;
}

static void add_slice(const struct printer *p, Dwarf_Die *array, uint64_t va,
		      int depth)
{
	uint64_t words[3];
	Dwarf_Die element;

	if (!p->memory->read(p->memory->ctx, va, words, sizeof(words))) {
		add_unreadable(p);
		return;
	}
	if (words[0] == 0) {
		mw_text_add(p->to, "nil");
		return;
	}
	mw_text_add(p->to, "len %" PRIu64 " cap %" PRIu64 " ", words[1],
		    words[2]);
	if (words[1] > words[2] || !vars_type_of(array, &element) ||
	    !vars_peel(&element) || !vars_type_of(&element, &element))
		mw_text_add(p->to, "at 0x%" PRIx64, words[0]);
	else if (is_go_byte(&element))
		add_string(p, words[0], words[1]);
	else
		add_elements(p, &element, words[0], words[1], depth);
}

/*
 * An interface is a type descriptor and data; one with methods has, in place
 * of the former, an itab, in which the descriptor is the second word.
 */
static void add_interface(const struct printer *p, uint64_t va, bool has_tab)
{
	uint64_t words[2], type;

	if (!p->memory->read(p->memory->ctx, va, words, sizeof(words))) {
		add_unreadable(p);
		return;
	}
	type = words[0];
	if (type == 0) {
		mw_text_add(p->to, "nil");
		return;
	}
	if ((has_tab && !read_word(p, type + 8, &type)) ||
	    !p->memory->dynamic ||
	    !p->memory->dynamic(p->memory->ctx, type, words[1], p->to))
		mw_text_add(p->to, "type 0x%" PRIx64 " data 0x%" PRIx64, type,
			    words[1]);
}

static bool add_go(const struct printer *p, Dwarf_Die *type, uint64_t va,
		   int depth)
{
	uint64_t words[2];
	Dwarf_Die first;

	switch (shape_of(type, &first)) {
	case PLAIN:
		return false;
	case GO_STRING:
		if (p->memory->read(p->memory->ctx, va, words, sizeof(words)))
			add_string(p, words[0], words[1]);
		else
			add_unreadable(p);
		break;
	case GO_SLICE:
		add_slice(p, &first, va, depth);
		break;
	case GO_IFACE:
		add_interface(p, va, true);
		break;
	case GO_EFACE:
		add_interface(p, va, false);
		break;
	}
	return true;
}

/* Structs and pointers */

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

static bool add_bits(const struct printer *p, Dwarf_Die *member, uint64_t va)
{
	uint64_t bits, first, raw = 0;

	if (!number_of(member, DW_AT_bit_size, &bits) || bits == 0 ||
	    bits > 56 || !first_bit(member, bits, &first) ||
	    !p->memory->read(p->memory->ctx, va + first / 8, &raw,
			     (first % 8 + bits + 7) / 8))
		return false;
	raw = raw >> first % 8 & ((UINT64_C(1) << bits) - 1);
	mw_text_add(p->to, "%" PRIu64, raw);
	return true;
}

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
			if (add_bits(p, &member, va))
				continue;
			// A union's members have no place.
			if (!dwarf_hasattr(&member, DW_AT_data_member_location))
				at = 0;
			else if (!vars_member_offset(&member, &at))
				continue;
			if (vars_type_of(&member, &inner))
				add_value(p, &inner, va + at, depth + 1);
			else
				mw_text_add(p->to, "?");
		} while (dwarf_siblingof(&member, &member) == 0);
	mw_text_add(p->to, "}");
}

/** Of Go's maps and channels the first word tells how much is in them. */
static bool add_counted(const struct printer *p, const char *name,
			uint64_t value)
{
	uint64_t words[2];

	if (!name)
		return false;
	if (strncmp(name, "map[", 4) == 0 && read_word(p, value, words)) {
		mw_text_add(p->to, " len %" PRIu64, words[0]);
		return true;
	}
	if ((strncmp(name, "chan ", 5) == 0 ||
	     strncmp(name, "<-chan ", 7) == 0) &&
	    p->memory->read(p->memory->ctx, value, words, sizeof(words))) {
		mw_text_add(p->to, " len %" PRIu64 " cap %" PRIu64, words[0],
			    words[1]);
		return true;
	}
	return false;
}

/** What it is called; a function value of Go points to a pointer to code. */
static void add_function(const struct printer *p, uint64_t value)
{
	const struct mw_vars_memory *m = p->memory;
	uint64_t code;

	mw_text_add(p->to, " ");
	if (m->name && !(read_word(p, value, &code) &&
			 m->name(m->ctx, code, p->to)))
		m->name(m->ctx, value, p->to);
}

static void add_pointer(const struct printer *p, const char *name,
			Dwarf_Die *type, uint64_t va, int depth)
{
	uint64_t value;
	Dwarf_Die to;

	if (!read_word(p, va, &value)) {
		add_unreadable(p);
		return;
	}
	if (value == 0) {
		mw_text_add(p->to, "nil");
		return;
	}
	mw_text_add(p->to, "0x%" PRIx64, value);
	if (add_counted(p, name, value) || !vars_type_of(type, &to))
		return;
	if (is_char(&to) && !is_go_byte(&to)) {
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
		add_value(p, &to, value, depth + 1);
	}
}

static void add_value(const struct printer *p, Dwarf_Die *type, uint64_t va,
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
		add_base(p, &peeled, va);
		break;
	case DW_TAG_enumeration_type:
		add_enum(p, &peeled, va);
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
		if (!add_go(p, &peeled, va, depth))
			add_struct(p, &peeled, va, depth);
		break;
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		add_struct(p, &peeled, va, depth);
		break;
	case DW_TAG_subroutine_type: {
		uint64_t value; // Go's are values

		if (!read_word(p, va, &value))
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
	const struct printer p = { memory, to };
	Dwarf_Die die;

	if (dwarf_offdie(vars->dw, type, &die))
		add_value(&p, &die, va, 0);
}
