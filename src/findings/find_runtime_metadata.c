/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * The runtime's structures grow with the largest heap there was and do not
 * shrink (CASES 12; golang/go 43402, 19325, 52377).
 */
#define LEAST_METADATA MW_MIB(4)
#define LEAST_SHARE_OF_HEAP 25

bool find_runtime_metadata(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes = find_below(s, "go/runtime").rss_bytes -
			 find_below(s, "go/runtime/profile-buckets").rss_bytes;
	uint64_t heap = find_below(s, "go/heap/objects").rss_bytes +
			find_below(s, "go/heap/free-slots").rss_bytes;
	struct mw_share largest[MW_SHARES];
	size_t n;

	if (!find_is_much(s, bytes) || bytes < LEAST_METADATA ||
	    !find_is_part(bytes, LEAST_SHARE_OF_HEAP, heap))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are the Go runtime's own structures, made "
		 "for a larger heap than the %s that are in use now.",
		 BYTES(bytes), BYTES(heap));
	find_say(&ret->evidence, "largest:");
	n = find_largest(s, "go/runtime", false, largest);
	for (size_t i = 0; i < n; i++)
		find_add(&ret->evidence, "%s %s %s", i ? "," : "",
			 largest[i].name, BYTES(largest[i].bytes));
	find_say(&ret->advice, "They are never returned, but used again. Only "
		 "a lower peak keeps them small: fewer objects, goroutines "
		 "and stacks at a time; or a restart.");
	return true;
}
