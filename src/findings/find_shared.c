/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * RSS counts a page for every process that maps it; PSS counts each its part
 * (CASES 31; proc_pid_smaps(5)). Known with --pss only.
 */
#define LEAST_SHARE_OF_RSS 10

bool find_shared(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes;

	if (!s->has_smaps || s->pss_bytes >= s->rss_bytes)
		return false;
	bytes = s->rss_bytes - s->pss_bytes;
	if (!find_is_much(s, bytes) ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s of RSS are other processes' part of shared "
		 "pages.", BYTES(bytes));
	find_say(&ret->evidence, "smaps: Rss %s, Pss %s", BYTES(s->rss_bytes),
		 BYTES(s->pss_bytes));
	find_say(&ret->advice, "Add up PSS, not RSS, for the sum over several "
		 "processes, such as the workers of a server that forks.");
	return true;
}
