/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_figures.h"
#include "mw_num.h"

static void sort(struct cmd_figures *figures)
{
	if (figures->list.n)
		qsort(figures->list.v, figures->list.n,
		      sizeof(*figures->list.v), cmd_figures_by_name);
}

static void add_up(struct mw_tally *to, const struct mw_tally *tally)
{
	to->vsz_bytes += tally->vsz_bytes;
	to->rss_bytes += tally->rss_bytes;
	to->swap_bytes += tally->swap_bytes;
}

/* What a finding must have grown by to explain anything. */
#define LEAST_GROWTH MW_MIB(1)

static int by_growth(const void *a, const void *b)
{
	const struct cmd_finding_change *x = a, *y = b;

	if (x->grown_bytes != y->grown_bytes)
		return x->grown_bytes < y->grown_bytes ? 1 : -1;
	return strcmp(x->finding.id, y->finding.id);
}

/** The findings of @after that are new or have grown, most first. */
static struct mw_error *compare_findings(const struct cmd_figures *before,
					 const struct cmd_figures *after,
					 struct cmd_changes *ret)
{
	for (size_t i = 0; i < after->findings.n; i++) {
		struct cmd_finding_change change = {
			.finding = after->findings.v[i],
			.grown_bytes = after->findings.v[i].bytes,
			.is_new = true,
		};
		struct cmd_finding_change *place;

		for (size_t k = 0; k < before->findings.n; k++) {
			const struct mw_finding *was = &before->findings.v[k];

			if (strcmp(was->id, change.finding.id) != 0)
				continue;
			change.is_new = false;
			change.grown_bytes -= mw_min(change.grown_bytes,
						     was->bytes);
		}
		if (change.grown_bytes < LEAST_GROWTH)
			continue;
		place = mw_vec_push(&ret->findings);
		if (!place)
			return mw_error_nomem();
		*place = change;
	}
	if (ret->findings.n)
		qsort(ret->findings.v, ret->findings.n,
		      sizeof(*ret->findings.v), by_growth);
	return NULL;
}

struct mw_error *cmd_compare(struct cmd_figures *before,
			     struct cmd_figures *after, bool all,
			     struct cmd_changes *ret)
{
	size_t b = 0, a = 0;

	sort(before);
	sort(after);
	ret->total.account = "total";
	while (b < before->list.n || a < after->list.n) {
		const struct cmd_figure *x =
			b < before->list.n ? &before->list.v[b] : NULL;
		const struct cmd_figure *y =
			a < after->list.n ? &after->list.v[a] : NULL;
		int order = !x ? 1 : !y ? -1 : cmd_figures_by_name(x, y);
		struct cmd_change change = {
			.account = order <= 0 ? x->account : y->account,
		};
		struct cmd_change *place;

		if (order <= 0) {
			change.before = x->tally;
			b++;
		}
		if (order >= 0) {
			change.after = y->tally;
			a++;
		}
		add_up(&ret->total.before, &change.before);
		add_up(&ret->total.after, &change.after);
		if (!all && memcmp(&change.before, &change.after,
				   sizeof(change.before)) == 0)
			continue;
		place = mw_vec_push(&ret->list);
		if (!place)
			return mw_error_nomem();
		*place = change;
	}
	return compare_findings(before, after, ret);
}

void cmd_changes_free(struct cmd_changes *changes)
{
	mw_vec_free(&changes->list);
	mw_vec_free(&changes->findings);
}

void cmd_warn_of_others(const struct cmd_figures *before,
			const struct cmd_figures *after)
{
	// A program may rename itself, and gdb takes a core's name from what
	// its arguments are then.
	if (strcmp(before->comm, after->comm) == 0 ||
	    (*before->exe && strcmp(before->exe, after->exe) == 0))
		return;
	fputs("memwhy: note: these are different programs: ", stderr);
	mw_print_escaped(stderr, before->title);
	fputs(" and ", stderr);
	mw_print_escaped(stderr, after->title);
	putc('\n', stderr);
}

/* The table */

const struct mw_column cmd_change_columns[] = {
	{ "account", "ACCOUNT", MW_UNIT_TEXT, "name of the account" },
	{ "rss_bytes", "RSS", MW_UNIT_BYTES, "resident, after" },
	{ "delta_rss_bytes", "CHANGE", MW_UNIT_DELTA,
	  "how much more, or less, is resident than before" },
	{ "vsz_bytes", "VSZ", MW_UNIT_BYTES, "address space, after" },
	{ "delta_vsz_bytes", "CHANGE", MW_UNIT_DELTA, "change of it" },
	{ "swap_bytes", "SWAP", MW_UNIT_BYTES, "in swap, after" },
	{ "delta_swap_bytes", "CHANGE", MW_UNIT_DELTA, "change of it" },
};
const size_t cmd_change_column_count = MW_COUNT(cmd_change_columns);

static uint64_t field_of(const struct mw_tally *tally, size_t field)
{
	uint64_t value;

	memcpy(&value, (const char *)tally + field, sizeof(value));
	return value;
}

static uint64_t distance(const struct cmd_change *c, size_t field)
{
	uint64_t before = field_of(&c->before, field);
	uint64_t after = field_of(&c->after, field);

	return before > after ? before - after : after - before;
}

static int by_distance(const void *a, const void *b, void *field)
{
	uint64_t x = distance(a, *(size_t *)field);
	uint64_t y = distance(b, *(size_t *)field);

	return x < y ? 1 : -(x > y);
}

static bool fill(struct mw_table *table, const struct cmd_change *c)
{
	static const size_t fields[] = {
		offsetof(struct mw_tally, rss_bytes),
		offsetof(struct mw_tally, vsz_bytes),
		offsetof(struct mw_tally, swap_bytes),
	};
	struct mw_cell *cells = mw_table_add(table);

	if (!cells)
		return false;
	for (size_t i = 0; i < MW_COUNT(fields); i++) {
		uint64_t now = field_of(&c->after, fields[i]);

		mw_cell_value(&cells[1 + 2 * i], now);
		mw_cell_value(&cells[2 + 2 * i],
			      now - field_of(&c->before, fields[i]));
	}
	return mw_cell_text(&cells[0], c->account);
}

struct mw_error *cmd_fill_changes(struct mw_table *table,
				  struct cmd_changes *changes, size_t field)
{
	if (changes->list.n)
		qsort_r(changes->list.v, changes->list.n,
			sizeof(*changes->list.v), by_distance, &field);
	if (!fill(table, &changes->total))
		return mw_error_nomem();
	for (size_t i = 0; i < changes->list.n; i++)
		if (!fill(table, &changes->list.v[i]))
			return mw_error_nomem();
	return NULL;
}
