/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "findings_int.h"

/*
 * Free blocks of malloc on whole pages, which malloc_trim(0) would give back
 * (CASES 25; malloc_trim(3); glibc trims the top of an arena only by itself).
 * Other allocators have other calls for it, and give back by themselves after a
 * while, most of them only when the program allocates (jemalloc(3),
 * opt.dirty_decay_ms; docs/tcmalloc.html of gperftools; mimalloc.h).
 */
/* Every program that has freed something keeps a little. */
#define LEAST_SLACK MW_MIB(4)

static const struct way {
	const char *allocator, *call, *advice;
} ways[] = {
	{ "glibc", "malloc_trim(0)",
	  "Call malloc_trim(0) after a peak, or set MALLOC_TRIM_THRESHOLD_ "
	  "(glibc.malloc.trim_threshold) and MALLOC_ARENA_MAX; or use an "
	  "allocator that returns memory by itself, such as jemalloc." },
	{ "jemalloc", "mallctl(\"arena.<i>.purge\")",
	  "It is given back by and by while the program allocates; "
	  "MALLOC_CONF=background_thread:true does it also when it rests, and "
	  "a smaller dirty_decay_ms does it sooner." },
	{ "mimalloc", "mi_collect(true)",
	  "It is given back by and by while the program allocates; a smaller "
	  "MIMALLOC_PURGE_DELAY (MIMALLOC_RESET_DELAY in 2.0) does it sooner." },
	{ "tcmalloc", "MallocExtension_ReleaseFreeMemory()",
	  "It is given back slowly while the program frees; a larger "
	  "TCMALLOC_RELEASE_RATE does it sooner." },
};

/** How @allocator is told to give memory back. */
static const struct way *way_of(const char *allocator)
{
	for (size_t i = 1; i < MW_COUNT(ways); i++)
		if (strcmp(allocator, ways[i].allocator) == 0)
			return &ways[i];
	return &ways[0];
}

/**
 * mimalloc's free pages: no call gives back those of all threads, so none of
 * them counts as trimmable.
 */
static bool look_at_mimalloc(const struct mw_situation *s,
			     struct mw_finding *ret)
{
	uint64_t bytes =
		find_between(s, "malloc/mimalloc/", "/dirty").rss_bytes;

	if (!find_is_much(s, bytes) || bytes < LEAST_SLACK)
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s of freed memory are kept by mimalloc on "
		 "pages of their own.", BYTES(bytes));
	find_say(&ret->evidence, "malloc/mimalloc/.../dirty; mimalloc has %s "
		 "resident, of which %s in use",
		 BYTES(find_below(s, "malloc/mimalloc").rss_bytes),
		 BYTES(find_between(s, "malloc/mimalloc/", "/in-use")
			       .rss_bytes));
	find_say(&ret->advice, "%s mi_collect(true) gives back what the thread "
		 "that calls it has freed.",
		 way_of("mimalloc")->advice);
	return true;
}

bool find_malloc_slack(const struct mw_situation *s, struct mw_finding *ret)
{
	const struct mw_arena_share *worst = NULL;
	uint64_t bytes = 0, arenas = 0;

	for (size_t i = 0; i < s->arena_count; i++) {
		const struct mw_arena_share *a = &s->arenas[i];

		bytes += a->trimmable_bytes;
		arenas += a->trimmable_bytes != 0;
		if (!worst || a->trimmable_bytes > worst->trimmable_bytes)
			worst = a;
	}
	if (!find_is_much(s, bytes) || bytes < LEAST_SLACK)
		return look_at_mimalloc(s, ret);
	ret->bytes = bytes;
	find_say(&ret->summary, "%s of freed memory are kept by malloc and "
		 "would be given back by %s.", BYTES(bytes),
		 way_of(worst->allocator)->call);
	find_say(&ret->evidence, "free blocks on whole resident pages of %"
		 PRIu64 " arena%s; most in malloc/%s/%s: %s resident, %s in "
		 "use, %s to trim", arenas, FIND_S(arenas), worst->allocator, worst->name,
		 BYTES(worst->resident_bytes), BYTES(worst->in_use_bytes),
		 BYTES(worst->trimmable_bytes));
	find_say(&ret->advice, "%s", way_of(worst->allocator)->advice);
	return true;
}
