/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Freed by the program, not returned to the kernel yet: pages of the page
 * allocator that are free, not scavenged, and resident (CASES 2; golang/go
 * 16930, 30333; runtime/mgcscavenge.go: the background scavenger keeps 10 % above the
 * heap goal and works at 1 % of a CPU). So some are there in every program that
 * works.
 */
#define LEAST_IDLE MW_MIB(4)
#define LEAST_SHARE_OF_RSS 10

bool find_heap_idle(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally idle = find_below(s, "go/heap/idle");

	if (idle.rss_bytes < LEAST_IDLE ||
	    !find_is_part(idle.rss_bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = idle.rss_bytes;
	find_say(&ret->summary, "%s of the Go heap were freed by the program "
		 "and are kept by the runtime for new objects.",
		 BYTES(idle.rss_bytes));
	find_say(&ret->evidence, "go/heap/idle: pages without a span that are "
		 "not scavenged and resident (runtime.mheap_.pages)");
	if (s->go.has_gc)
		find_add(&ret->evidence, "; the heap goal is %s, and the "
			 "scavenger is to return %s in the background",
			 BYTES(s->go.goal_bytes),
			 BYTES(s->go.to_scavenge_bytes));
	find_say(&ret->advice, "It is no leak. %s debug.FreeOSMemory() after a "
		 "peak returns all of it, and with GOMEMLIMIT%s the scavenger "
		 "returns memory earlier.",
		 !s->go.has_gc || s->go.to_scavenge_bytes >= FIND_LEAST_BYTES
			 ? "Wait for the scavenger, which keeps 10 % above the "
			   "heap goal."
			 : "The scavenger leaves it, as 10 % above the heap "
			   "goal are kept: a lower GOGC lowers that.",
		 s->go.has_limit ? " set lower" : " set");
	return true;
}
