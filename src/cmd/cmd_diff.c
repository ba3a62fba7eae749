/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_figures.h"
#include "mw_guard.h"

static const char *const domains[] = { "rss", "vsz", "swap", NULL };
static unsigned domain;
static bool all;

/** What one of the two operands stands for. */
struct side {
	struct cmd_books books; /* target NULL: it was a JSON file */
	struct cmd_figures figures;
};

static void side_deinit(struct side *side)
{
	cmd_figures_free(&side->figures);
	cmd_books_free(&side->books);
}

static struct mw_error *take(const struct cmd_call *call, const char *name,
			     struct side *side)
{
	struct cmd_call one = *call;
	struct mw_error *error;

	if (cmd_is_json(name))
		return cmd_figures_of_json(name, &side->figures);
	one.target = name;
	error = cmd_books_take(&one, 0, &side->books);
	if (error)
		return error;
	cmd_print_notes(side->books.target);
	return cmd_figures_of_books(&side->books, &side->figures);
}

static void json_side(struct mw_json *json, const char *key,
		      const struct side *side)
{
	mw_json_key(json, key);
	mw_json_text(json, side->figures.title);
}

static void print(const struct cmd_call *call, const struct mw_table *table,
		  const struct side *before, const struct side *after)
{
	struct mw_json json;

	switch (call->format) {
	case MW_FORMAT_TEXT:
		fputs("from ", stdout);
		mw_print_escaped(stdout, before->figures.title);
		fputs("\nto   ", stdout);
		mw_print_escaped(stdout, after->figures.title);
		fputs("\n\n", stdout);
		mw_table_emit_text(table, stdout, &call->style);
		break;
	case MW_FORMAT_CSV:
		mw_table_emit_csv(table, stdout);
		break;
	case MW_FORMAT_JSON:
		mw_json_init(&json, stdout);
		mw_json_object(&json);
		mw_json_key(&json, "schema");
		mw_json_text(&json, "memwhy.diff/1");
		json_side(&json, "before", before);
		json_side(&json, "after", after);
		mw_json_table(&json, table);
		mw_json_end(&json);
		break;
	}
}

static struct mw_error *run(const struct cmd_call *call)
{
	static const size_t fields[] = {
		offsetof(struct mw_tally, rss_bytes),
		offsetof(struct mw_tally, vsz_bytes),
		offsetof(struct mw_tally, swap_bytes),
	};
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	MW_CLEANUP(cmd_changes_free) struct cmd_changes changes = { 0 };
	MW_CLEANUP(side_deinit) struct side before = { 0 };
	MW_CLEANUP(side_deinit) struct side after = { 0 };
	struct mw_error *error = take(call, call->target, &before);

	mw_table_init(&table, cmd_change_columns, cmd_change_column_count);
	if (!error)
		error = take(call, call->operands[0], &after);
	if (!error)
		error = cmd_compare(&before.figures, &after.figures, all,
				    &changes);
	if (!error)
		error = cmd_fill_changes(&table, &changes, fields[domain]);
	if (!error)
		print(call, &table, &before, &after);
	return error;
}

static void help(FILE *out)
{
	fputs("\nA and B are each a PID, the name of a process, a core file or "
	      "snapshot, or a file with\nwhat `memwhy ledger --format=json` "
	      "wrote.\n", out);
	cmd_print_columns(out, cmd_change_columns, cmd_change_column_count);
}

static const struct cmd_option options[] = {
	{ .name = "domain", .argument = "rss|vsz|swap", .choices = domains,
	  .choice = &domain, .help = "what to sort by (default: rss)" },
	{ .name = "all", .flag = &all,
	  .help = "also accounts that have not changed" },
	{ 0 },
};

const struct cmd_command cmd_diff = {
	.name = "diff",
	.operands = "A B",
	.summary = "two captures compared: what grew, by account",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE,
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
	.help = help,
};
