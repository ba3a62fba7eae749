/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "findings_int.h"

/*
 * Allocators that give threads arenas of their own, each of which keeps what
 * its threads have freed: glibc up to eight a processor (CASES 25; golang/go
 * 11035; mallopt(3) M_ARENA_MAX), jemalloc four (opt.narenas in jemalloc(3)).
 * mimalloc has one for each thread, which no setting changes.
 */
#define MANY_ARENAS 8
#define LEAST_SLACK MW_MIB(4)

static const struct way {
	const char *allocator, *prefix, *setting;
} ways[] = {
	{ "glibc", "thread-", "MALLOC_ARENA_MAX=2 (glibc.malloc.arena_max, "
			      "mallopt M_ARENA_MAX)" },
	{ "jemalloc", "arena-", "MALLOC_CONF=narenas:2 (opt.narenas)" },
};

struct sum {
	uint64_t count, resident, used;
};

static struct sum add_up(const struct mw_situation *s, const struct way *way)
{
	struct sum sum = { 0 };

	for (size_t i = 0; i < s->arena_count; i++) {
		const struct mw_arena_share *a = &s->arenas[i];

		if (strcmp(a->allocator, way->allocator) != 0 ||
		    strncmp(a->name, way->prefix, strlen(way->prefix)) != 0)
			continue;
		sum.count++;
		sum.resident += a->resident_bytes;
		sum.used += a->in_use_bytes;
	}
	return sum;
}

static bool look(const struct mw_situation *s, const struct way *way,
		 struct mw_finding *ret)
{
	struct sum sum = add_up(s, way);
	uint64_t slack = sum.resident > sum.used ? sum.resident - sum.used : 0;

	if (sum.count < MANY_ARENAS || slack < LEAST_SLACK ||
	    !find_is_much(s, slack))
		return false;
	ret->bytes = slack;
	find_say(&ret->summary, "%" PRIu64 " arenas of malloc for threads keep "
		 "%s that are not in use.", sum.count, BYTES(slack));
	find_say(&ret->evidence, "malloc/%s/%sN: %s resident, %s in use; %"
		 PRIu64 " threads, %" PRIu64 " processors", way->allocator,
		 way->prefix, BYTES(sum.resident), BYTES(sum.used), s->threads,
		 s->cpus);
	find_say(&ret->advice, "Set %s, at the cost of threads that wait for "
		 "each other.", way->setting);
	return true;
}

bool find_arenas(const struct mw_situation *s, struct mw_finding *ret)
{
	for (size_t i = 0; i < MW_COUNT(ways); i++)
		if (look(s, &ways[i], ret))
			return true;
	return false;
}
