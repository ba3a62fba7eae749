/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mw_num.h"
#include "render_int.h"

void mw_table_init(struct mw_table *table, const struct mw_column *columns,
		   size_t count)
{
	assert(count > 0);
	*table = (struct mw_table){
		.columns = columns,
		.column_count = count,
	};
}

void mw_table_clear(struct mw_table *table)
{
	for (size_t i = 0; i < table->cells.n; i++)
		if (!table->cells.v[i].borrowed)
			mw_free(table->cells.v[i].text);
	table->cells.n = 0;
}

void mw_table_deinit(struct mw_table *table)
{
	mw_table_clear(table);
	mw_vec_free(&table->cells);
}

size_t mw_table_rows(const struct mw_table *table)
{
	return table->cells.n / table->column_count;
}

struct mw_cell *mw_table_add(struct mw_table *table)
{
	size_t begin = table->cells.n;

	for (size_t i = 0; i < table->column_count; i++) {
		struct mw_cell *cell = mw_vec_push(&table->cells);

		if (!cell) {
			table->cells.n = begin;
			return NULL;
		}
		*cell = (struct mw_cell){ .empty = true };
	}
	return &table->cells.v[begin];
}

bool mw_cell_text(struct mw_cell *cell, const char *text)
{
	char *copy = mw_strdup(text);

	if (!copy)
		return false;
	if (!cell->borrowed)
		mw_free(cell->text);
	cell->text = copy;
	cell->empty = cell->borrowed = false;
	return true;
}

void mw_cell_borrow(struct mw_cell *cell, const char *text)
{
	if (!cell->borrowed)
		mw_free(cell->text);
	// Only what the table owns is ever written or freed.
	cell->text = (char *)text;
	cell->empty = false;
	cell->borrowed = true;
}

void mw_cell_value(struct mw_cell *cell, uint64_t value)
{
	cell->value = value;
	cell->empty = false;
}

void mw_cell_number(struct mw_cell *cell, enum mw_number kind,
		    enum mw_unit unit, uint64_t value)
{
	mw_cell_value(cell, value);
	cell->kind = kind;
	cell->unit = unit;
}

static const char *number_text(const struct mw_cell *cell, bool exact,
			       char buffer[static 32])
{
	double real;

	switch (cell->kind) {
	case MW_NUMBER_BOOL:
		return cell->value ? "true" : "false";
	case MW_NUMBER_REAL:
		memcpy(&real, &cell->value, sizeof(real));
		return mw_format_real(buffer, real);
	case MW_NUMBER_TEXT:
		return cell->text ? cell->text : "";
	case MW_NUMBER_INTEGER:
		break;
	}
	if (cell->unit == MW_UNIT_BYTES)
		return mw_format_bytes(buffer, cell->value, exact);
	if (cell->unit == MW_UNIT_NS)
		return mw_format_ns(buffer, cell->value, exact);
	snprintf(buffer, 32, "%" PRIu64, cell->value);
	return buffer;
}

/** The cell as text; @buffer is used where it has no text of its own. */
static const char *cell_text(const struct mw_column *column,
			     const struct mw_cell *cell, bool exact,
			     char buffer[static 32])
{
	if (cell->empty)
		return "";
	switch (column->unit) {
	case MW_UNIT_TEXT:
		return cell->text ? cell->text : "";
	case MW_UNIT_BYTES:
		return mw_format_bytes(buffer, cell->value, exact);
	case MW_UNIT_DELTA:
		return mw_format_delta(buffer, (int64_t)cell->value, exact);
	case MW_UNIT_ADDRESS:
	case MW_UNIT_OFFSET:
		snprintf(buffer, 32, "%" PRIx64, cell->value);
		return buffer;
	case MW_UNIT_COUNT:
		snprintf(buffer, 32, "%" PRIu64, cell->value);
		return buffer;
	case MW_UNIT_NS:
		return mw_format_ns(buffer, cell->value, exact);
	case MW_UNIT_NUMBER:
		return number_text(cell, exact, buffer);
	}
	return "";
}

static bool is_left_aligned(const struct mw_column *column)
{
	return column->unit == MW_UNIT_TEXT;
}

/** A line being written, in as many columns as there are. */
struct line {
	FILE *out; /* NULL: only measured */
	size_t room; /* columns left */
	size_t used;
};

static void advance(struct line *line, size_t columns)
{
	line->used += columns;
	line->room -= columns;
}

/** Write @text, as far as there is room, and tell how many columns that takes. */
static size_t put(struct line *line, const char *text)
{
	enum { WIDEST = 16 }; // columns of a character
	size_t columns = mw_put_text(line->out, text, strlen(text), line->room);

	advance(line, columns);
	if (line->room < WIDEST && columns < mw_text_width(text))
		line->room = 0; // nothing more behind a text that is cut
	return columns;
}

static void pad(struct line *line, size_t count)
{
	static const char blanks[] = "                                ";

	for (count = mw_min(count, line->room); count > 0;) {
		size_t part = mw_min(count, sizeof(blanks) - 1);

		if (line->out)
			fwrite(blanks, 1, part, line->out);
		advance(line, part);
		count -= part;
	}
}

