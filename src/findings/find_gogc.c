/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * The heap may grow to twice the live heap before it is collected (GOGC=100):
 * what was allocated since the last collection (CASES 7; golang/go 18896,
 * 13463; https://go.dev/doc/gc-guide).
 */
#define LEAST_SHARE_OF_LIVE 25
/* A collection is not worth it below; the runtime's own least goal is 4 MiB. */
#define LEAST_GROWN MW_MIB(8)

bool find_gogc(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally objects = find_below(s, "go/heap/objects");
	uint64_t grown;

	if (!s->go.has_gc || s->go.gc_off || s->go.cycles == 0 ||
	    objects.vsz_bytes <= s->go.marked_bytes)
		return false;
	grown = mw_min(objects.vsz_bytes - s->go.marked_bytes,
		       objects.rss_bytes);
	if (!find_is_much(s, grown) || grown < LEAST_GROWN ||
	    !find_is_part(grown, LEAST_SHARE_OF_LIVE, s->go.marked_bytes))
		return false;
	ret->bytes = grown;
	find_say(&ret->summary, "%s were allocated since the last collection, "
		 "which found %s alive: garbage or new, the next one will "
		 "tell.", BYTES(grown), BYTES(s->go.marked_bytes));
	find_say(&ret->evidence, "gcController: heapMarked %s, goal %s by ",
		 BYTES(s->go.marked_bytes), BYTES(s->go.goal_bytes));
	if (s->go.goal_is_limited)
		find_add(&ret->evidence, "GOMEMLIMIT");
	else
		find_add(&ret->evidence, "GOGC=%" PRIu64, s->go.gogc);
	find_add(&ret->evidence, ", %" PRIu64 " collection%s; go/heap/objects "
		 "%s", s->go.cycles, FIND_S(s->go.cycles), BYTES(objects.vsz_bytes));
	find_say(&ret->advice, "The lower GOGC (debug.SetGCPercent), the less "
		 "gathers between collections, for more of the CPU: half of "
		 "it gives half the headroom. GOMEMLIMIT caps it only when "
		 "memory is short.");
	return true;
}
