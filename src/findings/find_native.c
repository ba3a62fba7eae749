/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * C memory behind cgo, which neither MemStats nor a heap profile shows (CASES 24;
 * confluentinc/confluent-kafka-go 833).
 */
#define LEAST_SHARE_OF_RSS 10

bool find_native(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t used = find_between(s, "malloc/", "/in-use").rss_bytes +
			find_between(s, "malloc/", "/mmapped").rss_bytes;
	uint64_t all = find_below(s, "malloc").rss_bytes;
	uint64_t blocks = 0;

	if (!s->go.is_known || !find_is_much(s, used) ||
	    !find_is_part(used, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	for (size_t i = 0; i < s->arena_count; i++)
		blocks += s->arenas[i].in_use_blocks;
	ret->bytes = used;
	find_say(&ret->summary, "%s are C memory in use, which Go's MemStats "
		 "and heap profile do not show.", BYTES(used));
	find_say(&ret->evidence, "malloc");
	for (size_t i = 0; i < s->arena_count; i++)
		if (i == 0 || s->arenas[i].allocator != s->arenas[i - 1].allocator)
			find_add(&ret->evidence, "/%s", s->arenas[i].allocator);
	find_add(&ret->evidence, ": %s resident, of which %s in %" PRIu64
		 " blocks in use and %s slack and metadata; MemStats.Sys "
		 "leaves it out", BYTES(all), BYTES(used), blocks,
		 BYTES(all > used ? all - used : 0));
	find_say(&ret->advice, "Look for C.malloc, C.CString and handles of C "
		 "libraries that are not freed; `memwhy malloc --leaks "
		 "--stop` finds blocks that nothing points to any more, a "
		 "heap profiler for C (heaptrack, jemalloc's) the callers. "
		 "GOMEMLIMIT must leave room for it.");
	return true;
}
