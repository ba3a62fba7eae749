/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * GOMEMLIMIT is reached: the collector runs for the limit and not for GOGC, up
 * to half of the CPU, then the limiter lets the heap pass it (CASES 9;
 * golang/go 58106; runtime/mgclimit.go).
 */
#define NEAR_PERCENT 90
#define RECENT_CYCLES 10

static bool was_limited(const struct mw_go_situation *go)
{
	return go->cpu_limiter_on ||
	       (go->cpu_limiter_cycle &&
		go->cpu_limiter_cycle + RECENT_CYCLES >= go->cycles);
}

bool find_memory_limit(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_go_situation *go = &s->go;
	bool over = go->ready_bytes > go->limit_bytes;
	bool near = go->goal_is_limited &&
		    find_is_part(go->ready_bytes, NEAR_PERCENT,
				 go->limit_bytes);

	if (!go->has_gc || !go->has_limit || go->cycles == 0 ||
	    (!over && !near && !was_limited(go)))
		return false;
	ret->bytes = go->ready_bytes;
	find_say(&ret->summary, "The Go runtime uses %s of the %s that "
		 "GOMEMLIMIT allows, and collects %s.",
		 BYTES(go->ready_bytes), BYTES(go->limit_bytes),
		 was_limited(go) ? "so often that its share of the CPU had to "
				   "be limited"
				 : "the more often the less there is left");
	find_say(&ret->evidence, "gcController: memoryLimit %" PRIu64
		 ", mappedReady %" PRIu64 ", heapMarked %s, goal %s (set by "
		 "%s), %" PRIu64 " collection%s; gcCPULimiter %s",
		 go->limit_bytes, go->ready_bytes, BYTES(go->marked_bytes),
		 BYTES(go->goal_bytes),
		 go->goal_is_limited ? "the limit" : "GOGC", go->cycles,
		 FIND_S(go->cycles), go->cpu_limiter_on ? "on" : "off");
	if (go->cpu_limiter_cycle)
		find_add(&ret->evidence, ", last on in cycle %" PRIu64,
			 go->cpu_limiter_cycle);
	find_say(&ret->advice, "Raise GOMEMLIMIT (debug.SetMemoryLimit) above "
		 "what is alive and what is not heap, or reduce these; a "
		 "limit below them only costs CPU.");
	return true;
}
