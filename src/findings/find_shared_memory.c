/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Shared memory: tmpfs, memfd, System V, and what has no name, as servers map it
 * for their workers. It is not reclaimable without swap, and counts for each
 * process that maps it (shm_overview(7), memfd_create(2), mmap(2)).
 */
#define LEAST_SHARED MW_MIB(8)
#define LEAST_SHARE_OF_RSS 10

bool find_shared_memory(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t tmpfs = find_tmpfs_bytes(s);
	uint64_t shm = find_below(s, "shm").rss_bytes, bytes = shm + tmpfs;
	bool has_name = find_below(s, "shm/anonymous").rss_bytes < bytes / 2;

	if (bytes < LEAST_SHARED ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are shared memory, which counts in each "
		 "process that maps it.", BYTES(bytes));
	find_say(&ret->evidence, "%s", shm ? "largest:" : "");
	find_add_largest(&ret->evidence, s, "shm");
	if (tmpfs) {
		find_add(&ret->evidence, "%s%s in files on tmpfs (RssShmem in "
			 "/proc/PID/status), of", shm ? "; " : "",
			 BYTES(tmpfs));
		find_add_largest(&ret->evidence, s, "file");
	}
	find_say(&ret->advice, "Without swap the kernel cannot take it back. "
		 "%s, or punch holes (MADV_REMOVE%s). Add up PSS (--pss), "
		 "not RSS, for several processes that map it.",
		 has_name ? "What is in /dev/shm, in another tmpfs or of "
			    "System V outlives the process: remove what is "
			    "left over (rm, ipcrm), make the segment smaller"
			  : "It has no name and goes with the last process "
			    "that maps it (MAP_SHARED | MAP_ANONYMOUS): make "
			    "the program's pool smaller, such as "
			    "shared_buffers of PostgreSQL or "
			    "opcache.memory_consumption of PHP",
		 has_name ? ", fallocate" : "");
	return true;
}
