/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_elf.h"
#include "mw_guard.h"

/* Sections and segments. */

enum section_column {
	S_INDEX, S_NAME, S_TYPE, S_ADDRESS, S_OFFSET, S_SIZE, S_ENTRY, S_FLAGS,
	S_FLAG_WORDS, S_LINK, S_INFO, S_ALIGN, S_COMPRESSION, S_FULL, S_PROCESS,
};

static const struct mw_column section_columns[] = {
	[S_INDEX] = { "index", "NR", MW_UNIT_COUNT, "number of the section" },
	[S_NAME] = { "name", "NAME", MW_UNIT_TEXT, "its name" },
	[S_TYPE] = { "type", "TYPE", MW_UNIT_TEXT, "what it holds" },
	[S_ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
			"in memory, before it is moved there" },
	[S_OFFSET] = { "offset", "OFFSET", MW_UNIT_OFFSET, "in the file" },
	[S_SIZE] = { "size_bytes", "SIZE", MW_UNIT_BYTES,
		     "bytes, in memory for NOBITS, else in the file" },
	[S_ENTRY] = { "entry_bytes", "ES", MW_UNIT_COUNT,
		      "bytes of an entry, for a table" },
	[S_FLAGS] = { "flags", "FLG", MW_UNIT_TEXT,
		      "W write, A alloc, X exec, M merge, S strings, I info, "
		      "L link order, G group, T TLS, C compressed, E exclude, "
		      "and others, as readelf has them" },
	[S_FLAG_WORDS] = { "flag_words", NULL, MW_UNIT_TEXT,
			   "the flags spelt out" },
	[S_LINK] = { "link", "LK", MW_UNIT_COUNT, "a section it goes with" },
	[S_INFO] = { "info", "INF", MW_UNIT_COUNT, "more, by type" },
	[S_ALIGN] = { "align", "AL", MW_UNIT_COUNT, "alignment in bytes" },
	[S_COMPRESSION] = { "compression", "COMPRESSION", MW_UNIT_TEXT,
			    "how it is compressed" },
	[S_FULL] = { "uncompressed_bytes", "FULL SIZE", MW_UNIT_BYTES,
		     "its size when it is uncompressed" },
	CMD_ELF_COLUMNS_OF_PROCESS,
};

static const char *compression_name(const struct mw_elf_compression *c)
{
	switch (c->kind) {
	case MW_ELF_NOT_COMPRESSED:
		return NULL;
	case MW_ELF_ZLIB:
		return "zlib";
	case MW_ELF_ZSTD:
		return "zstd";
	case MW_ELF_GNU_ZLIB:
		return "zlib-gnu";
	case MW_ELF_OTHER:
		break;
	}
	return "unknown";
}

static struct mw_error *fill_compression(const struct cmd_elf *elf,
					 const struct mw_elf_section *s,
					 struct mw_cell *cells)
{
	struct mw_elf_compression compression;
	struct mw_error *error = mw_elf_compression(elf->file, s,
						    &compression);
	const char *name;

	if (error) {
		mw_elf_file_problem(elf->file, error);
		return NULL;
	}
	name = compression_name(&compression);
	if (!name)
		return NULL;
	mw_cell_value(&cells[S_FULL], compression.bytes);
	return mw_cell_text(&cells[S_COMPRESSION], name) ? NULL
							 : mw_error_nomem();
}

static struct mw_error *fill_section(const struct cmd_elf *elf, size_t index,
				     struct mw_cell *cells)
{
	const struct mw_elf_section *s = &elf->file->sections.v[index];
	char type[MW_ELF_NAME_BYTES], flags[MW_ELF_NAME_BYTES], words[512];

	mw_cell_value(&cells[S_INDEX], index);
	mw_cell_value(&cells[S_ADDRESS], s->addr);
	mw_cell_value(&cells[S_OFFSET], s->offset);
	mw_cell_value(&cells[S_SIZE], s->size);
	mw_cell_value(&cells[S_ENTRY], s->entry_size);
	mw_cell_value(&cells[S_LINK], s->link);
	mw_cell_value(&cells[S_INFO], s->info);
	mw_cell_value(&cells[S_ALIGN], s->align);
	if (!mw_cell_text(&cells[S_NAME], s->name) ||
	    !mw_cell_text(&cells[S_TYPE],
			  mw_elf_section_type_name(elf->file, s->type, type)) ||
	    !mw_cell_text(&cells[S_FLAGS],
			  mw_elf_section_flags(elf->file, s->flags, flags)) ||
	    !mw_cell_text(&cells[S_FLAG_WORDS],
			  mw_elf_section_flag_words(elf->file, s->flags,
						    words)))
		return mw_error_nomem();
	// Variables of threads have no place of their own in the image.
	if ((s->flags & SHF_ALLOC) &&
	    !(s->flags & SHF_TLS && s->type == SHT_NOBITS) && elf->target &&
	    !cmd_elf_fill_pages(elf, s->addr, s->size, cells + S_PROCESS))
		return mw_error_nomem();
	return fill_compression(elf, s, cells);
}

static struct mw_error *fill_sections(const struct cmd_elf *elf,
				      struct mw_table *table)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < elf->file->sections.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		error = cells ? fill_section(elf, i, cells) : mw_error_nomem();
	}
	return error;
}

