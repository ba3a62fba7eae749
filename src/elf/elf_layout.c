/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mw_elf_layout.h"
#include "mw_num.h"

#define MAX_LOOK MW_MIB(1)

struct builder {
	const struct mw_elf_file *file;
	struct mw_elf_layout claims; /* what the headers speak of */
	struct mw_elf_layout layout;
	uint64_t at;   /* all before it is told */
	size_t reach;  /* the piece that ends there; SIZE_MAX at first */
	uint64_t look; /* bytes that may still be looked at */
};

static bool claim(struct builder *b, enum mw_elf_piece_kind kind, size_t index,
		  uint64_t offset, uint64_t bytes)
{
	uint64_t room = b->file->bytes - mw_min(offset, b->file->bytes);
	struct mw_elf_piece *piece;

	if (bytes == 0)
		return true;
	piece = mw_vec_push(&b->claims.list);
	if (!piece)
		return false;
	*piece = (struct mw_elf_piece){
		.kind = kind,
		.index = index,
		.offset = offset,
		.bytes = mw_min(bytes, room),
		.outside_bytes = bytes - mw_min(bytes, room),
		.overlaps = SIZE_MAX,
	};
	return true;
}

static bool claim_all(struct builder *b)
{
	const struct mw_elf_file *file = b->file;
	const struct mw_elf_header *h = &file->header;
	bool ok = claim(b, MW_ELF_PIECE_HEADER, 0, 0, h->ehsize) &&
		  claim(b, MW_ELF_PIECE_SEGMENT_TABLE, 0, h->phoff,
			file->segments.n * h->phentsize) &&
		  claim(b, MW_ELF_PIECE_SECTION_TABLE, 0, h->shoff,
			file->sections.n * h->shentsize);

	for (size_t i = 1; ok && i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];

		if (mw_elf_section_in_file(s))
			ok = claim(b, MW_ELF_PIECE_SECTION, i, s->offset,
				   s->size);
	}
	return ok;
}

static int by_offset(const void *a, const void *b)
{
	const struct mw_elf_piece *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/** Whether the bytes of a gap are all zero, as far as it is worth looking. */
static enum mw_elf_content content_of(struct builder *b, uint64_t offset,
				      uint64_t bytes)
{
	uint8_t block[4096];

	if (bytes > b->look)
		return MW_ELF_CONTENT_UNKNOWN;
	b->look -= bytes;
	while (bytes > 0) {
		uint64_t part = mw_min(bytes, sizeof(block));

		if (!mw_elf_file_read(b->file, offset, block, part))
			return MW_ELF_CONTENT_UNKNOWN;
		// Each byte is as the one before it.
		if (block[0] || memcmp(block, block + 1, part - 1) != 0)
			return MW_ELF_CONTENT_DATA;
		offset += part;
		bytes -= part;
	}
	return MW_ELF_CONTENT_ZERO;
}

/** The PT_LOAD that begins in (@start, @end], or NULL. */
static const struct mw_elf_segment *
segment_from(const struct mw_elf_file *file, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < file->segments.n; i++) {
		const struct mw_elf_segment *s = &file->segments.v[i];

		if (s->type == PT_LOAD && s->filesz > 0 && s->offset > start &&
		    s->offset <= end)
			return s;
	}
	return NULL;
}

/**
 * What the gap up to @next aligns to: its alignment, or that of a segment which
 * begins there; 0 when it is longer than alignment asks for.
 */
static uint64_t aligns_to(const struct builder *b, uint64_t bytes,
			  const struct mw_elf_piece *next)
{
	const struct mw_elf_segment *segment;
	uint64_t align = next->kind == MW_ELF_PIECE_SECTION
				 ? b->file->sections.v[next->index].align
				 : mw_elf_word(b->file);

	if (bytes < align && next->offset % align == 0)
		return align;
	segment = segment_from(b->file, b->at, next->offset);
	return segment && bytes < segment->align ? segment->align : 0;
}

static bool add(struct builder *b, struct mw_elf_piece piece)
{
	struct mw_elf_piece *place = mw_vec_push(&b->layout.list);

	if (!place)
		return false;
	*place = piece;
	return true;
}

