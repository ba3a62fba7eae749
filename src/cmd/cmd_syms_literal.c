/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_code.h"
#include "cmd_names.h"
#include "cmd_syms.h"
#include "mw_guard.h"
#include "mw_kernel.h"
#include "mw_text.h"

/*
 * A literal by its content, and who refers to it: instructions with its
 * address, and pointers in data. It may stand within a longer literal, whose
 * address is what is referred to then.
 */

#define MOST_PLACES 1000
#define MOST_BEFORE 4096 /* of the longer literal that is referred to */
#define PIECE MW_MIB(1)
#define MOST_SHOWN 128

enum column {
	ADDRESS, SIZE, SECTION, VALUE, NAME, PACKAGE, REFERENCE, KIND, PLACE,
	COLUMNS,
};

static const struct mw_column columns[] = {
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "where the literal is" },
	[SIZE] = { "size_bytes", NULL, MW_UNIT_BYTES, "of the text looked for" },
	[SECTION] = { "section", "SECTION", MW_UNIT_TEXT, "ELF section" },
	[VALUE] = { "value", "LITERAL", MW_UNIT_TEXT,
		    "what is there: in Go all of the literal, when its length "
		    "is known; in C up to its NUL" },
	[NAME] = { "name", "REFERRED TO BY", MW_UNIT_TEXT,
		   "the function or variable that refers to it" },
	[PACKAGE] = { "package", NULL, MW_UNIT_TEXT, "of a Go function" },
	[REFERENCE] = { "reference", "AT", MW_UNIT_ADDRESS,
			"the instruction, or the pointer" },
	[KIND] = { "reference_kind", NULL, MW_UNIT_TEXT, "code or data" },
	[PLACE] = { "place", "LINE", MW_UNIT_TEXT, "of Go code" },
};

struct place {
	uint64_t va;
	bool is_referred;
};

/**
 * A string header of Go among the constants, where an interface's data or an
 * array of strings lies: code refers to it instead.
 */
struct header {
	uint64_t va, text, length;
	size_t place;
};

struct search {
	struct mw_target *memory;
	struct cmd_names *names;
	struct mw_table *table;
	const uint8_t *text;
	size_t bytes;
	MW_VEC(struct place) places; /* ascending */
	MW_VEC(struct header) headers;
	struct mw_map64 by_header; /* address -> 1 + place in headers */
	uint64_t first_header, last_header;
	struct cmd_code code; /* of the function looked at last */
	uint64_t budget;      /* bytes that may yet be read */
	uint8_t *piece;
	bool is_go;  /* the image that is searched */
	bool failed; /* memory was short */
};

/* Reading */

/**
 * Call @visit for all bytes of [@start, @end) that can be read, in pieces of
 * which each begins with the last @overlap bytes of the one before.
 */
static void each_piece(struct search *s, uint64_t start, uint64_t end,
		       size_t overlap,
		       void (*visit)(struct search *s, uint64_t va,
				     const uint8_t *bytes, size_t size))
{
	for (uint64_t at = start; at < end && !s->failed && s->budget > 0;) {
		uint64_t size = mw_min(end - at, PIECE);

		while (!mw_target_read(s->memory, at, s->piece, size)) {
			if (size <= MW_PAGE_BYTES) {
				size = 0;
				break;
			}
			size = mw_max(MW_PAGE_BYTES, size / 2);
		}
		s->budget -= mw_min(s->budget, mw_max(size, MW_PAGE_BYTES));
		if (size == 0) {
			at = mw_align_down(at, MW_PAGE_BYTES) + MW_PAGE_BYTES;
			continue;
		}
		visit(s, at, s->piece, size);
		if (at + size >= end)
			break;
		at += size > overlap ? size - overlap : size;
	}
}

