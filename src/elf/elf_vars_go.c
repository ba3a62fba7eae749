/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <inttypes.h>
#include <string.h>

#include "elf_vars_print.h"
#include "mw_num.h"

/* What Go's own types and Rust's hold: structs with members of known names. */

bool vars_is_go_byte(Dwarf_Die *type)
{
	Dwarf_Die peeled = *type;
	const char *name;

	if (!vars_peel(&peeled))
		return false;
	name = dwarf_diename(&peeled);
	return name && strcmp(name, "uint8") == 0;
}

enum shape { PLAIN, GO_STRING, GO_SLICE, GO_IFACE, GO_EFACE, RUST_SLICE };

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
		{ RUST_SLICE, { "data_ptr", "length" } },
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
	// The compiler drops a capacity that is not needed any more.
	bool has_cap = vars_read_word(p, va + 16, &words[2]);
	Dwarf_Die element;

	if (!vars_read(p, va, words, 16)) {
		vars_add_unreadable(p, va);
		return;
	}
	if (words[0] == 0) {
		mw_text_add(p->to, "nil");
		return;
	}
	mw_text_add(p->to, "len %" PRIu64 " ", words[1]);
	if (has_cap)
		mw_text_add(p->to, "cap %" PRIu64 " ", words[2]);
	if (has_cap && words[1] > words[2])
		mw_text_add(p->to, "at 0x%" PRIx64 " (no slice: longer than "
			    "its capacity)", words[0]);
	else if (!vars_type_of(array, &element) || !vars_peel(&element) ||
		 !vars_type_of(&element, &element))
		mw_text_add(p->to, "at 0x%" PRIx64, words[0]);
	else if (vars_is_go_byte(&element))
		vars_add_string(p, words[0], words[1]);
	else
		vars_add_elements(p, &element, words[0], words[1], depth);
}

/** Of Rust: text, "&str", or elements. */
static void add_rust_slice(const struct printer *p, Dwarf_Die *type,
			   Dwarf_Die *array, uint64_t va, int depth)
{
	const char *name = dwarf_diename(type);
	Dwarf_Die element;
	uint64_t words[2];

	if (!vars_read(p, va, words, sizeof(words))) {
		vars_add_unreadable(p, va);
		return;
	}
	if (name && strcmp(name, "&str") == 0) {
		vars_add_string(p, words[0], words[1]);
		return;
	}
	mw_text_add(p->to, "len %" PRIu64 " ", words[1]);
	if (vars_type_of(array, &element) && vars_peel(&element) &&
	    vars_type_of(&element, &element))
		vars_add_elements(p, &element, words[0], words[1], depth);
	else
		mw_text_add(p->to, "at 0x%" PRIx64, words[0]);
}

/*
 * An interface is a type descriptor and data; one with methods has, in place
 * of the former, an itab, in which the descriptor is the second word.
 */
static void add_interface(const struct printer *p, uint64_t va, bool has_tab)
{
	uint64_t words[2], type;

	if (!vars_read(p, va, words, sizeof(words))) {
		vars_add_unreadable(p, va);
		return;
	}
	type = words[0];
	if (type == 0) {
		mw_text_add(p->to, "nil");
		return;
	}
	if ((has_tab && !vars_read_word(p, type + 8, &type)) ||
	    !p->memory->dynamic ||
	    !p->memory->dynamic(p->memory->ctx, type, words[1], p->to))
		mw_text_add(p->to, "type 0x%" PRIx64 " data 0x%" PRIx64, type,
			    words[1]);
}

bool vars_add_go(const struct printer *p, Dwarf_Die *type, uint64_t va,
		 int depth)
{
	uint64_t words[2];
	Dwarf_Die first;

	switch (shape_of(type, &first)) {
	case PLAIN:
		return false;
	case GO_STRING:
		if (vars_read(p, va, words, sizeof(words)))
			vars_add_string(p, words[0], words[1]);
		else
			vars_add_unreadable(p, va);
		break;
	case GO_SLICE:
		add_slice(p, &first, va, depth);
		break;
	case RUST_SLICE:
		add_rust_slice(p, type, &first, va, depth);
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

/** Of Go's maps and channels the first word tells how much is in them. */
bool vars_add_counted(const struct printer *p, const char *name,
		      uint64_t value)
{
	uint64_t words[2];

	if (!name)
		return false;
	if (strncmp(name, "map[", 4) == 0 && vars_read_word(p, value, words)) {
		mw_text_add(p->to, " len %" PRIu64, words[0]);
		return true;
	}
	if ((strncmp(name, "chan ", 5) == 0 ||
	     strncmp(name, "<-chan ", 7) == 0) &&
	    vars_read(p, value, words, sizeof(words))) {
		mw_text_add(p->to, " len %" PRIu64 " cap %" PRIu64, words[0],
			    words[1]);
		return true;
	}
	return false;
}
