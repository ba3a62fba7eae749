/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_allocs.h"
#include "mw_guard.h"
#include "mw_kernel.h"

static const char *const ways[] = { "place", "call", "type", "package",
				    "function", NULL };
enum way { BY_PLACE, BY_CALL, BY_TYPE, BY_PACKAGE, BY_FUNCTION };

static unsigned by;
static const char *only_package;

enum column {
	ADDRESS, SIZE, CLASS, CALL, FILE_NAME, LINE, PLACE, FUNCTION, PACKAGE,
	INLINED, TYPE, COLUMNS,
};

static const struct mw_column columns[] = {
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS, "of the call" },
	[FUNCTION] = { "function", "FUNCTION", MW_UNIT_TEXT,
		       "whose code has the call" },
	[PACKAGE] = { "package", NULL, MW_UNIT_TEXT, "of that function" },
	[INLINED] = { "inlined", NULL, MW_UNIT_TEXT,
		      "the function that was inlined there and has it in its "
		      "source, if any" },
	[FILE_NAME] = { "file", NULL, MW_UNIT_TEXT, "source file" },
	[LINE] = { "line", NULL, MW_UNIT_COUNT, "line in the source file" },
	[PLACE] = { "place", "LINE", MW_UNIT_TEXT,
		    "name of the source file, and the line" },
	[CALL] = { "call", "CALLS", MW_UNIT_TEXT,
		   "the function of the runtime" },
	[TYPE] = { "type", "TYPE", MW_UNIT_TEXT,
		   "what is made, from the type descriptor that is handed "
		   "over; empty when that is only known when it runs" },
	[SIZE] = { "size_bytes", "SIZE", MW_UNIT_BYTES,
		   "its size; of a slice, when its capacity is a constant" },
	[CLASS] = { "size_class", "TAKES", MW_UNIT_BYTES,
		    "what an object of that size takes in the heap" },
};

enum group_column { G_CALLS, G_FUNCTIONS, G_SIZED, G_BYTES, G_NAME, G_COLUMNS };

static const struct mw_column group_columns[] = {
	[G_NAME] = { "name", "NAME", MW_UNIT_TEXT,
		     "the call, type, package or function" },
	[G_CALLS] = { "calls", "CALLS", MW_UNIT_COUNT,
		      "places that allocate" },
	[G_FUNCTIONS] = { "functions", "FUNCTIONS", MW_UNIT_COUNT,
			  "functions that have them" },
	[G_SIZED] = { "sized_calls", "SIZED", MW_UNIT_COUNT,
		      "of these calls, those with a known size" },
	[G_BYTES] = { "size_bytes", "BYTES", MW_UNIT_BYTES,
		      "what those make if each runs once" },
};

/* Each call */

static bool fill_row(const struct allocs_call *call, struct mw_cell *cells)
{
	const char *slash = call->file ? strrchr(call->file, '/') : NULL;
	char place[512];

	mw_cell_value(&cells[ADDRESS], call->va);
	mw_cell_borrow(&cells[FUNCTION], call->function);
	mw_cell_borrow(&cells[PACKAGE], call->package);
	mw_cell_borrow(&cells[CALL], call->call);
	if (call->inlined)
		mw_cell_borrow(&cells[INLINED], call->inlined);
	if (call->type)
		mw_cell_borrow(&cells[TYPE], call->type);
	if (call->has_bytes) {
		mw_cell_value(&cells[SIZE], call->bytes);
		mw_cell_value(&cells[CLASS], call->class_bytes);
	}
	if (!call->file)
		return true;
	mw_cell_borrow(&cells[FILE_NAME], call->file);
	mw_cell_value(&cells[LINE], call->line);
	snprintf(place, sizeof(place), "%s:%u",
		 slash ? slash + 1 : call->file, call->line);
	return mw_cell_text(&cells[PLACE], place);
}

/* Groups */

struct group {
	const char *name;
	const char *last_function; /* calls of one are neighbours */
	uint64_t calls, functions, sized, bytes;
};

static const char *name_of(const struct allocs_call *call)
{
	switch ((enum way)by) {
	case BY_CALL:
		return call->call;
	case BY_TYPE:
		return call->type ? call->type : "(not known)";
	case BY_PACKAGE:
		return *call->package ? call->package : "(compiler)";
	case BY_FUNCTION:
	case BY_PLACE:
		break;
	}
	return call->function;
}

static int by_calls(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->calls != y->calls)
		return x->calls > y->calls ? -1 : 1;
	return strcmp(x->name, y->name);
}

