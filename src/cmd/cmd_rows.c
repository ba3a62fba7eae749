/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_ranges.h"

/** Rows that are kept before they are printed. */
#define KEPT 256

void cmd_rows_begin(struct cmd_rows *rows, const struct cmd_call *call,
		    const struct cmd_bytes *bytes,
		    const struct mw_column *columns, size_t count)
{
	rows->call = call;
	rows->bytes = bytes;
	mw_table_init(&rows->table, columns, count);
	if (call->format == MW_FORMAT_TEXT)
		return;
	if (call->format == MW_FORMAT_CSV) {
		mw_table_emit_csv_head(&rows->table, stdout);
		return;
	}
	cmd_json_begin_early(&rows->json, call, bytes->books.target,
			     bytes->books.go);
	mw_json_columns(&rows->json, &rows->table);
}

static void flush(struct cmd_rows *rows)
{
	if (rows->call->format == MW_FORMAT_CSV)
		mw_table_emit_csv_rows(&rows->table, stdout);
	else
		mw_json_rows(&rows->json, &rows->table);
	mw_table_clear(&rows->table);
}

struct mw_cell *cmd_rows_add(struct cmd_rows *rows)
{
	if (rows->call->format != MW_FORMAT_TEXT &&
	    mw_table_rows(&rows->table) >= KEPT)
		flush(rows);
	return mw_table_add(&rows->table);
}

void cmd_rows_end(struct cmd_rows *rows)
{
	const struct cmd_books *books = &rows->bytes->books;

	if (rows->call->format == MW_FORMAT_TEXT)
		mw_table_emit_text(&rows->table, stdout, &rows->call->style);
	else
		flush(rows);
	if (rows->call->format == MW_FORMAT_JSON) {
		mw_json_end(&rows->json);
		cmd_json_capture(&rows->json, books->target,
				 books->stopped_ns, books->wall_ns);
		cmd_json_end(&rows->json, books->target);
	}
	mw_table_deinit(&rows->table);
}
