/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_go_goroutines.h"
#include "mw_guard.h"
#include "mw_text.h"

/* `go goroutines`: a row for each. */

#define MOST_LABELS_TEXT 4096 /* bytes */

enum column {
	ID, STATE, WAIT_REASON, WAITED, STACK, USED, FUNCTION, TOP, CREATOR,
	CREATED_AT, PARENT, LARGEST, LARGEST_BYTES, THREAD, LOCKED, BUBBLE, SYSTEM,
	TRACE, LABELS, BACKTRACE, COLUMNS,
};

static const struct mw_column columns[] = {
	[ID] = { "id", "ID", MW_UNIT_COUNT, "number of the goroutine" },
	[STATE] = { "state", "STATE", MW_UNIT_TEXT,
		    "running, runnable, waiting, syscall, …" },
	[WAIT_REASON] = { "wait_reason", "WAITS FOR", MW_UNIT_TEXT,
			  "in the runtime's words: chan receive, IO wait, …" },
	[WAITED] = { "waited_ns", "FOR", MW_UNIT_NS,
		     "how long at least: a collection marks the time when it "
		     "first meets a blocked goroutine" },
	[STACK] = { "stack_bytes", "STACK", MW_UNIT_BYTES,
		    "size of its stack" },
	[USED] = { "stack_used_bytes", "USED", MW_UNIT_BYTES,
		   "of which live frames take" },
	[FUNCTION] = { "function", "FUNCTION", MW_UNIT_TEXT,
		       "that it was started to run" },
	[TOP] = { "top", "IS IN", MW_UNIT_TEXT,
		  "innermost function outside the runtime" },
	[CREATOR] = { "creator", "CREATED BY", MW_UNIT_TEXT,
		      "function that has the go statement" },
	[CREATED_AT] = { "created_at", NULL, MW_UNIT_TEXT,
			 "file and line of the go statement" },
	[PARENT] = { "parent_id", NULL, MW_UNIT_COUNT,
		     "goroutine that ran it (known since Go 1.21)" },
	[LARGEST] = { "largest_function", NULL, MW_UNIT_TEXT,
		      "whose frames take most of the stack" },
	[LARGEST_BYTES] = { "largest_bytes", NULL, MW_UNIT_BYTES,
			    "how much they take" },
	[THREAD] = { "thread", NULL, MW_UNIT_COUNT,
		     "number of the thread that has it" },
	[LOCKED] = { "locked", NULL, MW_UNIT_TEXT,
		     "yes when it is bound to a thread" },
	[BUBBLE] = { "synctest_bubble", NULL, MW_UNIT_COUNT,
		     "of testing/synctest that it is in; in Go 1.24, an "
		     "experiment then, the goroutine that called Run" },
	[SYSTEM] = { "system", NULL, MW_UNIT_TEXT,
		     "yes when it is the runtime's own" },
	[TRACE] = { "stack_id", NULL, MW_UNIT_COUNT,
		    "the same number: the same backtrace" },
	[LABELS] = { "labels", NULL, MW_UNIT_TEXT,
		     "that runtime/pprof.Do gave it: \"key\":\"value\", …" },
	[BACKTRACE] = { "backtrace", NULL, MW_UNIT_TEXT,
			"function, file and line of each frame, innermost "
			"first (--backtrace)" },
};

static bool fill_trace(struct goroutines *g, uint32_t number, bool backtrace,
		       struct mw_cell *cells)
{
	const struct mw_go_trace *trace;
	const char *text = backtrace ? goroutines_text(g, number) : "";

	if (number == MW_GO_NO_TRACE)
		return true;
	if (!text)
		return false;
	trace = &g->all.traces.v[number];
	mw_cell_value(&cells[TRACE], number);
	mw_cell_value(&cells[LARGEST_BYTES], trace->largest_bytes);
	mw_cell_borrow(&cells[LARGEST], trace->largest);
	if (backtrace)
		mw_cell_borrow(&cells[BACKTRACE], text);
	return true;
}

/** As the debug form of the program's own profile writes them. */
static bool fill_labels(const struct mw_go_goroutines *all,
			const struct mw_go_goroutine *one, struct mw_cell *cell)
{
	struct mw_text text = { .limit = MOST_LABELS_TEXT };
	const struct mw_go_label_set *set;
	bool ok;

	if (one->label_set == MW_GO_NO_LABELS)
		return true;
	set = &all->label_sets.v[one->label_set];
	for (uint32_t i = 0; i < set->count; i++) {
		const struct mw_go_label *label = &all->labels.v[set->first + i];

		mw_text_add(&text, i ? ", " : "");
		mw_text_quote(&text, label->key, strlen(label->key), false);
		mw_text_add(&text, ":");
		mw_text_quote(&text, label->value, strlen(label->value), false);
	}
	ok = !text.failed && mw_cell_text(cell, text.v ? text.v : "");
	mw_text_free(&text);
	return ok;
}

/** All texts are those of @g, which outlives the table. */
static bool fill_row(struct goroutines *g, const struct mw_go_goroutine *one,
		     bool backtrace, struct mw_cell *cells)
{
	const char *top = goroutines_top(g, one->trace);
	const char *place =
		*one->creator ? goroutines_place(g, one->go_pc) : "";
	uint64_t value;

	if (!top || !place)
		return false;
	mw_cell_value(&cells[ID], one->id);
	mw_cell_value(&cells[STACK], one->stack_hi - one->stack_lo);
	if (goroutines_used(one, &value))
		mw_cell_value(&cells[USED], value);
	if (goroutines_waited(g, one, &value))
		mw_cell_value(&cells[WAITED], value);
	if (one->parent_id)
		mw_cell_value(&cells[PARENT], one->parent_id);
	if (one->thread)
		mw_cell_value(&cells[THREAD], one->thread);
	mw_cell_borrow(&cells[STATE], mw_go_state_name(one->status));
	mw_cell_borrow(&cells[WAIT_REASON], one->wait_reason);
	mw_cell_borrow(&cells[FUNCTION], one->is_dead ? "" : one->function);
	mw_cell_borrow(&cells[TOP], top);
	mw_cell_borrow(&cells[CREATOR], one->creator);
	mw_cell_borrow(&cells[CREATED_AT], place);
	if (one->is_locked)
		mw_cell_borrow(&cells[LOCKED], "yes");
	if (one->bubble)
		mw_cell_value(&cells[BUBBLE], one->bubble);
	if (one->is_system)
		mw_cell_borrow(&cells[SYSTEM], "yes");
	return fill_labels(&g->all, one, &cells[LABELS]) &&
	       fill_trace(g, one->trace, backtrace, cells);
}

struct mw_error *goroutines_fill(struct goroutines *g, bool backtrace,
				 struct mw_table *table)
{
	for (size_t i = 0; i < g->all.list.n; i++) {
		const struct mw_go_goroutine *one = &g->all.list.v[i];
		struct mw_cell *cells;

		if (!goroutines_wanted(g, one))
			continue;
		cells = mw_table_add(table);
		if (!cells || !fill_row(g, one, backtrace, cells))
			return mw_error_nomem();
	}
	return NULL;
}

void goroutines_columns(struct mw_table *table, bool backtrace)
{
	// The last column is the backtrace.
	mw_table_init(table, columns, COLUMNS - !backtrace);
}

void goroutines_help(FILE *out)
{
	cmd_print_columns(out, columns, MW_COUNT(columns));
}
