/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOC_INT_H
#define ALLOC_INT_H

#include "mw_alloc.h"
#include "mw_vec.h"

struct mw_alloc {
	struct mw_target *target;
	const struct mw_sink *sink;
	MW_VEC(struct mw_alloc_arena *) arenas;
	MW_VEC(void *) states; /* one a detector; NULL: not in this process */
};

/**
 * An allocator that can be recognised. Every detector looks at every process;
 * to add one, write its files and name it in the table of alloc.c.
 */
struct alloc_detector {
	const char *name;
	/**
	 * Look for the allocator and claim what it owns. *@ret_state, which
	 * backs the claims, stays NULL when it is not there.
	 */
	struct mw_error *(*claim)(struct mw_alloc *alloc, void **ret_state);
	void (*free)(void *state);
	/** The block that holds @va: see mw_alloc_block_at(). */
	bool (*block_at)(void *state, uint64_t va, struct mw_alloc_block *ret);
};

extern const struct alloc_detector alloc_glibc;

/** A new arena of @allocator, owned by @alloc; NULL without memory. */
struct mw_alloc_arena *alloc_add_arena(struct mw_alloc *alloc,
				       const char *allocator,
				       const char *name);

#endif
