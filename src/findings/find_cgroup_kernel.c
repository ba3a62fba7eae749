/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Kernel memory that is charged to the container: sockets, pipes, dentries and
 * inodes, BPF maps, kernel stacks (CASES 30; grafana/alloy 6937,
 * cilium/cilium 37935, kubernetes/kubernetes 43916;
 * Documentation/admin-guide/cgroup-v2.rst, "kernel" in memory.stat).
 */
#define LEAST_KERNEL MW_MIB(32)
#define LEAST_SHARE 20

bool find_cgroup_kernel(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	uint64_t bytes = find_cgroup_kernel_bytes(g) + g->sock_bytes;

	// Without a limit, it is the machine's and not a container's.
	if (!g->is_known || g->limit_bytes == UINT64_MAX ||
	    bytes < LEAST_KERNEL ||
	    !find_is_part(bytes, LEAST_SHARE, g->current_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s of the control group's %s are the "
		 "kernel's, which no process's RSS shows.", BYTES(bytes),
		 BYTES(g->current_bytes));
	find_say(&ret->evidence, "cgroup v%u %s: sockets %s, ", g->version,
		 g->path, BYTES(g->sock_bytes));
	find_add_kernel_parts(&ret->evidence, g);
	find_say(&ret->advice, "Slab is mostly dentries and inodes of files "
		 "that were looked at (reclaimable) and BPF maps (not "
		 "reclaimable). Sockets and pipes hold data that nobody has "
		 "read: find them with `ss -m` and lsof. Kernel stacks are "
		 "threads, 16 KiB each.");
	return true;
}
