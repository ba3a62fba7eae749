/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Returned with MADV_FREE: counts as resident until the kernel is short of
 * memory. Go 1.12 to 1.15 did so by default, later ones with
 * GODEBUG=madvdontneed=0; jemalloc does, too (CASES 1; golang/go 42330, 33376,
 * 37585; madvise(2)). Known from smaps (LazyFree); without it from resident
 * scavenged pages that are no huge pages.
 */
bool find_lazy_free(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t scavenged = find_below(s, "go/heap/scavenged").rss_bytes;
	uint64_t bytes = s->lazy_free_bytes;

	if (!s->has_smaps)
		bytes = s->go.heap_huge_bytes >= scavenged / 2 ? 0 : scavenged;
	if (!find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s were given back with MADV_FREE and count "
		 "as resident only until the kernel needs them.",
		 BYTES(bytes));
	if (s->has_smaps)
		find_say(&ret->evidence, "LazyFree in /proc/PID/smaps");
	else
		find_say(&ret->evidence, "go/heap/scavenged: %s are marked as "
			 "returned in the runtime's books and still resident, "
			 "but not on huge pages (--pss reads LazyFree from "
			 "smaps)", BYTES(scavenged));
	if (s->go.is_known)
		find_add(&ret->evidence, "; %s", s->go.version);
	find_say(&ret->advice, "Nothing is lost, but RSS and its alarms are "
		 "misleading. %s",
		 s->go.is_known
			 ? "GODEBUG=madvdontneed=1 has the runtime return "
			   "memory at once, which is the default since Go 1.16."
			 : "MADV_DONTNEED returns memory at once; jemalloc "
			   "uses it with MALLOC_CONF=muzzy_decay_ms:0.");
	return true;
}
