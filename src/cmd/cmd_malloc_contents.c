/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "cmd_malloc.h"
#include "mw_demangle.h"
#include "mw_guard.h"
#include "mw_num.h"

/* Blocks in use by what they seem to hold. */

enum column { BYTES, BLOCKS, EXAMPLE, CONTENT, MODULE, TYPE };

static const struct mw_column columns[] = {
	[BYTES] = { "bytes", "BYTES", MW_UNIT_BYTES,
		    "of the blocks, with their heads" },
	[BLOCKS] = { "blocks", "BLOCKS", MW_UNIT_COUNT, "how many there are" },
	[EXAMPLE] = { "example", "EXAMPLE", MW_UNIT_ADDRESS,
		      "one of them, as malloc() returned it" },
	[CONTENT] = { "content", "CONTENT", MW_UNIT_TEXT,
		      "by the first 256 bytes: unreadable (swapped out); "
		      "pointer (the first word leads to where blocks are); "
		      "object (it leads to a C++ vtable with RTTI); module (it "
		      "leads elsewhere into an ELF image); text (4 or more "
		      "characters up to a NUL or the end); zeros; other: the "
		      "first of these that fits. rest: what --limit leaves "
		      "out" },
	[MODULE] = { "module", "MODULE", MW_UNIT_TEXT, "the image of these" },
	[TYPE] = { "type", "TYPE", MW_UNIT_TEXT,
		   "the class of objects; the symbol or place in the image "
		   "that the first word leads to" },
};

#define NAME_LIMIT 300
#define MAX_GROUPS (1u << 17) /* that have a type of their own */

const char *malloc_content_name(enum mw_content content)
{
	static const char *const names[MW_CONTENTS] = {
		[MW_CONTENT_UNREADABLE] = "unreadable",
		[MW_CONTENT_BLOCK] = "pointer",
		[MW_CONTENT_OBJECT] = "object",
		[MW_CONTENT_MODULE] = "module",
		[MW_CONTENT_TEXT] = "text",
		[MW_CONTENT_ZEROS] = "zeros",
		[MW_CONTENT_OTHER] = "other",
	};

	return names[content];
}

/* Naming */

/** "NAME+OFFSET" of a symbol, or "IMAGE+OFFSET". */
static void name_place(struct mw_target *target, struct cmd_names *names,
		       uint64_t va, struct mw_text *to)
{
	const struct mw_image *image = cmd_image_at(target, va);
	struct cmd_name name;

	if (cmd_names_at(names, va, &name)) {
		if (!mw_demangle(name.text, MW_MANGLED_SYMBOL, to))
			mw_text_add(to, "%s", name.text);
		if (va > name.start)
			mw_text_add(to, "+0x%" PRIx64, va - name.start);
	} else if (image) {
		mw_text_add(to, "%s+0x%" PRIx64, image->name,
			    va - image->bias);
	}
}

struct mw_error *malloc_name_type(struct mw_target *target,
				  struct cmd_names *names,
				  enum mw_content content, uint64_t pointer,
				  char **ret)
{
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = NAME_LIMIT };
	MW_CLEANUP(mw_freep) char *class = NULL;

	if (content == MW_CONTENT_OBJECT) {
		class = mw_alloc_class_name(target, pointer);
		if (class && !mw_demangle(class, MW_MANGLED_TYPE, &text))
			mw_text_add(&text, "%s", class);
	} else if (content == MW_CONTENT_MODULE) {
		name_place(target, names, pointer, &text);
	}
	if (text.failed)
		return mw_error_nomem();
	*ret = mw_steal(text.v);
	return NULL;
}

/* Counting */

struct group {
	enum mw_content content;
	uint64_t pointer; /* 0: of no type, or one too many */
	uint64_t blocks, bytes, example;
	char *type;
};

struct groups {
	struct mw_alloc_contents *contents;
	struct mw_map64 by_pointer; /* -> index */
	MW_VEC(struct group) list; /* first one for each content */
};

static void free_groups(struct groups *g)
{
	for (size_t i = 0; i < g->list.n; i++)
		mw_free(g->list.v[i].type);
	mw_vec_free(&g->list);
	mw_map64_free(&g->by_pointer);
	mw_alloc_contents_close(g->contents);
}

static struct group *add_group(struct groups *g, enum mw_content content,
			       uint64_t pointer)
{
	struct group *group = mw_vec_push(&g->list);

	if (group)
		*group = (struct group){ .content = content,
					 .pointer = pointer };
	return group;
}

/** The group of these; @pointer is 0 without a type. NULL without memory. */
static struct group *group_of(struct groups *g, enum mw_content content,
			      uint64_t pointer)
{
	struct group *group;
	uint64_t *index;

	if (pointer == 0 || (content != MW_CONTENT_OBJECT &&
			     content != MW_CONTENT_MODULE))
		return &g->list.v[content];
	index = mw_map64_find(&g->by_pointer, pointer);
	if (index)
		return &g->list.v[*index];
	if (g->list.n >= MAX_GROUPS)
		return &g->list.v[content];
	group = add_group(g, content, pointer);
	index = group ? mw_map64_at(&g->by_pointer, pointer) : NULL;
	if (!index)
		return NULL;
	*index = g->list.n - 1;
	return group;
}

/** Add what @from has counted, whose first block is at @from->example. */
static void add_counts(struct group *to, const struct group *from)
{
	to->example = to->blocks ? mw_min(to->example, from->example)
				 : from->example;
	to->blocks += from->blocks;
	to->bytes += from->bytes;
}

