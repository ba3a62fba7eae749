/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GLIBC_WALK_H
#define GLIBC_WALK_H

#include "glibc_post.h"

#define GLIBC_PIECE MW_KIB(512) /* read at once */

/** A walk through the chunks of a region, on its way. */
struct glibc_walk {
	struct glibc_post post;
	const struct mw_target *target;
	const struct glibc_region *region;
	uint8_t *buffer; /* of GLIBC_PIECE bytes: [buffer_start, buffer_end) */
	uint64_t buffer_start, buffer_end;
	bool keeps; /* what is read has to be marked for a snapshot */
	uint64_t end;
	uint64_t top;	   /* 0: in another region */
	uint64_t wrong;	   /* bits of a size that no chunk here has */
	uint64_t pending;  /* chunk before the current address, or 0 */
	uint64_t link;	   /* its first word, if it may be in a fastbin */
	uint64_t linked_max;
	uint64_t reread;   /* chunk that was read again last */
	unsigned times;	   /* how often */
	unsigned rereads;  /* in all */
	unsigned fences;   /* in a row, just before */
	uint64_t budget;   /* headers that may be read in search of a chain */
	/* Marks of the MiB that ends at leaf_end */
	const uint8_t *leaf;
	uint64_t leaf_start, leaf_end;
};

/** Prepare @w, which reads into @buffer, the caller's. */
void glibc_walk_begin(struct glibc_walk *w, struct glibc_region *region,
		      uint8_t *buffer);

/**
 * Post the chunks from the one at @va on, up to the first one at @stop or
 * behind, which is returned. The last one is pending: what stands there tells
 * whether it is in use.
 */
uint64_t glibc_walk_to(struct glibc_walk *w, uint64_t va, uint64_t stop);

/**
 * The first chunk at @stop or behind that a chain leads to which begins at @va
 * or behind. It is a guess: another chain may lead past it. Posts nothing.
 */
uint64_t glibc_walk_look(struct glibc_walk *w, uint64_t va, uint64_t stop);

/**
 * Post chunks in use or in fastbins, from the pending one on, and return the
 * address of the first one that needs a closer look, which may be @va: none.
 * They lie in [@va, @end), which is in the buffer.
 */
uint64_t glibc_pass(struct glibc_walk *w, uint64_t va, uint64_t end);

/** Post the pending chunk: the next one stands at @va. */
void glibc_walk_settle(struct glibc_walk *w, uint64_t va);

/** Post what the end of the region leaves, and report. */
void glibc_walk_end(struct glibc_walk *w);

#endif
