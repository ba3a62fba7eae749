/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * The race detector's shadow memory: five to ten times the memory that the
 * program uses (CASES 29; google/sanitizers 1059;
 * https://go.dev/doc/articles/race_detector).
 */
bool find_race(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes = find_below(s, FIND_RACE).rss_bytes;

	if (!find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are shadow memory of the race detector.",
		 BYTES(bytes));
	find_say(&ret->evidence, "anonymous/race-detector: mappings from "
		 "0x200000000000 and 0x300000000000 on (to Go 1.18 also "
		 "0x600000000000), where ThreadSanitizer keeps what it knows of "
		 "each word; its variables are in binary/.bss (%s)",
		 BYTES(find_below(s, "binary/.bss").rss_bytes));
	find_say(&ret->advice, "Build without -race for production, or for "
		 "measuring memory.");
	return true;
}
