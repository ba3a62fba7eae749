/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Locked memory: mlock, mlockall, MAP_LOCKED (CASES 28; mlock(2), VmLck).
 */
bool find_locked(const struct mw_situation *s, struct mw_finding *ret)
{
	if (!find_is_much(s, s->locked_bytes))
		return false;
	ret->bytes = s->locked_bytes;
	find_say(&ret->summary, "%s are locked in memory: the kernel cannot "
		 "take them back or swap them out.", BYTES(s->locked_bytes));
	find_say(&ret->evidence, "VmLck in /proc/PID/status; `memwhy maps` "
		 "shows which mappings");
	find_say(&ret->advice, "If it is not meant, look for mlockall() (with "
		 "MCL_FUTURE every mapping is filled at once, thread stacks "
		 "and reservations too), mlock() and MAP_LOCKED; "
		 "MCL_ONFAULT locks only what is touched.");
	return true;
}
