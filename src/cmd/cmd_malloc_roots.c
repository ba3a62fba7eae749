/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cmd_malloc_roots.h"
#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_search.h"

/* Where a search for lost blocks begins: by accounts, whoever keeps them. */

/** What a leaf function may use below its stack pointer (System V ABI). */
#define RED_ZONE_BYTES 128

/**
 * Accounts that are no roots, with all below them: memory that is free or was
 * never used, or the kernel's.
 */
static const char *const no_roots[] = {
	"go/heap/free-slots",
	"go/heap/idle",
	"go/heap/reserved",
	"go/heap/scavenged",
	"go/heap/span-tail",
	"go/runtime/persistent-free",
	"go/stacks/cached",
	"go/stacks/unused",
	"kernel",
	"stack/main/unused",
	"stack/threads/guard",
	"stack/threads/unused",
};

static bool is_below(const char *account, const char *name)
{
	size_t length = strlen(name);

	return strncmp(account, name, length) == 0 &&
	       (account[length] == '\0' || account[length] == '/');
}

/** Blocks that an allocator knows are not roots; what it has none of is. */
static bool is_allocators(const char *account)
{
	const char *leaf = strrchr(account, '/');
	char allocator[32] = "";

	if (!leaf || !is_below(account, "malloc") ||
	    is_below(account, "malloc/unwalked"))
		return false;
	(void)sscanf(account, "malloc/%31[^/]", allocator);
	return strcmp(leaf, "/foreign") != 0 &&
	       !(mw_alloc_is_root(allocator) && strcmp(leaf, "/in-use") == 0);
}

static bool is_root(const char *account)
{
	for (size_t i = 0; i < MW_COUNT(no_roots); i++)
		if (is_below(account, no_roots[i]))
			return false;
	return !is_allocators(account);
}

/* Ranges, from the ledger while it settles */

struct collector {
	struct cmd_books *books;
	struct cmd_ranges ranges;
	struct cmd_ranges skipped; /* heaps whose insides are not asked for */
	bool knows_skipped;
	MW_VEC(char) kinds; /* per account: enum root_kind; 0: not known yet */
	struct mw_error *error;
};

enum root_kind {
	ROOT_UNKNOWN,
	ROOT_NONE,
	ROOT_ALL,
	ROOT_TLS, /* depends on whether there is a thread */
};

static void keep_error(struct collector *c, struct mw_error *error)
{
	if (c->error)
		mw_error_free(error);
	else
		c->error = error;
}

/** Whether allocators' heaps may hold what is a root all the same. */
static bool has_strange_bytes(const struct mw_alloc *alloc)
{
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(alloc, &count);

	for (size_t i = 0; i < count; i++)
		if (arenas[i]->torn_bytes || arenas[i]->foreign_bytes)
			return true;
	return false;
}

/**
 * Let the ledger post heaps by their sums, which is quick, where there are
 * only blocks in them.
 */
static void find_skipped(struct collector *c)
{
	size_t count, claim_count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(c->books->ledger, &count);
	const struct mw_claim *claims =
		mw_ledger_claims(c->books->ledger, &claim_count);

	c->knows_skipped = true;
	if (has_strange_bytes(c->books->alloc))
		return;
	for (size_t i = 0; i < claim_count; i++)
		if (is_allocators(accounts[claims[i].account].name))
			keep_error(c, cmd_ranges_add(
					      &c->skipped, claims[i].start,
					      claims[i].start +
						      claims[i].bytes));
	cmd_ranges_tidy(&c->skipped);
}

/** The range that holds @va or, if none does, the next one. */
static size_t range_after(const struct cmd_ranges *ranges, uint64_t va)
{
	return mw_first(i, 0, ranges->list.n, ranges->list.v[i].end > va);
}

