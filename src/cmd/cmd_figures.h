/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_FIGURES_H
#define CMD_FIGURES_H

#include <jansson.h>

#include "cmd_books.h"
#include "mw_findings.h"

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
	char *comm;
	char *exe; /* "" when not known */
	MW_VEC(struct cmd_figure) list;
	/* Their texts belong to one of the two below, or to the caller. */
	MW_VEC(struct mw_finding) findings;
	struct mw_findings found;
	json_t *json;
};

void cmd_figures_free(struct cmd_figures *figures);
/** For qsort(): figures by their accounts. */
int cmd_figures_by_name(const void *a, const void *b);

/**
 * Those of a settled ledger and its findings, which must live as long; of @file
 * (NULL: a process). @figures must be zeroed.
 */
MW_MUST_USE struct mw_error *
cmd_figures_of_books(const struct cmd_books *books,
		     const struct mw_findings *found, const char *file,
		     struct cmd_figures *figures);

/**
 * Those of @name: a JSON file, or a target as call->target is one. @figures must
 * be zeroed.
 * Errors: MW_E_FORMAT for a file that is neither; those of cmd_books_take().
 */
MW_MUST_USE struct mw_error *cmd_figures_take(const struct cmd_call *call,
					      const char *name,
					      struct cmd_figures *figures);

/** One account before and after. Strings are those of the figures. */
struct cmd_change {
	const char *account;
	struct mw_tally before, after;
};

/** A finding that was not there before, or was of less. */
struct cmd_finding_change {
	struct mw_finding finding; /* its texts belong to the figures */
	uint64_t grown_bytes;
	bool is_new;
};

struct cmd_changes {
	struct cmd_change total; /* of all accounts */
	MW_VEC(struct cmd_change) list; /* of those that differ */
	MW_VEC(struct cmd_finding_change) findings; /* largest growth first */
};

/**
 * What differs between two sets, by account; with @all also what does not. And
 * the findings that have grown. Sorts the sets; @ret must be zeroed.
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
/** The findings that have grown, as text; nothing when there are none. */
void cmd_changes_print_findings(const struct cmd_changes *changes,
				const struct cmd_call *call);
/** As an array, under the key "findings". */
void cmd_changes_json_findings(struct mw_json *json,
			       const struct cmd_changes *changes);

extern const struct mw_column cmd_change_columns[];
extern const size_t cmd_change_column_count;

/** Say so when they are of two programs; that can be, but is seldom meant. */
void cmd_warn_of_others(const struct cmd_figures *before,
			const struct cmd_figures *after);

/* ledger --baseline */

struct cmd_baseline {
	const char *name;
	struct cmd_figures before, after;
	struct cmd_changes changes;
	struct mw_table table;
};

/**
 * Compare what @name stands for (see cmd_figures_take()) with @books and
 * @found, which must live as long. @ret must be zeroed, and freed also after an
 * error.
 */
MW_MUST_USE struct mw_error *
cmd_baseline_take(const struct cmd_call *call, const char *name,
		  const struct cmd_books *books,
		  const struct mw_findings *found, size_t field,
		  struct cmd_baseline *ret);
void cmd_baseline_free(struct cmd_baseline *baseline);
void cmd_baseline_print(const struct cmd_baseline *baseline,
			const struct cmd_call *call);
void cmd_baseline_json(struct mw_json *json,
		       const struct cmd_baseline *baseline);

#endif
