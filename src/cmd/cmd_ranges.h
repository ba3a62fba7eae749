/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_RANGES_H
#define CMD_RANGES_H

#include "cmd_books.h"
#include "mw_target_bulk.h"

/*
 * What the commands that look at bytes share: which bytes the user chose, and
 * reading them.
 */

/** What the user chose; filled by the options below. */
struct cmd_choice {
	const char *range, *account, *section, *symbol, *mapping;
	bool all, from_files;
};
extern struct cmd_choice cmd_choice;

#define CMD_RANGE_OPTIONS                                                   \
	{ .name = "range", .argument = "A-B|A+N", .text = &cmd_choice.range, \
	  .help = "from address A up to B, which is not included, both\n"    \
		  "hexadecimal; or N bytes" },                              \
	{ .name = "mapping", .argument = "ADDRESS|PATH",                    \
	  .text = &cmd_choice.mapping,                                      \
	  .help = "the mapping with this address, or all of a file or\n"    \
		  "name (\"[heap]\")" },                                    \
	{ .name = "section", .argument = "[FILE:]NAME",                     \
	  .text = &cmd_choice.section,                                      \
	  .help = "a section of the executable, or of the shared object\n"  \
		  "called FILE" },                                          \
	{ .name = "symbol", .argument = "[FILE:]NAME[+N]",                  \
	  .text = &cmd_choice.symbol,                                       \
	  .help = "a variable or function, without its first N bytes"  },   \
	{ .name = "account", .argument = "NAME",                            \
	  .text = &cmd_choice.account,                                      \
	  .help = "what the ledger posts to this account, or below it\n"    \
		  "(\"go/stacks\")" },                                      \
	{ .name = "all", .flag = &cmd_choice.all,                           \
	  .help = "every mapping that may be read" },                       \
	{ .name = "from-files", .flag = &cmd_choice.from_files,             \
	  .help = "read pages of files that are not resident from the\n"    \
		  "files" }

struct cmd_range {
	uint64_t start, end;
};

struct cmd_ranges {
	MW_VEC(struct cmd_range) list;
};

/** Add a range. Empty ones are left out. */
MW_MUST_USE struct mw_error *cmd_ranges_add(struct cmd_ranges *ranges,
					    uint64_t start, uint64_t end);
/** Sort the ranges and join those that touch. */
void cmd_ranges_tidy(struct cmd_ranges *ranges);

/** Parse "A-B" or "A+N". */
MW_MUST_USE struct mw_error *cmd_parse_range(const char *text,
					     uint64_t *ret_start,
					     uint64_t *ret_end);
/** Parse an address: hexadecimal, 0x or not. False when it is none. */
bool cmd_parse_address(const char *text, uint64_t *ret);

/** The chosen bytes of a target. */
struct cmd_bytes {
	struct cmd_books books; /* the ledger only when it was needed */
	struct cmd_ranges ranges; /* ascending, apart from each other */
	struct mw_extents extents; /* the same by kind */
	/* Set when the bytes are a section's, straight from the file. */
	const struct mw_elf_section *file_section;
	int file_fd; /* 0 or less: none */
	int held_output; /* 1 + standard output while it is held back, or 0 */
	uint64_t begun_ns;
};

/**
 * Open the target of @call and find the bytes that were chosen; all of them
 * when nothing was and @all_is_default. A stopped target stays stopped, and
 * standard output held back, until cmd_bytes_release(). @bytes must be zeroed; free it also after an error.
 */
MW_MUST_USE struct mw_error *cmd_bytes_take(const struct cmd_call *call,
					    bool all_is_default,
					    struct cmd_bytes *bytes);
void cmd_bytes_free(struct cmd_bytes *bytes);

/** How many of the chosen bytes will be read, as far as is known before. */
uint64_t cmd_bytes_to_read(const struct cmd_bytes *bytes);

/** Hold standard output back until cmd_bytes_release(). */
void cmd_hold_output(struct cmd_bytes *bytes);

/**
 * Reading is done: let the target run on, and take the times. What was printed
 * while it was stopped goes out only now, so that whoever reads it cannot
 * prolong the stop.
 */
void cmd_bytes_release(struct cmd_bytes *bytes);

/** mw_target_stream() for @count of the extents. */
MW_MUST_USE struct mw_error *cmd_bytes_stream(struct cmd_bytes *bytes,
					      const struct mw_extent *extents,
					      size_t count,
					      const struct mw_stream *stream);

/** Read few bytes. False when they cannot all be had. */
bool cmd_bytes_read(struct cmd_bytes *bytes, uint64_t va, void *to,
		    size_t count);

/** Whether an extent's bytes are read, as far as is known before. */
bool cmd_is_read(const struct mw_extent *extent);

/** Whether @piece should have been read, and could not be. */
bool cmd_is_lost(const struct mw_piece *piece);

/**
 * Note what of the chosen bytes was not read, and why: "… were not @done"
 * ("searched"). @lost bytes could not be read after all.
 */
void cmd_note_absent(struct cmd_bytes *bytes, uint64_t lost, const char *done);

/** How far a long work is: a line on standard error, if that is a terminal. */
struct cmd_progress {
	const char *what; /* "searched" */
	uint64_t total_bytes, done_bytes;
	uint64_t next_ns; /* when to show it again */
	bool is_shown;
};
void cmd_progress_begin(struct cmd_progress *progress, const char *what,
			uint64_t total_bytes);
void cmd_progress_add(struct cmd_progress *progress, uint64_t bytes);
void cmd_progress_end(struct cmd_progress *progress);

/* Tables (cmd_rows.c) */

/** A table that is printed while it is made; in text, when it ends. */
struct cmd_rows {
	const struct cmd_call *call;
	const struct cmd_bytes *bytes;
	struct mw_table table;
	struct mw_json json;
};

/** @columns outlive the rows. */
void cmd_rows_begin(struct cmd_rows *rows, const struct cmd_call *call,
		    const struct cmd_bytes *bytes,
		    const struct mw_column *columns, size_t count);
/** As mw_table_add(). */
struct mw_cell *cmd_rows_add(struct cmd_rows *rows);
/** The target has been released; its notes are complete. */
void cmd_rows_end(struct cmd_rows *rows);

/* Accounts (cmd_accounts.c) */

/** Add what the accounts at or below @name have. Takes the books. */
MW_MUST_USE struct mw_error *cmd_account_ranges(const struct cmd_call *call,
						const char *name,
						struct cmd_books *books,
						struct cmd_ranges *ranges);

/**
 * The account of each of @count ascending addresses: an index into
 * mw_ledger_accounts(), or CMD_NO_ACCOUNT. Takes the books.
 */
#define CMD_NO_ACCOUNT UINT32_MAX
MW_MUST_USE struct mw_error *cmd_account_of(const struct cmd_call *call,
					    struct cmd_books *books,
					    const uint64_t *vas, size_t count,
					    mw_account_id *ret);

#endif
