/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_literal.h"
#include "cmd_syms.h"
#include "mw_guard.h"
#include "mw_insn.h"
#include "mw_kernel.h"
#include "mw_text.h"

/*
 * A literal by its content, and who refers to it: instructions with its
 * address, and pointers in data.
 */

#define MOST_PLACES 1000
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

/* Reading */

/**
 * Call @visit for all bytes of [@start, @end) that can be read, in pieces of
 * which each begins with the last @overlap bytes of the one before.
 */
static void each_piece(struct literal_search *s, uint64_t start, uint64_t end,
		       size_t overlap, literal_visit *visit)
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

static void each_segment(struct literal_search *s,
			 const struct mw_image *image, unsigned flag,
			 unsigned not_flag, size_t overlap,
			 literal_visit *visit)
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

static void find_text(struct literal_search *s, uint64_t va,
		      const uint8_t *bytes, size_t size)
{
	const uint8_t *at = bytes, *end = bytes + size;

	while (s->places.n < MOST_PLACES && (size_t)(end - at) >= s->bytes &&
	       (at = memmem(at, (size_t)(end - at), s->text, s->bytes))) {
		uint64_t found = va + (uint64_t)(at - bytes);
		struct literal_place *place;

		at++;
		place = mw_vec_push(&s->places);
		if (!place) {
			s->failed = true;
			return;
		}
		*place = (struct literal_place){ .va = found };
	}
}

/* Rows */

/** The whole literal: @length bytes, or up to a NUL when that is 0. */
static void fill_value(struct literal_search *s, uint64_t va, uint64_t length,
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

static struct mw_cell *add_row(struct literal_search *s,
			       const struct literal_place *place, uint64_t va,
			       uint64_t length)
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
static void fill_line(struct literal_search *s, uint64_t at,
		      struct mw_cell *cells)
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

void literal_refer(struct literal_search *s, struct literal_place *place,
		   uint64_t va, uint64_t length, uint64_t at, bool is_code)
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

/* All of it */

static void search_image(struct literal_search *s, const struct mw_image *image)
{
	size_t first = s->places.n;

	each_segment(s, image, PF_R, PF_W, s->bytes - 1, find_text);
	// C's constants that need relocating, and what is initialised.
	if (s->places.n == first)
		each_segment(s, image, PF_W, 0, s->bytes - 1, find_text);
}

static void search_references(struct literal_search *s,
			      const struct mw_image *image)
{
	struct mw_error *foreign = cmd_code_check(image);

	each_segment(s, image, PF_R, PF_X, 0, literal_find_data);
	if (!foreign)
		each_segment(s, image, PF_X, 0, 3, literal_find_code);
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
	const struct literal_place *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static struct mw_error *search(struct literal_search *s,
			       const struct syms *syms)
{
	const struct mw_image *image;
	struct mw_error *error;

	for (size_t i = 0; i < syms->images.n; i++) {
		image = memory_image(syms, i);
		if (image)
			search_image(s, image);
	}
	if (s->places.n == 0)
		return s->failed ? mw_error_nomem() : NULL;
	error = mw_insn_open();
	if (error)
		return error;
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
	struct literal_search s = {
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
