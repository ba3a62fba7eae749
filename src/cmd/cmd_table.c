/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd.h"

void cmd_print_columns(FILE *out, const struct mw_column *columns,
		       size_t count)
{
	fputs("\nColumns, as in JSON and CSV (in text, those without anything "
	      "are left out):\n", out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "  %-16s ", columns[i].name);
		mw_print_wrapped(out, columns[i].help ? columns[i].help : "",
				 19, 19, 80);
	}
}

void cmd_emit_table(const struct cmd_call *call, const struct mw_table *table,
		    const struct mw_target *target, const struct mw_go *go,
		    uint64_t stopped_ns, uint64_t wall_ns)
{
	struct mw_json json;

	switch (call->format) {
	case MW_FORMAT_TEXT:
		mw_table_emit_text(table, stdout, &call->style);
		break;
	case MW_FORMAT_CSV:
		mw_table_emit_csv(table, stdout);
		break;
	case MW_FORMAT_JSON:
		cmd_json_begin(&json, call, target, go, stopped_ns, wall_ns);
		mw_json_table(&json, table);
		cmd_json_end(&json, target);
		break;
	}
}
