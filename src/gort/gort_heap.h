/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_HEAP_H
#define GORT_HEAP_H

#include "gort_int.h"

#define GO_CHUNK_BITMAP_BYTES 64 /* each of the two */

/** The page allocator's bits for one chunk of heap. */
struct go_chunk_bits {
	uint64_t chunk; /* index; UINT64_MAX: none read yet */
	bool known;
	uint8_t allocated[GO_CHUNK_BITMAP_BYTES];
	uint8_t scavenged[GO_CHUNK_BITMAP_BYTES];
};

/**
 * Report the pages of [@va, @end) that have no span, joined by account. @bits,
 * with no chunk at first, is kept from one call to the next.
 */
void go_report_free_pages(struct mw_go *go, uint64_t va, uint64_t end,
			  struct go_chunk_bits *bits, struct mw_parts *parts);

#endif
