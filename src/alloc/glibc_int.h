/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GLIBC_INT_H
#define GLIBC_INT_H

#include "alloc_int.h"
#include "mw_map64.h"
#include "mw_num.h"

/* Layouts: see layouts/glibc.def */

#define GLIBC_NONE UINT32_MAX

struct glibc_arena_layout {
	const char *source;
	uint32_t bytes, fastbins, fast_count, top, bins, next, next_free;
	uint32_t attached, system_mem, max_system_mem, mmapped_tail;
};

struct glibc_heap_layout {
	const char *source;
	uint32_t bytes;
};

struct glibc_params_layout {
	const char *source;
	uint32_t bytes, mmap_threshold, arena_test, thp_pagesize, hp_pagesize;
	uint32_t n_mmaps, n_mmaps_max, max_n_mmaps, mmapped_mem;
	uint32_t max_mmapped_mem, sbrk_base, tcache_bins, tcache_max_bytes;
	uint32_t tcache_count;
};

struct glibc_tcache_layout {
	const char *source;
	uint32_t bytes, bins, count_bytes, entries;
	bool counts_room;
};

const struct glibc_arena_layout *glibc_arena_layouts(size_t *ret_count);
const struct glibc_heap_layout *glibc_heap_layouts(size_t *ret_count);
const struct glibc_params_layout *glibc_params_layouts(size_t *ret_count);
const struct glibc_tcache_layout *glibc_tcache_layouts(size_t *ret_count);

/*
 * A chunk (struct malloc_chunk):
 *	0	u64 prev_size: size of the chunk before, when that is free
 *	8	u64 size, with flags in its low bits
 *	16	u64 fd, 24 u64 bk: links, when free; else the user's
 */
#define CHUNK_SIZE 8
#define CHUNK_FD 16
#define CHUNK_ALIGN 16
#define CHUNK_MIN 32
#define CHUNK_HEAD_BYTES 16 /* also of a fencepost */
#define PREV_INUSE 1
#define IS_MMAPPED 2
#define NON_MAIN_ARENA 4
#define SIZE_FLAGS 7

/** What a stretch of an arena is. */
enum glibc_kind {
	GLIBC_IN_USE,
	GLIBC_FREE,
	GLIBC_FAST, /* in a fastbin: free, but not merged yet */
	GLIBC_CACHE,
	GLIBC_TOP,
	GLIBC_METADATA,
	GLIBC_RESERVED,
	GLIBC_FOREIGN,
	GLIBC_TORN,
	GLIBC_UNREADABLE,
	GLIBC_KINDS,
};

/** Chunks that look in use but are not, or are not the user's. */
enum glibc_mark {
	GLIBC_UNMARKED,
	GLIBC_MARK_FAST,
	GLIBC_MARK_CACHE,
	GLIBC_MARK_TCACHE, /* a tcache_perthread_struct */
	/* Of a chunk that its neighbour knows as free */
	GLIBC_MARK_UNSORTED = GLIBC_MARK_FAST,
};

#define MARK_LEAF_SHIFT 20 /* 1 MiB of heap a leaf */
#define MARK_LEAF_BYTES ((1u << MARK_LEAF_SHIFT) / CHUNK_ALIGN / 4)

/** Two bits for each 16 bytes of a region. */
struct glibc_marks {
	uint8_t **leaves; /* NULL: nothing is marked in that MiB */
	size_t count;
};

#define GLIBC_FASTBINS 10
#define GLIBC_BINS 127		/* bin 0 is none, 1 the unsorted one */
#define GLIBC_LARGE_BYTES 1024	/* the least in a large bin */
#define GLIBC_TCACHE_BINS 76	/* at most */

struct glibc_arena {
	struct glibc *glibc;
	uint64_t va;
	bool is_main;
	uint64_t top;
	uint64_t fastbins[GLIBC_FASTBINS]; /* the first chunk of each */
	/*
	 * Chunks of fastbins are told by their links, up to this size; 0 when
	 * they are marked, or there are none.
	 */
	uint64_t linked_max;
	struct mw_alloc_arena *figures;
	mw_account_id accounts[GLIBC_KINDS];
	char what[64];
};

/** What a walk adds up. */
struct glibc_sums {
	uint64_t bytes[GLIBC_KINDS], blocks[GLIBC_KINDS];
	uint64_t largest_free, trimmable;
	uint64_t unsettled; /* free chunks caught in a change */
	uint64_t link_check; /* see glibc_links.h */
	uint64_t link_ends;
};

