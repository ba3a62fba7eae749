/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_ALLOCATORS_H
#define FAKE_ALLOCATORS_H

#include "fake_memory.h"

/*
 * Processes made by a test, each with a small heap of one allocator as it lies
 * in memory: FAKE_BLOCKS slots of one size in one page, slab, span or group, of
 * which FAKE_FREE are free, and some memory that is free as a whole.
 */
#define FAKE_BLOCKS 16
#define FAKE_FREE 5
#define FAKE_BLOCK_BYTES 64

struct fake_allocator {
	const char *name; /* the allocator's */
	const char *arena; /* in which the blocks are */
	struct mw_target *(*make)(void);
};

extern const struct fake_allocator fake_allocators[];
extern const size_t fake_allocator_count;

/** Google's TCMalloc without a page map: a region with 1 MiB in use. */
struct mw_target *fake_unknown_google_tcmalloc(void);

#endif
