/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_STREAM_H
#define TARGET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_num.h"

/*
 * Pieces of memory that another thread writes to a file, so that a stopped
 * target waits for the disk only when all of them are full. Several threads may
 * fill pieces.
 */
struct target_stream;

#define STREAM_PIECE_BYTES (UINT64_C(1) << 20)
#define STREAM_PARTS 256 /* pages of a piece */
/* So much is held before any of it is written. */
#define STREAM_HOLDS_BYTES (28 * STREAM_PIECE_BYTES)

/** Bytes of a piece that belong together in the file. */
struct stream_part {
	uint64_t offset;
	size_t bytes;
	size_t zeros; /* in front of them, besides */
};

/*
 * Zeros that are written rather than left out: file systems take very long with
 * files of which every other page was written.
 */
#define STREAM_MOST_ZEROS MW_KIB(64)

/** A piece, to be filled by its taker, part after part. */
struct stream_piece {
	uint8_t *bytes; /* page aligned */
	size_t used;	/* how many of them are to be written */
	struct stream_part parts[STREAM_PARTS];
	size_t count;
};

/**
 * Begin to write to @fd, which stays the caller's. Its memory is all there
 * when this returns: filling it causes no page fault.
 */
MW_MUST_USE struct mw_error *mw_stream_begin(int fd,
					     struct target_stream **ret);

/** An empty piece; waits for one. NULL once writing has failed. */
struct stream_piece *mw_stream_take(struct target_stream *stream);
/** Have the @bytes behind piece->used, pages or what adjoins, written to @offset. */
void mw_stream_add(struct stream_piece *piece, uint64_t offset, size_t bytes);
/** The same, where a gap behind the part before it has nothing. */
void mw_stream_add_after_gap(struct stream_piece *piece, uint64_t offset,
			     size_t bytes);
/** Hand a piece that was taken on. */
void mw_stream_give(struct target_stream *stream, struct stream_piece *piece);

/** Wait until all that was handed on is written. False when that has failed. */
bool mw_stream_settle(struct target_stream *stream);

/** Write at once, without a stream: 0, or the errno of what went wrong. */
int mw_stream_write(int fd, const void *bytes, size_t count, uint64_t offset);

/** Wait until all is written, and free @stream. */
MW_MUST_USE struct mw_error *mw_stream_end(struct target_stream *stream);
/** Free it, and what was not written. NULL is allowed. */
void mw_stream_abort(struct target_stream *stream);

#endif
