/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_go_figures.h"
#include "cmd_go_memstats.h"
#include "mw_guard.h"

static const struct mw_column columns[FIGURE_COLUMNS] = {
	[FIGURE_FIELD] = { "field", "FIELD", MW_UNIT_TEXT,
		    "as in runtime.MemStats, or a name of runtime/metrics" },
	[FIGURE_VALUE] = { "value", "VALUE", MW_UNIT_NUMBER,
		    "what the program would say itself; empty when that "
		    "cannot be known from outside" },
	[FIGURE_UNIT] = { "unit", NULL, MW_UNIT_TEXT,
		   "of the value: bytes, count, ns, real or bool" },
	[FIGURE_NOTE] = { "note", "NOTE", MW_UNIT_TEXT,
		   "how the value is meant, or why it is not known" },
};

static void help(FILE *out)
{
	cmd_print_columns(out, columns, FIGURE_COLUMNS);
	fputs("\nMemStats is told as ReadMemStats would tell it now: it first "
	      "has each P give back\nwhat it keeps for itself; "
	      "runtime/metrics does not. In text, pauses, size\n"
	      "classes and the buckets of histograms are shown with --verbose: "
	      "metric[FROM,BELOW).\nIn JSON, \"memstats\" is the whole struct "
	      "as Go writes it, and \"histograms\" has the\nbuckets that hold "
	      "samples.\n", out);
}

static bool add_element(struct mw_table *table, const char *format, size_t i,
			enum mw_go_unit unit, uint64_t value)
{
	char name[64];

	snprintf(name, sizeof(name), "%s[%zu]%s", format, i,
		 strchr(format, 0) + 1);
	return cmd_add_figure(table, &(struct mw_go_figure){
		.name = name,
		.unit = unit,
		.is_known = true,
		.value = value,
	});
}

/** The arrays, as a row for each element. */
static bool add_arrays(struct mw_table *table, const struct mw_go_memstats *m)
{
	size_t classes = mw_min(m->classes, MW_GO_BY_SIZE);
	bool good = true;

	// A name's two parts are told apart by a NUL.
	for (size_t i = 0; good && m->has_pauses && i < MW_GO_PAUSES; i++)
		good = add_element(table, "PauseNs\0", i, MW_GO_UNIT_NS,
				   m->pause_ns[i]);
	for (size_t i = 0; good && m->has_pauses && i < MW_GO_PAUSES; i++)
		good = add_element(table, "PauseEnd\0", i, MW_GO_UNIT_NS,
				   m->pause_end[i]);
	for (size_t i = 0; good && i < classes; i++)
		good = add_element(table, "BySize\0.Size", i,
				   MW_GO_UNIT_BYTES, m->by_size[i].bytes) &&
		       add_element(table, "BySize\0.Mallocs", i,
				   MW_GO_UNIT_COUNT, m->by_size[i].mallocs) &&
		       add_element(table, "BySize\0.Frees", i,
				   MW_GO_UNIT_COUNT, m->by_size[i].frees);
	return good;
}

/** A histogram's buckets, as a row for each that holds samples. */
static bool add_buckets(struct mw_table *table, const struct mw_go_memstats *m,
			const struct mw_go_figure *f)
{
	for (size_t i = 0; i < f->bucket_count; i++) {
		const struct mw_go_bucket *b = &m->buckets.v[f->first_bucket +
							     i];
		char name[128], from[32], below[32];

		snprintf(name, sizeof(name), "%s[%s,%s)", f->name,
			 mw_format_real(from, b->from),
			 mw_format_real(below, b->below));
		if (!cmd_add_figure(table, &(struct mw_go_figure){
			    .name = name,
			    .unit = MW_GO_UNIT_COUNT,
			    .is_known = true,
			    .value = b->count,
		    }))
			return false;
	}
	return true;
}

static bool fill(struct mw_table *table, const struct mw_go_memstats *m,
		 bool arrays)
{
	bool good = true;

	for (size_t i = 0; good && i < MW_GO_STATS; i++)
		good = cmd_add_figure(table, &m->figures[i]);
	if (good && arrays)
		good = add_arrays(table, m);
	for (size_t i = 0; good && i < m->metrics.n; i++)
		good = cmd_add_figure(table, &m->metrics.v[i]) &&
		       (!arrays || add_buckets(table, m, &m->metrics.v[i]));
	return good;
}

/* JSON */

static void json_figure(struct mw_json *json, const struct mw_go_figure *f)
{
	mw_json_key(json, f->name);
	if (!f->is_known)
		mw_json_null(json);
	else if (f->unit == MW_GO_UNIT_REAL)
		mw_json_real(json, f->real);
	else if (f->unit == MW_GO_UNIT_BOOL)
		mw_json_bool(json, f->value);
	else
		mw_json_u64(json, f->value);
}