static void each_segment(struct search *s, const struct mw_image *image,
			 unsigned flag, unsigned not_flag, size_t overlap,
			 void (*visit)(struct search *s, uint64_t va,
				       const uint8_t *bytes, size_t size))
{
	// Segments of a damaged file may be of any size, and overlap.
	s->budget = MW_MIB(16) +
		    (mw_target_info(s->memory)->kind == MW_TARGET_FILE
			     ? image->elf->file_bytes
			     : image->end - image->start);
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *seg = &image->elf->segments.v[i];
		uint64_t start = seg->vaddr + image->bias, end;

		if (seg->type == PT_LOAD && (seg->flags & flag) &&
		    !(seg->flags & not_flag) &&
		    mw_end(start, seg->filesz, &end))
			each_piece(s, start, end, overlap, visit);
	}
}

/* Where it is */

static void find_text(struct search *s, uint64_t va, const uint8_t *bytes,
		      size_t size)
{
	const uint8_t *at = bytes, *end = bytes + size;

	while (s->places.n < MOST_PLACES && (size_t)(end - at) >= s->bytes &&
	       (at = memmem(at, (size_t)(end - at), s->text, s->bytes))) {
		uint64_t found = va + (uint64_t)(at - bytes);
		struct place *place;

		at++;
		place = mw_vec_push(&s->places);
		if (!place) {
			s->failed = true;
			return;
		}
		*place = (struct place){ .va = found };
	}
}

/** The first place at or behind @va, when it is not too far; or NULL. */
static struct place *place_behind(const struct search *s, uint64_t va)
{
	size_t low = 0, high = s->places.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->places.v[middle].va < va)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->places.n && s->places.v[low].va - va < MOST_BEFORE
		       ? &s->places.v[low]
		       : NULL;
}

/** Whether all of the @bytes at @va are text, of which 4 KiB are looked at. */
static bool is_text(const struct search *s, uint64_t va, uint64_t bytes)
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
static bool reaches(const struct search *s, uint64_t va,
		    const struct place *place)
{
	return va == place->va ||
	       (!s->is_go && is_text(s, va, place->va - va));
}

/* Rows */

/** The whole literal: @length bytes, or up to a NUL when that is 0. */
static void fill_value(struct search *s, uint64_t va, uint64_t length,
		       struct mw_cell *cell)
{
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = 1024 };
	uint64_t most = length ? length : MOST_SHOWN, take;
	uint8_t bytes[MOST_SHOWN];
	const uint8_t *nul;

	take = mw_min(most, sizeof(bytes));
	while (take > 0 && !mw_target_read(s->memory, va, bytes, take))
		take /= 2;
	nul = length ? NULL : memchr(bytes, 0, take);
	if (nul)
		mw_text_quote(&text, bytes, (size_t)(nul - bytes), false);
	else
		mw_text_quote(&text, bytes, take, take < most || !length);
	if (text.failed || !text.v || !mw_cell_text(cell, text.v))
		s->failed = true;
}

static struct mw_cell *add_row(struct search *s, const struct place *place,
			       uint64_t va, uint64_t length)
{
	const struct mw_image *image = cmd_image_at(s->memory, place->va);
	const struct mw_elf_section *section =
		image ? cmd_section_at(image, place->va) : NULL;
	struct mw_cell *cells = mw_table_add(s->table);

	if (!cells) {
		s->failed = true;
		return NULL;
	}
	mw_cell_value(&cells[ADDRESS], place->va);
	mw_cell_value(&cells[SIZE], s->bytes);
	if (section && !mw_cell_text(&cells[SECTION], section->name))
		s->failed = true;
	fill_value(s, va, length, &cells[VALUE]);
	return cells;
}

/** The line of Go code at @at. */
static void fill_line(struct search *s, uint64_t at, struct mw_cell *cells)
{
	struct mw_go_funcs *funcs = cmd_names_go(s->names);
	struct mw_go_func func;
	struct mw_go_line line;
	char package[1024], place[1200];

	if (!funcs || !mw_go_func_of(funcs, at, &func))
		return;
	mw_go_package(mw_go_func_name(funcs, &func), package, sizeof(package));
	if (!mw_cell_text(&cells[PACKAGE], package))
		s->failed = true;
	if (mw_go_lines(funcs, &func, at, &line, 1) == 0)
		return;
	snprintf(place, sizeof(place), "%s:%u", line.file, line.line);
	if (!mw_cell_text(&cells[PLACE], place))
		s->failed = true;
}

