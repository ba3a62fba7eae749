/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ALLOC_CLASSES_H
#define MW_ALLOC_CLASSES_H

#include "mw_alloc.h"
#include "mw_vec.h"

/* Blocks by their size, and by the lists that have them when they are free. */

struct mw_alloc_count {
	uint64_t blocks, bytes;
};

/** The blocks of one size class of an arena. */
struct mw_alloc_class {
	const struct mw_alloc_arena *arena;
	uint32_t number; /* as in struct mw_alloc_block */
	uint64_t least_bytes, most_bytes; /* of the blocks there are */
	struct mw_alloc_count in_use, cached, free;
};

struct mw_alloc_classes {
	MW_VEC(struct mw_alloc_class) list;
};

/**
 * All blocks by arena, in the order of mw_alloc_arenas(), and size, ascending.
 * Free pages that are no block of any size are left out. @ret must be zeroed.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   that of mw_alloc_blocks().
 */
MW_MUST_USE struct mw_error *mw_alloc_classes(struct mw_alloc *alloc,
					      struct mw_alloc_classes *ret);

static inline void mw_alloc_classes_free(struct mw_alloc_classes *classes)
{
	mw_vec_free(&classes->list);
}

/** A list of free blocks. */
struct mw_alloc_bin {
	/* Of a tcache: the one in which it stands; it has blocks of others */
	const struct mw_alloc_arena *arena;
	const char *kind; /* tcache, fast, unsorted, small, large; static */
	uint32_t number;  /* of those of its kind, as the allocator counts */
	int32_t tid; /* of the thread that has a tcache; 0: none, unknown */
	uint64_t least_bytes, most_bytes; /* of the blocks */
	struct mw_alloc_count count;
};

struct mw_alloc_bins {
	MW_VEC(struct mw_alloc_bin) list;
};

/**
 * What glibc's lists have: those that are not empty, arena by arena. @ret must
 * be zeroed.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   a walk through all heaps; a read for each chunk that is not sorted.
 */
MW_MUST_USE struct mw_error *mw_alloc_bins(struct mw_alloc *alloc,
					   struct mw_alloc_bins *ret);

static inline void mw_alloc_bins_free(struct mw_alloc_bins *bins)
{
	mw_vec_free(&bins->list);
}

#endif
