/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_RENDER_H
#define MW_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mw_error.h"
#include "mw_map64.h"
#include "mw_vec.h"

/*
 * Typed tables and trees, and their forms: text for people, JSON and CSV for
 * programs. A command fills a table once; the same numbers come out in every
 * form.
 */

enum mw_format {
	MW_FORMAT_TEXT,
	MW_FORMAT_JSON,
	MW_FORMAT_CSV,
};

/** How text is to look. */
struct mw_style {
	bool is_terminal;
	bool color;
	bool exact_bytes; /* 4096 instead of 4.00 KiB */
	unsigned width;	  /* columns to fit in */
};

/** Style for @out: colour only on a terminal and without NO_COLOR. */
struct mw_style mw_style_for(FILE *out);

enum mw_unit {
	MW_UNIT_TEXT,
	MW_UNIT_BYTES,
	MW_UNIT_DELTA, /* bytes more or, as an int64_t, less */
	MW_UNIT_COUNT,
	MW_UNIT_ADDRESS,
	MW_UNIT_NS,
	MW_UNIT_OFFSET, /* in a file, in bytes: hexadecimal in text */
	/* A number of the kind and unit that each cell tells by itself. */
	MW_UNIT_NUMBER,
};

/** The unit's name in JSON. */
const char *mw_unit_name(enum mw_unit unit);

/**
 * Write @bytes for people into @text: three significant digits and a binary
 * unit, or all digits when @exact. Returns @text.
 */
const char *mw_format_bytes(char text[static 32], uint64_t bytes, bool exact);

/** The same with a sign: "+4.00 KiB", "-1 B"; "" for none. */
const char *mw_format_delta(char text[static 32], int64_t bytes, bool exact);

/** The same for a time: "830 ms", "12.3 s", "5.0 min", "3.2 h", "12 d". */
const char *mw_format_ns(char text[static 32], uint64_t ns, bool exact);

/**
 * Write @value with as few digits as read back to the same. Returns @text.
 */
const char *mw_format_real(char text[static 32], double value);

/**
 * Write @text so that a terminal shows it and obeys nothing in it: control
 * characters, those that turn the direction of text, and bytes that are not
 * UTF-8 as \xNN.
 */
void mw_print_escaped(FILE *out, const char *text);

/**
 * Write @text word by word in lines of at most @width columns, of which the
 * first has already @used columns and all others begin with @indent blanks; a
 * line end last.
 */
void mw_print_wrapped(FILE *out, const char *text, unsigned used,
		      unsigned indent, unsigned width);

/* Tables */

struct mw_column {
	const char *name;    /* in JSON and CSV */
	const char *heading; /* in text; NULL: not shown in text */
	enum mw_unit unit;
	const char *help; /* what it means, for --help; may be NULL */
};

/** What a cell of a column of MW_UNIT_NUMBER holds. */
enum mw_number {
	MW_NUMBER_INTEGER,
	MW_NUMBER_REAL, /* value has the bits of a double */
	MW_NUMBER_BOOL,
	MW_NUMBER_TEXT, /* no number after all: the text */
};

struct mw_cell {
	/* MW_UNIT_TEXT: the table's own unless borrowed; NULL is empty */
	char *text;
	uint64_t value; /* all other units */
	bool empty;	/* no value: null in JSON, blank elsewhere */
	bool borrowed;
	/* In a column of MW_UNIT_NUMBER: */
	enum mw_number kind;
	enum mw_unit unit; /* of an integer */
};

/** A table of rows; the columns are borrowed and outlive it. */
struct mw_table {
	const struct mw_column *columns;
	size_t column_count;
	MW_VEC(struct mw_cell) cells; /* row after row */
};

void mw_table_init(struct mw_table *table, const struct mw_column *columns,
		   size_t count);
void mw_table_deinit(struct mw_table *table);

size_t mw_table_rows(const struct mw_table *table);

/** Forget all rows, to begin with others. */
void mw_table_clear(struct mw_table *table);

/** Begin a row of empty cells; its cells, until the next row. NULL: memory. */
struct mw_cell *mw_table_add(struct mw_table *table);

