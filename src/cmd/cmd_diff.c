/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_figures.h"
#include "mw_guard.h"

static const char *const domains[] = { "rss", "vsz", "swap", NULL };
static unsigned domain;
static bool all;

static void print(const struct cmd_call *call, const struct mw_table *table,
		  const struct cmd_figures *before,
		  const struct cmd_figures *after,
		  const struct cmd_changes *changes)
{
	struct mw_json json;

	switch (call->format) {
	case MW_FORMAT_TEXT:
		fputs("from ", stdout);
		mw_print_escaped(stdout, before->title);
		fputs("\nto   ", stdout);
		mw_print_escaped(stdout, after->title);
		fputs("\n\n", stdout);
		mw_table_emit_text(table, stdout, &call->style);
		cmd_changes_print_findings(changes, call);
		break;
	case MW_FORMAT_CSV:
		mw_table_emit_csv(table, stdout);
		break;
	case MW_FORMAT_JSON:
		mw_json_init(&json, stdout);
		mw_json_object(&json);
		mw_json_member_text(&json, "schema", "memwhy.diff/1");
		mw_json_member_text(&json, "before", before->title);
		mw_json_member_text(&json, "after", after->title);
		mw_json_table(&json, table);
		cmd_changes_json_findings(&json, changes);
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
	MW_CLEANUP(cmd_figures_free) struct cmd_figures before = { 0 };
	MW_CLEANUP(cmd_figures_free) struct cmd_figures after = { 0 };
	struct mw_error *error = cmd_figures_take(call, call->target, &before);

	mw_table_init(&table, cmd_change_columns, cmd_change_column_count);
	if (!error)
		error = cmd_figures_take(call, call->operands[0], &after);
	if (!error)
		error = cmd_compare(&before, &after, all, &changes);
	if (!error)
		error = cmd_fill_changes(&table, &changes, fields[domain]);
	if (error)
		return error;
	cmd_warn_of_others(&before, &after);
	print(call, &table, &before, &after, &changes);
	return NULL;
}

static void help(FILE *out)
{
	fputs("\nA and B are each a PID, the name of a process, a core file or "
	      "snapshot, or a file with\nwhat `memwhy ledger --format=json` "
	      "wrote.\nBehind the table stand the findings of B that A "
	      "had not, or of less.\n", out);
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
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_VERBOSE,
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
	.help = help,
};
