/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MIMALLOC_INT_H
#define MIMALLOC_INT_H

#include "alloc_book.h"
#include "mw_num.h"

/*
 * mimalloc keeps blocks of one size together in pages, which are one slice of
 * 64 KiB or several. In a page a block in no list is in use:
 *
 *	capacity = used + free + local_free
 *
 * and xthread_free has those of `used` that other threads have freed. A page
 * belongs to a thread, or to nobody ("abandoned").
 *
 * How pages are found differs: mimalloc_v2.c, mimalloc_v3.c.
 */
#define MIMALLOC_SLICE_BYTES MW_KIB(64)
#define MIMALLOC_READ_AGAIN 3
/* As the thread of a page, otherwise a thread pointer: none, and below this
 * mimalloc itself (since 3.6). */
#define MIMALLOC_ABANDONED 0
#define MIMALLOC_LEAST_THREAD MW_PAGE_BYTES

/** A page, as its description has it. */
struct mimalloc_page {
	uint64_t va;	       /* of the description */
	uint64_t start, bytes; /* of its slices */
	uint64_t block_bytes;  /* 0: free slices */
	uint64_t blocks;       /* where the first one is */
	uint64_t used, capacity, reserved;
	uint64_t lists[3]; /* free, local_free, xthread_free */
	/* Of mimalloc 3 only: in 2 its segment tells */
	uint64_t thread;
	uint64_t in_arena; /* 0: memory of its own */
	/* Of a build that encodes the links of lists (MI_SECURE, MI_DEBUG) */
	bool is_encoded;
	uint64_t keys[2];
	bool is_sound; /* what it says can be */
};

struct mimalloc_owner {
	uint64_t thread;
	uint32_t arena;
};

struct mimalloc {
	struct alloc_book book; /* first: the state is the book, too */
	struct mw_target *target;
	bool is_live;
	uint64_t main_thread;
	MW_VEC(struct mimalloc_owner) owners;
};

/** Look for mimalloc 2, and enter what it has; false: it is not there. */
bool mimalloc_v2(struct mimalloc *mi);

/** The same for mimalloc 3. */
MW_MUST_USE struct mw_error *mimalloc_v3(struct mimalloc *mi, bool *ret_found);

/** The arena in the book of the pages of @thread. */
uint32_t mimalloc_arena_of(struct mimalloc *mi, uint64_t thread);

/** Whether the figures of @page agree, and its blocks lie in its slices. */
bool mimalloc_is_sound(const struct mimalloc_page *page);

/** Whether the lists of a sound page go on, and in the page: no guess then. */
bool mimalloc_has_links(struct mimalloc *mi, const struct mimalloc_page *page);

/** Read a page's description once more; @of is the caller's. */
typedef bool mimalloc_reader(struct mimalloc *mi, const void *of, uint64_t va,
			     struct mimalloc_page *ret);

/**
 * Enter a page that is sound and has blocks. Of a live process it is read again
 * while its lists do not agree with its figures.
 */
void mimalloc_add_page(struct mimalloc *mi, uint32_t arena,
		       const struct mimalloc_page *page,
		       mimalloc_reader *reader, const void *of);

#endif
