/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_malloc_leaks.h"
#include "cmd_malloc_roots.h"
#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_kernel.h"

/* Blocks that nothing reaches. */

enum column {
	KIND, BLOCK_BYTES, BLOCKS, BYTES, INDIRECT_BLOCKS, INDIRECT_BYTES,
	ALLOCATOR, ARENA, EXAMPLE, CONTENT, TYPE,
};

static const struct mw_column columns[] = {
	[KIND] = { "kind", "LOST", MW_UNIT_TEXT,
		   "definite: nothing points to it; indirect: only lost blocks "
		   "do; possible: only pointers into its inside lead to it, or "
		   "to what leads to it" },
	[BLOCK_BYTES] = { "block_bytes", "BLOCK", MW_UNIT_BYTES,
			  "of one block, as malloc_usable_size() tells" },
	[BLOCKS] = { "blocks", "BLOCKS", MW_UNIT_COUNT,
		     "of this kind, size, arena and content" },
	[BYTES] = { "bytes", "BYTES", MW_UNIT_BYTES, "of all of them" },
	[INDIRECT_BLOCKS] = { "indirect_blocks", "WITH", MW_UNIT_COUNT,
			      "blocks that are lost with these: the indirect "
			      "ones, each counted once" },
	[INDIRECT_BYTES] = { "indirect_bytes", "THEIR BYTES", MW_UNIT_BYTES,
			     "of those" },
	[ALLOCATOR] = { "allocator", "ALLOCATOR", MW_UNIT_TEXT,
			"that has them" },
	[ARENA] = { "arena", "ARENA", MW_UNIT_TEXT, "its arena" },
	[EXAMPLE] = { "example", "EXAMPLE", MW_UNIT_ADDRESS,
		      "the first of them, for hexdump, explain and "
		      "search --pointer" },
	[CONTENT] = { "content", "CONTENT", MW_UNIT_TEXT,
		      "what they seem to hold, as with --contents" },
	[TYPE] = { "type", "TYPE", MW_UNIT_TEXT, "the same" },
};

#define KINDS (MW_LEAK_INDIRECT + 1)

static const char *const kind_names[KINDS] = {
	[MW_LEAK_NONE] = "reached",
	[MW_LEAK_POSSIBLE] = "possible",
	[MW_LEAK_DEFINITE] = "definite",
	[MW_LEAK_INDIRECT] = "indirect",
};

struct search {
	struct cmd_books books;
	struct cmd_roots roots;
	struct mw_leaks *leaks;
	struct cmd_progress progress;
	struct mw_map64 vtables; /* address -> 1: none, 2: one */
	uint64_t block_bytes;	 /* of all blocks */
	struct mw_alloc_contents *contents;
	struct leak_groups groups;
	struct {
		uint64_t blocks, bytes;
	} totals[KINDS];
};

/* What the search asks */

/** Of any class and any of its bases: its first function is code. */
static bool leads_to_code(struct mw_target *target, uint64_t va)
{
	const struct mw_mapping *m;
	uint64_t function;

	if (!mw_target_search(target, va, &function, sizeof(function)))
		return false;
	m = mw_mappings_find(mw_target_mappings(target), function);
	return m && (m->perms & MW_PERM_X);
}

static bool is_vtable(void *ctx, uint64_t va)
{
	struct search *s = ctx;
	struct mw_target *target = s->books.target;
	const struct mw_mapping *m =
		mw_mappings_find(mw_target_mappings(target), va);
	uint64_t *known;

	// Most words end here, so that few are kept.
	if (!m || (m->perms & MW_PERM_X) || !mw_target_image_of(target, m))
		return false;
	known = mw_map64_at(&s->vtables, va);
	if (!known)
		return false;
	if (!*known)
		*known = leads_to_code(target, va) ? 2 : 1;
	return *known == 2;
}

static void tell_progress(void *ctx, uint64_t bytes)
{
	struct search *s = ctx;

	cmd_progress_add(&s->progress, bytes);
}

/* Searching */

static struct mw_error *add_block(void *ctx,
				  const struct mw_alloc_block *block)
{
	struct search *s = ctx;

	if (mw_alloc_is_root(block->allocator))
		return NULL;
	s->block_bytes += block->user_bytes;
	return mw_leaks_add(s->leaks, block->user, block->user_bytes);
}

static struct mw_error *find_leaks(struct search *s)
{
	struct mw_leaks_options options = {
		.target = s->books.target,
		.is_vtable = is_vtable,
		.progress = tell_progress,
		.ctx = s,
	};
	struct mw_error *error = mw_leaks_new(&options, &s->leaks);

