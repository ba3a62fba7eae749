/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_SPANS_H
#define MW_GO_SPANS_H

#include "mw_gort.h"
#include "mw_vec.h"

/*
 * All spans of a target's heap: runs of pages of 8 KiB that hold objects of one
 * size class, stacks, or the collector's work.
 */

enum mw_go_span_state {
	MW_GO_SPAN_IN_USE = 1, /* objects */
	MW_GO_SPAN_MANUAL = 2, /* stacks, the collector's work buffers */
	MW_GO_SPAN_FREE = 3,   /* up to Go 1.13 */
};

/** Who holds a span, or which list it is in. */
enum mw_go_holder {
	MW_GO_HELD_BY_NONE, /* by no one that was found */
	MW_GO_HELD_BY_MCACHE, /* of the P with that number */
	/*
	 * Sets of an mcentral; up to 1.14 lists instead: nonempty, and empty
	 * for spans without a free slot.
	 */
	MW_GO_HELD_PARTIAL_SWEPT,
	MW_GO_HELD_PARTIAL_UNSWEPT,
	MW_GO_HELD_FULL_SWEPT,
	MW_GO_HELD_FULL_UNSWEPT,
	MW_GO_HELD_NONEMPTY,
	MW_GO_HELD_EMPTY,
};

struct mw_go_span {
	uint64_t address; /* of its first page */
	uint64_t descriptor; /* of its mspan */
	uint64_t pages;
	uint64_t elem_bytes; /* 0: the collector's work */
	uint32_t elems, allocated;
	uint32_t p; /* with MW_GO_HELD_BY_MCACHE */
	/*
	 * sweepgen less the heap's: 0 swept, -2 to be swept, -1 being swept;
	 * of one that an mcache holds, 3 and 1.
	 */
	int8_t sweep;
	uint8_t state; /* enum mw_go_span_state */
	uint8_t class; /* size class; 0: a large object */
	uint8_t holder; /* enum mw_go_holder */
	bool is_noscan; /* its objects hold no pointers */
	bool is_user_arena;
};

struct mw_go_spans {
	MW_VEC(struct mw_go_span) list; /* ascending by address */
	uint64_t dead; /* descriptors kept for the next span */
	uint64_t torn; /* that could not be read or made no sense */
};

/**
 * Read them, without their holders.
 *
 * Cost: 48 bytes of memory a span.
 */
MW_MUST_USE struct mw_error *mw_go_spans_read(struct mw_go *go,
					      struct mw_go_spans *ret);
/**
 * Those in use when the target was opened, without a look at it: its books are
 * made of the same. Their descriptors and sweep states are not told.
 */
MW_MUST_USE struct mw_error *mw_go_spans_known(struct mw_go *go,
					       struct mw_go_spans *ret);
/** Fill in who holds each: holder and p. */
MW_MUST_USE struct mw_error *mw_go_spans_find_holders(struct mw_go *go,
						      struct mw_go_spans *spans);
void mw_go_spans_free(struct mw_go_spans *spans);

/** Bytes of the span: its pages. */
static inline uint64_t mw_go_span_bytes(const struct mw_go_span *span)
{
	return span->pages * 8192;
}

#endif
