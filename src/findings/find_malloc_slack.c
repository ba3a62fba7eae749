/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * Free blocks of malloc on whole pages, which malloc_trim(0) would give back
 * (CASES 25; malloc_trim(3); glibc trims the top of an arena only by itself).
 */
bool find_malloc_slack(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_arena_share *worst = NULL;
	uint64_t bytes = 0, arenas = 0;

	for (size_t i = 0; i < s->arena_count; i++) {
		const struct mw_arena_share *a = &s->arenas[i];

		bytes += a->trimmable_bytes;
		arenas += a->trimmable_bytes != 0;
		if (!worst || a->trimmable_bytes > worst->trimmable_bytes)
			worst = a;
	}
	if (!find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s of freed memory are kept by malloc and "
		 "would be given back by malloc_trim(0).", BYTES(bytes));
	find_say(&ret->evidence, "free blocks on whole resident pages of %"
		 PRIu64 " arenas; most in malloc/%s/%s: %s resident, %s in "
		 "use, %s to trim", arenas, worst->allocator, worst->name,
		 BYTES(worst->resident_bytes), BYTES(worst->in_use_bytes),
		 BYTES(worst->trimmable_bytes));
	find_say(&ret->advice, "Call malloc_trim(0) after a peak, or set "
		 "MALLOC_TRIM_THRESHOLD_ (glibc.malloc.trim_threshold) and "
		 "MALLOC_ARENA_MAX; or use an allocator that returns memory "
		 "by itself, such as jemalloc.");
	return true;
}
