/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "glibc_int.h"
#include "mw_guard.h"

/*
 * glibc's malloc (ptmalloc): one main arena for each copy of the C library in
 * the process, with the arenas that hang on it.
 */

static void free_state(void *ctx)
{
	struct glibc *glibc = ctx;

	for (size_t i = 0; i < glibc->regions.n; i++) {
		struct glibc_marks *marks = &glibc->regions.v[i]->marks;

		for (size_t k = 0; marks->leaves && k < marks->count; k++)
			mw_free(marks->leaves[k]);
		mw_free(marks->leaves);
		mw_vec_free(&glibc->regions.v[i]->digest);
		mw_vec_free(&glibc->regions.v[i]->seams);
		mw_error_free(glibc->regions.v[i]->error);
		mw_free(glibc->regions.v[i]);
	}
	for (size_t i = 0; i < glibc->arenas.n; i++)
		mw_free(glibc->arenas.v[i]);
	mw_vec_free(&glibc->regions);
	mw_vec_free(&glibc->arenas);
	mw_vec_free(&glibc->blocks);
	mw_vec_free(&glibc->tcaches);
	mw_map64_free(&glibc->by_va);
	mw_map64_free(&glibc->heaps);
	mw_free(glibc);
}

/* Accounts */

static const struct {
	enum glibc_kind kind;
	const char *parent; /* NULL: the arena's */
	const char *leaf, *evidence;
} kinds[] = {
	{ GLIBC_IN_USE, NULL, "in-use",
	  "chunks whose successor has PREV_INUSE and that no cache lists" },
	{ GLIBC_FREE, NULL, "free",
	  "chunks whose successor has no PREV_INUSE, or in a fastbin" },
	{ GLIBC_FAST, NULL, "free", "" },
	{ GLIBC_CACHE, NULL, "cache",
	  "chunks in the lists of the threads' tcache_perthread_struct" },
	{ GLIBC_TOP, NULL, "top", "malloc_state.top" },
	{ GLIBC_METADATA, NULL, "metadata",
	  "heap_info, malloc_state, tcache_perthread_struct, fenceposts" },
	{ GLIBC_TORN, "unknown", "malloc-torn",
	  "no chain of chunks leads there: changed while it was read, or "
	  "damaged" },
	{ GLIBC_UNREADABLE, "unknown", "unreadable",
	  "pages that could not be read" },
	{ GLIBC_RESERVED, NULL, "reserved",
	  "heap_info: behind size" },
	{ GLIBC_FOREIGN, NULL, "foreign",
	  "of the program break, but outside the arena's chunks" },
};

static struct mw_error *name_arena(struct glibc *glibc, size_t index)
{
	struct glibc_arena *arena = glibc->arenas.v[index];
	MW_CLEANUP(mw_freep) char *parent = NULL;
	struct mw_error *error = NULL;
	char copy[16] = "", name[32];

	if (glibc->number > 1)
		snprintf(copy, sizeof(copy), "libc%u-", glibc->number);
	if (index == 0)
		snprintf(name, sizeof(name), "%smain", copy);
	else
		snprintf(name, sizeof(name), "%sthread-%zu", copy, index);
	snprintf(arena->what, sizeof(arena->what), "glibc arena %s", name);
	arena->figures = alloc_add_arena(glibc->alloc, "glibc", name);
	parent = mw_format("malloc/glibc/%s", name);
	if (!arena->figures || !parent)
		return mw_error_nomem();
	for (size_t i = 0; !error && i < MW_COUNT(kinds); i++) {
		// What an arena cannot have needs no account.
		if (kinds[i].kind == (index ? GLIBC_FOREIGN : GLIBC_RESERVED))
			continue;
		error = mw_sink_account(
			glibc->alloc->sink,
			kinds[i].parent ? kinds[i].parent : parent,
			kinds[i].leaf, kinds[i].evidence,
			&arena->accounts[kinds[i].kind]);
	}
	if (!error && index == 0)
		error = mw_sink_account(glibc->alloc->sink, parent, "mmapped",
					"mappings that begin with a chunk with "
					"IS_MMAPPED; held against mp_.n_mmaps "
					"and mp_.mmapped_mem",
					&glibc->mmapped);
	return error;
}