/** A stretch of chunks: the main heap, or one heap of a thread arena. */
struct glibc_region {
	struct glibc_arena *arena;
	uint64_t start;	 /* of what is claimed */
	uint64_t chunks; /* the first chunk */
	uint64_t end;	 /* of the chunks */
	uint64_t limit;	 /* of what is claimed: reserved behind @end */
	bool is_break;	 /* it ends with the program break */
	struct glibc_marks marks;
	struct glibc_sums sums;
	/*
	 * What was walked, for the ledger. A stretch of pages in one state is
	 * a word with its bytes, marked GLIBC_STRETCH, and then one for each
	 * kind in it: kind << 60 | bytes. Stretches follow each other from
	 * start on.
	 */
	MW_VEC(uint64_t) digest;
	MW_VEC(uint64_t) seams; /* chunks where a walk may begin; ascending */
	struct mw_error *error; /* the walk's */
};

#define GLIBC_STRETCH 15
#define GLIBC_DIGEST_SHIFT 60

/** An mmapped block. */
struct glibc_block {
	uint64_t start, bytes;
	uint64_t chunk; /* memalign() may put it behind the start */
};

/** A tcache_perthread_struct, and whose it is; 0: not known. */
struct glibc_tcache {
	uint64_t va;
	int32_t tid;
};

/** What mp_ says; all 0 when it was not found. */
struct glibc_params {
	uint64_t va;
	uint64_t n_mmaps, mmapped_mem;
	uint64_t sbrk_base, thp_pagesize, hp_pagesize;
};

/** One copy of the C library in the process. */
struct glibc {
	struct mw_alloc *alloc;
	struct mw_target *target;
	unsigned number; /* 1 for the first */
	const struct glibc_arena_layout *layout;
	const struct glibc_heap_layout *heap_layout; /* NULL: no thread arena */
	uint64_t heap_max;
	uint64_t main_arena;
	struct glibc_params params;
	/*
	 * Words of lists that lead on only when they are taken as they are, or
	 * only when they are XORed with their place >> 12 (2.32, "safe").
	 */
	unsigned plain_links, safe_links;
	MW_VEC(struct glibc_arena *) arenas; /* main first, then by age */
	MW_VEC(struct glibc_region *) regions; /* ascending */
	struct mw_map64 by_va; /* arena -> 1 + index */
	struct mw_map64 heaps; /* heaps that are known */
	uint64_t last_node;
	MW_VEC(struct glibc_block) blocks; /* mmapped; ascending */
	MW_VEC(struct glibc_tcache) tcaches;
	struct mw_alloc_arena *mmapped_figures; /* NULL: there are none */
	mw_account_id mmapped;
};

/* Finding */

/** Call @visit(ctx, arena, layout) for each main arena. */
MW_MUST_USE struct mw_error *
glibc_find_main(struct mw_target *target,
		struct mw_error *(*visit)(void *ctx, uint64_t arena,
					  const struct glibc_arena_layout *l),
		void *ctx);

/** Read a word of an arena or the like: false when it cannot be had. */
bool glibc_word(struct glibc *glibc, uint64_t va, uint64_t *ret);

/** Follow the ring from the main arena: glibc->arenas. */
MW_MUST_USE struct mw_error *glibc_find_arenas(struct glibc *glibc);
void glibc_find_params(struct glibc *glibc);
/** The heaps of all arenas: glibc->regions. */
MW_MUST_USE struct mw_error *glibc_find_regions(struct glibc *glibc);
/** Whether the main arena's top is the end of the program break. */
bool glibc_has_break(struct glibc *glibc);
/** Take a copy of @region. */
MW_MUST_USE struct mw_error *
glibc_add_region(struct glibc *glibc, const struct glibc_region *region);
/** Those of the main arena; all others are known already. */
MW_MUST_USE struct mw_error *glibc_find_main_regions(struct glibc *glibc);
/** Plain memory, or such that glibc or somebody else has named. */
bool glibc_may_be_block(const struct mw_mappings *maps,
			const struct mw_mapping *m);
/** The same, readable and writable: a chunk's head may stand there. */
bool glibc_may_hold_blocks(const struct mw_mappings *maps,
			   const struct mw_mapping *mapping);
const struct glibc_region *glibc_region_of(const struct glibc *glibc,
					   uint64_t va);

/** Claim heaps of thread arenas that none of the arenas found leads to. */
MW_MUST_USE struct mw_error *glibc_claim_unwalked(struct mw_alloc *alloc);

