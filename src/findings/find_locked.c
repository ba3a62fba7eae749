/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Locked memory: mlock, mlockall, MAP_LOCKED (CASES 28; mlock(2), VmLck). VmLck
 * is address space: with MCL_ONFAULT less of it is there.
 */
bool find_locked(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes = mw_min(s->locked_bytes, s->rss_bytes);

	if (!find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s%s are locked in memory: the kernel cannot "
		 "take them back or swap them out.",
		 s->locked_bytes > bytes ? "Up to " : "", BYTES(bytes));
	find_say(&ret->evidence, "VmLck in /proc/PID/status has %s of address "
		 "space; `memwhy maps` shows which mappings",
		 BYTES(s->locked_bytes));
	find_say(&ret->advice, "If it is not meant, look for mlockall() (with "
		 "MCL_FUTURE every mapping is filled at once, thread stacks "
		 "and reservations too), mlock() and MAP_LOCKED; "
		 "MCL_ONFAULT locks only what is touched.");
	return true;
}
