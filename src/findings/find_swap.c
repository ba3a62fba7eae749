/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * What the kernel has swapped out (VmSwap in proc_pid_status(5)).
 */
bool find_swap(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_share largest[MW_SHARES];
	size_t n;

	if (!find_is_much(s, s->swap_bytes))
		return false;
	ret->bytes = s->swap_bytes;
	find_say(&ret->summary, "%s are swapped out and not part of RSS.",
		 BYTES(s->swap_bytes));
	find_say(&ret->evidence, "largest:");
	n = find_largest(s, "", true, largest);
	for (size_t i = 0; i < n; i++)
		find_add(&ret->evidence, "%s %s (%s)", i ? "," : "",
			 largest[i].name, BYTES(largest[i].bytes));
	find_say(&ret->advice, "Memory was short, on the machine or in the "
		 "control group, and what is used again has to be read back. "
		 "%sGive the process more memory, or keep it out of swap: "
		 "memory.swap.max, memory.swappiness, mlock().",
		 s->go.is_known ? "A garbage collection touches all of a Go "
				  "heap. "
				: "");
	return true;
}
