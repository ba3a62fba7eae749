/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GTCMALLOC_INT_H
#define GTCMALLOC_INT_H

#include "alloc_book.h"
#include "mw_map64.h"
#include "mw_num.h"

#define GTC_CLASSES 400 /* at most */
#define GTC_ADDRESS_BITS 48
#define GTC_LEAF_BITS 15
#define GTC_LEAF_PAGES (1u << GTC_LEAF_BITS)
#define GTC_REGION_BYTES MW_GIB(1)

/**
 * A region that the allocator has mapped, or what of it is around one address:
 * anonymous mappings that adjoin, up to the next multiples of 1 GiB.
 */
struct gtc_region {
	uint64_t start, end;
	bool has_spans; /* else it has the allocator's own structures */
};

struct gtc_range {
	uint64_t start, end;
	uint64_t sample; /* of a span: see struct gtc_span */
};

/** Google's TCMalloc: what was found of its global state. */
struct gtcmalloc {
	struct alloc_book book; /* first: the state is the book, too */
	struct mw_target *target;
	uint32_t arena;
	unsigned page_shift;
	unsigned used;	  /* size classes of the first group, with class 0 */
	unsigned classes; /* all groups: kNumClasses */
	uint32_t sizes[GTC_CLASSES];
	uint64_t sizes_va; /* SizeMap::class_to_size_ */
	uint64_t root;	   /* of the page map; 0: not found */
	uint64_t budget;   /* pages that may still be searched */
	unsigned fits;
	MW_VEC(struct gtc_region) regions;
	MW_VEC(struct gtc_range) spans; /* ascending */
	MW_VEC(uint64_t) caches;	/* struct ThreadCache */
	struct mw_map64 freed;		/* struct Span that are not in use */
};

/*
 * struct Span (tcmalloc/span.h), 64 bytes:
 *	0	*next, 8 *prev
 *	16	u16 embed_count, 18 u16 freelist, 20 u16 allocated
 *	22	u8 cache_size:4, nonempty_index:4; 23 u8 is_donated:1
 *	24	u64 first_page: as many bits as a page's number may have;
 *		u32 reserved:26, then is_large:1, sampled:1
 *	32	u64 num_pages, all of it when is_large or sampled, else 6 bits
 *	40	u16 cache[8], or a bit for each block that is free; when sampled
 *		*sampled_allocation
 */
struct gtc_span {
	uint64_t start, bytes;
	unsigned embedded, freelist, allocated, cached;
	uint8_t cache[16];
	uint64_t sample; /* struct SampledAllocation, or 0 */
};

/** Find the size classes and the page map; root stays 0 without any. */
MW_MUST_USE struct mw_error *gtcmalloc_find(struct gtcmalloc *tc);

/** Read and check the span at @va. */
bool gtcmalloc_read_span(const struct gtcmalloc *tc, uint64_t va,
			 struct gtc_span *ret);
/** The address of entry @page of the leaf at @leaf: its span. */
uint64_t gtcmalloc_entry(const struct gtcmalloc *tc, uint64_t leaf,
			 uint64_t page);
/** The size class of page @page, 0: none. */
unsigned gtcmalloc_class(const struct gtcmalloc *tc, uint64_t leaf,
			 uint64_t page);

/** Note the region of @va. */
void gtcmalloc_note_region(struct gtcmalloc *tc, uint64_t va, bool has_spans);
/** Whether @va is where the allocator has its own structures. */
bool gtcmalloc_is_own(const struct gtcmalloc *tc, uint64_t va);
/** Mark the block at @va, of class @class, as one in a cache. */
void gtcmalloc_mark_cached(struct gtcmalloc *tc, unsigned class, uint64_t va);

/** Note the spans that are not in use. */
MW_MUST_USE struct mw_error *gtcmalloc_find_freed(struct gtcmalloc *tc);
/** Mark what threads, CPUs and lists between them keep; the book is sorted. */
MW_MUST_USE struct mw_error *gtcmalloc_mark_caches(struct gtcmalloc *tc);

#endif