static struct mw_error *count_block(void *ctx,
				    const struct mw_alloc_block *block)
{
	struct groups *g = ctx;
	struct mw_block_content content;
	struct group *group;

	mw_alloc_content(g->contents, block, &content);
	group = group_of(g, content.kind, content.pointer);
	if (!group)
		return mw_error_nomem();
	add_counts(group, &(struct group){ .example = block->user, .blocks = 1,
					   .bytes = block->bytes });
	return NULL;
}

static int by_bytes(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	if (x->content != y->content)
		return x->content < y->content ? -1 : 1;
	return x->example < y->example ? -1 : x->example > y->example;
}

static struct mw_error *begin(struct cmd_books *books, struct groups *g)
{
	struct mw_error *error = mw_alloc_contents_open(
		books->target, books->alloc, &g->contents);

	for (int k = 0; k < MW_CONTENTS && !error; k++)
		if (!add_group(g, (enum mw_content)k, 0))
			error = mw_error_nomem();
	return error;
}

/** Add what another thread has counted. */
static struct mw_error *add_all(struct groups *g, const struct groups *more)
{
	for (size_t i = 0; i < more->list.n; i++) {
		const struct group *from = &more->list.v[i];
		struct group *to;

		if (from->blocks == 0)
			continue;
		to = group_of(g, from->content, from->pointer);
		if (!to)
			return mw_error_nomem();
		add_counts(to, from);
	}
	return NULL;
}

static struct mw_error *count_all(struct cmd_books *books, struct groups *g)
{
	size_t count = mw_min(mw_target_workers(books->target),
			      MW_ALLOC_VISITORS);
	struct groups more[MW_ALLOC_VISITORS] = { 0 };
	void *ctxs[MW_ALLOC_VISITORS] = { g };
	struct mw_error *error = begin(books, g);

	for (size_t i = 1; i < count && !error; i++) {
		error = begin(books, &more[i]);
		ctxs[i] = &more[i];
	}
	if (!error)
		error = mw_alloc_blocks_by_many(books->alloc, MW_ALLOC_IN_USE,
						count_block, ctxs, count);
	for (size_t i = 1; i < count; i++) {
		if (!error)
			error = add_all(g, &more[i]);
		free_groups(&more[i]);
	}
	if (!error)
		qsort(g->list.v, g->list.n, sizeof(*g->list.v), by_bytes);
	return error;
}

/* Telling */

static struct mw_error *add_row(struct mw_table *table,
				const struct mw_target *target,
				const struct group *group)
{
	const struct mw_image *image =
		group->pointer ? cmd_image_at(target, group->pointer) : NULL;
	struct mw_cell *cells = mw_table_add(table);

	if (!cells ||
	    !mw_cell_text(&cells[CONTENT],
			  malloc_content_name(group->content)) ||
	    (group->type && !mw_cell_text(&cells[TYPE], group->type)) ||
	    (image && !mw_cell_text(&cells[MODULE], image->name)))
		return mw_error_nomem();
	mw_cell_value(&cells[BYTES], group->bytes);
	mw_cell_value(&cells[BLOCKS], group->blocks);
	mw_cell_value(&cells[EXAMPLE], group->example);
	return NULL;
}

static struct mw_error *add_rest(struct mw_table *table,
				 const struct groups *g, size_t from)
{
	uint64_t blocks = 0, bytes = 0;
	struct mw_cell *cells;

	for (size_t i = from; i < g->list.n; i++) {
		blocks += g->list.v[i].blocks;
		bytes += g->list.v[i].bytes;
	}
	if (blocks == 0)
		return NULL;
	cells = mw_table_add(table);
	if (!cells || !mw_cell_text(&cells[CONTENT], "rest"))
		return mw_error_nomem();
	mw_cell_value(&cells[BYTES], bytes);
	mw_cell_value(&cells[BLOCKS], blocks);
	return NULL;
}

static struct mw_error *fill(struct mw_table *table, struct cmd_books *books,
			     uint64_t limit)
{
	MW_CLEANUP(cmd_names_closep) struct cmd_names *names = NULL;
	MW_CLEANUP(free_groups) struct groups g = { 0 };
	struct mw_error *error = NULL;
	size_t rows;

	if (mw_target_info(books->target)->no_contents)
		return mw_error_new(MW_E_UNSUPPORTED, "the snapshot was taken "
				    "with --no-contents: what blocks hold is "
				    "not in it");
	error = cmd_names_open(books->target, &names);
	if (!error)
		error = count_all(books, &g);
	rows = limit ? mw_min(limit, g.list.n) : g.list.n;
	for (size_t i = 0; i < rows && !error; i++)
		if (g.list.v[i].content == MW_CONTENT_OBJECT)
			error = malloc_name_type(books->target, names,
						 MW_CONTENT_OBJECT,
						 g.list.v[i].pointer,
						 &g.list.v[i].type);
	// Symbols come from files: that may take its time.
	books->stopped_ns = mw_target_release(books->target);
	for (size_t i = 0; i < rows && !error && g.list.v[i].blocks; i++) {
		struct group *group = &g.list.v[i];

		if (group->content == MW_CONTENT_MODULE)
			error = malloc_name_type(books->target, names,
						 group->content,
						 group->pointer, &group->type);
		if (!error)
			error = add_row(table, books->target, group);
	}
	return error ? error : add_rest(table, &g, rows);
}

const struct malloc_view malloc_by_content = {
	.columns = columns,
	.column_count = MW_COUNT(columns),
	.fill = fill,
	.limit = 100,
};
