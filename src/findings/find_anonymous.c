/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * Memory that the program has mapped itself, past every runtime and allocator
 * that is known (CASES 27; VictoriaMetrics/fastcache 77).
 */
/* Interpreters begin with some MiB of their own. */
#define LEAST_ANONYMOUS MW_MIB(16)
#define LEAST_SHARE_OF_RSS 10

bool find_anonymous(const struct mw_situation *s, struct mw_finding *ret)
{
	// The race detector's shadow is another finding.
	uint64_t all = find_below(s, "anonymous").rss_bytes;
	uint64_t bytes = all > s->go.race_bytes ? all - s->go.race_bytes : 0;
	struct mw_share largest[MW_SHARES];
	size_t n;

	if (!find_is_much(s, bytes) || bytes < LEAST_ANONYMOUS ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are anonymous mappings outside of every "
		 "%sallocator that is known.", BYTES(bytes),
		 s->go.is_known ? "runtime and " : "");
	find_say(&ret->evidence, "accounts");
	n = find_largest(s, "anonymous", false, largest);
	for (size_t i = 0; i < n; i++)
		find_add(&ret->evidence, "%s %s (%s)", i ? "," : "",
			 largest[i].name, BYTES(largest[i].bytes));
	for (size_t i = 0; i < MW_SHARES && s->ranges[i].rss_bytes; i++)
		find_add(&ret->evidence, "%s %" PRIx64 "-%" PRIx64 " (%s)",
			 i ? "," : "; largest", s->ranges[i].start,
			 s->ranges[i].end, BYTES(s->ranges[i].rss_bytes));
	find_say(&ret->advice, "Caches off the heap, buffers of databases and "
		 "JIT compilers map memory so. %s`memwhy strings --range` "
		 "and `memwhy search --pointer` tell what it is and who "
		 "points there.",
		 s->go.is_known ? "Neither GOMEMLIMIT nor a heap profile "
				  "counts it. "
				: "");
	return true;
}
