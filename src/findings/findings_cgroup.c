/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

uint64_t find_cgroup_kernel_bytes(const struct mw_cgroup_situation *g)
{
	// What is told as a whole has parts that are not told, such as the
	// buffers of pipes.
	return mw_max(g->kernel_bytes, g->slab_bytes + g->kernel_stack_bytes +
				       g->page_table_bytes);
}

void find_add_kernel_parts(char **text, const struct mw_cgroup_situation *g)
{
	uint64_t parts = g->slab_bytes + g->kernel_stack_bytes +
			 g->page_table_bytes;
	uint64_t all = find_cgroup_kernel_bytes(g);

	if (g->slab_bytes)
		find_add(text, "slab %s (%s of it not reclaimable), ",
			 BYTES(g->slab_bytes), BYTES(g->slab_kept_bytes));
	find_add(text, "kernel stacks %s, page tables %s%s, %s %s",
		 BYTES(g->kernel_stack_bytes), BYTES(g->page_table_bytes),
		 g->kernel_parts_are_sums ? " (summed up over its processes)"
					  : "",
		 g->slab_bytes ? "other" : "slab and other",
		 BYTES(all > parts ? all - parts : 0));
}

static void add_processes(char **text, const struct mw_situation *s)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	uint64_t own = mw_min(s->anon_bytes, g->anon_bytes);

	find_add(text, "this process's anonymous memory %s", BYTES(own));
	if (g->processes < 2) {
		if (g->anon_bytes - own >= MW_MIB(1))
			find_add(text, ", other anonymous memory %s",
				 BYTES(g->anon_bytes - own));
		return;
	}
	find_add(text, ", that of %" PRIu64 " other process%s %s",
		 g->processes - 1, g->processes == 2 ? "" : "es", BYTES(g->anon_bytes - own));
	for (size_t i = 0; i < MW_SHARES && g->others[i].bytes; i++)
		find_add(text, "%s %s (%" PRIu64 ") %s", i ? "," : " (largest:",
			 g->others[i].name, g->others[i].count,
			 BYTES(g->others[i].bytes));
	if (g->others[0].bytes)
		find_add(text, ")");
}

void find_add_cgroup(char **text, const struct mw_situation *s)
{
	const struct mw_cgroup_situation *g = &s->cgroup;

	add_processes(text, s);
	find_add(text, ", page cache %s", BYTES(g->file_bytes));
	if (g->file_bytes)
		find_add(text, " (%s of it can be dropped",
			 BYTES(g->droppable_bytes));
	if (g->file_bytes && g->shmem_bytes)
		find_add(text, ", %s are shared memory",
			 BYTES(g->shmem_bytes));
	if (g->file_bytes)
		find_add(text, ")");
	find_add(text, ", the kernel's memory %s (",
		 BYTES(find_cgroup_kernel_bytes(g)));
	find_add_kernel_parts(text, g);
	find_add(text, ")");
	if (g->sock_bytes)
		find_add(text, ", sockets %s", BYTES(g->sock_bytes));
}
