/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_elf.h"
#include "mw_guard.h"

/* Dynamic entries, notes, the layout of the file. */

enum dynamic_column { D_TAG, D_NAME, D_VALUE, D_TEXT };

static const struct mw_column dynamic_columns[] = {
	[D_TAG] = { "tag", "TAG", MW_UNIT_ADDRESS, "number of the entry" },
	[D_NAME] = { "name", "NAME", MW_UNIT_TEXT, "its name" },
	[D_VALUE] = { "value", "VALUE", MW_UNIT_ADDRESS,
		      "an address, a size, an offset, flags" },
	[D_TEXT] = { "text", "MEANING", MW_UNIT_TEXT,
		     "the string, or the flags spelt out" },
};

static bool fill_entry(const struct cmd_elf *elf,
		       const struct mw_elf_dynamic_entry *entry,
		       struct mw_cell *cells)
{
	char name[MW_ELF_NAME_BYTES], meaning[512];
	const char *text = entry->text;

	if (!text)
		text = mw_elf_tag_value(entry->tag, entry->value, meaning);
	mw_cell_value(&cells[D_TAG], elf->file->is_64 ? (uint64_t)entry->tag
						      : (uint32_t)entry->tag);
	mw_cell_value(&cells[D_VALUE], entry->value);
	return mw_cell_text(&cells[D_NAME],
			    mw_elf_tag_name(elf->file, entry->tag, name)) &&
	       (!text || mw_cell_text(&cells[D_TEXT], text));
}

static struct mw_error *fill_dynamic(const struct cmd_elf *elf,
				     struct mw_table *table)
{
	for (size_t i = 0; i < elf->dynamic.list.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells ||
		    !fill_entry(elf, &elf->dynamic.list.v[i], cells))
			return mw_error_nomem();
	}
	return NULL;
}

const struct cmd_elf_table cmd_elf_dynamic = {
	.key = "dynamic",
	.title = "Dynamic section",
	.columns = dynamic_columns,
	.column_count = MW_COUNT(dynamic_columns),
	.fill = fill_dynamic,
};

/* Notes */

#define MOST_HEX 1024

enum note_column {
	N_OFFSET, N_PLACE, N_OWNER, N_TYPE, N_NAME, N_BYTES, N_TEXT, N_HEX,
};

static const struct mw_column note_columns[] = {
	[N_OFFSET] = { "offset", "OFFSET", MW_UNIT_OFFSET, "in the file" },
	[N_PLACE] = { "place", "IN", MW_UNIT_TEXT,
		      "the section, or the number of the segment" },
	[N_OWNER] = { "owner", "OWNER", MW_UNIT_TEXT, "who defines the type" },
	[N_TYPE] = { "type", NULL, MW_UNIT_COUNT, "as a number" },
	[N_NAME] = { "name", "TYPE", MW_UNIT_TEXT, "name of the type" },
	[N_BYTES] = { "description_bytes", "SIZE", MW_UNIT_COUNT,
		      "bytes of the description" },
	[N_TEXT] = { "text", "SAYS", MW_UNIT_TEXT,
		     "what it says, where that is known" },
	[N_HEX] = { "description", NULL, MW_UNIT_TEXT,
		    "the description in hexadecimal, up to 1024 bytes" },
};

static bool fill_place(const struct cmd_elf *elf,
		       const struct mw_elf_note *note, struct mw_cell *cell)
{
	char text[32];

	if (!elf->notes.in_segments)
		return mw_cell_text(cell,
				    elf->file->sections.v[note->place].name);
	snprintf(text, sizeof(text), "segment %zu", note->place);
	return mw_cell_text(cell, text);
}

static bool fill_note(const struct cmd_elf *elf,
		      const struct mw_elf_note *note, struct mw_cell *cells)
{
	MW_CLEANUP(mw_freep) char *hex =
		mw_elf_hex(note->description, note->bytes, MOST_HEX);
	MW_CLEANUP(mw_freep) char *text = mw_elf_note_text(elf->file, note);
	char name[MW_ELF_NAME_BYTES];

	mw_cell_value(&cells[N_OFFSET], note->offset);
	mw_cell_value(&cells[N_TYPE], note->type);
	mw_cell_value(&cells[N_BYTES], note->bytes);
	return hex && fill_place(elf, note, &cells[N_PLACE]) &&
	       mw_cell_text(&cells[N_OWNER], note->owner) &&
	       mw_cell_text(&cells[N_NAME],
			    mw_elf_note_name(elf->file, note->owner,
					     note->type, name)) &&
	       mw_cell_text(&cells[N_HEX], hex) &&
	       (!text || mw_cell_text(&cells[N_TEXT], text));
}

static struct mw_error *fill_notes(const struct cmd_elf *elf,
				   struct mw_table *table)
{
	for (size_t i = 0; i < elf->notes.list.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_note(elf, &elf->notes.list.v[i], cells))
			return mw_error_nomem();
	}
	return NULL;
}