/** Whether a heap_info of glibc stands at @va, whichever its arena. */
bool glibc_is_heap(struct mw_target *target, uint64_t va, uint64_t heap_max,
		   uint64_t *ret_arena);

/* Lists */

/** Mark the chunk at @va; false when it lies nowhere or is marked already. */
MW_MUST_USE struct mw_error *glibc_mark(struct glibc *glibc, uint64_t va,
					enum glibc_mark mark, bool *ret_new);
enum glibc_mark glibc_mark_at(const struct glibc_region *region, uint64_t va);
/** Whether lists have safe links, by what has been seen of them. */
static inline bool glibc_has_safe_links(const struct glibc *glibc)
{
	return glibc->safe_links > glibc->plain_links;
}

/** Read the heads of the fastbins, and see how lists are linked. */
void glibc_read_fastbins(struct glibc *glibc);
/** Mark what is in an arena's fastbins, node by node. */
MW_MUST_USE struct mw_error *glibc_mark_fastbins(struct glibc *glibc,
						 struct glibc_arena *arena);
/** Mark what is in the tcache at @va, and itself; note it as @tid's. */
MW_MUST_USE struct mw_error *glibc_mark_tcache(struct glibc *glibc,
					       uint64_t va, int32_t tid);
/**
 * Call @take for blocks of @bytes in the lists of the tcache at @va; its bins
 * are numbered from 0.
 */
void glibc_count_tcache(struct glibc *glibc, uint64_t va,
			void (*take)(void *ctx, uint32_t bin, uint64_t bytes,
				     uint64_t blocks),
			void *ctx);
/** Whether a tcache_perthread_struct may stand at @va; how much speaks so. */
unsigned glibc_rate_tcache(struct glibc *glibc, uint64_t va);
/** Threads: which arena each uses, and its tcache. */
MW_MUST_USE struct mw_error *glibc_find_threads(struct glibc *glibc);

/* Walking */

/** Walk all regions, and put the sums into the arenas' figures. */
MW_MUST_USE struct mw_error *glibc_walk(struct glibc *glibc);

/** The same for all regions, by several threads; the target stands still. */
MW_MUST_USE struct mw_error *glibc_walk_parts(struct glibc *glibc);

/** Takes each stretch of a region, chunk or not, in ascending order. */
struct glibc_visitor {
	struct mw_error *(*take)(void *ctx, enum glibc_kind kind,
				 uint64_t start, uint64_t end);
	void *ctx;
};

/**
 * Walk a region: its sums and digest, or, with @parts, only these. Errors are
 * left in the region.
 */
void glibc_walk_region(struct glibc_region *region, struct mw_parts *parts);

/** In how many parts a region may be visited, once it has been walked. */
static inline size_t glibc_parts_of(const struct glibc_region *region)
{
	return region->seams.n + 1;
}

/** Hand one to @visitor; its error, too. Any number of threads may do this. */
MW_MUST_USE struct mw_error *
glibc_visit_part(const struct glibc_region *region, size_t part,
		 const struct glibc_visitor *visitor);

/* For struct alloc_detector; @state is a struct glibc, after glibc_walk(). */

MW_MUST_USE struct mw_error *glibc_block_at(void *state, uint64_t va,
					    struct mw_alloc_block *ret,
					    bool *ret_found);
MW_MUST_USE struct mw_error *glibc_visit_blocks(void *state,
						unsigned holders,
						mw_alloc_visit *visit,
						void *ctx);
size_t glibc_count_parts(const void *state);
MW_MUST_USE struct mw_error *glibc_visit_blocks_of(const void *state,
						   size_t part,
						   unsigned holders,
						   mw_alloc_visit *visit,
						   void *ctx);
/** Where chunks are, or in an mmapped block. */
bool glibc_holds(void *state, uint64_t va);
MW_MUST_USE struct mw_error *glibc_bins(void *state, struct mw_alloc_bins *to);

/** Hand all of a region to @visitor; its error, too. */
MW_MUST_USE struct mw_error *
glibc_visit_region(const struct glibc_region *region,
		   const struct glibc_visitor *visitor);
/** The number of the bin for free chunks of @bytes; a size class of all. */
uint32_t glibc_bin_of(uint64_t bytes);

/** Parts of a region's claim: an mw_refine_fn; ctx is the region. */
struct mw_error *glibc_refine(void *ctx, const struct mw_claim *claim,
			      struct mw_parts *parts);

MW_MUST_USE struct mw_error *glibc_claim_mmapped(struct glibc *glibc);

#endif
