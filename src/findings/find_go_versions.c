/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * Releases of Go that have a fault which takes memory.
 *
 * 1.24.0 and later patches (golang/go 72991, CASES 4): mallocgcLarge zeroes
 * fresh memory from the kernel for objects above 32 KiB with pointers, so that
 * pages are resident which the program has never touched. Corrected by CL
 * 659956 in 1.25 and 1.24.6 (src/runtime/malloc.go of each release compared).
 *
 * 1.21.0 to 1.21.3 (golang/go 61718, 63334, CASES 6): the runtime asks for huge
 * pages (MADV_COLLAPSE, MADV_HUGEPAGE) for its heap.
 */
#define LAST_ZEROING 5
#define LAST_FORCED_HUGE 3
#define LEAST_SAMPLE 16

bool mw_findings_go_zeroes(const char *version)
{
	return find_go_is(version, 24, 0, LAST_ZEROING);
}

bool find_large_zeroing(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_go_situation *go = &s->go;
	uint64_t bytes;

	if (!go->is_known || !mw_findings_go_zeroes(go->version) ||
	    !go->has_spans ||
	    go->sampled_pages < LEAST_SAMPLE)
		return false;
	bytes = (uint64_t)((double)go->large_scan_bytes *
			   ((double)go->zero_pages /
			    (double)go->sampled_pages));
	if (!find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "About %s of large objects with pointers are "
		 "resident but hold only zeros: %s touches such memory when "
		 "it is allocated.", BYTES(bytes), go->version);
	find_say(&ret->evidence, "spans of objects above 32 KiB with pointers: "
		 "%s; of %" PRIu64 " resident pages looked at, %" PRIu64
		 " are zero; golang/go issue 72991",
		 BYTES(go->large_scan_bytes), go->sampled_pages,
		 go->zero_pages);
	find_say(&ret->advice, "Build with Go 1.24.%d or later, or with 1.25, "
		 "where it is corrected; or allocate slices in the size that "
		 "is used.", LAST_ZEROING + 1);
	return true;
}

bool find_forced_huge(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t slack = find_below(s, "go/heap/idle").rss_bytes +
			 find_below(s, "go/heap/scavenged").rss_bytes +
			 find_below(s, "go/heap/free-slots").rss_bytes +
			 find_below(s, "go/heap/reserved").rss_bytes +
			 find_below(s, "go/runtime").rss_bytes;
	uint64_t bytes = mw_min(slack, s->huge_bytes);

	if (!s->go.is_known ||
	    !find_go_is(s->go.version, 21, 0, LAST_FORCED_HUGE) ||
	    !find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s forces huge pages on its heap and its own "
		 "structures, up to %s of which hold no objects.",
		 s->go.version, BYTES(bytes));
	find_say(&ret->evidence, "%s of anonymous memory are on huge pages; "
		 "%s of the Go heap and runtime hold no objects; golang/go "
		 "issues 61718 and 63334", BYTES(s->huge_bytes),
		 BYTES(slack));
	find_say(&ret->advice, "Build with Go 1.21.4 or later.");
	return true;
}
