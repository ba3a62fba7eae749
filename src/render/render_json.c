/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "mw_num.h"
#include "render_int.h"

/*
 * A table of a million rows is ten million cells, each of several pieces. So
 * stdout is not locked for each piece: one thread writes.
 */
static void put(FILE *out, const void *text, size_t bytes)
{
	fwrite_unlocked(text, 1, bytes, out);
}

static void put_char(FILE *out, char c)
{
	putc_unlocked(c, out);
}

void mw_json_init(struct mw_json *json, FILE *out)
{
	*json = (struct mw_json){ .out = out, .first = { true } };
}

/* A comma, a line's end and the blanks at the start of the deepest line. */
#define NEW_LINE (2 * MW_COUNT(((struct mw_json *)0)->first) + 2)

/** What begins another value, or the bracket behind the last; its length. */
static size_t add_new_line(const struct mw_json *json, bool comma,
			   char to[static NEW_LINE])
{
	size_t n = 0;

	if (comma)
		to[n++] = ',';
	to[n++] = json->is_line ? ' ' : '\n';
	if (!json->is_line) {
		memset(to + n, ' ', 2 * json->depth);
		n += 2 * json->depth;
	}
	return n;
}

static void new_line(struct mw_json *json, bool comma)
{
	char text[NEW_LINE];

	put(json->out, text, add_new_line(json, comma, text));
}

/** What stands before a value: a comma and a line, or nothing after a key. */
static void before_value(struct mw_json *json)
{
	if (json->after_key) {
		json->after_key = false;
		return;
	}
	assert(json->depth == 0 || json->is_array[json->depth]);
	if (json->depth == 0)
		return;
	new_line(json, !json->first[json->depth]);
	json->first[json->depth] = false;
}

static void open_value(struct mw_json *json, char bracket, bool is_array)
{
	before_value(json);
	put_char(json->out, bracket);
	json->depth++;
	assert(json->depth < MW_COUNT(json->first));
	json->first[json->depth] = true;
	json->is_array[json->depth] = is_array;
}

void mw_json_object(struct mw_json *json)
{
	open_value(json, '{', false);
}

void mw_json_array(struct mw_json *json)
{
	open_value(json, '[', true);
}

void mw_json_end(struct mw_json *json)
{
	bool empty = json->first[json->depth];
	char bracket = json->is_array[json->depth] ? ']' : '}';

	assert(json->depth > 0 && !json->after_key);
	json->depth--;
	if (!empty)
		new_line(json, false);
	put_char(json->out, bracket);
	if (json->depth == 0)
		put_char(json->out, '\n');
}

/** How many bytes at @c need no care in a string. */
static size_t plain_run(const uint8_t *c)
{
	const uint8_t *start = c;

	while (*c >= 0x20 && *c < 0x7f && *c != '"' && *c != '\\')
		c++;
	return (size_t)(c - start);
}

static void print_string(FILE *out, const char *text)
{
	char short_one[256];
	size_t bytes = plain_run((const uint8_t *)text);

	if (!text[bytes] && bytes + 2 <= sizeof(short_one)) {
		short_one[0] = short_one[bytes + 1] = '"';
		memcpy(short_one + 1, text, bytes);
		put(out, short_one, bytes + 2);
		return;
	}
	put_char(out, '"');
	for (const uint8_t *c = (const uint8_t *)text; *c;) {
		size_t run = plain_run(c);
		unsigned len;

		if (run > 0) {
			put(out, c, run);
			c += run;
			continue;
		}
		len = mw_utf8_len(c);
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (len > 0 && mw_utf8_is_control(c))
			fprintf(out, "\\u%04x", c[len - 1]);
		else if (len > 0)
			put(out, c, len);
		else // no character: as Python's surrogateescape has it
			fprintf(out, "\\udc%02x", *c);
		c += len ? len : 1;
	}
	put_char(out, '"');
}

void mw_json_key(struct mw_json *json, const char *key)
{
	assert(json->depth > 0 && !json->is_array[json->depth] &&
	       !json->after_key);
	char text[NEW_LINE + 64];
	size_t n = add_new_line(json, !json->first[json->depth], text);
	size_t bytes = plain_run((const uint8_t *)key);

	json->first[json->depth] = false;
	json->after_key = true;
	if (key[bytes] || n + bytes + 4 > sizeof(text)) {
		put(json->out, text, n);
		print_string(json->out, key);
		put(json->out, ": ", 2);
		return;
	}
	// Nearly all are short and plain: in one piece.
	text[n++] = '"';
	memcpy(text + n, key, bytes);
	memcpy(text + n + bytes, "\": ", 3);
	put(json->out, text, n + bytes + 3);
}

