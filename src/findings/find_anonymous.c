/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <inttypes.h>

#include "findings_int.h"

/*
 * Memory that the program has mapped itself, past every runtime and allocator
 * that is known (CASES 27; VictoriaMetrics/fastcache 77).
 */
/* Interpreters begin with some MiB of their own. */
#define LEAST_ANONYMOUS MW_MIB(16)
#define LEAST_SHARE_OF_RSS 10

/*
 * Runtimes that map their heaps so, known by the executable or a library, and
 * what tells more. Names are those of Debian's packages and of the projects'
 * own builds; sources: the projects' manuals.
 */
#define MOST_NAMES 5

static const struct runtime {
	const char *names[MOST_NAMES]; /* shell patterns */
	const char *advice;
} runtimes[] = {
	{ { "libjvm.so" },
	  "the Java heap (-Xmx), metaspace and compiled code lie there; "
	  "`jcmd PID VM.native_memory` divides them after a start with "
	  "-XX:NativeMemoryTracking=summary" },
	{ { "node", "node[0-9]*", "nodejs", "libnode.so*", "deno" },
	  "V8's heap (--max-old-space-size) and compiled code lie there; "
	  "process.memoryUsage() and heap snapshots divide them" },
	{ { "php", "php[0-9]*", "php-fpm*", "php-cgi*", "libphp*.so*" },
	  "PHP's memory manager takes chunks of 2 MiB there (memory_limit); "
	  "memory_get_usage(true) counts them" },
	{ { "ruby", "ruby[0-9]*", "libruby*.so*" },
	  "pages of Ruby's heap lie there; GC.stat counts them" },
	{ { "qemu-system-*", "qemu-kvm" },
	  "the guest's memory (-m) lies there" },
	{ { "libcoreclr.so" },
	  ".NET's heap (DOTNET_GCHeapHardLimit) and compiled code lie there; "
	  "`dotnet-counters` and `dotnet-gcdump` divide them" },
	{ { "mono", "mono-sgen*", "libmonosgen-*.so*", "libmono-2*.so*" },
	  "Mono's heap (MONO_GC_PARAMS=max-heap-size) and compiled code lie "
	  "there" },
	{ { "libxul.so" },
	  "the heaps of Firefox's own malloc (mozjemalloc) and of JavaScript "
	  "lie there; its page about:memory divides them" },
	{ { "beam.smp" },
	  "the carriers of Erlang's allocators lie there; erlang:memory() "
	  "divides them" },
};

/** The runtime that @s has; *@ret_name: what tells. NULL: none of these. */
static const struct runtime *find_runtime(const struct mw_situation *s,
					  const char **ret_name)
{
	for (size_t i = 0; i < MW_COUNT(runtimes); i++)
		for (size_t k = 0; k < MOST_NAMES && runtimes[i].names[k]; k++)
			for (size_t n = 0; n < s->image_count; n++)
				if (fnmatch(runtimes[i].names[k], s->images[n],
					    0) == 0) {
					*ret_name = s->images[n];
					return &runtimes[i];
				}
	return NULL;
}

bool find_anonymous(const struct mw_situation *s, struct mw_finding *ret)
{
	// The race detector's shadow is another finding.
	uint64_t all = find_below(s, "anonymous").rss_bytes;
	uint64_t bytes = all - find_below(s, FIND_RACE).rss_bytes;
	struct mw_share largest[MW_SHARES];
	const struct runtime *runtime;
	const char *image;
	size_t n;

	if (!find_is_much(s, bytes) || bytes < LEAST_ANONYMOUS ||
	    !find_is_part(bytes, LEAST_SHARE_OF_RSS, s->rss_bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%s are anonymous mappings outside of every "
		 "%sallocator that is known.", BYTES(bytes),
		 s->go.is_known ? "runtime and " : "");
	find_say(&ret->evidence, "accounts");
	n = find_largest(s, "anonymous", false, largest);
	for (size_t i = 0; i < n; i++)
		find_add(&ret->evidence, "%s %s (%s)", i ? "," : "",
			 largest[i].name, BYTES(largest[i].bytes));
	for (size_t i = 0; i < MW_SHARES && s->ranges[i].rss_bytes; i++)
		find_add(&ret->evidence, "%s %" PRIx64 "-%" PRIx64 " (%s)",
			 i ? "," : "; largest", s->ranges[i].start,
			 s->ranges[i].end, BYTES(s->ranges[i].rss_bytes));
	runtime = find_runtime(s, &image);
	if (runtime)
		find_say(&ret->advice, "As %s tells, %s.", image,
			 runtime->advice);
	else
		find_say(&ret->advice, "Caches off the heap, buffers of "
			 "databases and JIT compilers map memory so.");
	find_add(&ret->advice, "%s `memwhy strings --range` and `memwhy search "
		 "--pointer` tell what it is and who points there.",
		 s->go.is_known ? " Neither GOMEMLIMIT nor a heap profile "
				  "counts it."
				: "");
	return true;
}
