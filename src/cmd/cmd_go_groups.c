/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_go_goroutines.h"
#include "mw_guard.h"

/* `go goroutines --by=…`: a row for each group of goroutines. */

/** What all groups have, behind what names them. */
enum { COUNT, SUM_STACK, SUM_USED, LONGEST, FIGURES };

#define FIGURE_COLUMNS                                                     \
	{ "goroutines", "GOROUTINES", MW_UNIT_COUNT, "how many there are" }, \
	{ "stack_bytes", "STACKS", MW_UNIT_BYTES, "size of their stacks" }, \
	{ "stack_used_bytes", "USED", MW_UNIT_BYTES,                       \
	  "of which live frames take" },                                   \
	{ "waited_ns", "LONGEST", MW_UNIT_NS,                              \
	  "longest time that one of them has waited, at least" }

static const struct mw_column state_columns[] = {
	FIGURE_COLUMNS,
	{ "state", "STATE", MW_UNIT_TEXT, NULL },
	{ "wait_reason", "WAIT FOR", MW_UNIT_TEXT, NULL },
};

static const struct mw_column creator_columns[] = {
	FIGURE_COLUMNS,
	{ "creator", "CREATED BY", MW_UNIT_TEXT, NULL },
	{ "created_at", "AT", MW_UNIT_TEXT, NULL },
};

static const struct mw_column function_columns[] = {
	FIGURE_COLUMNS,
	{ "function", "FUNCTION", MW_UNIT_TEXT, NULL },
};

static const struct mw_column stack_columns[] = {
	{ "stack_id", NULL, MW_UNIT_COUNT, NULL },
	FIGURE_COLUMNS,
	{ "function", "FUNCTION", MW_UNIT_TEXT, NULL },
	{ "top", "IS IN", MW_UNIT_TEXT, NULL },
	{ "frames", "FRAMES", MW_UNIT_COUNT, NULL },
	{ "largest_function", "LARGEST FRAMES", MW_UNIT_TEXT, NULL },
	{ "largest_bytes", "TAKE", MW_UNIT_BYTES, NULL },
	{ "end", NULL, MW_UNIT_TEXT, NULL },
	{ "state", NULL, MW_UNIT_TEXT, NULL },
	{ "wait_reason", NULL, MW_UNIT_TEXT, NULL },
	{ "backtrace", NULL, MW_UNIT_TEXT, NULL },
};

static const struct mw_column size_columns[] = {
	{ "size_bytes", "SIZE", MW_UNIT_BYTES, NULL },
	FIGURE_COLUMNS,
	{ "histogram", "", MW_UNIT_TEXT, NULL },
	{ "largest_function", "LARGEST FRAMES", MW_UNIT_TEXT, NULL },
	{ "largest_bytes", "TAKE", MW_UNIT_BYTES, NULL },
};

void goroutines_group_columns(enum goroutines_by by, struct mw_table *table,
			      bool backtrace)
{
	static const struct {
		const struct mw_column *columns;
		size_t count;
	} kinds[] = {
		[BY_STATE] = { state_columns, MW_COUNT(state_columns) },
		[BY_CREATOR] = { creator_columns, MW_COUNT(creator_columns) },
		[BY_FUNCTION] = { function_columns,
				  MW_COUNT(function_columns) },
		[BY_STACK] = { stack_columns, MW_COUNT(stack_columns) },
		[BY_SIZE] = { size_columns, MW_COUNT(size_columns) },
	};

	// Of stacks the last column is the backtrace.
	mw_table_init(table, kinds[by].columns,
		      kinds[by].count - (by == BY_STACK && !backtrace));
}

struct group {
	uint64_t key;
	const struct mw_go_goroutine *first;
	/* Of all traces the one where a function's frames take most, or NULL */
	const struct mw_go_trace *largest;
	uint64_t figures[FIGURES];
};

static uint64_t key_of(const struct mw_go_goroutine *one, enum goroutines_by by)
{
	switch (by) {
	case BY_STATE:
		return (uint64_t)one->status << 8 | one->wait;
	case BY_CREATOR:
		return *one->creator ? one->go_pc : 0;
	case BY_FUNCTION:
		return (uintptr_t)one->function;
	case BY_STACK:
		return one->trace;
	case BY_SIZE:
		return one->stack_hi - one->stack_lo;
	case BY_GOROUTINE:
		break;
	}
	return one->id;
}

static const struct mw_go_trace *trace_of(const struct goroutines *g,
					  const struct mw_go_goroutine *one)
{
	return one->trace == MW_GO_NO_TRACE ? NULL
					    : &g->all.traces.v[one->trace];
}

