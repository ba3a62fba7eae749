/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOC_INT_H
#define ALLOC_INT_H

#include <pthread.h>

#include "mw_alloc.h"
#include "mw_alloc_classes.h"
#include "mw_vec.h"

/** An allocator that was found, or one of several copies of it. */
struct alloc_heap {
	const struct alloc_detector *detector;
	void *state; /* the detector's own */
};

struct mw_alloc {
	struct mw_target *target;
	const struct mw_sink *sink;
	MW_VEC(struct mw_alloc_arena *) arenas;
	MW_VEC(struct alloc_heap) heaps;
	/* For visitors on several threads that read more than blocks */
	pthread_mutex_t read_lock;
};

/**
 * An allocator that can be recognised. Every detector looks at every process;
 * to add one, write its files and name it in the table of alloc.c.
 */
struct alloc_detector {
	const char *name;
	/**
	 * Whether what the program keeps in its blocks is where a search for
	 * lost blocks begins: see mw_alloc_is_root().
	 */
	bool is_root;
	/**
	 * Look for the allocator, claim what it owns, and add what was found,
	 * which backs the claims, with alloc_add_heap().
	 */
	struct mw_error *(*claim)(struct mw_alloc *alloc);
	void (*free)(void *state);
	/** The block that holds @va: see mw_alloc_block_at(). */
	struct mw_error *(*block_at)(void *state, uint64_t va,
				     struct mw_alloc_block *ret,
				     bool *ret_found);
	/** All blocks: see mw_alloc_blocks(). */
	struct mw_error *(*blocks)(void *state, unsigned holders,
				   mw_alloc_visit *visit, void *ctx);
	/**
	 * The same part by part, which several threads may do at once. NULL:
	 * it has no parts.
	 */
	size_t (*count_parts)(const void *state);
	struct mw_error *(*blocks_of)(const void *state, size_t part,
				      unsigned holders, mw_alloc_visit *visit,
				      void *ctx);
	/** Whether @va is in its memory: where blocks may be, or are. */
	bool (*holds)(void *state, uint64_t va);
	/** Add to @to: see mw_alloc_bins(). NULL: it has none. */
	struct mw_error *(*bins)(void *state, struct mw_alloc_bins *to);
	/** See mw_alloc_own_data(). May be NULL. */
	void (*own_data)(void *state,
			 void (*visit)(void *ctx, uint64_t start,
				       uint64_t bytes),
			 void *ctx);
};

extern const struct alloc_detector alloc_glibc;
extern const struct alloc_detector alloc_gtcmalloc;
extern const struct alloc_detector alloc_jemalloc;
extern const struct alloc_detector alloc_mimalloc;
extern const struct alloc_detector alloc_musl;
extern const struct alloc_detector alloc_pymalloc;
extern const struct alloc_detector alloc_tcmalloc;

/**
 * Have @alloc own a heap of @detector, whatever comes back.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *
alloc_add_heap(struct mw_alloc *alloc, const struct alloc_detector *detector,
	       void *state);

/** A new arena of @allocator, owned by @alloc; NULL without memory. */
struct mw_alloc_arena *alloc_add_arena(struct mw_alloc *alloc,
				       const char *allocator,
				       const char *name);

/** Whether @va is in the memory of any allocator. */
bool alloc_holds(const struct mw_alloc *alloc, uint64_t va);

/**
 * The class of a block that is as large as was asked for: four of them for each
 * doubling, as jemalloc's large classes go.
 */
uint32_t alloc_large_class(uint64_t bytes);

/**
 * Look through the data of all images: visit(ctx, va, words, count) for what of
 * each page is present in a writable segment. An error ends it.
 */
MW_MUST_USE struct mw_error *
alloc_scan_data(struct mw_target *target,
		struct mw_error *(*visit)(void *ctx, uint64_t va,
					  const uint64_t *words, size_t count),
		void *ctx);

/**
 * Read what is present of an array of @count words at @va, from word @first on
 * up to the end of a page of memory, into @words, which has room for a page;
 * *@ret_n words. False: they are not present, and are to be skipped. As
 * mw_target_search() it keeps nothing.
 */
bool alloc_read_words(struct mw_target *target, uint64_t va, uint64_t first,
		      uint64_t count, uint64_t *words, uint64_t *ret_n);

/** Whether anything is mapped of the 2^@shift bytes from @va on. */
bool alloc_is_mapped(struct mw_target *target, uint64_t va, unsigned shift);

/** The thread pointer of @thread, 0 when it is not known. */
uint64_t alloc_tcb(struct mw_target *target, const struct mw_thread *thread);

/** How far below a thread pointer variables may lie: the static TLS. */
uint64_t alloc_tls_bytes(const struct mw_target *target);

#endif
