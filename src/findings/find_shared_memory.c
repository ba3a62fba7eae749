/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Shared memory: tmpfs, memfd, System V. It is not reclaimable without swap,
 * and counts for each process that maps it (shm_overview(7), memfd_create(2)).
 */
#define LEAST_SHARE_OF_RSS 10

bool find_shared_memory(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t tmpfs = find_tmpfs_bytes(s);
	uint64_t named = find_below(s, "shm").rss_bytes, bytes = named + tmpfs;

	if (!find_is_much(s, bytes) ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are shared memory, which outlives the "
		 "process and counts in each that maps it.", BYTES(bytes));
	find_say(&ret->evidence, "%s", named ? "largest:" : "");
	find_add_largest(&ret->evidence, s, "shm");
	if (tmpfs) {
		find_add(&ret->evidence, "%s%s in files on tmpfs (RssShmem in "
			 "/proc/PID/status), of", named ? "; " : "",
			 BYTES(tmpfs));
		find_add_largest(&ret->evidence, s, "file");
	}
	find_say(&ret->advice, "Without swap the kernel cannot take it back. "
		 "Remove what is left in /dev/shm, in another tmpfs or by "
		 "ipcrm, make the segment smaller, or punch holes (fallocate, "
		 "MADV_REMOVE).");
	return true;
}
