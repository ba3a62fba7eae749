/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_GO_FIGURES_H
#define CMD_GO_FIGURES_H

#include "cmd.h"
#include "mw_go_stats.h"

/** The columns of a table with a figure in each row. */
enum figure_column {
	FIGURE_FIELD, /* text */
	FIGURE_VALUE, /* MW_UNIT_NUMBER */
	FIGURE_UNIT,  /* text */
	FIGURE_NOTE,  /* text */
	FIGURE_COLUMNS,
};

/** Add a row; false without memory. */
bool cmd_add_figure(struct mw_table *table, const struct mw_go_figure *f);

#endif
