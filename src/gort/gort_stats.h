/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_STATS_H
#define GORT_STATS_H

#include "gort_int.h"
#include "mw_go_stats.h"

/*
 * The runtime's counters: memstats, gcController, work, and what each P keeps
 * for itself until it is asked for (mstats.go, mcache.go, mgcpacer.go).
 */

/**
 * The minor release, to look up in tables of what changed without leaving a
 * trace in the layout; that of the newest when it is not known.
 */
static inline unsigned go_release(const struct mw_go *go)
{
	return go->minor ? go->minor
			 : go->layout.minor ? go->layout.minor : UINT32_MAX;
}

/** Find go->stat_vars, once. False when memstats is not there. */
bool go_find_stat_vars(struct mw_go *go);

/** Read afresh what may have changed since it was last read. */
bool go_read_now(const struct mw_go *go, uint64_t va, void *to, size_t bytes);

/** The same as go_read(), afresh. */
bool go_now(const struct mw_go *go, uint64_t va, enum go_field field,
	    uint64_t *ret);

/**
 * What heapStatsDelta holds, summed up over its three generations. Its members
 * are signed, their sums are not; those of a damaged target wrap around.
 */
struct go_heap_sums {
	uint64_t committed, released, in_heap, in_stacks, in_work_bufs,
		in_ptr_scalar_bits;
	uint64_t tiny_allocs;
	uint64_t large_alloc, large_alloc_count, large_free, large_free_count;
	uint64_t allocs[MW_GO_MAX_CLASSES], frees[MW_GO_MAX_CLASSES];
};

/** What ReadMemStats does before it counts: the Ps give back what they hold. */
struct go_flush {
	int64_t allocs[MW_GO_MAX_CLASSES];
	uint64_t tiny_allocs;
	uint64_t alloc_bytes; /* of which totalAlloc does not know yet */
	uint64_t stack_bytes; /* of stack spans that become free */
	/* Up to 1.15: */
	uint64_t frees[MW_GO_MAX_CLASSES], large_free, large_free_count;
};

/** What one reading of the Ps found. */
struct go_reading {
	struct go_flush flush;
	/* All that changes while the program allocates. */
	MW_VEC(uint64_t) words;
	bool is_writing; /* a P is in the middle of a change */
	bool is_whole; /* all could be read */
};

/** All counters, as of one moment if they could be had so. */
struct go_counters {
	uint8_t *memstats; /* a copy of the struct */
	uint8_t *controller; /* of gcController, or NULL */
	struct go_heap_sums sums;
	struct go_flush flush;
	bool is_consistent;
	unsigned tries;
	const char *doubt;
};

MW_MUST_USE struct mw_error *go_read_counters(struct mw_go *go,
					      struct go_counters *ret);
void go_free_counters(struct go_counters *counters);

/* Up to 1.15, gort_counters_old.c */

bool go_has_old_counters(const struct mw_go *go);
/** Make the sums of memstats, mheap_ and its centrals; false when unreadable. */
bool go_sum_old(const struct mw_go *go, const uint8_t *memstats,
		struct go_heap_sums *ret);
/** Add what an mcache, whose copy is at @bytes, has not told yet. */
void go_flush_old(const struct mw_go *go, const uint8_t *bytes,
		  struct go_flush *flush);

/** A member of the copies; 0 when the layout lacks it. */
uint64_t go_memstat(const struct mw_go *go, const struct go_counters *c,
		    enum go_field field);
uint64_t go_controller(const struct mw_go *go, const struct go_counters *c,
		       enum go_field field);

/** Totals of the heap's counters. */
struct go_heap_totals {
	uint64_t alloc_bytes, allocs, free_bytes, frees;
};
struct go_heap_totals go_heap_totals(const struct mw_go *go,
				     const struct go_heap_sums *sums);
/** The sums as they are after the flush. */
struct go_heap_sums go_flushed(const struct go_counters *c);

/* The pacer, gort_pacer.c */

struct go_pace {
	uint64_t goal, trigger;
	bool limited; /* by the memory limit, not by GOGC */
};

/** Heap that GOGC=100 allows at least; an experiment changes it. */
uint64_t go_heap_minimum(const struct mw_go *go);

/**
 * Where the heap should be when the next collection ends, and begins. False
 * when that cannot be told.
 */
bool go_pace(const struct mw_go *go, const struct go_counters *c, bool flushed,
	     struct go_pace *ret);

/* runtime/metrics, gort_metrics.c */
MW_MUST_USE struct mw_error *go_add_metrics(struct mw_go *go,
					    const struct go_counters *c,
					    struct mw_go_memstats *stats);

/* Histograms, gort_histograms.c: the figure becomes known, or has a note. */
MW_MUST_USE struct mw_error *
go_size_histogram(const struct mw_go *go, const uint64_t *counts,
		  uint64_t large, struct mw_go_memstats *stats,
		  struct mw_go_figure *f);
/** That at @va, a runtime.timeHistogram. */
MW_MUST_USE struct mw_error *go_time_histogram(const struct mw_go *go,
					       uint64_t va,
					       struct mw_go_memstats *stats,
					       struct mw_go_figure *f);

/* The scheduler's, gort_sched_stats.c */

struct go_sched_stats {
	/* goroutines, those of the runtime itself included */
	uint64_t all, created, running, runnable, waiting, not_in_go;
	uint64_t threads; /* without those that C has brought */
	uint64_t go_to_c; /* calls, of threads that have not ended */
	uint64_t lock_wait_ns;
	bool threads_ended;
};
/** False when they cannot be found, or were caught in a change. */
bool go_read_sched_stats(const struct mw_go *go, struct go_sched_stats *ret);

/* Variables found by the code that uses them, gort_code_vars.c */

/** runtime.MemProfileRate. */
bool go_profile_rate(struct mw_go *go, uint64_t *ret);
/** Bytes of a new goroutine's stack, since 1.19. */
bool go_starting_stack(struct mw_go *go, uint64_t *ret);
/** GOGC where it is a variable by itself, up to 1.16; -1 when it is off. */
bool go_old_percent(struct mw_go *go, int32_t *ret);
/** The first @max variables of 8 bytes that @function uses; how many. */
size_t go_words_used(struct mw_go *go, const char *function, size_t max,
		     uint64_t *ret);
/** The first variable that passes @test and whose address @function takes. */
uint64_t go_address_taken(struct mw_go *go, const char *function,
			  bool (*test)(struct mw_go *go, uint64_t va));

/* What waits to be run, gort_gc_queues.c */

/** How many since the program began; false when they were not found. */
struct go_queue_counts {
	uint64_t queued, executed;
};
bool go_finalizer_counts(struct mw_go *go, struct go_queue_counts *ret);
bool go_cleanup_counts(struct mw_go *go, struct go_queue_counts *ret);

/** Whether a collection runs just now; false for @ret_known if not known. */
bool go_gc_runs(const struct mw_go *go, bool *ret_known);

#endif
