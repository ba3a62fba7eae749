/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_SIZE_H
#define MW_GO_SIZE_H

#include "mw_go_spans.h"
#include "mw_gort.h"

/* What an allocation of a size takes in the Go release of a target. */

enum mw_go_size_path {
	MW_GO_SIZE_TINY, /* put together with others in 16 bytes */
	MW_GO_SIZE_SMALL,
	MW_GO_SIZE_LARGE, /* a span of its own */
	MW_GO_SIZE_ZERO, /* nothing at all */
};

struct mw_go_size {
	enum mw_go_size_path path;
	uint8_t class;
	uint64_t header_bytes; /* in front of the object, for its type */
	uint64_t slot_bytes;
	uint64_t pages;	  /* of a span, 8 KiB each */
	uint64_t objects; /* in a span */
	uint64_t tail_bytes; /* of a span that no object covers */
	/* Of all spans of the class in the target: */
	uint64_t spans, slots, allocated;
	uint64_t cached_spans, cached_free; /* held by an mcache */
	uint64_t partial_spans, partial_free; /* lists with free slots */
	uint64_t unswept_spans; /* of all lists: free slots may be found */
};

/**
 * Follow an allocation of @bytes, which has pointers or not.
 *
 * @spans are the target's. What a span is like is taken from one that there
 * is; where there is none, it follows from the sizes.
 *
 * Errors: MW_E_UNSUPPORTED when the size classes were not found.
 */
MW_MUST_USE struct mw_error *mw_go_size(struct mw_go *go, uint64_t bytes,
					bool has_pointers,
					const struct mw_go_spans *spans,
					struct mw_go_size *ret);

#endif
