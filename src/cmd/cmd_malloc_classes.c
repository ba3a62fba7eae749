/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_malloc.h"
#include "mw_alloc_classes.h"
#include "mw_guard.h"

/* Blocks by size, and free ones by the list that has them. */

enum class_column {
	ALLOCATOR, ARENA, LEAST, MOST, IN_USE, IN_USE_BLOCKS, FREE,
	FREE_BLOCKS, CACHE, CACHE_BLOCKS, OCCUPANCY,
};

static const struct mw_column class_columns[] = {
	[ALLOCATOR] = { "allocator", "ALLOCATOR", MW_UNIT_TEXT,
			"whose class it is" },
	[ARENA] = { "arena", "ARENA", MW_UNIT_TEXT, "its arena" },
	[LEAST] = { "from_bytes", "FROM", MW_UNIT_BYTES,
		    "of the smallest block there is of the class, with its "
		    "head; glibc's classes are those of its bins, and what is "
		    "as large as was asked for is in four classes for each "
		    "doubling" },
	[MOST] = { "to_bytes", "TO", MW_UNIT_BYTES, "of the largest" },
	[IN_USE] = { "in_use_bytes", "IN USE", MW_UNIT_BYTES,
		     "of blocks that the program has" },
	[IN_USE_BLOCKS] = { "in_use_blocks", "BLOCKS", MW_UNIT_COUNT,
			    "number of these" },
	[FREE] = { "free_bytes", "FREE", MW_UNIT_BYTES,
		   "of free blocks; free pages that belong to no class are "
		   "not told here" },
	[FREE_BLOCKS] = { "free_blocks", "BLOCKS", MW_UNIT_COUNT,
			  "number of these" },
	[CACHE] = { "cache_bytes", "CACHE", MW_UNIT_BYTES,
		    "of free blocks that a thread's cache keeps" },
	[CACHE_BLOCKS] = { "cache_blocks", "BLOCKS", MW_UNIT_COUNT,
			   "number of these" },
	[OCCUPANCY] = { "occupancy_percent", "IN USE%", MW_UNIT_COUNT,
			"how many of all these bytes are in use" },
};

static bool fill_class(struct mw_cell *cells, const struct mw_alloc_class *c)
{
	mw_cell_value(&cells[LEAST], c->least_bytes);
	mw_cell_value(&cells[MOST], c->most_bytes);
	mw_cell_value(&cells[IN_USE], c->in_use.bytes);
	mw_cell_value(&cells[IN_USE_BLOCKS], c->in_use.blocks);
	mw_cell_value(&cells[FREE], c->free.bytes);
	mw_cell_value(&cells[FREE_BLOCKS], c->free.blocks);
	mw_cell_value(&cells[CACHE], c->cached.bytes);
	mw_cell_value(&cells[CACHE_BLOCKS], c->cached.blocks);
	mw_cell_value(&cells[OCCUPANCY],
		      malloc_percent(c->in_use.bytes,
				     c->in_use.bytes + c->free.bytes +
					     c->cached.bytes));
	return mw_cell_text(&cells[ALLOCATOR], c->arena->allocator) &&
	       mw_cell_text(&cells[ARENA], c->arena->name);
}

static struct mw_error *fill_classes(struct mw_table *table,
				     struct cmd_books *books, uint64_t limit)
{
	MW_CLEANUP(mw_alloc_classes_free) struct mw_alloc_classes all = { 0 };
	struct mw_error *error = mw_alloc_classes(books->alloc, &all);

	(void)limit;
	for (size_t i = 0; i < all.list.n && !error; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_class(cells, &all.list.v[i]))
			error = mw_error_nomem();
	}
	return error;
}

const struct malloc_view malloc_by_class = {
	.columns = class_columns,
	.column_count = MW_COUNT(class_columns),
	.fill = fill_classes,
};

enum bin_column {
	BIN_ARENA, BIN_THREAD, BIN, BIN_NUMBER, BIN_LEAST, BIN_MOST,
	BIN_BYTES, BIN_BLOCKS,
};

static const struct mw_column bin_columns[] = {
	[BIN_ARENA] = { "arena", "ARENA", MW_UNIT_TEXT,
			"whose list it is; of a tcache, the arena in which "
			"that stands, though it keeps blocks of others, too" },
	[BIN_THREAD] = { "thread", "THREAD", MW_UNIT_COUNT,
			 "the thread that has the tcache" },
	[BIN] = { "bin", "BIN", MW_UNIT_TEXT,
		  "tcache, fast, unsorted (freed lately, of any size), small "
		  "or large" },
	[BIN_NUMBER] = { "number", "NUMBER", MW_UNIT_COUNT,
			 "of the bin, as malloc counts: tcache and fast bins "
			 "from 0, all others from 1" },
	[BIN_LEAST] = { "from_bytes", "FROM", MW_UNIT_BYTES,
			"of the smallest block in it, with its head" },
	[BIN_MOST] = { "to_bytes", "TO", MW_UNIT_BYTES, "of the largest" },
	[BIN_BYTES] = { "bytes", "BYTES", MW_UNIT_BYTES, "of all of them" },
	[BIN_BLOCKS] = { "blocks", "BLOCKS", MW_UNIT_COUNT,
			 "how many there are" },
};

static bool fill_bin(struct mw_cell *cells, const struct mw_alloc_bin *b)
{
	if (b->tid)
		mw_cell_value(&cells[BIN_THREAD], (uint64_t)b->tid);
	mw_cell_value(&cells[BIN_NUMBER], b->number);
	mw_cell_value(&cells[BIN_LEAST], b->least_bytes);
	mw_cell_value(&cells[BIN_MOST], b->most_bytes);
	mw_cell_value(&cells[BIN_BYTES], b->count.bytes);
	mw_cell_value(&cells[BIN_BLOCKS], b->count.blocks);
	return mw_cell_text(&cells[BIN_ARENA], b->arena->name) &&
	       mw_cell_text(&cells[BIN], b->kind);
}

static struct mw_error *fill_bins(struct mw_table *table,
				  struct cmd_books *books, uint64_t limit)
{
	MW_CLEANUP(mw_alloc_bins_free) struct mw_alloc_bins bins = { 0 };
	struct mw_error *error = mw_alloc_bins(books->alloc, &bins);

	(void)limit;
	for (size_t i = 0; i < bins.list.n && !error; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_bin(cells, &bins.list.v[i]))
			error = mw_error_nomem();
	}
	return error;
}

const struct malloc_view malloc_by_bin = {
	.columns = bin_columns,
	.column_count = MW_COUNT(bin_columns),
	.fill = fill_bins,
};