static uint64_t next_of_interest(void *ctx, uint64_t va)
{
	struct collector *c = ctx;
	size_t at;

	if (!c->knows_skipped)
		find_skipped(c);
	at = range_after(&c->skipped, va);
	return at < c->skipped.list.n && c->skipped.list.v[at].start <= va
		       ? c->skipped.list.v[at].end
		       : va;
}

static enum root_kind kind_of(struct collector *c, mw_account_id account)
{
	size_t count;
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(c->books->ledger, &count);
	const char *name = accounts[account].name;

	while (c->kinds.n <= account) {
		char *fresh = mw_vec_push(&c->kinds);

		if (!fresh) {
			keep_error(c, mw_error_nomem());
			return ROOT_NONE;
		}
		*fresh = ROOT_UNKNOWN;
	}
	if (!c->kinds.v[account])
		c->kinds.v[account] = strcmp(name, "stack/threads/tls") == 0
					      ? ROOT_TLS
				      : is_root(name) ? ROOT_ALL
						      : ROOT_NONE;
	return (enum root_kind)c->kinds.v[account];
}

static void collect(void *ctx, uint64_t start, uint64_t end,
		    mw_account_id account)
{
	struct collector *c = ctx;
	enum root_kind kind = kind_of(c, account);
	struct mw_native_stack stack;

	// A stack that is kept for the next thread still has its descriptor,
	// which points to the vector of its TLS; the variables are dead.
	if (kind == ROOT_TLS &&
	    mw_native_stack_at(c->books->native, start, &stack) &&
	    stack.tid == 0 && stack.tcb)
		start = mw_max(start, mw_min(end, stack.tcb));
	if (kind != ROOT_NONE && !c->error)
		keep_error(c, cmd_ranges_add(&c->ranges, start, end));
}

/* More ranges, and fewer */

/** Add what the leaf functions of threads may have below their stack pointer. */
static struct mw_error *add_red_zones(const struct mw_target *target,
				      struct cmd_ranges *ranges)
{
	struct mw_error *error = NULL;
	size_t count;
	const struct mw_thread *threads = mw_target_threads(target, &count);

	for (size_t i = 0; i < count && !error; i++)
		if (threads[i].has_sp && threads[i].sp > RED_ZONE_BYTES)
			error = cmd_ranges_add(ranges,
					       threads[i].sp - RED_ZONE_BYTES,
					       threads[i].sp);
	return error;
}

struct holes {
	struct cmd_ranges ranges;
	struct mw_error *error;
};

static void add_hole(void *ctx, uint64_t start, uint64_t bytes)
{
	struct holes *holes = ctx;

	if (!holes->error)
		holes->error = cmd_ranges_add(&holes->ranges, start,
					      start + bytes);
}

/** Whether the program may have put pointers into @m. */
static bool can_hold_pointers(const struct mw_target *target,
			      const struct mw_mapping *m)
{
	const struct mw_image *image = mw_target_image_of(target, m);

	if (!(m->perms & MW_PERM_R))
		return false;
	if ((m->perms & MW_PERM_W) || mw_mapping_is_anonymous(m))
		return true;
	if ((m->perms & MW_PERM_SHARED) || !image)
		return false;
	// Data that the loader has made read-only.
	for (size_t i = 0; i < image->elf->segments.n; i++) {
		const struct mw_elf_segment *s = &image->elf->segments.v[i];

		if (s->type == PT_LOAD && (s->flags & PF_W) &&
		    m->start < s->vaddr + image->bias + s->memsz &&
		    s->vaddr + image->bias < m->end)
			return true;
	}
	return false;
}

/** A JIT compiler's code has pointers between its instructions. */
static bool is_made_code(const struct mw_target *target,
			 const struct mw_mapping *m)
{
	return (m->perms & MW_PERM_X) && !mw_target_image_of(target, m);
}

