/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * The collector is switched off (GOGC=off), and no limit brings it back
 * (https://go.dev/doc/gc-guide).
 */
bool find_gc_off(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally objects = find_below(s, "go/heap/objects");
	uint64_t marked = s->go.cycles ? s->go.marked_bytes : 0;
	uint64_t grown = objects.rss_bytes > marked
				 ? objects.rss_bytes - marked
				 : 0;

	if (!s->go.has_gc || !s->go.gc_off || s->go.has_limit ||
	    !find_is_much(s, grown))
		return false;
	ret->bytes = grown;
	find_say(&ret->summary, "The garbage collector is switched off: %s "
		 "were allocated since it last ran.", BYTES(grown));
	find_say(&ret->evidence, "gcController.gcPercent < 0, no memory limit; "
		 "%" PRIu64 " collection%s so far; go/heap/objects %s",
		 s->go.cycles, FIND_S(s->go.cycles), BYTES(objects.rss_bytes));
	find_say(&ret->advice, "Unset GOGC=off (debug.SetGCPercent(-1)), or set "
		 "GOMEMLIMIT, with which the collector runs when memory is "
		 "short.");
	return true;
}
