/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_GC_H
#define GORT_GC_H

#include "gort_stats.h"
#include "mw_go_gc.h"

/** What hangs on objects. */
enum go_special_kind {
	GO_SPECIAL_OTHER,
	GO_SPECIAL_FINALIZER,
	GO_SPECIAL_CLEANUP,
	GO_SPECIAL_WEAK, /* handles of weak pointers */
	GO_SPECIAL_PROFILE, /* samples of the heap profile */
	GO_SPECIAL_PINNED,
	GO_SPECIALS,
};

MW_MUST_USE struct mw_error *
go_count_specials(struct mw_go *go, uint64_t ret[static GO_SPECIALS]);

/** What is to be run, that which runs included. */
struct go_queues {
	bool has_finalizers, has_cleanups;
	uint64_t finalizers, cleanups;
};
void go_count_queues(struct mw_go *go, struct go_queues *ret);

/** Length of the list of goroutines that begins with @g. */
uint64_t go_count_gs(const struct mw_go *go, uint64_t g);

#endif
