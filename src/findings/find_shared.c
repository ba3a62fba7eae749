/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * RSS counts a page for every process that maps it; PSS counts each its part
 * (CASES 31; proc_pid_smaps(5)). Known with --pss only. Every process shares the
 * C library with all others, so libraries do not count.
 */
#define LEAST_SHARED MW_MIB(4)
#define LEAST_SHARE_OF_RSS 10

/** What others have of the pages of accounts below @name. */
static uint64_t of_others(const struct mw_situation *s, const char *name)
{
	uint64_t rss = find_below(s, name).rss_bytes, pss = 0;

	for (size_t i = 0; i < s->account_count; i++)
		if (find_is_below(s->accounts[i].name, name))
			pss += s->accounts[i].pss_bytes;
	return rss > pss ? rss - pss : 0;
}

bool find_shared(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes, libraries;

	if (!s->has_smaps || s->pss_bytes >= s->rss_bytes)
		return false;
	bytes = s->rss_bytes - s->pss_bytes;
	libraries = of_others(s, "library");
	bytes -= mw_min(bytes, libraries);
	if (!find_is_much(s, bytes) || bytes < LEAST_SHARED ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s of RSS are other processes' part of shared "
		 "pages, libraries not counted.", BYTES(bytes));
	find_say(&ret->evidence, "smaps: Rss %s, Pss %s; %s of the difference "
		 "are libraries", BYTES(s->rss_bytes), BYTES(s->pss_bytes),
		 BYTES(libraries));
	find_say(&ret->advice, "Add up PSS, not RSS, for the sum over several "
		 "processes, such as the workers of a server that forks.");
	return true;
}