const struct cmd_elf_table cmd_elf_notes = {
	.key = "notes",
	.title = "Notes",
	.columns = note_columns,
	.column_count = MW_COUNT(note_columns),
	.fill = fill_notes,
};

/* Layout */

enum layout_column {
	L_OFFSET, L_BYTES, L_OWN, L_KIND, L_NAME, L_CONTENT, L_REMARK,
};

static const struct mw_column layout_columns[] = {
	[L_OFFSET] = { "offset", "OFFSET", MW_UNIT_OFFSET, "in the file" },
	[L_BYTES] = { "bytes", "SIZE", MW_UNIT_BYTES, "bytes in the file" },
	[L_OWN] = { "own_bytes", NULL, MW_UNIT_BYTES,
		    "of these, what nothing before it has: their sum is the "
		    "size of the file" },
	[L_KIND] = { "kind", "KIND", MW_UNIT_TEXT,
		     "header, program headers, section headers, section, "
		     "segment (in a file without sections), padding (aligns "
		     "what follows), gap, trailing" },
	[L_NAME] = { "name", "NAME", MW_UNIT_TEXT,
		     "of the section, or number of the segment" },
	[L_CONTENT] = { "content", "CONTENT", MW_UNIT_TEXT,
			"zero or data, for bytes without a name" },
	[L_REMARK] = { "remark", "REMARK", MW_UNIT_TEXT,
		       "what it overlaps, aligns to, or lacks" },
};

static const char *const piece_kinds[] = {
	[MW_ELF_PIECE_HEADER] = "header",
	[MW_ELF_PIECE_SEGMENT_TABLE] = "program headers",
	[MW_ELF_PIECE_SECTION_TABLE] = "section headers",
	[MW_ELF_PIECE_SECTION] = "section",
	[MW_ELF_PIECE_SEGMENT] = "segment",
	[MW_ELF_PIECE_PADDING] = "padding",
	[MW_ELF_PIECE_GAP] = "gap",
	[MW_ELF_PIECE_TRAILING] = "trailing",
};

const char *cmd_elf_piece_kind(const struct mw_elf_piece *piece)
{
	return piece_kinds[piece->kind];
}

const char *cmd_elf_piece_name(const struct cmd_elf *elf,
			       const struct mw_elf_piece *piece, char text[32])
{
	if (piece->kind == MW_ELF_PIECE_SECTION)
		return elf->file->sections.v[piece->index].name;
	if (piece->kind != MW_ELF_PIECE_SEGMENT)
		return piece_kinds[piece->kind];
	snprintf(text, 32, "segment %zu", piece->index);
	return text;
}

static bool fill_remark(const struct cmd_elf *elf,
			const struct mw_elf_piece *piece, struct mw_cell *cell)
{
	MW_CLEANUP(mw_freep) char *remark = NULL;
	const struct mw_elf_piece *other;
	char name[32];

	other = piece->overlaps == SIZE_MAX
			? NULL
			: &elf->layout.list.v[piece->overlaps];

	if (other)
		remark = mw_format("%" PRIu64 " bytes are in %s, too",
				   piece->bytes - piece->own_bytes,
				   cmd_elf_piece_name(elf, other, name));
	else if (piece->outside_bytes)
		remark = mw_format("%" PRIu64 " more bytes would be behind the "
				   "end of the file", piece->outside_bytes);
	else if (piece->kind == MW_ELF_PIECE_PADDING)
		remark = mw_format("to a multiple of %" PRIu64, piece->align);
	else
		return true;
	return remark && mw_cell_text(cell, remark);
}

static bool fill_piece(const struct cmd_elf *elf,
		       const struct mw_elf_piece *piece, struct mw_cell *cells)
{
	char name[32];

	mw_cell_value(&cells[L_OFFSET], piece->offset);
	mw_cell_value(&cells[L_BYTES], piece->bytes);
	mw_cell_value(&cells[L_OWN], piece->own_bytes);
	if ((piece->kind == MW_ELF_PIECE_SECTION ||
	     piece->kind == MW_ELF_PIECE_SEGMENT) &&
	    !mw_cell_text(&cells[L_NAME],
			  cmd_elf_piece_name(elf, piece, name)))
		return false;
	if (piece->content != MW_ELF_CONTENT_UNKNOWN &&
	    !mw_cell_text(&cells[L_CONTENT],
			  piece->content == MW_ELF_CONTENT_ZERO ? "zero"
								: "data"))
		return false;
	return mw_cell_text(&cells[L_KIND], piece_kinds[piece->kind]) &&
	       fill_remark(elf, piece, &cells[L_REMARK]);
}

static struct mw_error *fill_layout(const struct cmd_elf *elf,
				    struct mw_table *table)
{
	for (size_t i = 0; i < elf->layout.list.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_piece(elf, &elf->layout.list.v[i], cells))
			return mw_error_nomem();
	}
	return NULL;
}

const struct cmd_elf_table cmd_elf_layout = {
	.key = "layout",
	.title = "Layout of the file",
	.columns = layout_columns,
	.column_count = MW_COUNT(layout_columns),
	.fill = fill_layout,
};
