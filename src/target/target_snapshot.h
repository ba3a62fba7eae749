/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_SNAPSHOT_H
#define TARGET_SNAPSHOT_H

#include "mw_core.h"
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
	uint64_t offset;	    /* behind all that was put */
	MW_VEC(struct extent) extents;
	MW_VEC(struct lost) lost;
	struct note_extra extra;
	uint64_t notes_offset, notes_bytes; /* those of all cores */
	uint64_t memory_bytes;
	uint64_t planned; /* where the last extent begins: for progress */
};

/** Whether the present pages of @mapping are to be stored. */
bool mw_snapshot_wants(const struct mw_target *target,
		       const struct mw_mapping *mapping);
/** Whether pages of this state have bytes of their own. */
static inline bool mw_snapshot_wants_state(unsigned state)
{
	return (state & (MW_PAGE_PRESENT | MW_PAGE_ZERO)) == MW_PAGE_PRESENT;
}

/** Decide which pages lie where, from s->offset on. */
MW_MUST_USE struct mw_error *mw_snapshot_plan(struct mw_snapshot *s,
					      const struct mw_target *target);

/** Put bytes behind the others. False when writing has failed. */
bool mw_snapshot_put(struct mw_snapshot *s, const void *from, size_t bytes);
/** Hand on what was put. */
void mw_snapshot_flush(struct mw_snapshot *s);
/** Copy all planned pages. */
MW_MUST_USE struct mw_error *mw_snapshot_copy(struct mw_snapshot *s,
					      struct mw_target *target);

#endif
