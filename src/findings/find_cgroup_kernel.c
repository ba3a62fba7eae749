/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Kernel memory that is charged to the container: sockets, dentries and
 * inodes, BPF maps, kernel stacks (CASES 30; grafana/alloy 6937,
 * cilium/cilium 37935, kubernetes/kubernetes 43916).
 */
#define LEAST_KERNEL MW_MIB(32)
#define LEAST_SHARE 20

bool find_cgroup_kernel(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	uint64_t bytes = g->slab_bytes + g->sock_bytes +
			 g->kernel_stack_bytes + g->page_table_bytes;

	bytes = mw_max(bytes, g->kernel_bytes);
	// Without a limit, it is the machine's and not a container's.
	if (!g->is_known || g->limit_bytes == UINT64_MAX ||
	    bytes < LEAST_KERNEL ||
	    !find_is_part(bytes, LEAST_SHARE, g->current_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s of the container's memory are the "
		 "kernel's, which no process's RSS shows.", BYTES(bytes));
	find_say(&ret->evidence, "memory.stat of cgroup v%u %s: slab %s, "
		 "sockets %s, kernel stacks %s, page tables %s, of %s",
		 g->version, g->path, BYTES(g->slab_bytes),
		 BYTES(g->sock_bytes), BYTES(g->kernel_stack_bytes),
		 BYTES(g->page_table_bytes), BYTES(g->current_bytes));
	find_say(&ret->advice, "Slab is mostly dentries and inodes of files "
		 "that were looked at (reclaimable) and BPF maps (not); "
		 "sockets have unread or unsent data; kernel stacks are "
		 "threads.");
	return true;
}
