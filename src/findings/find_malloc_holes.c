/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Free blocks of malloc between blocks in use that share their pages: nothing
 * but the program itself can give these back (CASES 25).
 */
#define LEAST_SHARE_OF_MALLOC 20

bool find_malloc_holes(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t holes = find_between(s, "malloc/", "/free").rss_bytes;
	uint64_t cached = find_between(s, "malloc/", "/cache").rss_bytes;
	uint64_t top = find_between(s, "malloc/", "/top").rss_bytes;
	uint64_t all = find_below(s, "malloc").rss_bytes;
	uint64_t glibc = find_between(s, "malloc/glibc/", "/free").rss_bytes;
	uint64_t trim = 0, kept = holes + cached;

	for (size_t i = 0; i < s->arena_count; i++)
		trim += s->arenas[i].trimmable_bytes;
	// What trimming returns is another finding; it takes the top first.
	trim = trim > top ? trim - top : 0;
	kept = kept > trim ? kept - trim : 0;
	if (!find_is_much(s, kept) ||
	    !find_is_part(kept, LEAST_SHARE_OF_MALLOC, all))
		return false;
	ret->bytes = kept;
	find_say(&ret->summary, "%s of freed memory lie between blocks of "
		 "malloc that are in use, where no trimming can reach them.",
		 BYTES(kept));
	find_say(&ret->evidence, "malloc/.../free %s and .../cache %s, of "
		 "which %s are on pages of their own; malloc has %s resident",
		 BYTES(holes), BYTES(cached), BYTES(trim), BYTES(all));
	find_say(&ret->advice, "It is used again for blocks that fit. Small "
		 "blocks that live long pin it: allocate these apart%s.",
		 glibc > holes / 2 ? ", or try an allocator with size classes "
				     "(jemalloc, mimalloc)"
				   : ", or after what lives shortly");
	return true;
}
