/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"
#include "mw_space.h"

/*
 * Pages of threads' stacks, the first one's too, that were touched once stay
 * resident as long as the thread, or its stack in the C library's cache, lives
 * (CASES 26; golang/go 71150, 14592).
 */
bool find_thread_stacks(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally unused = find_below(s, "stack/threads/unused");
	uint64_t used = find_below(s, "stack/threads/used").rss_bytes;
	uint64_t first = find_below(s, "stack/main/unused").rss_bytes;
	// The page of the last frame stays, whatever is done.
	uint64_t rest = s->threads * MW_PAGE_BYTES;

	ret->bytes = unused.rss_bytes + first;
	if (!find_is_much(s, ret->bytes - mw_min(rest, ret->bytes)))
		return false;
	find_say(&ret->summary, "%s of threads' stacks were used once and stay "
		 "resident below the live frames.", BYTES(ret->bytes));
	find_say(&ret->evidence, "stack/threads: %s unused, %s live, %" PRIu64
		 " threads, %s of address space; stack/main: %s unused",
		 BYTES(unused.rss_bytes), BYTES(used), s->threads,
		 BYTES(unused.vsz_bytes), BYTES(first));
	find_say(&ret->advice, "Use fewer threads, let them end when idle, or "
		 "keep large buffers off the stack. Smaller stacks "
		 "(pthread_attr_setstacksize, ulimit -s) bound it; "
		 "glibc.pthread.stack_cache_size bounds what ended threads "
		 "leave.");
	return true;
}
