/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_malloc.h"
#include "mw_guard.h"
#include "mw_num.h"

enum column {
	ALLOCATOR, ARENA, IN_USE, IN_USE_BLOCKS, FREE, FREE_BLOCKS,
	LARGEST_FREE, FRAGMENTATION, CACHE, CACHE_BLOCKS, TOP, METADATA,
	FOREIGN, TORN, RESERVED, SYSTEM, RESIDENT, TRIMMABLE, THREADS, TIDS, STATE,
};

static const struct mw_column columns[] = {
	[ALLOCATOR] = { "allocator", "ALLOCATOR", MW_UNIT_TEXT,
			"which malloc: a process may have several" },
	[ARENA] = { "arena", "ARENA", MW_UNIT_TEXT,
		    "its arena; mmapped: large blocks with mappings of their "
		    "own" },
	[IN_USE] = { "in_use_bytes", "IN USE", MW_UNIT_BYTES,
		     "of blocks that the program has, with their heads" },
	[IN_USE_BLOCKS] = { "in_use_blocks", "BLOCKS", MW_UNIT_COUNT,
			    "number of these" },
	[FREE] = { "free_bytes", "FREE", MW_UNIT_BYTES,
		   "of freed blocks between others: holes" },
	[FREE_BLOCKS] = { "free_blocks", NULL, MW_UNIT_COUNT,
			  "number of these" },
	[LARGEST_FREE] = { "largest_free_bytes", NULL, MW_UNIT_BYTES,
			   "the largest of these" },
	[FRAGMENTATION] = { "fragmentation_percent", "FRAG%", MW_UNIT_COUNT,
			    "how many of the bytes in blocks are in holes" },
	[CACHE] = { "cache_bytes", "CACHE", MW_UNIT_BYTES,
		    "of freed blocks that a thread's cache keeps; mallinfo2() "
		    "counts them as in use" },
	[CACHE_BLOCKS] = { "cache_blocks", NULL, MW_UNIT_COUNT,
			   "number of these" },
	[TOP] = { "top_bytes", "TOP", MW_UNIT_BYTES,
		  "behind the last block, not handed out" },
	[METADATA] = { "metadata_bytes", NULL, MW_UNIT_BYTES,
		       "of the allocator's own structures" },
	[FOREIGN] = { "foreign_bytes", NULL, MW_UNIT_BYTES,
		      "of the program break, got by somebody else" },
	[TORN] = { "torn_bytes", NULL, MW_UNIT_BYTES,
		   "to which no chain of blocks leads: changed while it was "
		   "read, or damaged" },
	[RESERVED] = { "reserved_bytes", NULL, MW_UNIT_BYTES,
		       "address space for the arena to grow into" },
	[SYSTEM] = { "system_bytes", NULL, MW_UNIT_BYTES,
		     "what the arena says that it got from the system" },
	[RESIDENT] = { "resident_bytes", "RESIDENT", MW_UNIT_BYTES,
		       "of all of it, in RSS" },
	[TRIMMABLE] = { "trimmable_bytes", "TRIMMABLE", MW_UNIT_BYTES,
			"resident bytes that malloc_trim(0), or what the "
			"allocator has instead, would give back now" },
	[THREADS] = { "threads", "THREADS", MW_UNIT_COUNT,
		      "that allocate from it" },
	[TIDS] = { "tids", NULL, MW_UNIT_TEXT, "the first four of these" },
	[STATE] = { "state", "STATE", MW_UNIT_TEXT,
		    "busy: a thread was at work in it while it was read, so "
		    "that some blocks may be in transit" },
};

uint64_t malloc_percent(uint64_t part, uint64_t of)
{
	return of ? (uint64_t)((__uint128_t)part * 100 / of) : 0;
}

/** The threads that are known by name. */
static bool fill_tids(struct mw_cell *cell, const struct mw_alloc_arena *a)
{
	char text[MW_ALLOC_TIDS * 12 + 1] = "";
	size_t at = 0;

	for (size_t i = 0; i < MW_ALLOC_TIDS && a->tids[i]; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d",
				       i ? " " : "", a->tids[i]);
	return mw_cell_text(cell, text);
}

