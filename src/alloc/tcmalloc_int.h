/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TCMALLOC_INT_H
#define TCMALLOC_INT_H

#include "alloc_book.h"
#include "mw_num.h"

#define TCMALLOC_CLASSES 128 /* at most */

/** TCMalloc (gperftools): what was found of its global state. */
struct tcmalloc {
	struct alloc_book book; /* first: the state is the book, too */
	struct mw_target *target;
	uint32_t arena;
	unsigned page_shift, leaf_bits, root_bits;
	uint64_t sizes_va;	     /* SizeMap::class_to_size_ */
	uint64_t free_va;	     /* PageHeap::free_ */
	uint64_t central_va;	     /* Static::central_cache_ */
	uint64_t root;		     /* of the page map */
	unsigned classes;	     /* with class 0, which is none */
	uint32_t sizes[TCMALLOC_CLASSES];
	uint32_t batches[TCMALLOC_CLASSES]; /* num_objects_to_move_ */
	/* Memory of the allocator's own: mappings, by their start */
	MW_VEC(uint64_t) own;
	MW_VEC(uint64_t) caches; /* struct ThreadCache */
};

/*
 * struct Span (src/span.h):
 *	0	u64 start, 8 u64 length: pages
 *	16	*next, 24 *prev
 *	32	*objects: free ones, each with a pointer to the next; of a
 *		block of which a sample was taken, a struct StackTrace
 *	40	u32 refcount:16, sizeclass:8, location:2, sample:1
 */
struct tcmalloc_span {
	uint64_t start, bytes;
	uint64_t objects;
	unsigned refcount, class, location;
	bool is_sampled;
};

enum tcmalloc_location { TCMALLOC_IN_USE, TCMALLOC_NORMAL, TCMALLOC_RETURNED };

/** Find the size classes, page map and lists; root stays 0 without any. */
MW_MUST_USE struct mw_error *tcmalloc_find(struct tcmalloc *tc);

/** Read and check the span at @va. */
bool tcmalloc_read_span(struct tcmalloc *tc, uint64_t va,
			struct tcmalloc_span *ret);

/** Note that the mapping of @va has memory of the allocator's own. */
void tcmalloc_note_own(struct tcmalloc *tc, uint64_t va);

/** Mark what threads and the lists between them keep; the book is sorted. */
MW_MUST_USE struct mw_error *tcmalloc_mark_caches(struct tcmalloc *tc);

#endif