/** Add the words of [@start, @end) in mappings that may hold pointers. */
static struct mw_error *add_extents(const struct mw_target *target,
				    uint64_t start, uint64_t end,
				    struct cmd_roots *to)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	struct mw_error *error = NULL;

	for (size_t i = mw_mappings_after(maps, start);
	     i < maps->list.n && !error && maps->list.v[i].start < end; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t from = mw_align_up(mw_max(start, m->start), 8);
		uint64_t until = mw_align_down(mw_min(end, m->end), 8);

		if (from < until && can_hold_pointers(target, m))
			error = mw_target_extents(target, from, until,
						  is_made_code(target, m)
							  ? &to->code
							  : &to->extents);
	}
	return error;
}

/** @ranges without @holes, both tidy, as extents. */
static struct mw_error *make_extents(const struct mw_target *target,
				     const struct cmd_ranges *ranges,
				     const struct cmd_ranges *holes,
				     struct cmd_roots *to)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < ranges->list.n && !error; i++) {
		uint64_t start = ranges->list.v[i].start;
		uint64_t end = ranges->list.v[i].end;
		size_t h = range_after(holes, start);

		for (; !error && h < holes->list.n &&
		       holes->list.v[h].start < end; h++) {
			error = add_extents(target, start,
					    holes->list.v[h].start, to);
			start = holes->list.v[h].end;
		}
		if (!error)
			error = add_extents(target, start, end, to);
	}
	return error;
}

static void count_bytes(struct cmd_roots *roots,
			const struct mw_extents *extents)
{
	for (size_t i = 0; i < extents->list.n; i++) {
		const struct mw_extent *e = &extents->list.v[i];

		if (e->kind == MW_BYTES_PRESENT)
			roots->bytes += e->end - e->start;
		if (e->kind == MW_BYTES_SWAPPED)
			roots->swapped_bytes += e->end - e->start;
	}
}

static struct mw_error *finish(struct cmd_books *books,
			       struct cmd_ranges *ranges,
			       struct cmd_roots *roots)
{
	struct holes holes = { 0 };
	struct mw_error *error = add_red_zones(books->target, ranges);

	mw_alloc_own_data(books->alloc, add_hole, &holes);
	if (!error)
		error = mw_steal(holes.error);
	mw_error_free(holes.error);
	cmd_ranges_tidy(ranges);
	cmd_ranges_tidy(&holes.ranges);
	if (!error)
		error = make_extents(books->target, ranges, &holes.ranges,
				     roots);
	mw_vec_free(&holes.ranges.list);
	count_bytes(roots, &roots->extents);
	count_bytes(roots, &roots->code);
	return error;
}

/* Registers */

static struct mw_error *add_registers(const struct mw_target *target,
				      struct cmd_roots *roots)
{
	size_t count;
	const struct mw_thread *threads = mw_target_threads(target, &count);

	for (size_t i = 0; i < count; i++) {
		roots->threads_without += !threads[i].has_registers;
		for (size_t r = 0; threads[i].has_registers &&
				   r < MW_REGISTERS; r++) {
			uint64_t *word = mw_vec_push(&roots->words);

			if (!word)
				return mw_error_nomem();
			*word = threads[i].registers[r];
		}
	}
	return NULL;
}

struct mw_error *cmd_roots_take(const struct cmd_call *call,
				struct cmd_books *books,
				struct cmd_roots *ret)
{
	struct collector c = { .books = books };
	struct mw_ledger_trace trace = { next_of_interest, collect, &c };
	struct mw_error *error;

	books->trace = &trace;
	error = cmd_books_take(call, CMD_BOOKS_HOLD, books);
	books->trace = NULL;
	if (!error)
		error = mw_steal(c.error);
	mw_error_free(c.error);
	if (!error)
		error = finish(books, &c.ranges, ret);
	if (!error)
		error = add_registers(books->target, ret);
	mw_vec_free(&c.kinds);
	mw_vec_free(&c.ranges.list);
	mw_vec_free(&c.skipped.list);
	return error;
}

void cmd_roots_free(struct cmd_roots *roots)
{
	mw_extents_free(&roots->extents);
	mw_extents_free(&roots->code);
	mw_vec_free(&roots->words);
}
