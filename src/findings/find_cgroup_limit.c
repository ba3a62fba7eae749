/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * The memory controller's view, with the limit and how far it is (CASES 30;
 * Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst).
 */
#define NEAR_PERCENT 80

static void split(const struct mw_situation *s, char **text)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	uint64_t own = mw_min(s->anon_bytes, g->anon_bytes);
	const struct {
		const char *name;
		uint64_t bytes;
	} parts[] = {
		{ "this process's anonymous memory", own },
		{ "that of others", g->anon_bytes - own },
		{ "page cache", g->file_bytes },
		{ "of it shared memory", g->shmem_bytes },
		{ "all of the kernel's", g->kernel_bytes },
		{ "slab", g->slab_bytes },
		{ "sockets", g->sock_bytes },
		{ "kernel stacks", g->kernel_stack_bytes },
		{ "page tables", g->page_table_bytes },
	};

	for (size_t i = 0; i < MW_COUNT(parts); i++)
		if (parts[i].bytes)
			find_add(text, ", %s %s", parts[i].name,
				 BYTES(parts[i].bytes));
}

bool find_cgroup_limit(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_cgroup_situation *g = &s->cgroup;

	if (!g->is_known || g->limit_bytes == UINT64_MAX ||
	    g->limit_bytes == 0 ||
	    !find_is_part(g->current_bytes, NEAR_PERCENT, g->limit_bytes))
		return false;
	ret->bytes = g->current_bytes;
	find_say(&ret->summary, "The container uses %s of the %s that it may, "
		 "%s short of the limit; this process's RSS is %s.",
		 BYTES(g->current_bytes), BYTES(g->limit_bytes),
		 BYTES(g->limit_bytes > g->current_bytes
			       ? g->limit_bytes - g->current_bytes
			       : 0),
		 BYTES(s->rss_bytes));
	find_say(&ret->evidence, "memory.stat of cgroup v%u %s: all %s",
		 g->version, g->path, BYTES(g->current_bytes));
	split(s, &ret->evidence);
	find_say(&ret->advice, "Clean page cache is taken back at the limit; "
		 "anonymous memory is not, and ends in an OOM kill. Raise "
		 "memory.max%s, or reduce the largest part.",
		 s->go.is_known ? ", set GOMEMLIMIT to about 90 % of it" : "");
	return true;
}
