/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ALLOC_H
#define MW_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_facts.h"
#include "mw_target.h"

/*
 * Native allocators: found in a process without symbols, by what their
 * structures must look like, and walked block by block. A process may hold
 * several; each detector looks at every process.
 */
struct mw_alloc;

/* So many of an arena's threads are named. */
#define MW_ALLOC_TIDS 4

/** One arena, or what an allocator has instead. Bytes of address space. */
struct mw_alloc_arena {
	const char *allocator; /* static */
	char name[32];
	uint64_t in_use_bytes, in_use_blocks;
	uint64_t free_bytes, free_blocks; /* without cache and top */
	uint64_t largest_free_bytes;
	uint64_t cache_bytes, cache_blocks; /* free, kept for one thread */
	uint64_t top_bytes; /* never handed out since it was last got */
	uint64_t metadata_bytes;
	uint64_t foreign_bytes; /* inside, but got by somebody else */
	uint64_t torn_bytes;	/* could not be made out */
	uint64_t reserved_bytes;
	uint64_t resident_bytes;  /* of all of it */
	uint64_t trimmable_bytes; /* resident ones that it could give back */
	uint64_t system_bytes; /* what the arena says that it holds */
	uint64_t threads;      /* that allocate from it */
	int32_t tids[MW_ALLOC_TIDS]; /* of these, the first; 0: not known */
	uint64_t unsettled;    /* free blocks caught in a change */
	bool is_locked;	       /* a thread is at work in it */
};

/**
 * Find the allocators of @target and claim what they own. The result backs the
 * claims: free it after the ledger.
 *
 * Cost: reads all data of the images, and the structures it finds; the blocks
 *       are read when the ledger is settled.
 */
MW_MUST_USE struct mw_error *mw_alloc_claim(struct mw_target *target,
					    const struct mw_sink *sink,
					    struct mw_alloc **ret);
void mw_alloc_free(struct mw_alloc *alloc);

static inline void mw_alloc_freep(struct mw_alloc **alloc)
{
	mw_alloc_free(*alloc);
	*alloc = NULL;
}

/** The arenas, whose figures are complete once the ledger is settled. */
const struct mw_alloc_arena *const *
mw_alloc_arenas(const struct mw_alloc *alloc, size_t *ret_count);

/** Who has a block: bits, so that one can ask for several. */
enum mw_alloc_holder {
	MW_ALLOC_NO_BLOCK = 0, /* top, metadata, …: never handed out */
	MW_ALLOC_IN_USE = 1,   /* the program */
	MW_ALLOC_CACHED = 2,   /* the cache of a thread, or the like */
	MW_ALLOC_FREE = 4,     /* the arena; also from fastbins, and pages */
};

/** One block, or what an arena has instead. */
struct mw_alloc_block {
	const char *allocator; /* static */
	const struct mw_alloc_arena *arena; /* its row */
	/* in-use, free, cache, mmapped, top, metadata, …; static */
	const char *state;
	enum mw_alloc_holder holder;
	uint64_t start, bytes; /* with its head */
	/*
	 * Blocks of an arena with the same one are of one size class, or, where
	 * the allocator makes them as large as was asked for, of like sizes.
	 */
	uint32_t class;
	/* What malloc() returned and how much may be written there, or 0 */
	uint64_t user, user_bytes;
};

/**
 * The block that holds @va; *@ret_found is false when no allocator has it.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   in glibc, a walk through the blocks of the arena's heap; else a
 *         binary search.
 */
MW_MUST_USE struct mw_error *mw_alloc_block_at(struct mw_alloc *alloc,
					       uint64_t va,
					       struct mw_alloc_block *ret,
					       bool *ret_found);

/**
 * Whether blocks of @allocator, as a block's or an arena's row names it, are
 * where a search for lost blocks begins: those of a language that frees them
 * itself, and keeps pointers that such a search would not find.
 */
bool mw_alloc_is_root(const char *allocator);

/** Takes a block, which is its own only during the call. */
typedef struct mw_error *mw_alloc_visit(void *ctx,
					const struct mw_alloc_block *block);

/**
 * Call @visit for each block that one of @holders (bits of enum
 * mw_alloc_holder) has, allocator by allocator; in ascending order within each
 * heap (glibc) or all of an allocator (the others). Only while the target may
 * be read.
 *
 * Errors: MW_E_NOMEM, and those of @visit, which end it.
 * Cost:   in glibc, another walk through all heaps, with bounded memory.
 */
MW_MUST_USE struct mw_error *mw_alloc_blocks(struct mw_alloc *alloc,
					     unsigned holders,
					     mw_alloc_visit *visit, void *ctx);

/**
 * The same on several threads, in no order: each has its own one of the @count
 * contexts, at most MW_ALLOC_VISITORS, to hand to @visit.
 */
#define MW_ALLOC_VISITORS 4
MW_MUST_USE struct mw_error *
mw_alloc_blocks_by_many(struct mw_alloc *alloc, unsigned holders,
			mw_alloc_visit *visit, void *const *ctxs,
			size_t count);

/**
 * Call @visit for what of images' data is an allocator's own and points to
 * blocks whoever has them: the bins of glibc's main arena.
 */
void mw_alloc_own_data(const struct mw_alloc *alloc,
		       void (*visit)(void *ctx, uint64_t start,
				     uint64_t bytes),
		       void *ctx);

/** Leave notes at the target about what could not be made out. */
void mw_alloc_note_drift(const struct mw_alloc *alloc);

#endif
