/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * Spans in use that are partly empty: their free slots serve objects of the
 * same size class only (CASES 8; golang/go 18896, 21695; runtime/mheap.go).
 */
#define LEAST_SHARE_OF_SPANS 20

bool find_free_slots(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t holes = find_below(s, "go/heap/free-slots").rss_bytes;
	uint64_t used = find_below(s, "go/heap/objects").rss_bytes;

	if (!find_is_much(s, holes) ||
	    !find_is_part(holes, LEAST_SHARE_OF_SPANS, holes + used))
		return false;
	ret->bytes = holes;
	find_say(&ret->summary, "%s of the Go heap are holes in spans that "
		 "hold at least one object each: fragmentation.",
		 BYTES(holes));
	find_say(&ret->evidence, "go/heap/free-slots: %.0f %% of the spans in "
		 "use", 100.0 * (double)holes / (double)(holes + used));
	for (size_t i = 0; s->go.has_spans && i < MW_SHARES; i++) {
		uint64_t elem = s->go.classes[i].elem_bytes;

		if (s->go.classes[i].free_bytes == 0)
			break;
		find_add(&ret->evidence, "%s objects of %" PRIu64 " bytes: %s "
			 "free, %" PRIu64 " of %" PRIu64 " slots used in %"
			 PRIu64 " spans", i ? ";" : "; most in", elem,
			 BYTES(s->go.classes[i].free_bytes),
			 s->go.classes[i].allocated, s->go.classes[i].elems,
			 s->go.classes[i].spans);
	}
	find_say(&ret->advice, "Objects that outlive their neighbours hold the "
		 "spans. Allocate long-lived objects apart from short-lived "
		 "ones, or reuse them; `memwhy go classes` has all classes.");
	return true;
}