static struct mw_error *fill_groups(struct allocs *allocs,
				    struct mw_table *table)
{
	struct mw_map64 places = { 0 };
	MW_VEC(struct group) groups = { 0 };
	bool ok = true;

	for (size_t i = 0; ok && i < allocs->calls.n; i++) {
		const struct allocs_call *call = &allocs->calls.v[i];
		const char *name = allocs_keep(allocs, name_of(call));
		uint64_t *place = name ? mw_map64_at(&places,
						     (uint64_t)(uintptr_t)name)
				       : NULL;
		struct group *group;

		group = place && *place ? &groups.v[*place - 1]
			: place		? mw_vec_push(&groups)
					: NULL;
		ok = group != NULL;
		if (!ok)
			break;
		if (!*place) {
			*group = (struct group){ .name = name };
			*place = groups.n;
		}
		group->calls++;
		group->functions += group->last_function != call->function;
		group->last_function = call->function;
		group->sized += call->has_bytes;
		if (call->has_bytes)
			group->bytes += call->bytes;
	}
	if (groups.n)
		qsort(groups.v, groups.n, sizeof(*groups.v), by_calls);
	for (size_t i = 0; ok && i < groups.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		ok = cells != NULL;
		if (!ok)
			break;
		mw_cell_borrow(&cells[G_NAME], groups.v[i].name);
		mw_cell_value(&cells[G_CALLS], groups.v[i].calls);
		mw_cell_value(&cells[G_FUNCTIONS], groups.v[i].functions);
		mw_cell_value(&cells[G_SIZED], groups.v[i].sized);
		mw_cell_value(&cells[G_BYTES], groups.v[i].bytes);
	}
	mw_vec_free(&groups);
	mw_map64_free(&places);
	return ok ? NULL : mw_error_nomem();
}

static struct mw_error *fill(struct allocs *allocs, struct mw_table *table)
{
	if (by != BY_PLACE) {
		mw_table_init(table, group_columns, G_COLUMNS);
		return fill_groups(allocs, table);
	}
	mw_table_init(table, columns, COLUMNS);
	for (size_t i = 0; i < allocs->calls.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_row(&allocs->calls.v[i], cells))
			return mw_error_nomem();
	}
	return NULL;
}

static void print_totals(const struct allocs *allocs)
{
	uint64_t typed = 0, sized = 0;

	for (size_t i = 0; i < allocs->calls.n; i++) {
		typed += allocs->calls.v[i].type != NULL;
		sized += allocs->calls.v[i].has_bytes;
	}
	printf("%zu calls that allocate, in %" PRIu64 " of %" PRIu64
	       " functions; type known of %" PRIu64 ", size of %" PRIu64 "\n\n",
	       allocs->calls.n, allocs->functions, allocs->all_functions,
	       typed, sized);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(allocs_free) struct allocs allocs = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	uint64_t begun = mw_kernel_now(), stopped = 0;
	struct mw_error *error = cmd_open_target(call, &allocs.target);

	if (!error) {
		error = allocs_scan(&allocs, only_package);
		if (error)
			error = mw_error_prefix(error, "%s",
						call->target ? call->target
							     : "it");
	}
	if (allocs.target)
		stopped = mw_target_release(allocs.target);
	if (!error)
		error = fill(&allocs, &table);
	if (error)
		return error;
	cmd_print_notes(allocs.target);
	if (call->format == MW_FORMAT_TEXT)
		print_totals(&allocs);
	cmd_emit_table(call, &table, allocs.target, NULL, stopped,
		       mw_kernel_now() - begun);
	return NULL;
}

static void help(FILE *out)
{
	fputs("\nEach row is a place in the machine code where the compiler "
	      "put a call that allocates:\nwhat escapes, what is made with "
	      "make, append, +, conversions. Whether and how often\nit runs, "
	      "the code does not tell. Goroutines and deferred calls are not "
	      "listed.\n", out);
	cmd_print_columns(out, columns, COLUMNS);
	fputs("\nWith --by=call, type, package or function:", out);
	cmd_print_columns(out, group_columns, G_COLUMNS);
}

static const struct cmd_option options[] = {
	{ .name = "by", .argument = "place|call|type|package|function",
	  .choices = ways, .choice = &by,
	  .help = "a row for each place (default), or for all that share a\n"
		  "called function, a type, a package or a function" },
	{ .name = "package", .argument = "PATH", .text = &only_package,
	  .help = "only functions of this package" },
	{ 0 },
};

const struct cmd_command cmd_allocs = {
	.name = "allocs",
	.operands = "TARGET",
	.summary = "every call in a Go program that allocates on the heap",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_FILES,
	.options = options,
	.run = run,
	.help = help,
};
