/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_malloc.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_text.h"

/* The largest blocks in use. */

#define MOST 1000000 /* with --limit=0 */
#define MOST_EACH 10000 /* up to here each thread finds so many of its own */
#define TEXT_LIMIT 60

enum column {
	ADDRESS, BYTES, USABLE, ALLOCATOR, ARENA, CONTENT, TYPE, COLUMNS,
};

static const struct mw_column columns[COLUMNS] = {
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "what malloc() returned" },
	[BYTES] = { "bytes", "BYTES", MW_UNIT_BYTES,
		    "of the block, with its head" },
	[USABLE] = { "usable_bytes", NULL, MW_UNIT_BYTES,
		     "how much of it may be written to" },
	[ALLOCATOR] = { "allocator", "ALLOCATOR", MW_UNIT_TEXT,
			"that has it" },
	[ARENA] = { "arena", "ARENA", MW_UNIT_TEXT, "its arena" },
	[CONTENT] = { "content", "CONTENT", MW_UNIT_TEXT,
		      "what it seems to hold, as with --contents" },
	[TYPE] = { "type", "TYPE", MW_UNIT_TEXT,
		   "as with --contents; of text, how it begins" },
};

/** The largest so far: a heap, with the least of them first. */
struct largest {
	struct mw_alloc_block *v;
	size_t n, most;
};

/** Whether @x stands behind @y in the answer. */
static bool is_less(const struct mw_alloc_block *x,
		    const struct mw_alloc_block *y)
{
	return x->bytes != y->bytes ? x->bytes < y->bytes
				    : x->start > y->start;
}

/** Put @block in the place of the first one and restore the order. */
static void replace_first(struct largest *l,
			  const struct mw_alloc_block *block)
{
	size_t at = 0, next;

	for (; (next = 2 * at + 1) < l->n; at = next) {
		if (next + 1 < l->n && is_less(&l->v[next + 1], &l->v[next]))
			next++;
		if (!is_less(&l->v[next], block))
			break;
		l->v[at] = l->v[next];
	}
	l->v[at] = *block;
}

static void add(struct largest *l, const struct mw_alloc_block *block)
{
	size_t at = l->n++;

	for (; at > 0 && is_less(block, &l->v[(at - 1) / 2]); at = (at - 1) / 2)
		l->v[at] = l->v[(at - 1) / 2];
	l->v[at] = *block;
}

static struct mw_error *take(void *ctx, const struct mw_alloc_block *block)
{
	struct largest *l = ctx;

	if (l->n < l->most)
		add(l, block);
	else if (is_less(&l->v[0], block))
		replace_first(l, block);
	return NULL;
}

/** Find the largest blocks, into @l, which is empty. */
static struct mw_error *find(struct cmd_books *books, struct largest *l)
{
	size_t count = l->most <= MOST_EACH ? mw_target_workers(books->target)
					    : 1;
	MW_CLEANUP(mw_freep) struct mw_alloc_block *more = NULL;
	struct largest each[MW_ALLOC_VISITORS];
	void *ctxs[MW_ALLOC_VISITORS] = { l };
	struct mw_error *error;

	count = mw_min(count, MW_ALLOC_VISITORS);
	if (count > 1)
		more = mw_calloc((count - 1) * l->most, sizeof(*more));
	if (count > 1 && !more)
		return mw_error_nomem();
	for (size_t i = 1; i < count; i++) {
		each[i] = (struct largest){ more + (i - 1) * l->most, 0,
					    l->most };
		ctxs[i] = &each[i];
	}
	error = mw_alloc_blocks_by_many(books->alloc, MW_ALLOC_IN_USE, take,
					ctxs, count);
	for (size_t i = 1; i < count && !error; i++)
		for (size_t k = 0; k < each[i].n && !error; k++)
			error = take(l, &each[i].v[k]);
	return error;
}

static int by_size(const void *a, const void *b)
{
	return is_less(a, b) ? 1 : -1;
}

/** The text that a block begins with, quoted. */
static char *quote(const struct mw_block_content *content)
{
	struct mw_text text = { .limit = 4 * TEXT_LIMIT };
	size_t n = strnlen((const char *)content->bytes, content->count);

	mw_text_quote(&text, content->bytes, mw_min(n, TEXT_LIMIT),
		      n > TEXT_LIMIT);
	return text.v;
}

