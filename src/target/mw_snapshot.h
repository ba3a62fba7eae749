/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_SNAPSHOT_H
#define MW_SNAPSHOT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_target.h"

/*
 * Writing a process's memory to an ELF core that debuggers open, and memwhy
 * with all that it knew of the process (target_note.h).
 *
 * What is in the file, in this order: the ELF header; pages that were copied
 * while the target ran, as they were when it was stopped, with holes where they
 * were gone; the notes of all cores; the other pages that were present, run
 * after run; memwhy's notes; the program headers. A page that was absent or
 * swapped takes no room.
 */

struct mw_snapshot_options {
	bool smaps; /* the figures of smaps, too: takes longer */
	/* Set by a signal handler to give up; may be NULL. */
	const volatile sig_atomic_t *cancel;
	/* Called now and then with bytes written and all there are; or NULL. */
	void (*progress)(uint64_t written, uint64_t total, void *ctx);
	void *ctx;
};

struct mw_snapshot_result {
	uint64_t file_bytes;
	uint64_t memory_bytes; /* of the target, in the file */
	uint64_t segments;
	uint64_t lost_bytes; /* present, but not to be read */
	uint64_t stopped_ns; /* how long the target was held */
};

/** A snapshot that is being made: its file and memory, before the stop. */
struct mw_snapshot;

/**
 * Prepare to write to @fd, which stays the caller's, about @expected bytes.
 *
 * Errors: MW_E_SYSTEM when the file system has not that much room.
 */
MW_MUST_USE struct mw_error *
mw_snapshot_begin(int fd, uint64_t expected,
		  const struct mw_snapshot_options *options,
		  struct mw_snapshot **ret);

/**
 * Copy what process @pid has, which runs: then only pages that change from now
 * on are written while it is stopped. Does nothing of a process that is small
 * enough to be copied at once, or that cannot be read.
 *
 * Errors: MW_E_SYSTEM when writing fails or was cancelled.
 */
MW_MUST_USE struct mw_error *
mw_snapshot_before(struct mw_snapshot *snapshot, int32_t pid,
		   const struct mw_target_options *options);

/**
 * Write @target, which is a stopped process, and let it run on as soon as all
 * of its memory has been read.
 *
 * Errors: MW_E_SYSTEM when writing fails or was cancelled.
 */
MW_MUST_USE struct mw_error *
mw_snapshot_write(struct mw_snapshot *snapshot, struct mw_target *target,
		  struct mw_snapshot_result *ret);

void mw_snapshot_free(struct mw_snapshot *snapshot);

static inline void mw_snapshot_freep(struct mw_snapshot **snapshot)
{
	mw_snapshot_free(*snapshot);
	*snapshot = NULL;
}

#endif
