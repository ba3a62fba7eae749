/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_STREAM_H
#define TARGET_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"

/*
 * Pieces of memory that another thread writes to a file, so that a stopped
 * target waits for the disk only when all of them are full.
 */
struct target_stream;

/** A piece, to be filled by its taker. */
struct stream_piece {
	uint8_t *bytes;
	size_t used;	 /* how many of them are to be written */
	uint64_t offset; /* where to */
};

#define STREAM_PIECE_BYTES (UINT64_C(1) << 20)

/**
 * Begin to write to @fd, which stays the caller's. Its memory is all there
 * when this returns: filling it causes no page fault.
 */
MW_MUST_USE struct mw_error *mw_stream_begin(int fd,
					     struct target_stream **ret);

/** An empty piece; waits for one. NULL once writing has failed. */
struct stream_piece *mw_stream_take(struct target_stream *stream);
/** Hand the piece that was taken on. */
void mw_stream_give(struct target_stream *stream);

/** How many bytes have been written. Any thread may ask. */
uint64_t mw_stream_written(struct target_stream *stream);

/** Wait until all is written, and free @stream. */
MW_MUST_USE struct mw_error *mw_stream_end(struct target_stream *stream);
/** Free it, and what was not written. NULL is allowed. */
void mw_stream_abort(struct target_stream *stream);

static inline void mw_stream_abortp(struct target_stream **stream)
{
	mw_stream_abort(*stream);
	*stream = NULL;
}

#endif