static struct mw_error *fill_block(struct mw_cell *cells,
				   const struct mw_alloc_block *block)
{
	if (!mw_cell_text(&cells[ALLOCATOR], block->allocator) ||
	    !mw_cell_text(&cells[ARENA], block->arena->name))
		return mw_error_nomem();
	mw_cell_value(&cells[ADDRESS], block->user);
	mw_cell_value(&cells[BYTES], block->bytes);
	mw_cell_value(&cells[USABLE], block->user_bytes);
	return NULL;
}

/** Name what @content leads to, where it leads to something. */
static struct mw_error *fill_type(struct mw_cell *cells,
				  struct mw_target *target,
				  struct cmd_names *names,
				  enum mw_content content, uint64_t pointer)
{
	MW_CLEANUP(mw_freep) char *type = NULL;
	struct mw_error *error =
		malloc_name_type(target, names, content, pointer, &type);

	if (!error && type && !mw_cell_text(&cells[TYPE], type))
		error = mw_error_nomem();
	return error;
}

/** All that is read from the target; *@ret_pointer: of a MODULE, else 0. */
static struct mw_error *fill_content(struct mw_cell *cells,
				     struct mw_target *target,
				     struct mw_alloc_contents *contents,
				     const struct mw_alloc_block *block,
				     uint64_t *ret_pointer)
{
	MW_CLEANUP(mw_freep) char *text = NULL;
	struct mw_block_content content;

	mw_alloc_content(contents, block, &content);
	if (content.kind == MW_CONTENT_TEXT)
		text = quote(&content);
	if (!mw_cell_text(&cells[CONTENT], malloc_content_name(content.kind)) ||
	    (text && !mw_cell_text(&cells[TYPE], text)))
		return mw_error_nomem();
	if (content.kind == MW_CONTENT_MODULE)
		*ret_pointer = content.pointer;
	if (content.kind != MW_CONTENT_OBJECT)
		return NULL;
	return fill_type(cells, target, NULL, content.kind, content.pointer);
}

/** Rows for @l; what is still to be named by symbols goes to @pointers. */
static struct mw_error *add_rows(struct mw_table *table,
				 struct cmd_books *books,
				 const struct largest *l, uint64_t *pointers)
{
	MW_CLEANUP(mw_alloc_contents_closep)
	struct mw_alloc_contents *contents = NULL;
	bool has_contents = !mw_target_info(books->target)->no_contents;
	struct mw_error *error = mw_alloc_contents_open(
		books->target, books->alloc, &contents);

	for (size_t i = 0; i < l->n && !error; i++) {
		struct mw_cell *cells = mw_table_add(table);

		error = cells ? fill_block(cells, &l->v[i]) : mw_error_nomem();
		if (!error && has_contents)
			error = fill_content(cells, books->target, contents,
					     &l->v[i], &pointers[i]);
	}
	return error;
}

static struct mw_error *fill(struct mw_table *table, struct cmd_books *books,
			     uint64_t limit)
{
	struct largest l = { .most = limit ? mw_min(limit, MOST) : MOST };
	MW_CLEANUP(mw_freep) struct mw_alloc_block *blocks =
		mw_calloc(l.most, sizeof(*blocks));
	MW_CLEANUP(mw_freep) uint64_t *pointers =
		mw_calloc(l.most, sizeof(*pointers));
	MW_CLEANUP(cmd_names_closep) struct cmd_names *names = NULL;
	struct mw_error *error;

	if (!blocks || !pointers)
		return mw_error_nomem();
	l.v = blocks;
	error = find(books, &l);
	if (!error)
		error = cmd_names_open(books->target, &names);
	if (!error && l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), by_size);
	if (!error)
		error = add_rows(table, books, &l, pointers);
	// Symbols come from files: that may take its time.
	books->stopped_ns = mw_target_release(books->target);
	for (size_t i = 0; i < l.n && !error; i++)
		if (pointers[i])
			error = fill_type(&table->cells.v[i * COLUMNS],
					  books->target, names,
					  MW_CONTENT_MODULE, pointers[i]);
	return error;
}

const struct malloc_view malloc_by_size = {
	.columns = columns,
	.column_count = MW_COUNT(columns),
	.fill = fill,
	.limit = 20,
};
