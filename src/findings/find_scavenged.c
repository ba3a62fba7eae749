/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "findings_int.h"

/*
 * Returned by the scavenger, and filled up again by the kernel for huge pages
 * (CASES 5; golang/go 64332, cockroachdb/cockroach 142086; since Go 1.21.4 the runtime
 * leaves huge pages to the kernel, whose khugepaged fills holes of up to
 * max_ptes_none pages: Documentation/admin-guide/mm/transhuge.rst).
 */
bool find_scavenged(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally scavenged = find_below(s, "go/heap/scavenged");
	uint64_t bytes = mw_min(scavenged.rss_bytes, s->go.heap_huge_bytes);

	if (!find_is_much(s, bytes) || bytes < scavenged.rss_bytes / 2)
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s that the Go runtime gave back are resident "
		 "again, because the kernel filled them up to huge pages.",
		 BYTES(bytes));
	find_say(&ret->evidence, "go/heap/scavenged: %s of %s are resident; %s "
		 "of the Go heap are on huge pages",
		 BYTES(scavenged.rss_bytes), BYTES(scavenged.vsz_bytes),
		 BYTES(s->go.heap_huge_bytes));
	if (s->thp.is_known)
		find_add(&ret->evidence, "; transparent_hugepage: enabled %s, "
			 "defrag %s, khugepaged/max_ptes_none %" PRIu64,
			 s->thp.enabled, s->thp.defrag, s->thp.max_ptes_none);
	find_say(&ret->advice, "Set /sys/kernel/mm/transparent_hugepage/"
		 "khugepaged/max_ptes_none to 0%s; for one process only, "
		 "prctl(PR_SET_THP_DISABLE).",
		 s->thp.is_known && strcmp(s->thp.enabled, "always") == 0
			 ? ", or .../enabled to madvise"
			 : "");
	return true;
}
