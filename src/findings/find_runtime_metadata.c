/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * The runtime's structures grow with the largest heap there was and do not
 * shrink (CASES 12; golang/go 43402, 19325, 52377; runtime/malloc.go
 * persistentalloc, mfixalloc.go).
 */
#define LEAST_METADATA MW_MIB(4)
#define LEAST_SHARE_OF_HEAP 25
/* So many times what is in use now was the heap once. */
#define TIMES_THE_HEAP 2

bool find_runtime_metadata(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes = find_below(s, "go/runtime").rss_bytes -
			 find_below(s, "go/runtime/profile-buckets").rss_bytes;
	// Also what was allocated and not touched, such as a ballast.
	uint64_t heap = find_below(s, "go/heap/objects").vsz_bytes +
			find_below(s, "go/heap/free-slots").vsz_bytes;
	// Address space that the heap has used is never unmapped.
	uint64_t once = find_below(s, "go/heap").vsz_bytes -
			find_below(s, "go/heap/reserved").vsz_bytes;

	if (!find_is_much(s, bytes) || bytes < LEAST_METADATA ||
	    !find_is_part(bytes, LEAST_SHARE_OF_HEAP, heap) ||
	    once / TIMES_THE_HEAP < heap)
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are the Go runtime's own structures, made "
		 "for a larger heap than the %s that are in use now.",
		 BYTES(bytes), BYTES(heap));
	find_say(&ret->evidence, "the heap was %s at its largest "
		 "(go/heap without reserved); largest of go/runtime:",
		 BYTES(once));
	find_add_largest(&ret->evidence, s, "go/runtime");
	find_say(&ret->advice, "They are never returned, but used again. Only "
		 "a lower peak keeps them small: fewer objects, goroutines "
		 "and stacks at a time; or a restart.");
	return true;
}