static bool fill_row(struct mw_cell *cells, const struct mw_alloc_arena *a)
{
	mw_cell_value(&cells[IN_USE], a->in_use_bytes);
	mw_cell_value(&cells[IN_USE_BLOCKS], a->in_use_blocks);
	mw_cell_value(&cells[FREE], a->free_bytes);
	mw_cell_value(&cells[FREE_BLOCKS], a->free_blocks);
	mw_cell_value(&cells[LARGEST_FREE], a->largest_free_bytes);
	mw_cell_value(&cells[FRAGMENTATION],
		      malloc_percent(a->free_bytes,
				     a->free_bytes + a->in_use_bytes +
					     a->cache_bytes));
	mw_cell_value(&cells[CACHE], a->cache_bytes);
	mw_cell_value(&cells[CACHE_BLOCKS], a->cache_blocks);
	mw_cell_value(&cells[TOP], a->top_bytes);
	mw_cell_value(&cells[METADATA], a->metadata_bytes);
	mw_cell_value(&cells[FOREIGN], a->foreign_bytes);
	mw_cell_value(&cells[TORN], a->torn_bytes);
	mw_cell_value(&cells[RESERVED], a->reserved_bytes);
	mw_cell_value(&cells[SYSTEM], a->system_bytes);
	mw_cell_value(&cells[RESIDENT], a->resident_bytes);
	mw_cell_value(&cells[TRIMMABLE], a->trimmable_bytes);
	mw_cell_value(&cells[THREADS], a->threads);
	return mw_cell_text(&cells[ALLOCATOR], a->allocator) &&
	       mw_cell_text(&cells[ARENA], a->name) &&
	       fill_tids(&cells[TIDS], a) &&
	       mw_cell_text(&cells[STATE],
			    a->is_locked || a->unsettled ? "busy" : "");
}

static int by_resident(const void *a, const void *b)
{
	const struct mw_alloc_arena *const *x = a, *const *y = b;

	if ((*x)->resident_bytes != (*y)->resident_bytes)
		return (*x)->resident_bytes > (*y)->resident_bytes ? -1 : 1;
	return strcmp((*x)->name, (*y)->name);
}

static struct mw_error *fill_arenas(struct mw_table *table,
				    struct cmd_books *books, uint64_t most)
{
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(books->alloc, &count);
	MW_CLEANUP(mw_freep) const struct mw_alloc_arena **sorted =
		mw_calloc(count, sizeof(*sorted));

	(void)most;
	if (!sorted)
		return mw_error_nomem();
	if (count > 0) {
		memcpy(sorted, arenas, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), by_resident);
	}
	for (size_t i = 0; i < count; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_row(cells, sorted[i]))
			return mw_error_nomem();
	}
	return NULL;
}

/** The sum of all rows in words, below the table. */
static void print_sums(const struct cmd_call *call,
		       const struct mw_alloc *alloc)
{
	bool exact = call->style.exact_bytes;
	uint64_t in_use = 0, free = 0, resident = 0, trimmable = 0;
	char text[4][32];
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(alloc, &count);

	for (size_t i = 0; i < count; i++) {
		const struct mw_alloc_arena *a = arenas[i];

		in_use += a->in_use_bytes;
		free += a->free_bytes + a->cache_bytes + a->top_bytes;
		resident += a->resident_bytes;
		trimmable += a->trimmable_bytes;
	}
	printf("\n%s in use, %s free, cached or top; %s resident, of which "
	       "trimming would give\nback %s now.\n",
	       mw_format_bytes(text[0], in_use, exact),
	       mw_format_bytes(text[1], free, exact),
	       mw_format_bytes(text[2], resident, exact),
	       mw_format_bytes(text[3], trimmable, exact));
}

static const struct malloc_view by_arena = {
	.columns = columns,
	.column_count = MW_COUNT(columns),
	.fill = fill_arenas,
};

