/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_GOROUTINES_H
#define GORT_GOROUTINES_H

#include "gort_funcs_int.h"
#include "gort_int.h"
#include "mw_go_goroutines.h"
#include "mw_go_unwind.h"

/* Status, runtime2.go */
#define GO_G_SCAN UINT64_C(0x1000)
enum go_g_status {
	GO_G_IDLE = 0,
	GO_G_RUNNABLE = 1,
	GO_G_RUNNING = 2,
	GO_G_SYSCALL = 3,
	GO_G_WAITING = 4,
	GO_G_DEAD = 6,
	GO_G_LEAKED = 10, /* waits for what can never come: Go 1.26 */
	GO_G_DEAD_EXTRA = 11,
};

/** Find runtime.waitReasonStrings; go->wait_reasons is 0 if there is none. */
void go_find_wait_reasons(struct mw_go *go);
/** Why the goroutine of @g waits, in the runtime's own words. */
const char *go_wait_reason(struct mw_go *go, uint64_t g);

/** Labels that have been read. */
struct go_known_labels {
	struct mw_map64 by_va;	 /* -> number in all->label_sets */
	struct mw_map64 by_hash; /* of what they are -> the number + 1 */
};

/**
 * The number in @all->label_sets of what g.labels, @va, points to;
 * MW_GO_NO_LABELS when there are none, or they make no sense.
 */
MW_MUST_USE struct mw_error *go_labels(struct mw_go *go,
				       struct mw_go_goroutines *all,
				       struct go_known_labels *known,
				       uint64_t va, uint32_t *ret);
void go_known_labels_free(struct go_known_labels *known);
void go_labels_free(struct mw_go_goroutines *all);

/** Stacks that have been seen, by the hash of their pcs. */
struct go_trace_set {
	struct mw_go_goroutines *all;
	struct mw_map64 by_hash; /* -> number in all->traces + 1 */
	MW_VEC(uint64_t) pcs; /* of the stack being walked */
	MW_VEC(uint64_t) bytes; /* of each frame */
	uint64_t lo, hi; /* its bounds */
	uint64_t sp;	 /* of its innermost frame */
	uint64_t deep_frames; /* of all deep stacks so far */
	bool short_of_memory;
};

/**
 * Walk the stack of @g from @start, which may be in a signal handler; keep it,
 * and note its number and where it begins in @g.
 */
MW_MUST_USE struct mw_error *go_trace(struct mw_go *go,
				      struct go_trace_set *set,
				      struct mw_go_goroutine *g,
				      const struct mw_go_start *start);
/**
 * The function that a goroutine with this stack was started to run; NULL for
 * one that has not got further than a wrapper.
 */
const char *go_outermost(struct mw_go *go, const struct mw_go_goroutines *all,
			 const struct mw_go_trace *trace);
void go_trace_set_free(struct go_trace_set *set);

#endif