	if (!error)
		error = mw_alloc_blocks(s->books.alloc, MW_ALLOC_IN_USE,
					add_block, s);
	if (error)
		return error;
	cmd_progress_begin(&s->progress, "looked through",
			   s->roots.bytes + s->block_bytes);
	error = mw_leaks_search(s->leaks, &s->roots.extents, &s->roots.code,
				s->roots.words.v, s->roots.words.n);
	cmd_progress_end(&s->progress);
	return error;
}

static struct mw_error *count_block(void *ctx,
				    const struct mw_alloc_block *block)
{
	struct search *s = ctx;
	struct mw_block_content content;
	struct mw_leak leak;

	if (mw_alloc_is_root(block->allocator))
		return NULL;
	leak = mw_leaks_of(s->leaks, block->user);
	s->totals[leak.kind].blocks++;
	s->totals[leak.kind].bytes += block->user_bytes;
	if (leak.kind == MW_LEAK_NONE)
		return NULL;
	mw_alloc_content(s->contents, block, &content);
	return leak_groups_add(&s->groups, block, &leak, &content);
}

static struct mw_error *count_leaks(struct search *s)
{
	struct mw_error *error = mw_alloc_contents_open(
		s->books.target, s->books.alloc, &s->contents);

	if (!error)
		error = mw_alloc_blocks(s->books.alloc, MW_ALLOC_IN_USE,
					count_block, s);
	if (!error)
		leak_groups_sort(&s->groups);
	return error;
}

/** Name the types of the first @rows groups that hold @content. */
static struct mw_error *name_types(struct search *s, struct cmd_names *names,
				   enum mw_content content, size_t rows)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < rows && !error; i++) {
		struct leak_group *g = &s->groups.list.v[i];

		if (g->content == content && g->pointer)
			error = malloc_name_type(s->books.target, names,
						 content, g->pointer,
						 &g->type);
	}
	return error;
}

/* Printing */

static struct mw_error *fill(struct mw_table *table, const struct search *s,
			     size_t rows)
{
	for (size_t i = 0; i < rows; i++) {
		const struct leak_group *g = &s->groups.list.v[i];
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || (g->type && !mw_cell_text(&cells[TYPE], g->type)))
			return mw_error_nomem();
		mw_cell_borrow(&cells[KIND], kind_names[g->kind]);
		mw_cell_value(&cells[BLOCK_BYTES], g->block_bytes);
		mw_cell_value(&cells[BLOCKS], g->blocks);
		mw_cell_value(&cells[BYTES], leak_group_bytes(g));
		if (g->kind == MW_LEAK_DEFINITE) {
			mw_cell_value(&cells[INDIRECT_BLOCKS],
				      g->indirect_blocks);
			mw_cell_value(&cells[INDIRECT_BYTES],
				      g->indirect_bytes);
		}
		mw_cell_borrow(&cells[ALLOCATOR], g->arena->allocator);
		mw_cell_borrow(&cells[ARENA], g->arena->name);
		mw_cell_value(&cells[EXAMPLE], g->example);
		mw_cell_borrow(&cells[CONTENT],
			       malloc_content_name(g->content));
	}
	return NULL;
}

static void print_totals(const struct cmd_call *call, const struct search *s)
{
	static const struct {
		enum mw_leak_kind kind;
		const char *sentence;
	} lines[] = {
		{ MW_LEAK_DEFINITE, "definitely lost: nothing points to them" },
		{ MW_LEAK_INDIRECT, "indirectly lost: only lost ones do" },
		{ MW_LEAK_POSSIBLE,
		  "possibly lost: only pointers into their inside lead there" },
		{ MW_LEAK_NONE, "reached" },
	};
	char bytes[32];
	size_t count;

	(void)mw_alloc_arenas(s->books.alloc, &count);
	if (count == 0) {
		puts("No allocator was recognised.");
		return;
	}
	for (size_t i = 0; i < MW_COUNT(lines); i++)
		printf("%12s in %10" PRIu64 " blocks  %s\n",
		       mw_format_bytes(bytes, s->totals[lines[i].kind].bytes,
				       call->style.exact_bytes),
		       s->totals[lines[i].kind].blocks, lines[i].sentence);
}

static void print_json(const struct cmd_call *call, const struct search *s,
		       const struct mw_table *table)
{
	struct mw_json json;
	char key[32];

	cmd_json_begin(&json, call, s->books.target, s->books.go,
		       s->books.stopped_ns, s->books.wall_ns);
	mw_json_key(&json, "totals");
	mw_json_object(&json);
	for (size_t kind = 0; kind < KINDS; kind++) {
		snprintf(key, sizeof(key), "%s_blocks", kind_names[kind]);
		mw_json_member_u64(&json, key, s->totals[kind].blocks);
		snprintf(key, sizeof(key), "%s_bytes", kind_names[kind]);
		mw_json_member_u64(&json, key, s->totals[kind].bytes);
	}
	mw_json_end(&json);
	mw_json_table(&json, table);
	cmd_json_end(&json, s->books.target);
}

