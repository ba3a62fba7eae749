/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * The memory controller's view, with the limit and how far it is (CASES 30;
 * Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst).
 */
#define NEAR_PERCENT 80

bool find_cgroup_limit(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_cgroup_situation *g = &s->cgroup;

	if (!g->is_known || g->limit_bytes == UINT64_MAX ||
	    g->limit_bytes == 0 ||
	    !find_is_part(g->current_bytes, NEAR_PERCENT, g->limit_bytes))
		return false;
	ret->bytes = g->current_bytes;
	find_say(&ret->summary, "The control group (container or service) "
		 "uses %s of the %s that it may, %s short of the limit; this "
		 "process's RSS is %s.",
		 BYTES(g->current_bytes), BYTES(g->limit_bytes),
		 BYTES(g->limit_bytes > g->current_bytes
			       ? g->limit_bytes - g->current_bytes
			       : 0),
		 BYTES(s->rss_bytes));
	find_say(&ret->evidence, "cgroup v%u %s: ", g->version, g->path);
	find_add_cgroup(&ret->evidence, s);
	find_say(&ret->advice, "Clean page cache is taken back at the limit; "
		 "anonymous memory is not, and ends in an OOM kill. Reduce "
		 "the largest part, or raise %s%s.",
		 g->version == 2 ? "memory.max" : "memory.limit_in_bytes",
		 s->go.is_known ? " and set GOMEMLIMIT to about 90 % of it, "
				  "less what is not Go's"
				: "");
	return true;
}
