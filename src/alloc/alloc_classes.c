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

/** The class of @block; NULL without memory. */
static struct mw_alloc_class *class_of(struct classes *c,
				       const struct mw_alloc_block *block)
{
	struct mw_alloc_class *class;
	uint64_t *index;

	if (block->arena != c->arena) {
		c->arena = block->arena;
		c->arena_index = index_of(c, block->arena);
	}
	index = mw_map64_at(&c->known,
			    (uint64_t)c->arena_index << 32 | block->class);
	if (!index)
		return NULL;
	if (*index)
		return &c->ret->list.v[*index - 1];
	class = mw_vec_push(&c->ret->list);
	if (!class)
		return NULL;
	*index = c->ret->list.n;
	*class = (struct mw_alloc_class){
		.arena = block->arena,
		.number = block->class,
		.least_bytes = block->bytes,
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
	class = class_of(ctx, block);
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

struct mw_error *mw_alloc_classes(struct mw_alloc *alloc,
				  struct mw_alloc_classes *ret)
{
	struct classes c = { .alloc = alloc, .ret = ret };
	struct mw_error *error = mw_alloc_blocks(
		alloc, MW_ALLOC_IN_USE | MW_ALLOC_CACHED | MW_ALLOC_FREE,
		add_block, &c);

	if (ret->list.n > 0)
		qsort_r(ret->list.v, ret->list.n, sizeof(*ret->list.v),
			by_arena_and_size, &c);
	mw_map64_free(&c.known);
	return error;
}
