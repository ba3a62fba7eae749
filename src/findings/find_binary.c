/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Large executables: code and Go's function table come in with use (CASES 32;
 * golang/go 44190).
 */
#define LEAST_BINARY MW_MIB(16)
#define LEAST_SHARE_OF_RSS 15

bool find_binary(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally all = find_below(s, "binary");
	struct mw_share largest[MW_SHARES];
	size_t n;

	if (all.rss_bytes < LEAST_BINARY ||
	    !find_is_part(all.rss_bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = all.rss_bytes;
	find_say(&ret->summary, "%s are the executable itself, which maps %s.",
		 BYTES(all.rss_bytes), BYTES(all.vsz_bytes));
	find_say(&ret->evidence, "largest:");
	n = find_largest(s, "binary", false, largest);
	for (size_t i = 0; i < n; i++)
		find_add(&ret->evidence, "%s %s (%s)", i ? "," : "",
			 largest[i].name, BYTES(largest[i].bytes));
	find_say(&ret->advice, "Pages of the file are shared between processes "
		 "and reclaimable. To make it smaller, drop dependencies: "
		 "`memwhy elf --go` tells what each Go package takes.%s",
		 find_below(s, "binary/.data.rel.ro").rss_bytes >= MW_MIB(4)
			 ? " A PIE's relocations (.data.rel.ro) are private "
			   "dirty memory; without PIE they are not."
			 : "");
	return true;
}