void mw_json_text(struct mw_json *json, const char *text)
{
	before_value(json);
	if (text)
		print_string(json->out, text);
	else
		put(json->out, "null", 4);
}

/** As printf() would, which takes a third of the time of a large table. */
static void put_number(FILE *out, uint64_t value)
{
	char digits[24], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	put(out, at, (size_t)(digits + sizeof(digits) - at));
}

void mw_json_u64(struct mw_json *json, uint64_t value)
{
	before_value(json);
	put_number(json->out, value);
}

void mw_json_i64(struct mw_json *json, int64_t value)
{
	before_value(json);
	fprintf(json->out, "%" PRId64, value);
}

void mw_json_bool(struct mw_json *json, bool value)
{
	before_value(json);
	fputs(value ? "true" : "false", json->out);
}

void mw_json_real(struct mw_json *json, double value)
{
	char text[32];

	before_value(json);
	fputs(isfinite(value) ? mw_format_real(text, value) : "null",
	      json->out);
}

void mw_json_null(struct mw_json *json)
{
	mw_json_text(json, NULL);
}

void mw_json_address(struct mw_json *json, uint64_t address)
{
	char text[24];
	size_t at = sizeof(text);

	before_value(json);
	text[--at] = '"';
	do
		text[--at] = "0123456789abcdef"[address & 15];
	while (address >>= 4);
	at -= 3;
	memcpy(text + at, "\"0x", 3);
	put(json->out, text + at, sizeof(text) - at);
}

void mw_json_member_text(struct mw_json *json, const char *key,
			 const char *text)
{
	mw_json_key(json, key);
	mw_json_text(json, text);
}

void mw_json_member_u64(struct mw_json *json, const char *key, uint64_t value)
{
	mw_json_key(json, key);
	mw_json_u64(json, value);
}

void mw_json_member_i64(struct mw_json *json, const char *key, int64_t value)
{
	mw_json_key(json, key);
	mw_json_i64(json, value);
}

void mw_json_member_bool(struct mw_json *json, const char *key, bool value)
{
	mw_json_key(json, key);
	mw_json_bool(json, value);
}

void mw_json_member_real(struct mw_json *json, const char *key, double value)
{
	mw_json_key(json, key);
	mw_json_real(json, value);
}

void mw_json_member_address(struct mw_json *json, const char *key,
			    uint64_t address)
{
	mw_json_key(json, key);
	mw_json_address(json, address);
}

static void emit_number(struct mw_json *json, const struct mw_cell *cell)
{
	double real;

	switch (cell->kind) {
	case MW_NUMBER_INTEGER:
		mw_json_u64(json, cell->value);
		break;
	case MW_NUMBER_REAL:
		memcpy(&real, &cell->value, sizeof(real));
		mw_json_real(json, real);
		break;
	case MW_NUMBER_TEXT:
		mw_json_text(json, cell->text);
		break;
	case MW_NUMBER_BOOL:
		mw_json_bool(json, cell->value != 0);
		break;
	}
}

static void emit_cell(struct mw_json *json, const struct mw_column *column,
		      const struct mw_cell *cell)
{
	mw_json_key(json, column->name);
	if (cell->empty)
		mw_json_null(json);
	else if (column->unit == MW_UNIT_TEXT)
		mw_json_text(json, cell->text ? cell->text : "");
	else if (column->unit == MW_UNIT_DELTA)
		mw_json_i64(json, (int64_t)cell->value);
	else if (column->unit == MW_UNIT_ADDRESS)
		mw_json_address(json, cell->value);
	else
		emit_number(json, cell);
}

void mw_json_columns(struct mw_json *json, const struct mw_table *table)
{
	mw_json_key(json, "columns");
	mw_json_array(json);
	for (size_t i = 0; i < table->column_count; i++) {
		mw_json_object(json);
		mw_json_key(json, "name");
		mw_json_text(json, table->columns[i].name);
		mw_json_key(json, "unit");
		mw_json_text(json, mw_unit_name(table->columns[i].unit));
		mw_json_end(json);
	}
	mw_json_end(json);
	mw_json_key(json, "rows");
	mw_json_array(json);
}

void mw_json_rows(struct mw_json *json, const struct mw_table *table)
{
	for (size_t row = 0; row < mw_table_rows(table); row++) {
		mw_json_object(json);
		for (size_t i = 0; i < table->column_count; i++)
			emit_cell(json, &table->columns[i],
				  &table->cells.v[row * table->column_count +
						  i]);
		mw_json_end(json);
	}
}

void mw_json_table(struct mw_json *json, const struct mw_table *table)
{
	mw_json_columns(json, table);
	mw_json_rows(json, table);
	mw_json_end(json);
}
