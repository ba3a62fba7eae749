/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_TARGET_BULK_H
#define MW_TARGET_BULK_H

#include "mw_target.h"
#include "mw_vec.h"

/*
 * Bulk reading: all bytes of ranges in ascending order, at the speed of a
 * copy, without disturbing the target; and what cannot be read, and why.
 */

enum mw_bytes_kind {
	MW_BYTES_PRESENT,    /* in memory */
	MW_BYTES_FILE,	     /* of a file or shared memory, not resident */
	MW_BYTES_UNTOUCHED,  /* no page yet: the program would read zeros */
	MW_BYTES_SWAPPED,
	MW_BYTES_UNREADABLE, /* not readable to the program, or not to us */
	MW_BYTES_UNPLACED,   /* the kernel tells no state of single pages */
	MW_BYTES_UNMAPPED,
	MW_BYTES_GONE, /* was present, and could not be read all the same */
	MW_BYTES_KINDS,
};

/** What bytes of @kind are called: "not resident (file)". */
const char *mw_bytes_kind_name(enum mw_bytes_kind kind);

/** A stretch of bytes of one kind; not empty, not aligned. */
struct mw_extent {
	uint64_t start, end;
	enum mw_bytes_kind kind;
};

struct mw_extents {
	MW_VEC(struct mw_extent) list; /* neighbours of one kind are joined */
};

/**
 * Divide [@start, @end) into extents and add them to @to. Unmapped bytes are
 * told, too.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   24 bytes a run of pages.
 */
MW_MUST_USE struct mw_error *
mw_target_extents(const struct mw_target *target, uint64_t start, uint64_t end,
		  struct mw_extents *to);
void mw_extents_free(struct mw_extents *extents);

/** Bytes that have been read, or that could not be. */
struct mw_piece {
	uint64_t va;
	uint64_t bytes;
	enum mw_bytes_kind kind;
	const uint8_t *data; /* NULL: not read; valid during the call only */
	/*
	 * This many bytes in front of @data are those in front of @va, as
	 * they came with the piece before.
	 */
	size_t before;
};

struct mw_stream {
	bool from_files; /* read pages of files that are not resident, too */
	size_t before_bytes; /* the most that is kept for mw_piece.before */
	/** False: no more is wanted. */
	bool (*piece)(void *ctx, const struct mw_piece *piece);
	void *ctx;
};

/** Pieces are at most this long, those that were not read excepted. */
#define MW_STREAM_BYTES MW_KIB(512)

/**
 * Hand all bytes of @count ascending extents to @stream->piece. What turns out
 * to be gone comes without data, as MW_BYTES_GONE. Several threads may
 * do this at once.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   a system call for 512 KiB or 256 extents; for each page from a file.
 */
MW_MUST_USE struct mw_error *
mw_target_stream(struct mw_target *target, const struct mw_extent *extents,
		 size_t count, const struct mw_stream *stream);

#endif