/** Put a copy of @text in a cell. False without memory. */
bool mw_cell_text(struct mw_cell *cell, const char *text);
/** The same without a copy, in a table of many rows: @text outlives it. */
void mw_cell_borrow(struct mw_cell *cell, const char *text);
void mw_cell_value(struct mw_cell *cell, uint64_t value);
/** The same in a column of MW_UNIT_NUMBER. */
void mw_cell_number(struct mw_cell *cell, enum mw_number kind,
		    enum mw_unit unit, uint64_t value);

void mw_table_emit_text(const struct mw_table *table, FILE *out,
			const struct mw_style *style);
/** A text as a field of CSV, quoted where need be. */
void mw_csv_text(FILE *out, const char *text);
void mw_table_emit_csv(const struct mw_table *table, FILE *out);

/* JSON */

/**
 * Writes JSON, indented by two blanks. The caller nests the calls rightly;
 * that is asserted.
 */
struct mw_json {
	FILE *out;
	bool is_line; /* all in one line; set after mw_json_init() */
	unsigned depth;
	bool first[32]; /* nothing written yet at this depth */
	bool is_array[32];
	bool after_key;
};

void mw_json_init(struct mw_json *json, FILE *out);
void mw_json_object(struct mw_json *json);
void mw_json_array(struct mw_json *json);
/** End the innermost object or array. */
void mw_json_end(struct mw_json *json);
void mw_json_key(struct mw_json *json, const char *key);
void mw_json_text(struct mw_json *json, const char *text); /* NULL: null */
void mw_json_u64(struct mw_json *json, uint64_t value);
void mw_json_i64(struct mw_json *json, int64_t value);
void mw_json_bool(struct mw_json *json, bool value);
/** The shortest text that reads back the same; null for what is no number. */
void mw_json_real(struct mw_json *json, double value);
void mw_json_null(struct mw_json *json);
void mw_json_address(struct mw_json *json, uint64_t address);

/** The two members "columns" and "rows" of the innermost object. */
/** A key and its value. */
void mw_json_member_text(struct mw_json *json, const char *key,
			 const char *text);
void mw_json_member_u64(struct mw_json *json, const char *key, uint64_t value);
void mw_json_member_i64(struct mw_json *json, const char *key, int64_t value);
void mw_json_member_bool(struct mw_json *json, const char *key, bool value);
void mw_json_member_real(struct mw_json *json, const char *key, double value);
void mw_json_member_address(struct mw_json *json, const char *key,
			    uint64_t address);
void mw_json_table(struct mw_json *json, const struct mw_table *table);

/* A table in pieces: first the columns, then rows again and again. */

/** "columns", and "rows" as an array that mw_json_end() ends. */
void mw_json_columns(struct mw_json *json, const struct mw_table *table);
void mw_json_rows(struct mw_json *json, const struct mw_table *table);
void mw_table_emit_csv_head(const struct mw_table *table, FILE *out);
void mw_table_emit_csv_rows(const struct mw_table *table, FILE *out);

/* Trees */

struct mw_tree_node {
	const char *label; /* borrowed */
	const char *gloss; /* borrowed; may be NULL */
	uint64_t bytes;
	uint64_t second; /* another figure of the same kind */
	size_t parent; /* index; the root is its own parent */
	size_t leaves; /* leaves below, set by mw_tree_finish() */
	size_t same_hash; /* 1 + next node with this hash, or 0 */
};

/** A tree of byte counts; node 0 is the root. */
struct mw_tree {
	MW_VEC(struct mw_tree_node) nodes;
	struct mw_map64 by_hash; /* parent and label -> 1 + node */
};

/** Child of @parent called @label, made if new. SIZE_MAX without memory. */
size_t mw_tree_child(struct mw_tree *tree, size_t parent, const char *label);
size_t mw_tree_root(struct mw_tree *tree, const char *label);
void mw_tree_free(struct mw_tree *tree);

/** Add the bytes of leaves to their ancestors. */
void mw_tree_finish(struct mw_tree *tree);

struct mw_tree_options {
	const char *heading; /* of the byte column */
	const char *second_heading; /* NULL: the second figure is not shown */
	/* Nodes below this are summed up in one line a parent; 0 shows all. */
	uint64_t fold_below_bytes;
};

/** Errors: MW_E_NOMEM, with nothing written. */
MW_MUST_USE struct mw_error *
mw_tree_emit_text(const struct mw_tree *tree, FILE *out,
		  const struct mw_style *style,
		  const struct mw_tree_options *options);

#endif
