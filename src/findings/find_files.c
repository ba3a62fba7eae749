/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Mapped files, such as a database's: clean pages of these are page cache that
 * the kernel takes back when it needs memory (CASES 28; etcd-io/etcd 10190,
 * etcd-io/bbolt 234).
 */
#define LEAST_SHARE_OF_RSS 10

bool find_files(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes = find_below(s, "file").rss_bytes;

	if (!find_is_much(s, bytes) ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are pages of mapped files, which the kernel "
		 "can take back when memory is short.", BYTES(bytes));
	find_say(&ret->evidence, "largest:");
	find_add_largest(&ret->evidence, s, "file");
	if (s->has_smaps)
		find_add(&ret->evidence, "; %s of them are dirty (smaps), the "
			 "rest is clean", BYTES(s->file_dirty_bytes));
	find_say(&ret->advice, "It is page cache and no leak: judge by "
		 "memory.stat's anon, or by RssAnon, not by RSS. To have less, "
		 "map less of the file, or use madvise(MADV_DONTNEED) or "
		 "MADV_COLD behind the reader.");
	return true;
}
