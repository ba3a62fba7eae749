/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * The descriptors of ended goroutines are kept for new ones and never freed
 * (CASES 16; golang/go 9869, 66564, 34457; runtime/proc.go gfput).
 */
#define G_BYTES 440 /* at least, in all releases */
#define TIMES_THE_LIVE 4

bool find_dead_goroutines(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_go_situation *go = &s->go;
	uint64_t bytes = go->dead * G_BYTES + go->dead_stack_bytes;

	if (!go->has_goroutines || !find_is_much(s, bytes) ||
	    go->dead / TIMES_THE_LIVE < go->goroutines)
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%" PRIu64 " goroutines have ended and left "
		 "about %s behind, which the runtime keeps for new ones.",
		 go->dead, BYTES(bytes));
	find_say(&ret->evidence, "runtime.allgs: %" PRIu64 " dead, %" PRIu64
		 " live; at least %d bytes each on the heap, and stacks of "
		 "%s", go->dead, go->goroutines, G_BYTES,
		 BYTES(go->dead_stack_bytes));
	find_say(&ret->advice, "They stay until the program ends, but serve "
		 "again. Keep peaks low: a bounded number of workers instead "
		 "of a goroutine for each request.");
	return true;
}
