/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "mw_elf_notes.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * A note (gABI, "Note Section"), in the file's byte order, 4-byte words in
 * both classes:
 *
 *	 0  u32	bytes of the owner's name, with its NUL
 *	 4  u32	bytes of the description
 *	 8  u32	type
 *	12	name, then the description; both begin at a multiple of the
 *		alignment, 4 or 8, counted from the note's beginning
 */
#define HEAD 12
#define MAX_BLOCK MW_MIB(256)
#define MAX_NOTES (1U << 21)

struct block {
	const uint8_t *bytes;
	uint64_t size, offset, align;
	size_t place;
};

static struct mw_error *damaged(const struct block *block, uint64_t at,
				const char *why)
{
	return mw_error_at(MW_E_FORMAT, block->offset + at, "the note at offset "
			   "0x%" PRIx64 " %s", block->offset + at, why);
}

/** The note at @at of @block; *@ret_next is where the next one begins. */
static struct mw_error *take_note(const struct mw_elf_file *file,
				  const struct block *block, uint64_t at,
				  struct mw_elf_notes *notes,
				  uint64_t *ret_next)
{
	const uint8_t *raw = block->bytes + at;
	uint64_t room = block->size - at, description;
	struct mw_elf_note note = { .offset = block->offset + at,
				    .place = block->place };
	struct mw_elf_note *place;

	note.owner_bytes = (uint32_t)mw_elf_get(file, raw, 4);
	note.bytes = (uint32_t)mw_elf_get(file, raw + 4, 4);
	note.type = (uint32_t)mw_elf_get(file, raw + 8, 4);
	description = mw_align_up(HEAD + (uint64_t)note.owner_bytes,
				  block->align);
	if (note.owner_bytes > room - HEAD ||
	    (note.bytes > 0 && !mw_within(description, note.bytes, 0, room)))
		return damaged(block, at, "leaves its section or segment");
	if (notes->list.n >= MAX_NOTES)
		return mw_error_at(MW_E_LIMIT, note.offset, "more than %u notes",
				   MAX_NOTES);
	// A name of its own, since nothing says that a NUL follows it.
	char *owner = mw_strndup((const char *)raw + HEAD, note.owner_bytes);
	void **owned = owner ? mw_vec_push(&notes->blocks) : NULL;
	place = owned ? mw_vec_push(&notes->list) : NULL;
	if (owned)
		*owned = owner;
	else
		mw_free(owner);
	if (!place)
		return mw_error_nomem();
	note.owner = owner;
	note.description = raw + mw_min(description, room);
	*place = note;
	*ret_next = at + mw_align_up(description + note.bytes, block->align);
	return NULL;
}

static struct mw_error *walk_block(const struct mw_elf_file *file,
				   const struct block *block,
				   struct mw_elf_notes *notes)
{
	uint64_t at = 0;

	while (at <= block->size && block->size - at >= HEAD) {
		struct mw_error *error = take_note(file, block, at, notes, &at);

		if (error)
			return error;
	}
	return NULL;
}

static struct mw_error *load_block(struct mw_elf_file *file,
				   struct block block,
				   struct mw_elf_notes *notes)
{
	struct mw_error *error;
	uint8_t *copy;

	// Go 1.9 aligned its section to 32, and meant 4. (readelf leaves such
	// notes out.)
	if (block.align != 8)
		block.align = 4;
	error = mw_elf_file_copy(file, block.offset, block.size, MAX_BLOCK,
				 "notes", &copy);
	if (error)
		return error;
	void **place = mw_vec_push(&notes->blocks);
	if (!place) {
		mw_free(copy);
		return mw_error_nomem();
	}
	*place = copy;
	block.bytes = copy;
	return walk_block(file, &block, notes);
}

/**
 * Read a block and keep what is wrong with it as a problem. All blocks together
 * are not longer than the file, or they would lie over each other.
 */
static struct mw_error *try_block(struct mw_elf_file *file,
				  struct block block, uint64_t *left,
				  struct mw_elf_notes *notes)
{
	struct mw_error *error;

	if (block.size > *left) {
		error = mw_error_at(MW_E_FORMAT, block.offset,
				    "the notes at offset 0x%" PRIx64 " and "
				    "those before have more bytes than the file",
				    block.offset);
	} else {
		*left -= block.size;
		error = load_block(file, block, notes);
	}
	if (error && error->code == MW_E_NOMEM)
		return error;
	if (error)
		mw_elf_file_problem(file, error);
	return NULL;
}

static struct mw_error *load_segments(struct mw_elf_file *file,
				      struct mw_elf_notes *notes)
{
	struct mw_error *error = NULL;
	uint64_t left = file->bytes;

	notes->in_segments = true;
	for (size_t i = 0; !error && i < file->segments.n; i++) {
		const struct mw_elf_segment *s = &file->segments.v[i];

		if (s->type == PT_NOTE && s->filesz > 0)
			error = try_block(file,
					  (struct block){ .size = s->filesz,
							  .offset = s->offset,
							  .align = s->align,
							  .place = i },
					  &left, notes);
	}
	return error;
}

static struct mw_error *load_sections(struct mw_elf_file *file,
				      struct mw_elf_notes *notes)
{
	struct mw_error *error = NULL;
	uint64_t left = file->bytes;

	for (size_t i = 1; !error && i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];

		if (s->type == SHT_NOTE && s->size > 0)
			error = try_block(file,
					  (struct block){ .size = s->size,
							  .offset = s->offset,
							  .align = s->align,
							  .place = i },
					  &left, notes);
	}
	return error;
}

struct mw_error *mw_elf_notes_load(struct mw_elf_file *file,
				   enum mw_elf_notes_from from,
				   struct mw_elf_notes *ret)
{
	struct mw_elf_notes notes = { 0 };
	struct mw_error *error;

	if (from == MW_ELF_NOTES_SEGMENTS || file->header.type == ET_CORE ||
	    !mw_elf_file_section_of_type(file, SHT_NOTE))
		error = load_segments(file, &notes);
	else
		error = load_sections(file, &notes);
	if (error)
		mw_elf_notes_free(&notes);
	else
		*ret = notes;
	return error;
}

void mw_elf_notes_free(struct mw_elf_notes *notes)
{
	for (size_t i = 0; i < notes->blocks.n; i++)
		mw_free(notes->blocks.v[i]);
	mw_vec_free(&notes->blocks);
	mw_vec_free(&notes->list);
}

bool mw_elf_note_is(const struct mw_elf_note *note, const char *owner,
		    uint32_t type)
{
	uint32_t bytes = (uint32_t)strlen(owner) + 1;

	if (note->type != type || note->owner_bytes < bytes ||
	    memcmp(note->owner, owner, bytes) != 0)
		return false;
	// Go counts the NULs that align the description, too.
	for (uint32_t i = bytes; i < note->owner_bytes; i++)
		if (note->owner[i])
			return false;
	return true;
}