/** What stands below a table for people. */
static void print_end(const struct cmd_call *call,
		      const struct mw_alloc *alloc,
		      const struct mw_table *table,
		      const struct malloc_view *view)
{
	size_t count;

	(void)mw_alloc_arenas(alloc, &count);
	if (count == 0)
		puts("No allocator was recognised.");
	else if (view == &by_arena)
		print_sums(call, alloc);
	else if (mw_table_rows(table) == 0)
		puts("There are no such blocks.");
}

/* The command */

static bool as_classes, as_bins, as_largest, as_contents,
	as_leaks;
static uint64_t limit = UINT64_MAX; /* none was given */

static const struct {
	const bool *wanted;
	const struct malloc_view *view;
	const char *option;
} views[] = {
	{ &as_classes, &malloc_by_class, "--classes" },
	{ &as_bins, &malloc_by_bin, "--bins" },
	{ &as_largest, &malloc_by_size, "--largest" },
	{ &as_contents, &malloc_by_content, "--contents" },
	{ &as_leaks, &malloc_by_leak, "--leaks" },
};

static void help(FILE *out)
{
	cmd_print_columns(out, columns, MW_COUNT(columns));
	for (size_t i = 0; i < MW_COUNT(views); i++) {
		fprintf(out, "\nWith %s:\n", views[i].option);
		if (views[i].view->help)
			mw_print_wrapped(out, views[i].view->help, 0, 0, 80);
		cmd_print_columns(out, views[i].view->columns,
				  views[i].view->column_count);
	}
}

static struct mw_error *choose(const struct malloc_view **ret)
{
	*ret = &by_arena;
	for (size_t i = 0; i < MW_COUNT(views); i++) {
		if (!*views[i].wanted)
			continue;
		if (*ret != &by_arena)
			return mw_error_new(MW_E_USAGE, "%s: one table at a "
					    "time", views[i].option);
		*ret = views[i].view;
	}
	return NULL;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_books_free) struct cmd_books books = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	const struct malloc_view *view;
	struct mw_error *error = choose(&view);

	if (!error && view->run)
		return view->run(call, limit == UINT64_MAX ? view->limit
							   : limit);
	if (!error)
		error = cmd_books_take(call, CMD_BOOKS_HOLD, &books);
	if (error)
		return error;
	mw_table_init(&table, view->columns, view->column_count);
	error = view->fill(&table, &books,
			   limit == UINT64_MAX ? view->limit : limit);
	if (!books.stopped_ns)
		books.stopped_ns = mw_target_release(books.target);
	if (error)
		return error;
	cmd_print_notes(books.target);
	if (call->format != MW_FORMAT_TEXT || mw_table_rows(&table) > 0)
		cmd_emit_table(call, &table, books.target, books.go,
			       books.stopped_ns, books.wall_ns);
	if (call->format == MW_FORMAT_TEXT)
		print_end(call, books.alloc, &table, view);
	return NULL;
}

static const struct cmd_option options[] = {
	{ .name = "classes", .flag = &as_classes,
	  .help = "blocks by size class, with their occupancy" },
	{ .name = "bins", .flag = &as_bins,
	  .help = "glibc's free blocks by the list that has them" },
	{ .name = "largest", .flag = &as_largest,
	  .help = "the largest blocks in use" },
	{ .name = "contents", .flag = &as_contents,
	  .help = "blocks in use by what they seem to hold: C++ objects by\n"
		  "their class, text, …" },
	{ .name = "leaks", .flag = &as_leaks,
	  .help = "blocks in use that nothing reaches any more; exact with\n"
		  "--stop" },
	{ .name = "limit", .argument = "N", .number = &limit,
	  .help = "at most N rows of --largest (default: 20), --contents or\n"
		  "--leaks (default: 100); 0: all" },
	{ 0 },
};

const struct cmd_command cmd_malloc = {
	.name = "malloc",
	.operands = "TARGET",
	.summary = "native allocators: arenas, free blocks, what trimming "
		   "would give back",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE,
	.options = options,
	.run = run,
	.help = help,
};
