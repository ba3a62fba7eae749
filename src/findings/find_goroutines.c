/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * Many goroutines, most often because they wait for something that never
 * comes (CASES 15; golang/go 16953).
 */
#define LEAST_GOROUTINES 1000

bool find_goroutines(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_go_situation *go = &s->go;

	if (!go->has_goroutines || go->goroutines < LEAST_GOROUTINES ||
	    !find_is_much(s, mw_min(go->stack_bytes,
				    find_below(s, "go/stacks").rss_bytes)))
		return false;
	ret->bytes = mw_min(go->stack_bytes,
			    find_below(s, "go/stacks").rss_bytes);
	find_say(&ret->summary, "%" PRIu64 " goroutines take %s for their "
		 "stacks alone.", go->goroutines, BYTES(ret->bytes));
	find_say(&ret->evidence, "runtime.allgs; made by");
	for (size_t i = 0; i < MW_SHARES && go->creators[i].name; i++)
		find_add(&ret->evidence, "%s %s (%" PRIu64 ", %s)",
			 i ? "," : "", go->creators[i].name,
			 go->creators[i].count, BYTES(go->creators[i].bytes));
	for (size_t i = 0; i < MW_SHARES && go->waits[i].name; i++)
		find_add(&ret->evidence, "%s %s (%" PRIu64 ")",
			 i ? "," : "; most wait for", go->waits[i].name,
			 go->waits[i].count);
	find_say(&ret->advice, "If there should be fewer, find what they wait "
		 "for: `memwhy go goroutines --by=stack --backtrace`. What "
		 "they refer to stays alive, too.");
	return true;
}
