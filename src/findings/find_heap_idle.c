/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Freed by the program, not returned to the kernel yet: pages of the page
 * allocator that are free, not scavenged, and resident (CASES 2; golang/go
 * 16930, 30333; runtime/mgcscavenge.go: the background scavenger keeps 10 % above the
 * heap goal and works at 1 % of a CPU).
 */
bool find_heap_idle(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally idle = find_below(s, "go/heap/idle");

	if (!find_is_much(s, idle.rss_bytes))
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
	find_say(&ret->advice, "It is no leak. Wait for the scavenger, which "
		 "keeps 10 %% above the heap goal; or call "
		 "debug.FreeOSMemory() after a peak, or set GOMEMLIMIT so "
		 "that it returns memory earlier.");
	return true;
}
