/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_ELF_H
#define CMD_ELF_H

#include "cmd.h"
#include "mw_elf_dynamic.h"
#include "mw_elf_file.h"
#include "mw_elf_layout.h"
#include "mw_elf_names.h"
#include "mw_elf_notes.h"
#include "mw_elf_symbols.h"
#include "mw_go_buildinfo.h"
#include "mw_go_sizes.h"

/* What the files of `elf` share. */

/** The ELF file that is looked at, and the process that maps it, if any. */
struct cmd_elf {
	const struct cmd_call *call;
	const char *path; /* owned by the target or the command line */
	int fd;
	uint8_t *memory; /* the image, where its file cannot be had */
	struct mw_elf_file *file;
	struct mw_elf_dynamic dynamic;
	struct mw_elf_notes notes;
	struct mw_elf_layout layout;
	bool is_pie;
	/* Of a process; NULL for a file. */
	struct mw_target *target;
	const struct mw_image *image;
	struct mw_pages shared; /* of the image, those that others map, too */
	bool has_shared;
	uint64_t wall_ns;
	/* Of a Go program, when that is to be shown. */
	struct mw_target *go_target; /* the file as if it was loaded */
	const struct mw_image *go_image; /* in either target */
	struct mw_go_buildinfo *go;
	struct mw_go_summary go_summary; /* zeros: none */
};

/**
 * Open the file, or the image called @image (NULL: the executable) of the
 * process, that @call names. @elf must be zeroed; close it also after an error.
 */
MW_MUST_USE struct mw_error *cmd_elf_open(const struct cmd_call *call,
					  const char *image,
					  struct cmd_elf *elf);
void cmd_elf_close(struct cmd_elf *elf);

/* Tables */

/** One of the tables that `elf` prints. */
struct cmd_elf_table {
	const char *key;   /* in JSON */
	const char *title; /* in text */
	const struct mw_column *columns;
	size_t column_count;
	size_t process_columns; /* the last ones: only for a process */
	struct mw_error *(*fill)(const struct cmd_elf *elf,
				 struct mw_table *table);
};

extern const struct cmd_elf_table cmd_elf_sections, cmd_elf_segments,
	cmd_elf_dynamic, cmd_elf_notes, cmd_elf_layout, cmd_elf_symbols,
	cmd_elf_go_modules, cmd_elf_go_settings, cmd_elf_go_packages;

/** How many pages of a range of the image there are, by state. */
struct cmd_elf_pages {
	uint64_t pages, resident, dirty, shared;
};

/* Columns that a process adds, in this order. */
enum cmd_elf_process_column {
	CMD_ELF_MAPPED_AT,
	CMD_ELF_MAPPING,
	CMD_ELF_PAGES,
	CMD_ELF_RESIDENT,
	CMD_ELF_DIRTY,
	CMD_ELF_SHARED,
	CMD_ELF_PROCESS_COLUMNS,
};

#define CMD_ELF_COLUMNS_OF_PROCESS                                            \
	{ "mapped_at", "MAPPED AT", MW_UNIT_ADDRESS,                          \
	  "address in the process" },                                         \
	{ "mapping", "MAPPING", MW_UNIT_TEXT,                                 \
	  "the mappings that it lies in, with their rights" },                \
	{ "pages", "PAGES", MW_UNIT_COUNT,                                    \
	  "pages that it touches; neighbours may share one" },                \
	{ "resident_pages", "RES", MW_UNIT_COUNT,                             \
	  "of these, present in memory" },                                    \
	{ "dirty_pages", "DIRTY", MW_UNIT_COUNT,                              \
	  "of these, written to: the process has a copy of its own" },        \
	{ "shared_pages", "SHARED", MW_UNIT_COUNT,                            \
	  "of these, mapped by other processes, too" }

/**
 * Fill the cells that a process adds for @bytes at @vaddr of the image. Nothing
 * for a file. False without memory.
 */
bool cmd_elf_fill_pages(const struct cmd_elf *elf, uint64_t vaddr,
			uint64_t bytes, struct mw_cell *cells);

/** What kind of piece of the file it is, in a word or two. */
const char *cmd_elf_piece_kind(const struct mw_elf_piece *piece);
/** Its name; @text has room for one made of a number. */
const char *cmd_elf_piece_name(const struct cmd_elf *elf,
			       const struct mw_elf_piece *piece,
			       char text[32]);

/* The header */

/** Write the header: as lines, as a JSON object, or as CSV. */
void cmd_elf_header_text(const struct cmd_elf *elf, FILE *out);
void cmd_elf_header_json(const struct cmd_elf *elf, struct mw_json *json);
void cmd_elf_header_csv(const struct cmd_elf *elf, FILE *out);

/* Go */

/** Whether it has what only a Go linker makes. */
bool cmd_elf_looks_go(const struct cmd_elf *elf);
/**
 * Read elf->go, and with @all also what takes time. What is wrong with it
 * becomes a problem of the file.
 */
MW_MUST_USE struct mw_error *cmd_elf_load_go(struct cmd_elf *elf, bool all);
void cmd_elf_go_text(const struct cmd_elf *elf, FILE *out);
void cmd_elf_go_json(const struct cmd_elf *elf, struct mw_json *json);

/* The summary */

/** What kind of file it is and what its bytes are for. */
void cmd_elf_summary_text(const struct cmd_elf *elf, FILE *out);
void cmd_elf_summary_json(const struct cmd_elf *elf, struct mw_json *json);

#endif
