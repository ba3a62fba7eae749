/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_literal.h"

#include <string.h>

#include "mw_guard.h"
#include "mw_num.h"
#include "mw_search.h"

/*
 * Who refers to a literal. It may stand within a longer one, whose address is
 * what is referred to then.
 */

#define MOST_BEFORE 4096 /* of the longer literal that is referred to */

/** The first place at or behind @va, when it is not too far; or NULL. */
static struct literal_place *place_behind(const struct literal_search *s,
					  uint64_t va)
{
	size_t at = mw_first(i, 0, s->places.n, s->places.v[i].va >= va);

	return at < s->places.n && s->places.v[at].va - va < MOST_BEFORE
		       ? &s->places.v[at]
		       : NULL;
}

/** Whether all of the @bytes at @va are text, of which 4 KiB are looked at. */
static bool is_text(const struct literal_search *s, uint64_t va, uint64_t bytes)
{
	static const char controls[] = "\a\t\n\v\f\r\x1b";
	uint8_t text[MOST_BEFORE];

	bytes = mw_min(bytes, sizeof(text));
	if (!mw_target_read(s->memory, va, text, bytes))
		return false;
	for (uint64_t i = 0; i < bytes; i++)
		if (text[i] == 0 ||
		    (text[i] < 0x20 && !strchr(controls, text[i])))
			return false;
	return true;
}

/** Whether C's text at @va goes on to @place. */
static bool reaches(const struct literal_search *s, uint64_t va,
		    const struct literal_place *place)
{
	return va == place->va ||
	       (!s->is_go && is_text(s, va, place->va - va));
}

/** Whether the Go string of @length bytes at @va has the place in it. */
static bool covers(const struct literal_search *s, uint64_t va, uint64_t length,
		   const struct literal_place *place)
{
	return length > place->va - va &&
	       length - (place->va - va) >= s->bytes &&
	       (va == place->va || is_text(s, va, length));
}

/* Code */

/** The instruction that may lie at @va, when no function is known there. */
static bool decode_before(struct literal_search *s, uint64_t field,
			  uint64_t address, struct mw_insn *ret)
{
	enum { LONGEST = 15, MOST_OPCODE = 4 };
	uint8_t raw[LONGEST];

	for (uint64_t back = MOST_OPCODE; back > 0; back--)
		if (mw_target_read(s->memory, field - back, raw,
				   sizeof(raw)) &&
		    mw_insn_decode(raw, sizeof(raw), field - back, ret) &&
		    ret->has_data && ret->data == address)
			return true;
	return false;
}

static bool refers(const struct mw_insn *insn, uint64_t address)
{
	return (insn->has_data && insn->data == address) ||
	       ((insn->move == MW_MOVE_CONSTANT ||
		 insn->move == MW_MOVE_STORE) && insn->value == address);
}

/** Decode the function that holds @va, if it isn't already; false if none. */
static bool load_function(struct literal_search *s, uint64_t va)
{
	struct cmd_name name;
	struct mw_error *error;

	if (va - s->code.start < s->code.bytes)
		return true;
	if (!cmd_names_at(s->names, va, &name) || !name.is_function ||
	    va - name.start >= name.bytes)
		return false;
	error = cmd_code_read(s->memory, name.start, name.bytes, SIZE_MAX,
			      &s->code);
	if (error)
		s->code.bytes = 0;
	mw_error_free(error);
	return s->code.bytes > 0;
}

/** The instruction of the function @s->code that has @va in it, or NULL. */
static const struct mw_insn *insn_at(const struct literal_search *s,
				     uint64_t va, size_t *ret_index)
{
	for (size_t i = 0; i < s->code.count; i++)
		if (va - s->code.insns[i].va < s->code.insns[i].bytes) {
			*ret_index = i;
			return &s->code.insns[i];
		}
	return NULL;
}

/** Something at @field, in code, could be the address of a string header. */
static void check_header(struct literal_search *s, uint64_t field,
			 uint64_t address)
{
	const uint64_t *entry = mw_map64_find(&s->by_header, address);
	const struct literal_header *header;
	const struct mw_insn *insn;
	size_t i;

	if (!entry || !load_function(s, field))
		return;
	header = &s->headers.v[*entry - 1];
	insn = insn_at(s, field, &i);
	if (insn && refers(insn, address))
		literal_refer(s, &s->places.v[header->place], header->text,
			      header->length, insn->va, true);
}

