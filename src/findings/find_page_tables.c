/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Page tables: 4 KiB for each 2 MiB that is touched, however thinly
 * (VmPTE in proc_pid_status(5)). RSS leaves them out; a container's memory does
 * not.
 */
bool find_page_tables(const struct mw_situation *s, struct mw_finding *ret)
{
	if (!find_is_much(s, s->page_table_bytes))
		return false;
	ret->bytes = s->page_table_bytes;
	find_say(&ret->summary, "The kernel needs %s of page tables for the "
		 "process, which RSS does not count.",
		 BYTES(s->page_table_bytes));
	find_say(&ret->evidence, "VmPTE in /proc/PID/status; RSS %s, VSZ %s",
		 BYTES(s->rss_bytes), BYTES(s->vsz_bytes));
	find_say(&ret->advice, "Memory that is touched thinly over much "
		 "address space costs a table of 4 KiB for each 2 MiB, and "
		 "tables stay when pages are given back. Keep data dense, "
		 "unmap instead of MADV_DONTNEED, or use huge pages.");
	return true;
}