static void add_reference(struct search *s, struct place *place, uint64_t va,
			  uint64_t length, uint64_t at, bool is_code)
{
	struct mw_cell *cells = add_row(s, place, va, length);
	struct cmd_name name;
	char text[1024];

	place->is_referred = true;
	if (!cells)
		return;
	mw_cell_value(&cells[REFERENCE], at);
	mw_cell_borrow(&cells[KIND], is_code ? "code" : "data");
	if (cmd_names_at(s->names, at, &name)) {
		snprintf(text, sizeof(text), "%s", name.text);
		if (!is_code && at != name.start)
			snprintf(text, sizeof(text), "%s+0x%" PRIx64, name.text,
				 at - name.start);
		if (!mw_cell_text(&cells[NAME], text))
			s->failed = true;
	}
	if (is_code)
		fill_line(s, at, cells);
}

/** Whether the Go string of @length bytes at @va has the place in it. */
static bool covers(const struct search *s, uint64_t va, uint64_t length,
		   const struct place *place)
{
	return length > place->va - va &&
	       length - (place->va - va) >= s->bytes &&
	       (va == place->va || is_text(s, va, length));
}

/* Code */

/** The instruction that may lie at @va, when no function is known there. */
static bool decode_before(struct search *s, uint64_t field, uint64_t address,
			  struct mw_insn *ret)
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
static bool load_function(struct search *s, uint64_t va)
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
static const struct mw_insn *insn_at(const struct search *s, uint64_t va,
				     size_t *ret_index)
{
	for (size_t i = 0; i < s->code.count; i++)
		if (va - s->code.insns[i].va < s->code.insns[i].bytes) {
			*ret_index = i;
			return &s->code.insns[i];
		}
	return NULL;
}

/** Something at @field, in code, could be the address of a string header. */
static void check_header(struct search *s, uint64_t field, uint64_t address)
{
	const uint64_t *entry = mw_map64_find(&s->by_header, address);
	const struct header *header;
	const struct mw_insn *insn;
	size_t i;

	if (!entry || !load_function(s, field))
		return;
	header = &s->headers.v[*entry - 1];
	insn = insn_at(s, field, &i);
	if (insn && refers(insn, address))
		add_reference(s, &s->places.v[header->place], header->text,
			      header->length, insn->va, true);
}

/** Something at @field, in code, could be the address of a place's literal. */
static void check_code(struct search *s, uint64_t field, uint64_t address,
		       struct place *place)
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
			add_reference(s, place, address, 0, insn.va, true);
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
	add_reference(s, place, address, length, at->va, true);
}

/**
 * A displacement from the end of the instruction, behind which a constant of
 * up to 4 bytes may stand; or, in code that is not moved, the address itself.
 */