static void print(const struct cmd_call *call, const struct search *s,
		  const struct mw_table *table)
{
	cmd_print_notes(s->books.target);
	if (call->format == MW_FORMAT_JSON) {
		print_json(call, s, table);
		return;
	}
	if (call->format == MW_FORMAT_TEXT) {
		print_totals(call, s);
		if (mw_table_rows(table) == 0)
			return;
		putchar('\n');
	}
	cmd_emit_table(call, table, s->books.target, s->books.go,
		       s->books.stopped_ns, s->books.wall_ns);
	if (call->format == MW_FORMAT_TEXT &&
	    mw_table_rows(table) < s->groups.list.n)
		printf("and %zu more rows (--limit=0 shows all)\n",
		       s->groups.list.n - mw_table_rows(table));
}

/** What limits the answer in this case. */
static void note_limits(const struct search *s)
{
	struct mw_target *target = s->books.target;
	uint64_t swapped = s->roots.swapped_bytes;
	char text[32];
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(s->books.ledger, &count);

	for (size_t i = 0; i < count; i++)
		if (strncmp(accounts[i].name, "malloc/", 7) == 0)
			swapped += accounts[i].tally.swap_bytes;
	if (swapped)
		mw_target_note(target, "%s are in swap and were not looked "
			       "through: what only they point to is called "
			       "lost", mw_format_bytes(text, swapped, false));
	if (mw_target_info(target)->mode == MW_CAPTURE_LIVE)
		mw_target_note(target, "the process ran on meanwhile, and "
			       "what stood only in registers is not known: "
			       "blocks in use may be called lost; --stop is "
			       "exact");
	else if (s->roots.threads_without)
		mw_target_note(target, "the registers of %zu threads are not "
			       "known: what stood only there is called lost",
			       s->roots.threads_without);
}

/* The command */

static struct mw_error *run_search(const struct cmd_call *call,
				   uint64_t limit, struct search *s)
{
	MW_CLEANUP(cmd_names_closep) struct cmd_names *names = NULL;
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	uint64_t begun = mw_kernel_now();
	struct mw_error *error = cmd_roots_take(call, &s->books, &s->roots);
	size_t rows = 0;

	if (!error && mw_target_info(s->books.target)->no_contents)
		error = mw_error_new(MW_E_UNSUPPORTED, "the snapshot was taken "
				     "with --no-contents: the pointers are "
				     "not in it");
	if (!error)
		error = find_leaks(s);
	if (!error)
		error = count_leaks(s);
	if (!error)
		error = cmd_names_open(s->books.target, &names);
	if (!error) {
		rows = limit ? mw_min(limit, s->groups.list.n)
			     : s->groups.list.n;
		error = name_types(s, names, MW_CONTENT_OBJECT, rows);
	}
	if (error)
		return error;
	note_limits(s);
	s->books.stopped_ns += mw_target_release(s->books.target);
	s->books.wall_ns = mw_kernel_now() - begun;
	// Symbols come from files: that may take its time.
	error = name_types(s, names, MW_CONTENT_MODULE, rows);
	mw_table_init(&table, columns, MW_COUNT(columns));
	if (!error)
		error = fill(&table, s, rows);
	if (!error)
		print(call, s, &table);
	return error;
}

static struct mw_error *run(const struct cmd_call *call, uint64_t limit)
{
	struct search s = { 0 };
	struct mw_error *error = run_search(call, limit, &s);

	mw_alloc_contents_close(s.contents);
	mw_leaks_free(s.leaks);
	leak_groups_free(&s.groups);
	mw_map64_free(&s.vtables);
	cmd_roots_free(&s.roots);
	cmd_books_free(&s.books);
	return error;
}

const struct malloc_view malloc_by_leak = {
	.columns = columns,
	.column_count = MW_COUNT(columns),
	.run = run,
	.limit = 100,
	.help = "Every word of data, of live stack frames, of registers, of "
		"TLS, of what Go has in use and of blocks that are reached "
		"counts as a pointer if it could be one; in code that the "
		"program has made, at any byte. So a leak is not "
		"seen while its address stands anywhere; and a block whose "
		"address is kept in disguise, or outside of the process, is "
		"called lost though it is not.",
};
