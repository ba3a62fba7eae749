/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "alloc_int.h"
#include "mw_alloc_classes.h"
#include "mw_guard.h"
#include "mw_map64.h"
#include "mw_num.h"

struct classes {
	struct mw_alloc *alloc;
	struct mw_alloc_classes *ret;
	struct mw_map64 known; /* arena << 32 | class -> 1 + index */
	/* The block before, since most are followed by others like it */
	const struct mw_alloc_arena *arena;
	uint32_t arena_index;
};

uint32_t alloc_large_class(uint64_t bytes)
{
	unsigned shift;

	bytes = mw_max(bytes, 8) - 1;
	shift = 61 - (unsigned)__builtin_clzll(bytes);
	return 1u << 31 | shift << 2 | (bytes >> shift & 3);
}

static uint32_t index_of(const struct classes *c,
			 const struct mw_alloc_arena *arena)
{
	for (uint32_t i = 0; i < c->alloc->arenas.n; i++)
		if (c->alloc->arenas.v[i] == arena)
			return i;
	abort(); // a block of no arena
}

/** A class of @arena; NULL without memory. */
static struct mw_alloc_class *class_of(struct classes *c,
				       const struct mw_alloc_arena *arena,
				       uint32_t number)
{
	struct mw_alloc_class *class;
	uint64_t *index;

	if (arena != c->arena) {
		c->arena = arena;
		c->arena_index = index_of(c, arena);
	}
	index = mw_map64_at(&c->known,
			    (uint64_t)c->arena_index << 32 | number);
	if (!index)
		return NULL;
	if (*index)
		return &c->ret->list.v[*index - 1];
	class = mw_vec_push(&c->ret->list);
	if (!class)
		return NULL;
	*index = c->ret->list.n;
	*class = (struct mw_alloc_class){
		.arena = arena,
		.number = number,
		.least_bytes = UINT64_MAX,
	};
	return class;
}

static struct mw_error *add_block(void *ctx,
				  const struct mw_alloc_block *block)
{
	struct mw_alloc_class *class;
	struct mw_alloc_count *count;

	if (block->user == 0)
		return NULL;
	class = class_of(ctx, block->arena, block->class);
	if (!class)
		return mw_error_nomem();
	class->least_bytes = mw_min(class->least_bytes, block->bytes);
	class->most_bytes = mw_max(class->most_bytes, block->bytes);
	count = block->holder == MW_ALLOC_IN_USE   ? &class->in_use
		: block->holder == MW_ALLOC_CACHED ? &class->cached
						   : &class->free;
	count->blocks++;
	count->bytes += block->bytes;
	return NULL;
}

static int by_arena_and_size(const void *a, const void *b, void *ctx)
{
	const struct mw_alloc_class *x = a, *y = b;
	const struct classes *c = ctx;

	if (x->arena != y->arena)
		return index_of(c, x->arena) < index_of(c, y->arena) ? -1 : 1;
	// Two classes may have blocks of one size: odd ones.
	if (x->least_bytes != y->least_bytes)
		return x->least_bytes < y->least_bytes ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void add_count(struct mw_alloc_count *to,
		      const struct mw_alloc_count *from)
{
	to->blocks += from->blocks;
	to->bytes += from->bytes;
}

/** Add what another thread has counted. */
static struct mw_error *add_all(struct classes *c,
				const struct mw_alloc_classes *more)
{
	for (size_t i = 0; i < more->list.n; i++) {
		const struct mw_alloc_class *from = &more->list.v[i];
		struct mw_alloc_class *to =
			class_of(c, from->arena, from->number);

		if (!to)
			return mw_error_nomem();
		to->least_bytes = mw_min(to->least_bytes, from->least_bytes);
		to->most_bytes = mw_max(to->most_bytes, from->most_bytes);
		add_count(&to->in_use, &from->in_use);
		add_count(&to->cached, &from->cached);
		add_count(&to->free, &from->free);
	}
	return NULL;
}

struct mw_error *mw_alloc_classes(struct mw_alloc *alloc,
				  struct mw_alloc_classes *ret)
{
	size_t count = mw_target_workers(alloc->target);
	struct mw_alloc_classes lists[MW_ALLOC_VISITORS] = { 0 };
	struct classes all[MW_ALLOC_VISITORS];
	void *ctxs[MW_ALLOC_VISITORS];
	struct mw_error *error;

	count = mw_min(count, MW_ALLOC_VISITORS);
	for (size_t i = 0; i < count; i++) {
		all[i] = (struct classes){ .alloc = alloc,
					   .ret = i ? &lists[i] : ret };
		ctxs[i] = &all[i];
	}
	error = mw_alloc_blocks_by_many(
		alloc, MW_ALLOC_IN_USE | MW_ALLOC_CACHED | MW_ALLOC_FREE,
		add_block, ctxs, count);
	for (size_t i = 1; i < count; i++) {
		if (!error)
			error = add_all(&all[0], &lists[i]);
		mw_alloc_classes_free(&lists[i]);
		mw_map64_free(&all[i].known);
	}
	if (ret->list.n > 0)
		qsort_r(ret->list.v, ret->list.n, sizeof(*ret->list.v),
			by_arena_and_size, &all[0]);
	mw_map64_free(&all[0].known);
	return error;
}