/** Something at @field, in code, could be the address of a place's literal. */
static void check_code(struct literal_search *s, uint64_t field,
		       uint64_t address, struct literal_place *place)
{
	struct mw_go_funcs *funcs = cmd_names_go(s->names);
	const struct mw_insn *at;
	struct mw_go_func func;
	struct mw_insn insn;
	uint64_t length = 0;
	size_t i;

	if (!load_function(s, field)) {
		if (decode_before(s, field, address, &insn) &&
		    reaches(s, address, place))
			literal_refer(s, place, address, 0, insn.va, true);
		return;
	}
	at = insn_at(s, field, &i);
	if (!at || !refers(at, address))
		return;
	if (funcs && mw_go_func_of(funcs, field, &func)) {
		length = cmd_code_length(&s->code, i);
		// A length found nearby may be another string's.
		if (!covers(s, address, length, place)) {
			if (address != place->va)
				return;
			length = s->bytes;
		}
	} else if (!reaches(s, address, place)) {
		return;
	}
	literal_refer(s, place, address, length, at->va, true);
}

/**
 * A displacement from the end of the instruction, behind which a constant of
 * up to 4 bytes may stand; or, in code that is not moved, the address itself.
 */
void literal_find_code(struct literal_search *s, uint64_t va,
		       const uint8_t *bytes, size_t size)
{
	static const unsigned behind[] = { 0, 1, 2, 4 };
	uint64_t low = s->places.v[0].va - MOST_BEFORE;
	uint64_t high = s->places.v[s->places.n - 1].va;

	for (size_t i = 0; i + 4 <= size; i++) {
		uint32_t field = mw_u32(bytes + i);
		uint64_t end = va + i + 4 + (uint64_t)(int64_t)(int32_t)field;
		struct literal_place *place;

		for (size_t k = 0; k < MW_COUNT(behind); k++) {
			uint64_t address = end + behind[k];

			if (address - s->first_header <=
			    s->last_header - s->first_header)
				check_header(s, va + i, address);
			if (address - low > high - low)
				continue;
			place = place_behind(s, address);
			if (place)
				check_code(s, va + i, address, place);
		}
		if (field - low > high - low || field < MW_PAGE_BYTES)
			continue;
		place = place_behind(s, field);
		if (place)
			check_code(s, va + i, field, place);
	}
}

/* Data */

static bool is_data(const struct literal_search *s, uint64_t va)
{
	const struct mw_image *image = cmd_image_at(s->memory, va);
	const struct mw_elf_section *section =
		image ? cmd_section_at(image, va) : NULL;

	return !section || section->type == SHT_PROGBITS;
}

static void add_header(struct literal_search *s,
		       const struct literal_place *place, uint64_t va,
		       uint64_t text, uint64_t length)
{
	struct literal_header *header = mw_vec_push(&s->headers);
	uint64_t *entry = header ? mw_map64_at(&s->by_header, va) : NULL;

	if (!entry) {
		s->failed = true;
		return;
	}
	*header = (struct literal_header){
		.va = va,
		.text = text,
		.length = length,
		.place = (size_t)(place - s->places.v),
	};
	*entry = s->headers.n;
	if (s->headers.n == 1 || va < s->first_header)
		s->first_header = va;
	s->last_header = mw_max(s->last_header, va);
}

void literal_find_data(struct literal_search *s, uint64_t va,
		       const uint8_t *bytes, size_t size)
{
	for (size_t i = (size_t)(-va & 7); i + 8 <= size; i += 8) {
		uint64_t word = mw_u64(bytes + i), length;
		struct literal_place *place = place_behind(s, word);

		if (!place)
			continue;
		// Not of a table of relocations, and the like. Then, a string
		// header of Go, or a pointer of C.
		if (!is_data(s, va + i))
			continue;
		if (!s->is_go) {
			if (reaches(s, word, place))
				literal_refer(s, place, word, 0, va + i, false);
		} else if (mw_target_read_u64(s->memory, va + i + 8,
					      &length) &&
			   length < MW_MIB(1) &&
			   covers(s, word, length, place)) {
			literal_refer(s, place, word, length, va + i, false);
			if (cmd_is_constant(s->memory, va + i))
				add_header(s, place, va + i, word, length);
		}
	}
}