/** What the arena says of itself. */
static void read_figures(struct glibc *glibc, struct glibc_arena *arena)
{
	struct mw_alloc_arena *f = arena->figures;
	uint32_t mutex = 0;

	(void)!glibc_word(glibc, arena->va + glibc->layout->system_mem,
			  &f->system_bytes);
	f->is_locked = mw_target_read_u32(glibc->target, arena->va, &mutex) &&
		       mutex != 0;
}

static struct mw_error *claim_regions(struct glibc *glibc)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < glibc->regions.n; i++) {
		struct glibc_region *r = glibc->regions.v[i];

		error = mw_sink_claim(glibc->alloc->sink, &(struct mw_claim){
			.start = r->start,
			.bytes = r->limit - r->start,
			.layer = MW_LAYER_OWNER,
			.account = r->arena->accounts[GLIBC_TORN],
			.walker = "glibc malloc",
			.what = r->arena->what,
			.refine = glibc_refine,
			.ctx = r,
		});
	}
	return error;
}

static struct mw_error *walk_copy(struct glibc *glibc)
{
	struct mw_error *error;

	glibc_find_params(glibc);
	error = glibc_find_regions(glibc);
	for (size_t i = 0; !error && i < glibc->arenas.n; i++) {
		error = name_arena(glibc, i);
		if (!error)
			read_figures(glibc, glibc->arenas.v[i]);
	}
	glibc_read_fastbins(glibc);
	if (!error)
		error = glibc_find_threads(glibc);
	if (!error)
		error = glibc_walk(glibc);
	if (!error)
		error = claim_regions(glibc);
	return error ? error : glibc_claim_mmapped(glibc);
}

static struct mw_error *add_copy(void *ctx, uint64_t arena,
				 const struct glibc_arena_layout *layout)
{
	struct mw_alloc *alloc = ctx;
	struct glibc *glibc = mw_calloc(1, sizeof(*glibc));
	struct mw_error *error;

	if (!glibc)
		return mw_error_nomem();
	glibc->alloc = alloc;
	glibc->target = alloc->target;
	glibc->layout = layout;
	glibc->main_arena = arena;
	error = alloc_add_heap(alloc, &alloc_glibc, glibc);
	return error ? error : glibc_find_arenas(glibc);
}

/** The program's own copy, which has the program break, comes first. */
static void sort_copies(struct alloc_heap *copies, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct alloc_heap copy = copies[i];

		if (glibc_has_break(copy.state) &&
		    !glibc_has_break(copies[0].state)) {
			copies[i] = copies[0];
			copies[0] = copy;
		}
	}
}

static struct mw_error *claim(struct mw_alloc *alloc)
{
	size_t first = alloc->heaps.n;
	struct mw_error *error =
		glibc_find_main(alloc->target, add_copy, alloc);

	if (!error && alloc->heaps.n > first)
		sort_copies(alloc->heaps.v + first, alloc->heaps.n - first);
	for (size_t i = first; !error && i < alloc->heaps.n; i++) {
		struct glibc *glibc = alloc->heaps.v[i].state;

		glibc->number = (unsigned)(i - first) + 1;
		error = walk_copy(glibc);
	}
	return error ? error : glibc_claim_unwalked(alloc);
}

static void own_data(void *ctx,
		     void (*visit)(void *ctx, uint64_t start, uint64_t bytes),
		     void *visit_ctx)
{
	const struct glibc *glibc = ctx;

	for (size_t i = 0; i < glibc->arenas.n; i++)
		if (glibc->arenas.v[i]->is_main)
			visit(visit_ctx, glibc->arenas.v[i]->va,
			      glibc->layout->bytes);
}

const struct alloc_detector alloc_glibc = {
	.name = "glibc",
	.claim = claim,
	.free = free_state,
	.block_at = glibc_block_at,
	.blocks = glibc_visit_blocks,
	.count_parts = glibc_count_parts,
	.blocks_of = glibc_visit_blocks_of,
	.holds = glibc_holds,
	.bins = glibc_bins,
	.own_data = own_data,
};
