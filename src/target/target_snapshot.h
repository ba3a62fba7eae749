/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_SNAPSHOT_H
#define TARGET_SNAPSHOT_H

#include "mw_core.h"
#include "mw_fingerprint.h"
#include "mw_snapshot.h"
#include "target_int.h"
#include "target_note.h"
#include "target_stream.h"

/** Pages of one mapping that lie together in the file. */
struct extent {
	uint64_t start, end;
	uint64_t offset;
	size_t mapping;
};

/** Pages that were present and could not be read. */
struct lost {
	uint64_t start, end;
};

struct mw_snapshot {
	int fd;
	struct mw_snapshot_options options;
	struct target_stream *stream;
	struct stream_piece *piece; /* that is being filled, or NULL */
	uint64_t offset;	    /* behind all that has a place */
	uint64_t expected; /* about how many bytes there will be */
	MW_VEC(struct extent) extents;
	MW_VEC(struct lost) lost;
	struct note_extra extra;
	uint64_t notes_offset, notes_bytes; /* those of all cores */
	uint64_t memory_bytes;
	uint64_t done, total; /* for progress */
	/* What was copied while the target ran: target_snapshot_before.c. */
	bool is_before; /* just now */
	struct mw_fingerprint_key key;
	MW_VEC(struct extent) before;
	uint64_t before_end; /* pages below in the file have prints; or 0 */
	uint64_t *prints;
};

/** Whether pages of this state have bytes of their own. */
static inline bool mw_snapshot_wants_state(unsigned state)
{
	return (state & (MW_PAGE_PRESENT | MW_PAGE_ZERO)) == MW_PAGE_PRESENT;
}

/** Decide which pages lie where: where they were copied, or at s->offset. */
MW_MUST_USE struct mw_error *mw_snapshot_plan(struct mw_snapshot *s,
					      const struct mw_target *target);

/** Put bytes behind the others. False when writing has failed. */
bool mw_snapshot_put(struct mw_snapshot *s, const void *from, size_t bytes);
/** Hand on what was put. */
void mw_snapshot_flush(struct mw_snapshot *s);
/** Copy all planned pages, but those that the file has as they are. */
MW_MUST_USE struct mw_error *mw_snapshot_copy(struct mw_snapshot *s,
					      struct mw_target *target);
/** An error when the user wants no more. */
MW_MUST_USE struct mw_error *mw_snapshot_interrupted(struct mw_snapshot *s);

/**
 * Whether the file's page at @offset has other bytes than @page; from now on
 * it counts as having these. Each page by one thread only.
 */
bool mw_snapshot_differs(struct mw_snapshot *s, uint64_t offset,
			 const uint8_t *page);
/**
 * Whether @extent begins where pages were copied while the target ran: then
 * its offset is set to their place. It is cut where that changes. Quick when
 * asked with ascending addresses: @hint begins as 0.
 */
bool mw_snapshot_place(const struct mw_snapshot *s, size_t *hint,
		       struct extent *extent);
/** Leave nothing of pages that were copied while the target ran and are gone. */
MW_MUST_USE struct mw_error *mw_snapshot_drop_gone(struct mw_snapshot *s);
void mw_snapshot_free_before(struct mw_snapshot *s);

#endif
