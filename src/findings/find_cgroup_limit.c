/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * The memory controller's view, with the limit and how far it is (CASES 30;
 * Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). Every group
 * that reads files fills up with page cache, which is dropped for whatever else
 * needs the room; so that does not count.
 */
#define NEAR_PERCENT 80

static void add_swap(char **text, const struct mw_cgroup_situation *g)
{
	if (g->swap_bytes == 0 && g->swap_limit_bytes == UINT64_MAX)
		return;
	find_add(text, "; in swap %s", BYTES(g->swap_bytes));
	if (g->swap_limit_bytes != UINT64_MAX)
		find_add(text, " of %s", BYTES(g->swap_limit_bytes));
}

bool find_cgroup_limit(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_cgroup_situation *g = &s->cgroup;
	uint64_t used = g->current_bytes -
			mw_min(g->current_bytes, g->droppable_bytes);

	if (!g->is_known || g->limit_bytes == UINT64_MAX ||
	    g->limit_bytes == 0 ||
	    !find_is_part(used, NEAR_PERCENT, g->limit_bytes))
		return false;
	ret->bytes = used;
	find_say(&ret->summary, "The control group (container or service) "
		 "uses %s of the %s that it may, %s short of the limit; this "
		 "process's RSS is %s.", BYTES(used), BYTES(g->limit_bytes),
		 BYTES(g->limit_bytes > used ? g->limit_bytes - used : 0),
		 BYTES(s->rss_bytes));
	find_say(&ret->evidence, "cgroup v%u %s: %s charged%s%s, ", g->version,
		 g->path, BYTES(g->current_bytes),
		 g->limit_file ? ", limit by " : "",
		 g->limit_file ? g->limit_file : "");
	find_add_cgroup(&ret->evidence, s);
	add_swap(&ret->evidence, g);
	find_say(&ret->advice, "Page cache is dropped at the limit; anonymous "
		 "memory is not, and %s. Reduce the largest part, or raise "
		 "%s%s.",
		 g->limit_only_slows ? "the group's processes are slowed down"
		 : g->swap_limit_bytes == 0 || g->swap_bytes == 0
			 ? "ends in an OOM kill"
			 : "goes to swap or ends in an OOM kill",
		 g->limit_only_slows ? "memory.high"
		 : g->version == 2   ? "memory.max"
				     : "memory.limit_in_bytes",
		 s->go.is_known && s->anon_bytes >= used / 2 ? " and set GOMEMLIMIT to about 90 % of it, "
				  "less what is not Go's"
				: "");
	return true;
}
