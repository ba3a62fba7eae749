/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_int.h"

/*
 * A record for each call stack that was sampled, never freed (CASES 10;
 * golang/go 69590, 42347; runtime/mprof.go; Go 1.23 raised the depth of stacks
 * from 32 to 128).
 */
bool find_profile_buckets(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t bytes = find_below(s, "go/runtime/profile-buckets").rss_bytes;

	if (!find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "The Go runtime's profiler keeps %s for the "
		 "call stacks that it has sampled.", BYTES(bytes));
	find_say(&ret->evidence, "go/runtime/profile-buckets "
		 "(MemStats.BuckHashSys): a record for each distinct stack; "
		 "they are never freed");
	find_say(&ret->advice, "GODEBUG=profstackdepth=32 makes records "
		 "smaller (Go 1.23), a larger runtime.MemProfileRate and "
		 "smaller block and mutex profile rates make them fewer.");
	return true;
}
