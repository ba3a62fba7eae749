/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * Large executables: code and Go's function table come in with use (CASES 32;
 * golang/go 44190).
 */
#define LEAST_BINARY MW_MIB(16)
#define LEAST_SHARE_OF_RSS 15

static bool is_large(const struct mw_situation *s, uint64_t bytes)
{
	return bytes >= LEAST_BINARY &&
	       find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes);
}

/** Zeroed variables that were written to are no file's, but the process's. */
static bool say_zeroed(const struct mw_situation *s, uint64_t bytes,
		       struct mw_finding *ret)
{
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are global variables of the executable that "
		 "begin as zeros (.bss).", BYTES(bytes));
	find_say(&ret->evidence, "largest sections:");
	find_add_largest(&ret->evidence, s, "binary");
	find_say(&ret->advice, "They are private memory as the heap is, and "
		 "stay as long as the process: `memwhy syms --section=.bss "
		 "--sort=size PID` tells which of them are large.");
	return true;
}

bool find_binary(const struct mw_situation *s, struct mw_finding *ret)
{
	struct mw_tally all = find_below(s, "binary");
	uint64_t zeroed = find_below(s, "binary/.bss").rss_bytes +
			  find_below(s, "binary/.noptrbss").rss_bytes;
	uint64_t of_file = all.rss_bytes;

	// Every program has a few.
	if (zeroed >= FIND_LEAST_BYTES)
		of_file -= mw_min(of_file, zeroed);
	if (is_large(s, zeroed) && zeroed > of_file)
		return say_zeroed(s, zeroed, ret);
	if (!is_large(s, of_file))
		return false;
	ret->bytes = of_file;
	find_say(&ret->summary, "%s are the executable itself, which maps %s.",
		 BYTES(of_file), BYTES(all.vsz_bytes));
	find_say(&ret->evidence, "largest sections:");
	find_add_largest(&ret->evidence, s, "binary");
	if (zeroed >= FIND_LEAST_BYTES)
		find_add(&ret->evidence, "; less %s of zeroed variables, which "
			 "are in no file", BYTES(zeroed));
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
