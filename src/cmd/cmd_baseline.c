/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_figures.h"

/* ledger --baseline: what has changed since an earlier capture. */

struct mw_error *cmd_baseline_take(const struct cmd_call *call,
				   const char *name,
				   const struct cmd_books *books,
				   const struct mw_findings *found,
				   size_t field, struct cmd_baseline *ret)
{
	struct mw_error *error = cmd_figures_take(call, name, &ret->before);

	ret->name = name;
	mw_table_init(&ret->table, cmd_change_columns,
		      cmd_change_column_count);
	if (!error)
		error = cmd_figures_of_books(books, found, NULL, &ret->after);
	if (!error)
		error = cmd_compare(&ret->before, &ret->after, false,
				    &ret->changes);
	if (error)
		return error;
	cmd_warn_of_others(&ret->before, &ret->after);
	return cmd_fill_changes(&ret->table, &ret->changes, field);
}

void cmd_baseline_free(struct cmd_baseline *baseline)
{
	mw_table_deinit(&baseline->table);
	cmd_changes_free(&baseline->changes);
	cmd_figures_free(&baseline->before);
	cmd_figures_free(&baseline->after);
}

/** The largest changes; all of them with --verbose. */
void cmd_baseline_print(const struct cmd_baseline *baseline,
			const struct cmd_call *call)
{
	enum { MOST_ROWS = 16 };
	struct mw_table shown = baseline->table;
	size_t rows = mw_table_rows(&shown);

	if (!call->verbose && rows > MOST_ROWS)
		shown.cells.n = MOST_ROWS * shown.column_count;
	fputs("\nSince ", stdout);
	mw_print_escaped(stdout, baseline->name);
	fputs(":\n", stdout);
	mw_table_emit_text(&shown, stdout, &call->style);
	if (mw_table_rows(&shown) < rows)
		printf("and %zu smaller ones; --verbose lists them\n",
		       rows - mw_table_rows(&shown));
}

void cmd_baseline_json(struct mw_json *json,
		       const struct cmd_baseline *baseline)
{
	mw_json_key(json, "baseline");
	mw_json_object(json);
	mw_json_member_text(json, "file", baseline->name);
	mw_json_table(json, &baseline->table);
	cmd_changes_json_findings(json, &baseline->changes);
	mw_json_end(json);
}
