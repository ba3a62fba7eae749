/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * Stacks double when they are full and shrink only in a collection, by half
 * (CASES 17; golang/go 65532, grpc/grpc-go 6991; runtime/stack.go).
 */
bool find_grown_stacks(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_go_situation *go = &s->go;
	uint64_t room;

	if (!go->has_goroutines || go->grown == 0)
		return false;
	room = go->grown_bytes > go->grown_used_bytes
		       ? go->grown_bytes - go->grown_used_bytes
		       : 0;
	room = mw_min(room, find_below(s, "go/stacks/unused").rss_bytes);
	if (!find_is_much(s, room))
		return false;
	ret->bytes = room;
	if (go->grown == 1)
		find_say(&ret->summary, "A goroutine has a stack that was "
			 "grown to %s and leaves %s of it unused.",
			 BYTES(go->grown_bytes), BYTES(room));
	else
		find_say(&ret->summary, "%" PRIu64 " goroutines have stacks "
			 "that were grown to 16 KiB and more and leave %s of "
			 "them unused.", go->grown, BYTES(room));
	find_say(&ret->evidence, "g.stack: %s, of which %s are live frames",
		 BYTES(go->grown_bytes), BYTES(go->grown_used_bytes));
	if (go->grown_at.name)
		find_add(&ret->evidence, "; largest frames now in %s (%s in %"
			 PRIu64 " goroutine%s)", go->grown_at.name,
			 BYTES(go->grown_at.bytes), go->grown_at.count,
			 FIND_S(go->grown_at.count));
	find_say(&ret->advice, "Stacks shrink by half in each collection when "
		 "less than a quarter is used (unless "
		 "GODEBUG=gcshrinkstackoff=1). Deep calls and large local "
		 "arrays in long-lived goroutines grow them: `memwhy go "
		 "goroutines --by=size`.");
	return true;
}
