/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_GO_MAP_H
#define CMD_GO_MAP_H

#include "cmd_go_open.h"

/**
 * Fill @table, which this sets up, with a picture of the heap's arenas: a row
 * for each line of it. Reads the target.
 */
MW_MUST_USE struct mw_error *go_map_fill(struct cmd_go *go,
					 struct mw_table *table);
/** What the signs mean. */
void go_map_legend(FILE *out, const struct mw_table *table);
void go_map_help(FILE *out);

#endif