static void find_code(struct search *s, uint64_t va, const uint8_t *bytes,
		      size_t size)
{
	static const unsigned behind[] = { 0, 1, 2, 4 };
	uint64_t low = s->places.v[0].va - MOST_BEFORE;
	uint64_t high = s->places.v[s->places.n - 1].va;

	for (size_t i = 0; i + 4 <= size; i++) {
		uint32_t field = mw_u32(bytes + i);
		uint64_t end = va + i + 4 + (uint64_t)(int64_t)(int32_t)field;
		struct place *place;

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

static bool is_data(const struct search *s, uint64_t va)
{
	const struct mw_image *image = cmd_image_at(s->memory, va);
	const struct mw_elf_section *section =
		image ? cmd_section_at(image, va) : NULL;

	return !section || section->type == SHT_PROGBITS;
}

static void add_header(struct search *s, const struct place *place,
		       uint64_t va, uint64_t text, uint64_t length)
{
	struct header *header = mw_vec_push(&s->headers);
	uint64_t *entry = header ? mw_map64_at(&s->by_header, va) : NULL;

	if (!entry) {
		s->failed = true;
		return;
	}
	*header = (struct header){
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

static void find_data(struct search *s, uint64_t va, const uint8_t *bytes,
		      size_t size)
{
	for (size_t i = (size_t)(-va & 7); i + 8 <= size; i += 8) {
		uint64_t word = mw_u64(bytes + i), length;
		struct place *place = place_behind(s, word);

		if (!place)
			continue;
		// Not of a table of relocations, and the like. Then, a string
		// header of Go, or a pointer of C.
		if (!is_data(s, va + i))
			continue;
		if (!s->is_go) {
			if (reaches(s, word, place))
				add_reference(s, place, word, 0, va + i, false);
		} else if (mw_target_read_u64(s->memory, va + i + 8,
					      &length) &&
			   length < MW_MIB(1) &&
			   covers(s, word, length, place)) {
			add_reference(s, place, word, length, va + i, false);
			if (cmd_is_constant(s->memory, va + i))
				add_header(s, place, va + i, word, length);
		}
	}
}

/* All of it */

static void search_image(struct search *s, const struct mw_image *image)
{
	size_t first = s->places.n;

	each_segment(s, image, PF_R, PF_W, s->bytes - 1, find_text);
	// C's constants that need relocating, and what is initialised.
	if (s->places.n == first)
		each_segment(s, image, PF_W, 0, s->bytes - 1, find_text);
}

static void search_references(struct search *s, const struct mw_image *image)
{
	struct mw_error *foreign = cmd_code_check(image);

	each_segment(s, image, PF_R, PF_X, 0, find_data);
	if (!foreign)
		each_segment(s, image, PF_X, 0, 3, find_code);
	mw_error_free(foreign);
}

static const struct mw_image *memory_image(const struct syms *syms, size_t i)
{
	size_t count;
	const struct mw_image *images;

	if (syms->target)
		return syms->images.v[i].image;
	images = mw_target_images(syms->loaded, &count);
	return count ? &images[0] : NULL;
}

static int by_va(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static struct mw_error *search(struct search *s, const struct syms *syms)
{
	const struct mw_image *image;

	for (size_t i = 0; i < syms->images.n; i++) {
		image = memory_image(syms, i);
		if (image)
			search_image(s, image);
	}
	if (s->places.n == 0)
		return s->failed ? mw_error_nomem() : NULL;
	qsort(s->places.v, s->places.n, sizeof(*s->places.v), by_va);
	for (size_t i = 0; i < syms->images.n; i++) {
		image = memory_image(syms, i);
		s->is_go = syms->images.v[i].is_go;
		if (image)
			search_references(s, image);
	}
	for (size_t i = 0; i < s->places.n; i++)
		if (!s->places.v[i].is_referred)
			add_row(s, &s->places.v[i], s->places.v[i].va,
				s->bytes);
	return s->failed ? mw_error_nomem() : NULL;
}

struct mw_error *syms_literal(struct syms *syms, const char *text,
			      uint64_t begun_ns)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	MW_CLEANUP(mw_freep) uint8_t *piece = mw_alloc(PIECE);
	struct search s = {
		.memory = syms_memory(syms),
		.table = &table,
		.text = (const uint8_t *)text,
		.bytes = strlen(text),
		.piece = piece,
	};
	struct mw_error *error;
	uint64_t stopped = 0;

	mw_table_init(&table, columns, COLUMNS);
	if (!piece)
		return mw_error_nomem();
	if (s.bytes == 0 || s.bytes > PIECE / 2)
		return mw_error_new(MW_E_USAGE, "--literal: it must have 1 to "
				    "%zu bytes", (size_t)PIECE / 2);
	if (!s.memory)
		return mw_error_new(MW_E_UNSUPPORTED, "%s: not a program",
				    syms->call->target);
	error = cmd_names_open(s.memory, &s.names);
	if (!error)
		error = search(&s, syms);
	if (syms->target)
		stopped = mw_target_release(syms->target);
	mw_vec_free(&s.places);
	mw_vec_free(&s.headers);
	mw_map64_free(&s.by_header);
	cmd_code_free(&s.code);
	cmd_names_close(s.names);
	if (error)
		return error;
	cmd_print_notes(s.memory);
	cmd_emit_table(syms->call, &table, s.memory, NULL, stopped,
		       mw_kernel_now() - begun_ns);
	return NULL;
}

void syms_literal_help(FILE *out)
{
	fputs("\nWith --literal:", out);
	cmd_print_columns(out, columns, COLUMNS);
}