/** Tell [b->at, @end), which no piece claims; @next, if any, begins there. */
static bool add_gap(struct builder *b, uint64_t end,
		    const struct mw_elf_piece *next)
{
	struct mw_elf_piece gap = {
		.kind = next ? MW_ELF_PIECE_GAP : MW_ELF_PIECE_TRAILING,
		.offset = b->at,
		.bytes = end - b->at,
		.own_bytes = end - b->at,
		.overlaps = SIZE_MAX,
	};

	if (gap.bytes == 0)
		return true;
	gap.align = next ? aligns_to(b, gap.bytes, next) : 0;
	if (gap.align)
		gap.kind = MW_ELF_PIECE_PADDING;
	gap.content = content_of(b, gap.offset, gap.bytes);
	return add(b, gap);
}

/**
 * The first PT_LOAD with bytes in [@start, @end), by offset, as the part of it
 * that lies there.
 */
static bool first_segment(const struct mw_elf_file *file, uint64_t start,
			  uint64_t end, struct mw_elf_piece *ret)
{
	bool found = false;

	for (size_t i = 0; i < file->segments.n; i++) {
		const struct mw_elf_segment *s = &file->segments.v[i];
		uint64_t from = mw_max(s->offset, start), to;

		if (s->type != PT_LOAD || !mw_end(s->offset, s->filesz, &to) ||
		    from >= mw_min(to, end) || (found && from >= ret->offset))
			continue;
		*ret = (struct mw_elf_piece){
			.kind = MW_ELF_PIECE_SEGMENT,
			.index = i,
			.offset = from,
			.bytes = mw_min(to, end) - from,
			.own_bytes = mw_min(to, end) - from,
			.overlaps = SIZE_MAX,
		};
		found = true;
	}
	return found;
}

/** The same as add_gap(), for a file that has no sections to speak of. */
static bool add_unnamed(struct builder *b, uint64_t end,
			const struct mw_elf_piece *next)
{
	struct mw_elf_piece piece;

	while (b->at < end && b->file->sections.n <= 1 &&
	       first_segment(b->file, b->at, end, &piece)) {
		if (!add_gap(b, piece.offset, &piece) || !add(b, piece))
			return false;
		b->at = piece.offset + piece.bytes;
	}
	return add_gap(b, end, next);
}

static bool add_claim(struct builder *b, struct mw_elf_piece piece)
{
	uint64_t start = mw_min(piece.offset, b->file->bytes);
	uint64_t end = start + piece.bytes;

	if (start > b->at && !add_unnamed(b, start, &piece))
		return false;
	if (start > b->at)
		b->at = start;
	piece.own_bytes = end > b->at ? end - b->at : 0;
	if (piece.own_bytes < piece.bytes)
		piece.overlaps = b->reach;
	if (end > b->at || b->reach == SIZE_MAX) {
		b->at = mw_max(b->at, end);
		b->reach = b->layout.list.n;
	}
	return add(b, piece);
}

static bool build(struct builder *b)
{
	if (!claim_all(b))
		return false;
	if (b->claims.list.n > 0)
		qsort(b->claims.list.v, b->claims.list.n,
		      sizeof(*b->claims.list.v), by_offset);
	for (size_t i = 0; i < b->claims.list.n; i++)
		if (!add_claim(b, b->claims.list.v[i]))
			return false;
	return add_unnamed(b, b->file->bytes, NULL);
}

static void check_sum(const struct builder *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < b->layout.list.n; i++)
		sum += b->layout.list.v[i].own_bytes;
	assert(sum == b->file->bytes);
}

struct mw_error *mw_elf_layout_build(const struct mw_elf_file *file,
				     struct mw_elf_layout *ret)
{
	struct builder b = { .file = file, .reach = SIZE_MAX,
			     .look = MAX_LOOK };
	bool ok = build(&b);

	mw_elf_layout_free(&b.claims);
	if (!ok) {
		mw_elf_layout_free(&b.layout);
		return mw_error_nomem();
	}
	check_sum(&b);
	*ret = b.layout;
	return NULL;
}

void mw_elf_layout_free(struct mw_elf_layout *layout)
{
	mw_vec_free(&layout->list);
}
