/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "mw_num.h"
#include "render_int.h"

void mw_json_init(struct mw_json *json, FILE *out)
{
	*json = (struct mw_json){ .out = out, .first = { true } };
}

static void new_line(struct mw_json *json)
{
	static const char blanks[2 * MW_COUNT(json->first) + 2] =
		"\n                                "
		"                                ";

	if (json->is_line)
		putc(' ', json->out);
	else
		fwrite(blanks, 1, 1 + 2 * json->depth, json->out);
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
	if (!json->first[json->depth])
		putc(',', json->out);
	json->first[json->depth] = false;
	new_line(json);
}

static void open_value(struct mw_json *json, char bracket, bool is_array)
{
	before_value(json);
	putc(bracket, json->out);
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
		new_line(json);
	putc(bracket, json->out);
	if (json->depth == 0)
		putc('\n', json->out);
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
	putc('"', out);
	for (const uint8_t *c = (const uint8_t *)text; *c;) {
		size_t run = plain_run(c);
		unsigned len;

		if (run > 0) {
			fwrite(c, 1, run, out);
			c += run;
			continue;
		}
		len = mw_utf8_len(c);
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (len > 0 && mw_utf8_is_control(c))
			fprintf(out, "\\u%04x", c[len - 1]);
		else if (len > 0)
			fwrite(c, 1, len, out);
		else // no character: as Python's surrogateescape has it
			fprintf(out, "\\udc%02x", *c);
		c += len ? len : 1;
	}
	putc('"', out);
}

void mw_json_key(struct mw_json *json, const char *key)
{
	assert(json->depth > 0 && !json->is_array[json->depth] &&
	       !json->after_key);
	if (!json->first[json->depth])
		putc(',', json->out);
	json->first[json->depth] = false;
	new_line(json);
	print_string(json->out, key);
	fputs(": ", json->out);
	json->after_key = true;
}

void mw_json_text(struct mw_json *json, const char *text)
{
	before_value(json);
	if (text)
		print_string(json->out, text);
	else
		fputs("null", json->out);
}

/** As printf() would, which takes a third of the time of a large table. */
static void put_number(FILE *out, uint64_t value, unsigned base)
{
	char digits[24], *at = digits + sizeof(digits);

	do
		*--at = "0123456789abcdef"[value % base];
	while (value /= base);
	fwrite(at, 1, (size_t)(digits + sizeof(digits) - at), out);
}

void mw_json_u64(struct mw_json *json, uint64_t value)
{
	before_value(json);
	put_number(json->out, value, 10);
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
	before_value(json);
	fputs("\"0x", json->out);
	put_number(json->out, address, 16);
	putc('"', json->out);
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
