/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_FINDINGS_H
#define MW_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_ledger.h"
#include "mw_vec.h"

/*
 * Findings: what is remarkable about a process's memory, why, and what to do.
 * Rules look at plain figures (struct mw_situation) and know neither a target
 * nor a runtime; so each can be tried with figures that are made up.
 */

/** Something with a size and a name. */
struct mw_share {
	const char *name;
	uint64_t count, bytes;
};

#define MW_SHARES 3

/** The Go runtime's view; without has_*, a group is not known. */
struct mw_go_situation {
	bool is_known;
	const char *version; /* "go1.24.0"; or "unknown" */
	bool cgo;
	/* Collector and pacer */
	bool has_gc;
	bool gc_off; /* GOGC=off */
	uint64_t gogc;
	uint64_t cycles; /* completed */
	uint64_t marked_bytes; /* what the last cycle found alive */
	uint64_t goal_bytes;
	bool has_limit; /* GOMEMLIMIT is set */
	uint64_t limit_bytes;
	uint64_t ready_bytes; /* what the limit is held against */
	bool goal_is_limited; /* the limit sets the goal, not GOGC */
	bool cpu_limiter_on;
	uint64_t cpu_limiter_cycle; /* the last that was limited; 0: none */
	uint64_t to_scavenge_bytes; /* that the scavenger is to return */
	uint64_t heap_huge_bytes; /* of the heap, on huge pages */
	/* Spans; the classes with the most free bytes, largest first */
	bool has_spans;
	struct {
		uint64_t elem_bytes, spans, elems, allocated, free_bytes;
	} classes[MW_SHARES];
	uint64_t large_scan_bytes; /* of large objects with pointers */
	/*
	 * Of the resident pages of these, how many hold only zeros; by a
	 * sample. Looked at only in releases that zero them needlessly.
	 */
	uint64_t sampled_pages, zero_pages;
	/* Goroutines; the largest groups first */
	bool has_goroutines;
	uint64_t goroutines, dead;
	uint64_t stack_bytes, dead_stack_bytes;
	uint64_t grown, grown_bytes, grown_used_bytes; /* of 16 KiB and more */
	struct mw_share grown_at; /* what takes most in the grown ones */
	struct mw_share creators[MW_SHARES];
	struct mw_share waits[MW_SHARES]; /* count only */
	/* Threads of the scheduler */
	bool has_threads;
	uint64_t idle_threads;
};

/** An arena of a native allocator. */
struct mw_arena_share {
	const char *allocator, *name;
	uint64_t in_use_bytes, in_use_blocks, free_bytes, cache_bytes;
	uint64_t top_bytes, resident_bytes, trimmable_bytes, threads;
};

/**
 * The memory controller's view of the group that a process is in, or of one
 * above it: of that with the least room below its limit.
 */
struct mw_cgroup_situation {
	bool is_known;
	unsigned version; /* 1 or 2 */
	const char *path;
	uint64_t current_bytes;
	uint64_t limit_bytes; /* UINT64_MAX: none */
	const char *limit_file; /* which sets it; NULL: none does */
	bool limit_only_slows; /* memory.high */
	uint64_t anon_bytes, file_bytes, shmem_bytes;
	uint64_t droppable_bytes; /* of file: nobody's but page cache */
	uint64_t swap_bytes, swap_limit_bytes; /* UINT64_MAX: none */
	uint64_t slab_bytes, slab_kept_bytes; /* the latter: not reclaimable */
	uint64_t sock_bytes, kernel_stack_bytes, page_table_bytes;
	uint64_t kernel_bytes; /* all of the kernel's; 0: not told */
	/* In version 1 these two are sums over the group's processes. */
	bool kernel_parts_are_sums;
	uint64_t processes; /* 0: not looked at */
	struct mw_share others[MW_SHARES]; /* anonymous memory; count: PID */
};

/** How the system treats huge pages. */
struct mw_thp_situation {
	bool is_known;
	const char *enabled; /* always, madvise, never */
	const char *defrag;
	uint64_t max_ptes_none;
};

/** A stretch of address space. */
struct mw_range_share {
	uint64_t start, end, rss_bytes;
};

/** What is known of a process. Strings are borrowed. */
struct mw_situation {
	const struct mw_ledger_account *accounts;
	size_t account_count;
	uint64_t rss_bytes, vsz_bytes, swap_bytes;
	uint64_t anon_bytes; /* of RSS; 0 when not known */
	uint64_t page_table_bytes, locked_bytes;
	uint64_t huge_bytes; /* anonymous memory on huge pages */
	uint64_t threads, sleeping_threads, cpus;
	struct mw_go_situation go;
	const struct mw_arena_share *arenas;
	size_t arena_count;
	/* Stretches of anonymous/private, largest first */
	struct mw_range_share ranges[MW_SHARES];
	size_t range_count; /* of all */
	/* Names of the executable and its libraries, without directories */
	const char *const *images;
	size_t image_count;
	/* Sums of smaps, where it was read */
	bool has_smaps;
	uint64_t pss_bytes, lazy_free_bytes;
	/* Of shared mappings of files, where it is known */
	uint64_t file_dirty_bytes;
	uint64_t file_copy_bytes; /* pages of files that were written to */
	uint64_t shmem_bytes; /* RssShmem; 0 when not known */
	struct mw_thp_situation thp;
	struct mw_cgroup_situation cgroup;
};

/**
 * Whether a release of Go zeroes large objects needlessly: then it is worth
 * looking at their pages.
 */
bool mw_findings_go_zeroes(const char *version);

struct mw_finding {
	const char *id; /* static, kebab-case, never changed */
	uint64_t bytes; /* that it is about, or that could be won */
	char *summary;	/* one sentence */
	char *evidence; /* the structure or file, with figures */
	char *advice;	/* what to do, with the setting's name */
};

struct mw_findings {
	MW_VEC(struct mw_finding) list; /* by falling bytes */
};

/**
 * Try all rules. The same figures give the same findings, in the same order.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *mw_findings_look(const struct mw_situation *s,
					      struct mw_findings *ret);
void mw_findings_free(struct mw_findings *findings);

#endif