static void json_array(struct mw_json *json, const char *name,
		       const uint64_t *values, size_t count)
{
	mw_json_key(json, name);
	mw_json_array(json);
	for (size_t i = 0; i < count; i++)
		mw_json_u64(json, values[i]);
	mw_json_end(json);
}

/** The struct, as Go's encoding/json writes it. */
static void json_memstats(struct mw_json *json, const struct mw_go_memstats *m)
{
	mw_json_key(json, "memstats");
	mw_json_object(json);
	for (size_t i = 0; i < MW_GO_STATS; i++)
		json_figure(json, &m->figures[i]);
	if (m->has_pauses) {
		json_array(json, "PauseNs", m->pause_ns, MW_GO_PAUSES);
		json_array(json, "PauseEnd", m->pause_end, MW_GO_PAUSES);
	}
	mw_json_key(json, "BySize");
	mw_json_array(json);
	for (size_t i = 0; i < mw_min(m->classes, MW_GO_BY_SIZE); i++) {
		mw_json_object(json);
		mw_json_member_u64(json, "Size", m->by_size[i].bytes);
		mw_json_member_u64(json, "Mallocs", m->by_size[i].mallocs);
		mw_json_member_u64(json, "Frees", m->by_size[i].frees);
		mw_json_end(json);
	}
	mw_json_end(json);
	mw_json_end(json);
}

/** {metric: [{from, below, count}]}; a bound is null where there is none. */
static void json_histograms(struct mw_json *json,
			    const struct mw_go_memstats *m)
{
	mw_json_key(json, "histograms");
	mw_json_object(json);
	for (size_t i = 0; i < m->metrics.n; i++) {
		const struct mw_go_figure *f = &m->metrics.v[i];

		if (!f->is_histogram)
			continue;
		mw_json_key(json, f->name);
		mw_json_array(json);
		for (size_t k = 0; k < f->bucket_count; k++) {
			const struct mw_go_bucket *b =
				&m->buckets.v[f->first_bucket + k];

			mw_json_object(json);
			mw_json_member_real(json, "from", b->from);
			mw_json_member_real(json, "below", b->below);
			mw_json_member_u64(json, "count", b->count);
			mw_json_end(json);
		}
		mw_json_end(json);
	}
	mw_json_end(json);
}

static void emit_json(const struct cmd_call *call, const struct mw_table *table,
		      const struct cmd_books *books,
		      const struct reconciliation *r)
{
	struct mw_json json;

	cmd_json_begin(&json, call, books->target, books->go,
		       books->stopped_ns, books->wall_ns);
	mw_json_member_bool(&json, "consistent",
			    books->memstats->is_consistent);
	mw_json_table(&json, table);
	json_memstats(&json, books->memstats);
	json_histograms(&json, books->memstats);
	reconciliation_json(r, &json);
	cmd_json_end(&json, books->target);
}

static void note_doubts(const struct cmd_books *books)
{
	const struct mw_go_memstats *m = books->memstats;

	if (!m->is_consistent)
		mw_target_note(books->target, "the program allocated all the "
			       "while: its counters were read %u times and "
			       "never stood still, so that figures may be "
			       "from moments some microseconds apart",
			       m->tries);
	if (m->doubt)
		mw_target_note(books->target, "%s", m->doubt);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_books_free) struct cmd_books books = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	MW_CLEANUP(reconciliation_free) struct reconciliation r = { 0 };
	struct mw_error *error =
		cmd_books_take(call, CMD_BOOKS_MEMSTATS, &books);

	if (error)
		return error;
	mw_table_init(&table, columns, FIGURE_COLUMNS);
	if (!fill(&table, books.memstats,
		  call->format != MW_FORMAT_TEXT || call->verbose))
		return mw_error_nomem();
	error = reconcile(&books, &r);
	if (error)
		return error;
	note_doubts(&books);
	cmd_print_notes(books.target);
	if (call->format == MW_FORMAT_JSON) {
		emit_json(call, &table, &books, &r);
		return NULL;
	}
	cmd_emit_table(call, &table, books.target, books.go, 0, 0);
	if (call->format == MW_FORMAT_TEXT)
		reconciliation_print(&r, call);
	return NULL;
}

const struct cmd_command cmd_go_memstats = {
	.name = "go memstats",
	.operands = "TARGET",
	.summary = "runtime.MemStats and runtime/metrics, and why RSS differs",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_VERBOSE,
	.run = run,
	.help = help,
};
