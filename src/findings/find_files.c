/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Mapped files, such as a database's: clean pages of these are page cache that
 * the kernel takes back when it needs memory (CASES 28; etcd-io/etcd 10190,
 * etcd-io/bbolt 234).
 */
#define LEAST_SHARE_OF_RSS 10

/** Add @bytes to what is @left_out of @all; no more than there are. */
static void leave_out(uint64_t *left_out, uint64_t all, uint64_t bytes)
{
	*left_out += mw_min(bytes, all - *left_out);
}

bool find_files(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t all = find_below(s, "file").rss_bytes, left_out = 0, bytes;

	leave_out(&left_out, all, s->file_copy_bytes);
	leave_out(&left_out, all, find_tmpfs_bytes(s));
	leave_out(&left_out, all, s->locked_bytes);
	bytes = all - left_out;
	if (!find_is_much(s, bytes) ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are pages of mapped files, which the kernel "
		 "can take back when memory is short.", BYTES(bytes));
	find_say(&ret->evidence, "largest:");
	find_add_largest(&ret->evidence, s, "file");
	if (left_out > 0)
		find_add(&ret->evidence, "; less %s that are copies (written "
			 "to in a private mapping), tmpfs or may be locked",
			 BYTES(left_out));
	if (s->has_smaps)
		find_add(&ret->evidence, "; %s of them are dirty (smaps), the "
			 "rest is clean", BYTES(s->file_dirty_bytes));
	find_say(&ret->advice, "It is page cache and no leak: judge by "
		 "memory.stat's anon, or by RssAnon, not by RSS. To have less, "
		 "map less of the file, or use madvise(MADV_DONTNEED) or "
		 "MADV_COLD behind the reader.");
	return true;
}
