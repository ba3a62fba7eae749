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

	if (all.rss_bytes < LEAST_BINARY ||
	    !find_is_part(all.rss_bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = all.rss_bytes;
	find_say(&ret->summary, "%s are the executable itself, which maps %s.",
		 BYTES(all.rss_bytes), BYTES(all.vsz_bytes));
	find_say(&ret->evidence, "largest sections:");
	find_add_largest(&ret->evidence, s, "binary");
	find_say(&ret->advice, "Pages that were not written to are shared "
		 "between processes, and the kernel can take them back. %s%s",
		 s->go.is_known ? "To make it smaller, drop dependencies: "
				  "`memwhy elf --go` tells what each Go "
				  "package takes."
				: "`memwhy syms --sort=size` tells what takes "
				  "most, `memwhy elf PID` which pages of each "
				  "section are resident.",
		 find_below(s, "binary/.data.rel.ro").rss_bytes >= MW_MIB(4)
			 ? " A PIE's relocations (.data.rel.ro) are private "
			   "dirty memory; without PIE they are not."
			 : "");
	return true;
}
