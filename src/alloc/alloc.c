/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "alloc_int.h"
#include "mw_guard.h"
#include "mw_parallel.h"

static const struct alloc_detector *const detectors[] = {
	&alloc_glibc,
	&alloc_gtcmalloc,
	&alloc_jemalloc,
	&alloc_mimalloc,
	&alloc_musl,
	&alloc_pymalloc,
	&alloc_tcmalloc,
};

bool mw_alloc_is_root(const char *allocator)
{
	for (size_t i = 0; i < MW_COUNT(detectors); i++)
		if (strcmp(detectors[i]->name, allocator) == 0)
			return detectors[i]->is_root;
	return false;
}

struct mw_error *alloc_add_heap(struct mw_alloc *alloc,
				const struct alloc_detector *detector,
				void *state)
{
	struct alloc_heap *heap = mw_vec_push(&alloc->heaps);

	if (!heap) {
		detector->free(state);
		return mw_error_nomem();
	}
	*heap = (struct alloc_heap){ detector, state };
	return NULL;
}

struct mw_alloc_arena *alloc_add_arena(struct mw_alloc *alloc,
				       const char *allocator,
				       const char *name)
{
	struct mw_alloc_arena *arena = mw_calloc(1, sizeof(*arena));
	struct mw_alloc_arena **place =
		arena ? mw_vec_push(&alloc->arenas) : NULL;

	if (!place) {
		mw_free(arena);
		return NULL;
	}
	*place = arena;
	arena->allocator = allocator;
	snprintf(arena->name, sizeof(arena->name), "%s", name);
	return arena;
}

static void freep(struct mw_alloc **alloc)
{
	mw_alloc_free(*alloc);
}

struct mw_error *mw_alloc_claim(struct mw_target *target,
				const struct mw_sink *sink,
				struct mw_alloc **ret)
{
	MW_CLEANUP(freep) struct mw_alloc *alloc =
		mw_calloc(1, sizeof(*alloc));

	if (!alloc)
		return mw_error_nomem();
	pthread_mutex_init(&alloc->read_lock, NULL);
	alloc->target = target;
	alloc->sink = sink;
	// Allocators are known by what stands in memory.
	for (size_t i = 0; i < MW_COUNT(detectors) &&
			   mw_target_info(target)->can_read &&
			   mw_target_info(target)->is_64; i++) {
		struct mw_error *error = detectors[i]->claim(alloc);

		if (error)
			return error;
	}
	*ret = mw_steal(alloc);
	return NULL;
}

void mw_alloc_free(struct mw_alloc *alloc)
{
	if (!alloc)
		return;
	for (size_t i = 0; i < alloc->heaps.n; i++)
		alloc->heaps.v[i].detector->free(alloc->heaps.v[i].state);
	for (size_t i = 0; i < alloc->arenas.n; i++)
		mw_free(alloc->arenas.v[i]);
	mw_vec_free(&alloc->heaps);
	mw_vec_free(&alloc->arenas);
	pthread_mutex_destroy(&alloc->read_lock);
	mw_free(alloc);
}

const struct mw_alloc_arena *const *
mw_alloc_arenas(const struct mw_alloc *alloc, size_t *ret_count)
{
	*ret_count = alloc->arenas.n;
	return (const struct mw_alloc_arena *const *)alloc->arenas.v;
}

struct mw_error *mw_alloc_block_at(struct mw_alloc *alloc, uint64_t va,
				   struct mw_alloc_block *ret,
				   bool *ret_found)
{
	struct mw_error *error = NULL;
	bool found = false;

	for (size_t i = 0; i < alloc->heaps.n && !error && !found; i++) {
		const struct alloc_heap *h = &alloc->heaps.v[i];

		error = h->detector->block_at(h->state, va, ret, &found);
	}
	if (!error)
		*ret_found = found;
	return error;
}

struct mw_error *mw_alloc_blocks(struct mw_alloc *alloc, unsigned holders,
				 mw_alloc_visit *visit, void *ctx)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < alloc->heaps.n && !error; i++) {
		const struct alloc_heap *h = &alloc->heaps.v[i];

		error = h->detector->blocks(h->state, holders, visit, ctx);
	}
	return error;
}

struct many {
	const struct alloc_heap *heap;
	unsigned holders;
	mw_alloc_visit *visit;
	void *const *ctxs;
	atomic_size_t next; /* part of the heap */
	struct mw_error *errors[MW_ALLOC_VISITORS];
};

static void visit_parts(size_t job, void *ctx)
{
	struct many *m = ctx;
	const struct alloc_detector *d = m->heap->detector;
	size_t count = d->count_parts(m->heap->state), part;
	struct mw_error *error = NULL;

	while (!error && (part = atomic_fetch_add(&m->next, 1)) < count)
		error = d->blocks_of(m->heap->state, part, m->holders,
				     m->visit, m->ctxs[job]);
	m->errors[job] = error;
}

struct mw_error *mw_alloc_blocks_by_many(struct mw_alloc *alloc,
					 unsigned holders,
					 mw_alloc_visit *visit,
					 void *const *ctxs, size_t count)
{
	struct mw_error *error = NULL;

	assert(count > 0 && count <= MW_ALLOC_VISITORS);
	for (size_t i = 0; i < alloc->heaps.n && !error; i++) {
		struct many m = { .heap = &alloc->heaps.v[i],
				  .holders = holders, .visit = visit,
				  .ctxs = ctxs };

		if (!m.heap->detector->blocks_of) {
			error = m.heap->detector->blocks(m.heap->state, holders,
							 visit, ctxs[0]);
			continue;
		}
		mw_parallel(count, count, visit_parts, &m);
		for (size_t k = 0; k < count; k++)
			if (error)
				mw_error_free(m.errors[k]);
			else
				error = m.errors[k];
	}
	return error;
}

bool alloc_holds(const struct mw_alloc *alloc, uint64_t va)
{
	for (size_t i = 0; i < alloc->heaps.n; i++) {
		const struct alloc_heap *h = &alloc->heaps.v[i];

		if (h->detector->holds(h->state, va))
			return true;
	}
	return false;
}

struct mw_error *mw_alloc_bins(struct mw_alloc *alloc,
			       struct mw_alloc_bins *ret)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < alloc->heaps.n && !error; i++) {
		const struct alloc_heap *h = &alloc->heaps.v[i];

		if (h->detector->bins)
			error = h->detector->bins(h->state, ret);
	}
	return error;
}

void mw_alloc_own_data(const struct mw_alloc *alloc,
		       void (*visit)(void *ctx, uint64_t start,
				     uint64_t bytes),
		       void *ctx)
{
	for (size_t i = 0; i < alloc->heaps.n; i++) {
		const struct alloc_heap *h = &alloc->heaps.v[i];

		if (h->detector->own_data)
			h->detector->own_data(h->state, visit, ctx);
	}
}

void mw_alloc_note_drift(const struct mw_alloc *alloc)
{
	uint64_t torn = 0, arenas = 0;

	for (size_t i = 0; i < alloc->arenas.n; i++) {
		torn += alloc->arenas.v[i]->torn_bytes;
		arenas += alloc->arenas.v[i]->torn_bytes > 0;
	}
	if (arenas > 0)
		mw_target_note(alloc->target, "%zu bytes of %zu malloc arenas "
			       "could not be made out (unknown/malloc-torn): "
			       "%s", (size_t)torn, (size_t)arenas,
			       mw_target_info(alloc->target)->mode ==
					       MW_CAPTURE_LIVE
				       ? "they changed while they were read, "
					 "or are damaged"
				       : "they are damaged");
}
