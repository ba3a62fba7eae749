/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_go_figures.h"
#include "cmd_go_open.h"
#include "mw_go_gc.h"
#include "mw_guard.h"
#include "mw_kernel.h"

static const struct mw_column columns[FIGURE_COLUMNS] = {
	[FIGURE_FIELD] = { "field", "FIELD", MW_UNIT_TEXT,
			   "what is told; those of gcController, work and the "
			   "like follow the runtime's own names" },
	[FIGURE_VALUE] = { "value", "VALUE", MW_UNIT_NUMBER,
			   "empty when it cannot be known from outside" },
	[FIGURE_UNIT] = { "unit", NULL, MW_UNIT_TEXT,
			  "of the value: bytes, count, ns, real, bool or "
			  "text" },
	[FIGURE_NOTE] = { "note", "NOTE", MW_UNIT_TEXT,
			  "how the value is meant, or why it is not known" },
};

static void help(FILE *out)
{
	cmd_print_columns(out, columns, FIGURE_COLUMNS);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_go_close) struct cmd_go go = { 0 };
	MW_CLEANUP(mw_go_gc_free) struct mw_go_gc gc = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_error *error = cmd_go_open(call, &go);
	bool is_live = !error && mw_target_info(go.target)->kind ==
					 MW_TARGET_PROCESS;

	if (!error)
		error = mw_go_gc_read(go.go, is_live ? mw_kernel_now() : 0,
				      &gc);
	if (error)
		return error;
	cmd_go_release(&go);
	mw_table_init(&table, columns, FIGURE_COLUMNS);
	for (size_t i = 0; i < gc.figures.n; i++)
		if (!cmd_add_figure(&table, &gc.figures.v[i]))
			return mw_error_nomem();
	if (!gc.is_consistent)
		mw_target_note(go.target, "the program allocated all the "
			       "while: figures may be from moments some "
			       "microseconds apart");
	if (gc.doubt)
		mw_target_note(go.target, "%s", gc.doubt);
	cmd_print_notes(go.target);
	cmd_emit_table(call, &table, go.target, go.go, go.stopped_ns,
		       go.wall_ns);
	return NULL;
}

const struct cmd_command cmd_go_gc = {
	.name = "go gc",
	.operands = "TARGET",
	.summary = "the garbage collector: phase, pacing, last cycle, queues",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE,
	.run = run,
	.help = help,
};
