/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_GC_H
#define MW_GO_GC_H

#include "mw_go_stats.h"

/*
 * The state of the garbage collector: where it stands, what its pacer is up
 * to, what the last cycle took, the sweep, the scavenger, and what is queued
 * behind it.
 */
struct mw_go_gc {
	MW_VEC(struct mw_go_figure) figures;
	bool is_consistent; /* as in struct mw_go_memstats */
	const char *doubt;
};

/**
 * Read it. @now_ns is the time on the clock that the runtime uses
 * (CLOCK_MONOTONIC of the target), 0 when it is not known: then nothing is
 * said of what depends on it.
 *
 * Errors: those of mw_go_memstats_read().
 * Cost:   reads all descriptors of spans.
 */
MW_MUST_USE struct mw_error *mw_go_gc_read(struct mw_go *go, uint64_t now_ns,
					   struct mw_go_gc *ret);
void mw_go_gc_free(struct mw_go_gc *gc);

#endif
