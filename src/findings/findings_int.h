/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FINDINGS_INT_H
#define FINDINGS_INT_H

#include "mw_error.h"
#include "mw_findings.h"
#include "mw_num.h"
#include "mw_render.h"

/*
 * What rules share. A rule is a function in a file find_TOPIC.c, which returns
 * false when there is nothing to say, and otherwise fills a finding by say().
 */

/** X(name, id): all rules; among equals the first comes first. */
#define FIND_RULES(X)                                        \
	X(heap_idle, "heap-idle-retained")                   \
	X(lazy_free, "lazily-freed")                         \
	X(scavenged, "heap-scavenged-refilled")              \
	X(free_slots, "heap-fragmentation")                  \
	X(gogc, "heap-gogc-headroom")                        \
	X(gc_off, "gc-off")                                  \
	X(memory_limit, "memory-limit-reached")              \
	X(large_zeroing, "go1.24-large-zeroing")             \
	X(forced_huge, "go1.21-huge-pages")                  \
	X(profile_buckets, "profile-buckets")                \
	X(runtime_metadata, "runtime-metadata")              \
	X(grown_stacks, "goroutine-stacks-grown")            \
	X(goroutines, "goroutines-many")                     \
	X(dead_goroutines, "goroutines-dead")                \
	X(native, "native-memory")                           \
	X(malloc_slack, "malloc-trimmable")                  \
	X(malloc_holes, "malloc-fragmentation")              \
	X(arenas, "malloc-arenas-many")                      \
	X(thread_stacks, "thread-stacks-resident")           \
	X(idle_threads, "threads-idle")                      \
	X(anonymous, "anonymous-mappings")                   \
	X(files, "mapped-files")                             \
	X(shared_memory, "shared-memory")                    \
	X(locked, "memory-locked")                           \
	X(race, "race-detector")                             \
	X(binary, "binary-large")                            \
	X(page_tables, "page-tables")                        \
	X(swap, "swapped-out")                               \
	X(shared, "rss-counts-shared-pages")                 \
	X(cgroup_limit, "cgroup-near-limit")                 \
	X(cgroup_kernel, "cgroup-kernel-memory")

#define FIND_DECLARE(name, id) \
	bool find_##name(const struct mw_situation *s, struct mw_finding *ret);
FIND_RULES(FIND_DECLARE)
#undef FIND_DECLARE

/* What is below is not worth a reader's time: 1 MiB, and 5 % of RSS. */
#define FIND_LEAST_BYTES MW_MIB(1)
#define FIND_LEAST_SHARE 5

/** Whether @bytes are at least @percent % of @of; no overflow. */
static inline bool find_is_part(uint64_t bytes, uint64_t percent, uint64_t of)
{
	return bytes / percent >= of / 100;
}

/** Whether @bytes of resident memory are worth a finding. */
static inline bool find_is_much(const struct mw_situation *s, uint64_t bytes)
{
	return bytes >= FIND_LEAST_BYTES &&
	       find_is_part(bytes, FIND_LEAST_SHARE, s->rss_bytes);
}

/* The account of the race detector's memory. */
#define FIND_RACE "anonymous/race-detector"

/** Whether account @name is @prefix or below it. */
bool find_is_below(const char *name, const char *prefix);

/** What account @name and all below it have. */
struct mw_tally find_below(const struct mw_situation *s, const char *name);

/** What accounts have that begin with @prefix and end with @suffix. */
struct mw_tally find_between(const struct mw_situation *s, const char *prefix,
			     const char *suffix);

/**
 * What of mapped files is in tmpfs: shared memory by RssShmem, of which no
 * account knows by its name. 0 below what rounding in the kernel's counters does.
 */
uint64_t find_tmpfs_bytes(const struct mw_situation *s);

/**
 * The accounts below @prefix/ with the most resident (@swap: swapped) bytes,
 * the largest first; returns how many there are, up to MW_SHARES.
 */
size_t find_largest(const struct mw_situation *s, const char *prefix, bool swap,
		    struct mw_share ret[MW_SHARES]);

/** Add the largest accounts below @prefix/, without @prefix/: " a (1 KiB)". */
void find_add_largest(char **ret, const struct mw_situation *s,
		      const char *prefix);

/* The control group (findings_cgroup.c) */

/** What of the group's memory is the kernel's, but for sockets. */
uint64_t find_cgroup_kernel_bytes(const struct mw_cgroup_situation *group);

/** Add what the kernel's memory is made of. */
void find_add_kernel_parts(char **text,
			   const struct mw_cgroup_situation *group);

/** Add what all of the group's memory is made of. */
void find_add_cgroup(char **text, const struct mw_situation *s);

/** For "1 thread", "2 threads". */
#define FIND_S(count) ((count) == 1 ? "" : "s")

/** Bytes as text for people; holds to the end of the block. */
#define BYTES(bytes) mw_format_bytes((char[32]){ 0 }, (bytes), false)

/** Set one of a finding's texts; without memory it becomes NULL. */
void find_say(char **ret, const char *fmt, ...) MW_PRINTF(2, 3);

/** Add to a text. */
void find_add(char **text, const char *fmt, ...) MW_PRINTF(2, 3);

/** Whether a Go version lies in [1.@minor.@from, 1.@minor.@to]. */
bool find_go_is(const char *version, unsigned minor, unsigned from,
		unsigned to);

#endif