static void add_to_group(const struct goroutines *g,
			 const struct mw_go_goroutine *one, struct group *group)
{
	const struct mw_go_trace *trace = trace_of(g, one);
	uint64_t value;

	if (!group->first)
		group->first = one;
	if (trace && (!group->largest ||
		      trace->largest_bytes > group->largest->largest_bytes))
		group->largest = trace;
	group->figures[COUNT]++;
	group->figures[SUM_STACK] += one->stack_hi - one->stack_lo;
	if (goroutines_used(one, &value))
		group->figures[SUM_USED] += value;
	if (goroutines_waited(g, one, &value))
		group->figures[LONGEST] =
			mw_max(group->figures[LONGEST], value);
}

static int by_count(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->figures[COUNT] != y->figures[COUNT])
		return x->figures[COUNT] > y->figures[COUNT] ? -1 : 1;
	return x->first->id < y->first->id ? -1 : x->first->id > y->first->id;
}

static int by_key(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/** What all goroutines of a stack have, that of @one. */
static bool fill_stack(struct goroutines *g, const struct mw_go_goroutine *one,
		       bool backtrace, struct mw_cell *cells, size_t at)
{
	const struct mw_go_trace *trace = trace_of(g, one);

	if (!mw_cell_text(&cells[at], one->function) ||
	    !mw_cell_text(&cells[at + 6], mw_go_state_name(one->status)) ||
	    !mw_cell_text(&cells[at + 7], one->wait_reason))
		return false;
	if (!trace)
		return true;
	mw_cell_value(&cells[0], one->trace);
	mw_cell_value(&cells[at + 2], trace->count);
	mw_cell_value(&cells[at + 4], trace->largest_bytes);
	return mw_cell_text(&cells[at + 1], goroutines_top(g, one->trace)) &&
	       mw_cell_text(&cells[at + 3], trace->largest) &&
	       mw_cell_text(&cells[at + 5], trace->end) &&
	       (!backtrace ||
		mw_cell_text(&cells[at + 8], goroutines_text(g, one->trace)));
}

static bool fill_group(struct goroutines *g, enum goroutines_by by,
		       bool backtrace, uint64_t most,
		       const struct group *group, struct mw_cell *cells)
{
	const struct mw_go_goroutine *one = group->first;
	size_t at = by == BY_STACK || by == BY_SIZE;
	const struct mw_go_trace *largest = group->largest;
	char bar[64] = "";

	for (size_t i = 0; i < FIGURES; i++)
		if (i != LONGEST || group->figures[i])
			mw_cell_value(&cells[at + i], group->figures[i]);
	at += FIGURES;
	switch (by) {
	case BY_STATE:
		return mw_cell_text(&cells[at],
				    mw_go_state_name(one->status)) &&
		       mw_cell_text(&cells[at + 1], one->wait_reason);
	case BY_CREATOR:
		return mw_cell_text(&cells[at], one->creator) &&
		       (!*one->creator ||
			mw_cell_text(&cells[at + 1],
				     goroutines_place(g, one->go_pc)));
	case BY_FUNCTION:
		return mw_cell_text(&cells[at], one->function);
	case BY_SIZE:
		mw_cell_value(&cells[0], group->key);
		memset(bar, '#', 1 + group->figures[COUNT] * 39 / most);
		if (largest)
			mw_cell_value(&cells[at + 2], largest->largest_bytes);
		return mw_cell_text(&cells[at], bar) &&
		       (!largest ||
			mw_cell_text(&cells[at + 1], largest->largest));
	case BY_STACK:
	case BY_GOROUTINE:
		break;
	}
	return fill_stack(g, one, backtrace, cells, at);
}

struct mw_error *goroutines_fill_groups(struct goroutines *g,
					enum goroutines_by by, bool backtrace,
					struct mw_table *table)
{
	MW_VEC(struct group) groups = { 0 };
	struct mw_map64 numbers = { 0 };
	bool done = true;
	uint64_t most = 1;

	for (size_t i = 0; i < g->all.list.n && done; i++) {
		const struct mw_go_goroutine *one = &g->all.list.v[i];
		uint64_t key = key_of(one, by), *number;
		struct group *group;

		if (!goroutines_wanted(g, one))
			continue;
		number = mw_map64_at(&numbers, key);
		if (number && !*number) {
			group = mw_vec_push(&groups);
			if (group)
				*group = (struct group){ .key = key };
			*number = groups.n;
		}
		done = number && *number;
		if (done)
			add_to_group(g, one, &groups.v[*number - 1]);
	}
	if (groups.n > 0)
		qsort(groups.v, groups.n, sizeof(*groups.v),
		      by == BY_SIZE ? by_key : by_count);
	for (size_t i = 0; i < groups.n; i++)
		most = mw_max(most, groups.v[i].figures[COUNT]);
	for (size_t i = 0; i < groups.n && done; i++) {
		struct mw_cell *cells = mw_table_add(table);

		done = cells && fill_group(g, by, backtrace, most,
					   &groups.v[i], cells);
	}
	mw_vec_free(&groups);
	mw_map64_free(&numbers);
	return done ? NULL : mw_error_nomem();
}