/** The last column that is shown, if nothing need be put behind its text. */
static size_t unpadded_column(const struct mw_table *table)
{
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].heading)
			last = i;
	return last < SIZE_MAX && is_left_aligned(&table->columns[last])
		       ? last
		       : SIZE_MAX;
}

typedef const char *cell_fn(void *ctx, size_t column);

static void put_cells(const struct mw_table *table, const size_t *widths,
		      cell_fn *text, void *ctx, struct line *line)
{
	size_t owed = 0; // blanks that are only written before more text
	size_t unpadded = unpadded_column(table);

	for (size_t i = 0; i < table->column_count; i++) {
		const struct mw_column *column = &table->columns[i];

		if (!column->heading)
			continue;
		const char *value = text(ctx, i);
		size_t width = i == unpadded ? 0 : widths[i], columns;

		if (!*value) {
			owed += width + 2;
		} else if (is_left_aligned(column)) {
			pad(line, owed);
			columns = put(line, value);
			owed = 2 + (width > columns ? width - columns : 0);
		} else {
			pad(line, owed + width - mw_text_width(value));
			put(line, value);
			owed = 2;
		}
	}
}

/** Write a line, cut to @room columns where that is not 0. */
static void emit_line(const struct mw_table *table, FILE *out, size_t room,
		      const size_t *widths, cell_fn *text, void *ctx)
{
	struct line whole = { .room = SIZE_MAX };
	struct line line = { .out = out, .room = SIZE_MAX };

	if (room > 0)
		put_cells(table, widths, text, ctx, &whole);
	if (whole.used > room)
		line.room = room - 1;
	put_cells(table, widths, text, ctx, &line);
	if (whole.used > room)
		fputs("…", out);
	putc('\n', out);
}

struct row_ctx {
	const struct mw_table *table;
	const struct mw_style *style;
	size_t row;
	char buffer[32];
};

static const char *heading_text(void *ctx, size_t column)
{
	struct row_ctx *c = ctx;

	return c->table->columns[column].heading;
}

static const char *row_text(void *ctx, size_t column)
{
	struct row_ctx *c = ctx;
	size_t at = c->row * c->table->column_count + column;

	return cell_text(&c->table->columns[column], &c->table->cells.v[at],
			 c->style->exact_bytes, c->buffer);
}

void mw_table_emit_text(const struct mw_table *table, FILE *out,
			const struct mw_style *style)
{
	struct row_ctx ctx = { .table = table, .style = style };
	size_t widths[64] = { 0 };
	// Lines are cut to a terminal's width; elsewhere nothing is lost.
	size_t room = style->is_terminal ? style->width : 0;
	// Its texts are the longest in a list of names: not worth measuring.
	size_t unpadded = unpadded_column(table);

	assert(table->column_count <= MW_COUNT(widths));
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].heading)
			widths[i] = mw_text_width(table->columns[i].heading);
	for (ctx.row = 0; ctx.row < mw_table_rows(table); ctx.row++)
		for (size_t i = 0; i < table->column_count; i++)
			if (table->columns[i].heading && i != unpadded)
				widths[i] = mw_max(widths[i],
						   mw_text_width(row_text(
							   &ctx, i)));

	if (style->color)
		fputs("\033[1m", out);
	emit_line(table, out, room, widths, heading_text, &ctx);
	if (style->color)
		fputs("\033[0m", out);
	for (ctx.row = 0; ctx.row < mw_table_rows(table); ctx.row++)
		emit_line(table, out, room, widths, row_text, &ctx);
}

void mw_csv_text(FILE *out, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', out);
		putc(*text, out);
	}
	putc('"', out);
}

static void emit_csv_number(FILE *out, const struct mw_cell *cell)
{
	char buffer[32];

	mw_csv_text(out, number_text(cell, true, buffer));
}

void mw_table_emit_csv_head(const struct mw_table *table, FILE *out)
{
	for (size_t i = 0; i < table->column_count; i++)
		fprintf(out, "%s%s", i ? "," : "", table->columns[i].name);
	putc('\n', out);
}

void mw_table_emit_csv(const struct mw_table *table, FILE *out)
{
	mw_table_emit_csv_head(table, out);
	mw_table_emit_csv_rows(table, out);
}

void mw_table_emit_csv_rows(const struct mw_table *table, FILE *out)
{
	for (size_t at = 0; at < table->cells.n; at++) {
		size_t i = at % table->column_count;
		const struct mw_cell *cell = &table->cells.v[at];

		if (i)
			putc(',', out);
		if (!cell->empty) {
			if (table->columns[i].unit == MW_UNIT_TEXT)
				mw_csv_text(out, cell->text ? cell->text : "");
			else if (table->columns[i].unit == MW_UNIT_ADDRESS)
				fprintf(out, "0x%" PRIx64, cell->value);
			else if (cell->kind != MW_NUMBER_INTEGER)
				emit_csv_number(out, cell);
			else if (table->columns[i].unit == MW_UNIT_DELTA)
				fprintf(out, "%" PRId64, (int64_t)cell->value);
			else
				fprintf(out, "%" PRIu64, cell->value);
		}
		if (i + 1 == table->column_count)
			putc('\n', out);
	}
}
