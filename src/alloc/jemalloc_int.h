/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JEMALLOC_INT_H
#define JEMALLOC_INT_H

#include "alloc_book.h"
#include "mw_num.h"

/*
 * jemalloc keeps memory in extents, runs of pages, each with a descriptor. A
 * slab is an extent divided into regions of one size class. A radix tree leads
 * from an address to its extent's descriptor:
 *
 *	root	2^root_bits pointers to nodes or leaves
 *	node	2^node_bits pointers to leaves; in trees of three levels
 *	leaf	2^leaf_bits entries, one a page: the descriptor's address in
 *		bits 0 to 47, flags in its low bits. One of 8 bytes has the
 *		size class in bits 48 to 55; one of 16 has a word for such.
 *
 * All pages of a slab have an entry; of other extents the first and the last.
 */
#define JEMALLOC_BINS 36     /* classes of slabs */
#define JEMALLOC_CLASSES 232 /* all of them */
#define JEMALLOC_MAX_REGIONS 512

enum jemalloc_cache {
	/*
	 * struct cache_bin_s: void **stack_head 0, u64 16-bit low bits of
	 * addresses at 16: low water, full, empty. The stack grows down from
	 * empty to full, items are from stack_head to empty.
	 */
	JEMALLOC_CACHE_BITS,
	/*
	 * i32 low_water 0, u32 ncached 4, void **avail 16: items are the
	 * ncached words below avail.
	 */
	JEMALLOC_CACHE_COUNTS,
};

#define JEMALLOC_CACHE_BIN_BYTES 24

struct jemalloc_layout {
	const char *source;
	unsigned root_bits, node_bits, leaf_bits, entry_bytes;
	uint64_t leaf_mask;
	unsigned state_shift, state_bits, szind_shift, nfree_shift;
	unsigned hpa_shift; /* 0: there is no such flag */
	enum jemalloc_cache cache;
};

/** struct bin_info_s, of which there is an array; what follows varies. */
struct jemalloc_bin {
	uint64_t reg_bytes, slab_bytes;
	uint32_t regions;
};

/** An extent's descriptor. */
struct jemalloc_extent {
	uint64_t va; /* of the descriptor */
	uint64_t start, bytes;
	uint64_t offset; /* of a large block in its first page */
	unsigned arena, state, szind, nfree;
	bool is_slab;
	bool is_hpa; /* its pages are those of a piece of 2 MiB */
	uint64_t bitmap[JEMALLOC_MAX_REGIONS / 64];
};

/** Of a slab with @regions: the word of its bitmap with region @first. */
static inline uint64_t jemalloc_free_bits(const struct jemalloc_extent *x,
					  uint32_t first, uint32_t regions)
{
	uint64_t bits = x->bitmap[first / 64];

	return regions - first < 64
		       ? bits & ((UINT64_C(1) << (regions - first)) - 1)
		       : bits;
}

/** Whether as many regions are free in the bitmap as the slab counts. */
static inline bool jemalloc_is_counted(const struct jemalloc_extent *x,
				       uint32_t regions)
{
	uint32_t free = 0;

	for (uint32_t i = 0; i < regions; i += 64)
		free += mw_popcount(jemalloc_free_bits(x, i, regions));
	return free == x->nfree;
}

enum jemalloc_state {
	JEMALLOC_ACTIVE,
	JEMALLOC_DIRTY,
	JEMALLOC_MUZZY,
	JEMALLOC_RETAINED,
};

#define JEMALLOC_ARENAS 4096

/** A stretch of an arena's own memory. */
struct jemalloc_unit {
	uint64_t va;
	unsigned arena;
};

/** A pointer into such, among a thread's variables. */
struct jemalloc_pointer {
	uint64_t va;
	unsigned arena, thread;
};

/** One copy of jemalloc in the process. */
struct jemalloc {
	struct alloc_book book;
	struct mw_target *target;
	unsigned number; /* 1 for the first */
	const struct jemalloc_layout *layout;
	uint64_t bins_va, root;
	struct jemalloc_bin bins[JEMALLOC_BINS];
	uint64_t class_bytes[JEMALLOC_CLASSES];
	uint32_t arenas[JEMALLOC_ARENAS]; /* 1 + index in the book */
	bool is_padded; /* large blocks begin anywhere in their first page */
	MW_VEC(size_t) doubtful; /* pieces: a page less, if is_padded */
	MW_VEC(struct jemalloc_unit) units;
	MW_VEC(struct jemalloc_pointer) pointers; /* by thread */
	unsigned threads; /* that have a cache */
	uint32_t hpa;	  /* 1 + index in the book; 0: no extent is_hpa */
	bool has_eden;
	MW_VEC(uint64_t) hpa_pieces;
};

/** Find the classes: visit(ctx, va, bins) for each array of bin_info_s. */
MW_MUST_USE struct mw_error *
jemalloc_find_bins(struct mw_target *target,
		   struct mw_error *(*visit)(void *ctx, uint64_t va,
					     const struct jemalloc_bin *bins),
		   void *ctx);

/** Find the root of the tree, in the image that has the bins. */
MW_MUST_USE struct mw_error *jemalloc_find_root(struct jemalloc *je);

/** Read and check a descriptor; false when there is none. */
bool jemalloc_read_extent(struct jemalloc *je, uint64_t va,
			  struct jemalloc_extent *ret);

/** A new row, which tells copies apart. */
uint32_t jemalloc_name_arena(struct jemalloc *je, const char *name);

/** The row of what the HPA has, see jemalloc_hpa.c. */
uint32_t jemalloc_hpa_arena(struct jemalloc *je);

/** Add free pages of the HPA that a block of jemalloc's own memory tells of. */
void jemalloc_walk_hpa(struct jemalloc *je, uint64_t base, uint64_t bytes);

/** Add what the HPA has not cut into pieces yet; all its pieces are known. */
MW_MUST_USE struct mw_error *jemalloc_find_eden(struct jemalloc *je);

/** How many bits of an address a leaf's entries tell apart, and a root's. */
static inline unsigned jemalloc_leaf_shift(const struct jemalloc_layout *l)
{
	return MW_PAGE_SHIFT + l->leaf_bits;
}

static inline unsigned jemalloc_root_shift(const struct jemalloc_layout *l)
{
	return jemalloc_leaf_shift(l) + l->node_bits;
}

/** Where the descriptor is that a leaf's entry leads to; 0: nowhere. */
static inline uint64_t jemalloc_entry(const struct jemalloc *je, uint64_t word)
{
	return word & ((UINT64_C(1) << 48) - 1) & ~je->layout->leaf_mask;
}

/** Mark what threads keep in their caches; the book is sorted. */
MW_MUST_USE struct mw_error *jemalloc_mark_caches(struct jemalloc *je);

/** Note whose arena's memory the descriptor of @x lies in. */
void jemalloc_note_unit(struct jemalloc *je, const struct jemalloc_extent *x);

/** Note a thread that has a cache: its variables, @window, are at @va. */
void jemalloc_note_thread(struct jemalloc *je, uint64_t va,
			  const uint8_t *window, uint64_t bytes);

/** Count the threads that were noted with their arenas. */
MW_MUST_USE struct mw_error *jemalloc_count_threads(struct jemalloc *je);

#endif
