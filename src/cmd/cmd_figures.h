/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_FIGURES_H
#define CMD_FIGURES_H

#include "cmd_books.h"

/*
 * The figures of a ledger without its target: what comparing needs, taken from
 * a ledger or from what `ledger --format=json` wrote.
 */

struct cmd_figure {
	char *account;
	struct mw_tally tally;
};

struct cmd_figures {
	char *title; /* what they are of: "prometheus (4242)" */
	MW_VEC(struct cmd_figure) list;
};

void cmd_figures_free(struct cmd_figures *figures);

/** Those of a settled ledger. @figures must be zeroed. */
MW_MUST_USE struct mw_error *
cmd_figures_of_books(const struct cmd_books *books,
		     struct cmd_figures *figures);

/** Whether the file at @path begins as a JSON object does. */
bool cmd_is_json(const char *path);

/**
 * Those of a JSON file; @figures must be zeroed.
 * Errors: MW_E_FORMAT when it is not a ledger's answer.
 */
MW_MUST_USE struct mw_error *
cmd_figures_of_json(const char *path, struct cmd_figures *figures);

/** One account before and after. Strings are those of the figures. */
struct cmd_change {
	const char *account;
	struct mw_tally before, after;
};

struct cmd_changes {
	struct cmd_change total; /* of all accounts */
	MW_VEC(struct cmd_change) list; /* of those that differ */
};

/**
 * What differs between two sets, by account; with @all also what does not.
 * Sorts the sets; @ret must be zeroed.
 */
MW_MUST_USE struct mw_error *cmd_compare(struct cmd_figures *before,
					 struct cmd_figures *after, bool all,
					 struct cmd_changes *ret);
void cmd_changes_free(struct cmd_changes *changes);

/**
 * Fill a table with the changes, the largest in @field (an offset in struct
 * mw_tally) first, and a row with the totals before them.
 */
MW_MUST_USE struct mw_error *cmd_fill_changes(struct mw_table *table,
					      struct cmd_changes *changes,
					      size_t field);
extern const struct mw_column cmd_change_columns[];
extern const size_t cmd_change_column_count;

#endif