const struct cmd_elf_table cmd_elf_sections = {
	.key = "sections",
	.title = "Sections",
	.columns = section_columns,
	.column_count = MW_COUNT(section_columns),
	.process_columns = CMD_ELF_PROCESS_COLUMNS,
	.fill = fill_sections,
};

/* Segments */

enum segment_column {
	P_INDEX, P_TYPE, P_OFFSET, P_VADDR, P_PADDR, P_FILE, P_MEMORY, P_FLAGS,
	P_ALIGN, P_SECTIONS, P_PROCESS,
};

static const struct mw_column segment_columns[] = {
	[P_INDEX] = { "index", "NR", MW_UNIT_COUNT, "number of the segment" },
	[P_TYPE] = { "type", "TYPE", MW_UNIT_TEXT, "what it is for" },
	[P_OFFSET] = { "offset", "OFFSET", MW_UNIT_OFFSET, "in the file" },
	[P_VADDR] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "in memory, before it is moved there" },
	[P_PADDR] = { "physical_address", NULL, MW_UNIT_ADDRESS,
		      "for machines without paging" },
	[P_FILE] = { "file_bytes", "IN FILE", MW_UNIT_BYTES,
		     "bytes in the file" },
	[P_MEMORY] = { "memory_bytes", "IN MEMORY", MW_UNIT_BYTES,
		       "bytes in memory: those behind the file's are zero" },
	[P_FLAGS] = { "flags", "FLG", MW_UNIT_TEXT,
		      "R read, W write, E execute" },
	[P_ALIGN] = { "align", "ALIGN", MW_UNIT_OFFSET, "alignment in bytes" },
	[P_SECTIONS] = { "sections", "SECTIONS", MW_UNIT_TEXT,
			 "the sections in it" },
	CMD_ELF_COLUMNS_OF_PROCESS,
};

/* What a hostile file could ask for would take hours and all memory. */
#define MOST_PAIRS (UINT64_C(1) << 26)
#define MOST_NAMES MW_MIB(64)

struct text {
	MW_VEC(char) chars;
};

static bool append(struct text *text, const char *more)
{
	do {
		char *end = mw_vec_push(&text->chars);

		if (!end)
			return false;
		*end = *more;
	} while (*more++);
	text->chars.n--; // the NUL, to be written over
	return true;
}

/**
 * Names of the sections in @segment, with blanks between them; empty when
 * @left, the room for all segments' names, is used up.
 */
static bool append_sections(const struct cmd_elf *elf,
			    const struct mw_elf_segment *segment,
			    uint64_t *left, struct text *text)
{
	const struct mw_elf_file *file = elf->file;

	if (!append(text, ""))
		return false;
	if (file->segments.n * file->sections.n > MOST_PAIRS)
		return true;
	for (size_t i = 1; i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];
		size_t bytes;

		if (!mw_elf_section_in_segment(s, segment))
			continue;
		bytes = strlen(s->name) + 1;
		if (bytes > *left)
			return true;
		*left -= bytes;
		if ((text->chars.n && !append(text, " ")) ||
		    !append(text, s->name))
			return false;
	}
	return true;
}

static bool fill_segment(const struct cmd_elf *elf, size_t index,
			 uint64_t *left, struct mw_cell *cells)
{
	const struct mw_elf_segment *s = &elf->file->segments.v[index];
	char type[MW_ELF_NAME_BYTES], flags[MW_ELF_NAME_BYTES];
	struct text sections = { 0 };
	bool ok;

	mw_cell_value(&cells[P_INDEX], index);
	mw_cell_value(&cells[P_OFFSET], s->offset);
	mw_cell_value(&cells[P_VADDR], s->vaddr);
	mw_cell_value(&cells[P_PADDR], s->paddr);
	mw_cell_value(&cells[P_FILE], s->filesz);
	mw_cell_value(&cells[P_MEMORY], s->memsz);
	mw_cell_value(&cells[P_ALIGN], s->align);
	ok = append_sections(elf, s, left, &sections) &&
	     mw_cell_text(&cells[P_SECTIONS], sections.chars.v) &&
	     mw_cell_text(&cells[P_TYPE],
			  mw_elf_segment_type_name(elf->file, s->type, type)) &&
	     mw_cell_text(&cells[P_FLAGS],
			  mw_elf_segment_flags(s->flags, flags));
	mw_vec_free(&sections.chars);
	return ok && (!elf->target || s->type == PT_GNU_STACK ||
		      cmd_elf_fill_pages(elf, s->vaddr, s->memsz,
					 cells + P_PROCESS));
}

static struct mw_error *fill_segments(const struct cmd_elf *elf,
				      struct mw_table *table)
{
	uint64_t left = MOST_NAMES;

	for (size_t i = 0; i < elf->file->segments.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_segment(elf, i, &left, cells))
			return mw_error_nomem();
	}
	return NULL;
}

const struct cmd_elf_table cmd_elf_segments = {
	.key = "segments",
	.title = "Segments (program headers)",
	.columns = segment_columns,
	.column_count = MW_COUNT(segment_columns),
	.process_columns = CMD_ELF_PROCESS_COLUMNS,
	.fill = fill_segments,
};
