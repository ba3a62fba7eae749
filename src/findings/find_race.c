/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * The race detector's shadow memory: five to ten times the memory that the
 * program uses (CASES 29; google/sanitizers 1059;
 * https://go.dev/doc/articles/race_detector).
 */
bool find_race(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes = s->go.race_bytes;

	if (!s->go.is_known || !find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are shadow memory of the race detector.",
		 BYTES(bytes));
	find_say(&ret->evidence, "mappings from 0x200000000000 and "
		 "0x300000000000 on, where ThreadSanitizer keeps what it knows "
		 "of each word of a Go program");
	find_say(&ret->advice, "Build without -race for production, or for "
		 "measuring memory.");
	return true;
}
