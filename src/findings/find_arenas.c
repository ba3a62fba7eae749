/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "findings_int.h"

/*
 * glibc gives threads arenas of their own, up to eight a processor, and each
 * keeps what its threads have freed (CASES 25; golang/go 11035; mallopt(3)
 * M_ARENA_MAX).
 */
#define MANY_ARENAS 8

bool find_arenas(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t resident = 0, used = 0, count = 0, slack;

	for (size_t i = 0; i < s->arena_count; i++) {
		const struct mw_arena_share *a = &s->arenas[i];

		if (strncmp(a->name, "thread-", 7) != 0)
			continue;
		count++;
		resident += a->resident_bytes;
		used += a->in_use_bytes;
	}
	slack = resident > used ? resident - used : 0;
	if (count < MANY_ARENAS || !find_is_much(s, slack))
		return false;
	ret->bytes = slack;
	find_say(&ret->summary, "%" PRIu64 " arenas of malloc for threads keep "
		 "%s that are not in use.", count, BYTES(slack));
	find_say(&ret->evidence, "malloc/.../thread-N: %s resident, %s in use; "
		 "%" PRIu64 " threads, %" PRIu64 " processors",
		 BYTES(resident), BYTES(used), s->threads, s->cpus);
	find_say(&ret->advice, "Set MALLOC_ARENA_MAX=2 "
		 "(glibc.malloc.arena_max, mallopt M_ARENA_MAX), at the cost "
		 "of threads that wait for each other.");
	return true;
}
