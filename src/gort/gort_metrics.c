/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_stats.h"

/*
 * runtime/metrics, as metrics.Read gives them (metrics.go). Unlike ReadMemStats
 * it does not make the Ps tell what they keep for themselves, so its figures
 * of the heap are those of the counters as they stand.
 */

struct source {
	struct mw_go *go;
	const struct go_counters *c;
	struct go_heap_totals totals;
	bool has_sched;
	struct go_sched_stats sched;
	struct mw_go_memstats *stats; /* for the buckets of histograms */
	struct mw_error **error;
};

/** Fill in the value; false when it cannot be told. */
typedef bool metric_fn(const struct source *s, struct mw_go_figure *figure);

#define METRIC(name, expression)                                          \
	static bool name(const struct source *s, struct mw_go_figure *f)  \
	{                                                                 \
		f->value = (uint64_t)(expression);                        \
		return true;                                              \
	}

#define SUMS s->c->sums
#define MEMSTAT(field) go_memstat(s->go, s->c, GO_mstats_##field)

/** Bytes handed out by a fixalloc of mheap_. */
static uint64_t in_use(const struct source *s, enum go_field field)
{
	uint64_t bytes;

	return go_has(s->go, field) &&
			       go_now(s->go, s->go->mheap + go_off(s->go,
								   field),
				      GO_fixalloc_inuse, &bytes)
		       ? bytes
		       : 0;
}

METRIC(heap_free, SUMS.committed - SUMS.in_heap - SUMS.in_stacks -
			  SUMS.in_work_bufs - SUMS.in_ptr_scalar_bits)
METRIC(heap_objects, s->totals.alloc_bytes - s->totals.free_bytes)
METRIC(heap_released, SUMS.released)
METRIC(heap_stacks, SUMS.in_stacks)
METRIC(heap_unused, SUMS.in_heap -
			    (s->totals.alloc_bytes - s->totals.free_bytes))
METRIC(mcache_free, MEMSTAT(mcache_sys) - in_use(s, GO_mheap_cachealloc))
METRIC(mcache_inuse, in_use(s, GO_mheap_cachealloc))
METRIC(mspan_free, MEMSTAT(mspan_sys) - in_use(s, GO_mheap_spanalloc))
METRIC(mspan_inuse, in_use(s, GO_mheap_spanalloc))
METRIC(metadata_other, SUMS.in_work_bufs + SUMS.in_ptr_scalar_bits +
			       MEMSTAT(gcMiscSys))
METRIC(os_stacks, MEMSTAT(stacks_sys))
METRIC(other, MEMSTAT(other_sys))
METRIC(profiling, MEMSTAT(buckhash_sys))
METRIC(total, SUMS.committed + SUMS.released +
		      MEMSTAT(stacks_sys) + MEMSTAT(mspan_sys) +
		      MEMSTAT(mcache_sys) + MEMSTAT(buckhash_sys) +
		      MEMSTAT(gcMiscSys) + MEMSTAT(other_sys))
METRIC(cycles, MEMSTAT(numgc))
METRIC(cycles_forced, MEMSTAT(numforcedgc))
METRIC(cycles_automatic, MEMSTAT(numgc) - MEMSTAT(numforcedgc))
METRIC(alloc_bytes, s->totals.alloc_bytes)
METRIC(allocs, s->totals.allocs)
METRIC(free_bytes, s->totals.free_bytes)
METRIC(frees, s->totals.frees)
METRIC(objects, s->totals.allocs - s->totals.frees)
METRIC(tiny_allocs, SUMS.tiny_allocs)

/* gcController */

#define CONTROLLER_METRIC(name, expression)                               \
	static bool name(const struct source *s, struct mw_go_figure *f)  \
	{                                                                 \
		f->note = "gcController was not found";                   \
		if (!s->c->controller)                                    \
			return false;                                     \
		f->note = NULL;                                           \
		f->value = (uint64_t)(expression);                        \
		return true;                                              \
	}
#define CONTROLLER(field) go_controller(s->go, s->c, GO_gcController_##field)

CONTROLLER_METRIC(percent, (int64_t)(int32_t)CONTROLLER(gcPercent))
CONTROLLER_METRIC(limit, CONTROLLER(memoryLimit))
CONTROLLER_METRIC(heap_live, CONTROLLER(heapMarked))
CONTROLLER_METRIC(scan_globals, CONTROLLER(globalsScan))
CONTROLLER_METRIC(scan_heap, CONTROLLER(heapScan))
CONTROLLER_METRIC(scan_stack, CONTROLLER(lastStackScan))
CONTROLLER_METRIC(scan_total, CONTROLLER(heapScan) +
				      CONTROLLER(lastStackScan) +
				      CONTROLLER(globalsScan))

static bool gogc(const struct source *s, struct mw_go_figure *f)
{
	bool is_known = percent(s, f);

	if (is_known && f->value == UINT64_MAX)
		f->note = "off";
	return is_known;
}

static bool memory_limit(const struct source *s, struct mw_go_figure *f)
{
	bool is_known = limit(s, f);

	if (is_known && f->value == INT64_MAX)
		f->note = "off: there is none";
	return is_known;
}

static bool goal(const struct source *s, struct mw_go_figure *f)
{
	struct go_pace pace;

	f->note = "gcController was not found";
	if (!go_pace(s->go, s->c, false, &pace))
		return false;
	f->note = NULL;
	f->value = pace.goal;
	return true;
}

static bool limiter(const struct source *s, struct mw_go_figure *f)
{
	f->note = "gcCPULimiter was not found";
	if (!s->go->stat_vars.limiter ||
	    !go_now(s->go, s->go->stat_vars.limiter,
		    GO_gcCPULimiter_lastEnabledCycle, &f->value))
		return false;
	f->note = NULL;
	return true;
}

/* work.cpuStats: eleven 64-bit times, in this order since 1.20 */

enum cpu_time {
	GC_ASSIST, GC_DEDICATED, GC_IDLE, GC_PAUSE, GC_TOTAL,
	SCAVENGE_ASSIST, SCAVENGE_BACKGROUND, SCAVENGE_TOTAL,
	IDLE, USER, TOTAL, CPU_TIMES,
};

static bool cpu(const struct source *s, enum cpu_time which,
		struct mw_go_figure *f)
{
	const struct mw_go *go = s->go;
	int64_t ns = 0;

	f->note = "work was not found";
	if (go_size(go, GO_work_cpuStats) != 8 * CPU_TIMES)
		return false;
	// The first collection makes the first of them.
	if (!go->stat_vars.work && MEMSTAT(numgc))
		return false;
	if (go->stat_vars.work &&
	    !go_read_now(go, go->stat_vars.work +
				     go_off(go, GO_work_cpuStats) +
				     8 * (uint64_t)which,
			 &ns, sizeof(ns)))
		return false;
	f->note = NULL;
	f->real = (double)ns / 1e9;
	return true;
}

#define CPU_METRIC(name, which)                                           \
	static bool name(const struct source *s, struct mw_go_figure *f)  \
	{                                                                 \
		return cpu(s, which, f);                                  \
	}

CPU_METRIC(cpu_gc_assist, GC_ASSIST)
CPU_METRIC(cpu_gc_dedicated, GC_DEDICATED)
CPU_METRIC(cpu_gc_idle, GC_IDLE)
CPU_METRIC(cpu_gc_pause, GC_PAUSE)
CPU_METRIC(cpu_gc_total, GC_TOTAL)
CPU_METRIC(cpu_scavenge_assist, SCAVENGE_ASSIST)
CPU_METRIC(cpu_scavenge_background, SCAVENGE_BACKGROUND)
CPU_METRIC(cpu_scavenge_total, SCAVENGE_TOTAL)
CPU_METRIC(cpu_idle, IDLE)
CPU_METRIC(cpu_user, USER)
CPU_METRIC(cpu_total, TOTAL)

/* Histograms */

static bool by_size(const struct source *s, const uint64_t *counts,
		    uint64_t large, struct mw_go_figure *f)
{
	*s->error = go_size_histogram(s->go, counts, large, s->stats, f);
	return f->is_known;
}

static bool allocs_by_size(const struct source *s, struct mw_go_figure *f)
{
	return by_size(s, SUMS.allocs, SUMS.large_alloc_count, f);
}

static bool frees_by_size(const struct source *s, struct mw_go_figure *f)
{
	return by_size(s, SUMS.frees, SUMS.large_free_count, f);
}

/** The timeHistogram that is the member @field of what lies at @base. */
static bool times(const struct source *s, uint64_t base, enum go_field field,
		  struct mw_go_figure *f)
{
	f->note = "the histogram was not found";
	if (base && go_has(s->go, field))
		*s->error = go_time_histogram(
			s->go, base + go_off(s->go, field), s->stats, f);
	return f->is_known;
}

static bool pauses(const struct source *s, struct mw_go_figure *f)
{
	if (go_has(s->go, GO_mstats_gcPauseDist))
		return times(s, s->go->stat_vars.memstats,
			     GO_mstats_gcPauseDist, f);
	return times(s, s->go->sched, GO_schedt_stwTotalTimeGC, f);
}

#define SCHED_TIMES(name, field)                                          \
	static bool name(const struct source *s, struct mw_go_figure *f)  \
	{                                                                 \
		return times(s, s->go->sched, field, f);                  \
	}

SCHED_TIMES(latencies, GO_schedt_timeToRun)
SCHED_TIMES(total_gc, GO_schedt_stwTotalTimeGC)
SCHED_TIMES(total_other, GO_schedt_stwTotalTimeOther)
SCHED_TIMES(stopping_gc, GO_schedt_stwStoppingTimeGC)
SCHED_TIMES(stopping_other, GO_schedt_stwStoppingTimeOther)

/* sched */

#define SCHED_METRIC(name, expression)                                    \
	static bool name(const struct source *s, struct mw_go_figure *f)  \
	{                                                                 \
		f->note = "sched was not found, or changed meanwhile";    \
		if (!s->has_sched)                                        \
			return false;                                     \
		f->note = NULL;                                           \
		f->value = (uint64_t)(expression);                        \
		return true;                                              \
	}

SCHED_METRIC(created, s->sched.created)
SCHED_METRIC(running, s->sched.running)
SCHED_METRIC(runnable, s->sched.runnable)
SCHED_METRIC(waiting, s->sched.waiting)
SCHED_METRIC(not_in_go, s->sched.not_in_go)
SCHED_METRIC(threads, s->sched.threads)

static bool goroutines(const struct source *s, struct mw_go_figure *f)
{
	f->note = "the list of goroutines was not found";
	if (!s->go->info.has_goroutines)
		return false;
	f->note = NULL;
	f->value = s->go->info.goroutines;
	// Since 1.26, with those of the runtime itself.
	if (s->has_sched && go_has(s->go, GO_schedt_goroutinesCreated))
		f->value = s->sched.all;
	return true;
}

static bool gomaxprocs(const struct source *s, struct mw_go_figure *f)
{
	struct go_slice ps;

	f->note = "allp was not found";
	if (!go_read_ps(s->go, &ps))
		return false;
	f->note = NULL;
	f->value = ps.len;
	return true;
}

static bool lock_wait(const struct source *s, struct mw_go_figure *f)
{
	f->note = "sched was not found, or changed meanwhile";
	if (!s->has_sched || !go_has(s->go, GO_schedt_totalMutexWaitTime))
		return false;
	f->note = NULL;
	f->real = (double)s->sched.lock_wait_ns / 1e9;
	return true;
}

static bool go_to_c(const struct source *s, struct mw_go_figure *f)
{
	f->note = "threads have ended, whose calls are counted in a variable "
		  "that has nothing to be found by";
	if (!s->has_sched || s->sched.threads_ended)
		return false;
	f->note = NULL;
	f->value = s->sched.go_to_c;
	return true;
}

static bool starting_stack(const struct source *s, struct mw_go_figure *f)
{
	f->note = "its variable was not found in the code that uses it";
	if (!go_starting_stack(s->go, &f->value))
		return false;
	f->note = NULL;
	return true;
}

#define QUEUE_METRIC(name, counts_of, member, missing)                    \
	static bool name(const struct source *s, struct mw_go_figure *f)  \
	{                                                                 \
		struct go_queue_counts counts;                            \
									  \
		f->note = missing " not found in the code that uses it";  \
		if (!counts_of(s->go, &counts))                           \
			return false;                                     \
		f->note = NULL;                                           \
		f->value = counts.member;                                 \
		return true;                                              \
	}

QUEUE_METRIC(cleanups_executed, go_cleanup_counts, executed, "gcCleanups was")
QUEUE_METRIC(cleanups_queued, go_cleanup_counts, queued, "gcCleanups was")
QUEUE_METRIC(finalizers_executed, go_finalizer_counts, executed,
	     "its variable was")
QUEUE_METRIC(finalizers_queued, go_finalizer_counts, queued,
	     "its variable was")

/** All, in alphabetical order, and since which release (runtime/metrics). */
static const struct {
	const char *name;
	uint8_t since;
	enum mw_go_unit unit;
	metric_fn *fill;
} all[] = {
#define BYTES MW_GO_UNIT_BYTES
#define COUNT MW_GO_UNIT_COUNT
#define REAL MW_GO_UNIT_REAL
#define CPU "/cpu/classes/"
#define HEAP "/memory/classes/heap/"
#define META "/memory/classes/metadata/"
	{ "/cgo/go-to-c-calls:calls", 19, COUNT, go_to_c },
	{ CPU "gc/mark/assist:cpu-seconds", 20, REAL, cpu_gc_assist },
	{ CPU "gc/mark/dedicated:cpu-seconds", 20, REAL, cpu_gc_dedicated },
	{ CPU "gc/mark/idle:cpu-seconds", 20, REAL, cpu_gc_idle },
	{ CPU "gc/pause:cpu-seconds", 20, REAL, cpu_gc_pause },
	{ CPU "gc/total:cpu-seconds", 20, REAL, cpu_gc_total },
	{ CPU "idle:cpu-seconds", 20, REAL, cpu_idle },
	{ CPU "scavenge/assist:cpu-seconds", 20, REAL, cpu_scavenge_assist },
	{ CPU "scavenge/background:cpu-seconds", 20, REAL,
	  cpu_scavenge_background },
	{ CPU "scavenge/total:cpu-seconds", 20, REAL, cpu_scavenge_total },
	{ CPU "total:cpu-seconds", 20, REAL, cpu_total },
	{ CPU "user:cpu-seconds", 20, REAL, cpu_user },
	{ "/gc/cleanups/executed:cleanups", 26, COUNT,
	  cleanups_executed },
	{ "/gc/cleanups/queued:cleanups", 26, COUNT,
	  cleanups_queued },
	{ "/gc/cycles/automatic:gc-cycles", 16, COUNT, cycles_automatic },
	{ "/gc/cycles/forced:gc-cycles", 16, COUNT, cycles_forced },
	{ "/gc/cycles/total:gc-cycles", 16, COUNT, cycles },
	{ "/gc/finalizers/executed:finalizers", 26, COUNT,
	  finalizers_executed },
	{ "/gc/finalizers/queued:finalizers", 26, COUNT,
	  finalizers_queued },
	{ "/gc/gogc:percent", 21, COUNT, gogc },
	{ "/gc/gomemlimit:bytes", 21, BYTES, memory_limit },
	{ "/gc/heap/allocs-by-size:bytes", 16, COUNT, allocs_by_size },
	{ "/gc/heap/allocs:bytes", 17, BYTES, alloc_bytes },
	{ "/gc/heap/allocs:objects", 17, COUNT, allocs },
	{ "/gc/heap/frees-by-size:bytes", 16, COUNT, frees_by_size },
	{ "/gc/heap/frees:bytes", 17, BYTES, free_bytes },
	{ "/gc/heap/frees:objects", 17, COUNT, frees },
	{ "/gc/heap/goal:bytes", 16, BYTES, goal },
	{ "/gc/heap/live:bytes", 21, BYTES, heap_live },
	{ "/gc/heap/objects:objects", 16, COUNT, objects },
	{ "/gc/heap/tiny/allocs:objects", 17, COUNT, tiny_allocs },
	{ "/gc/limiter/last-enabled:gc-cycle", 19, COUNT, limiter },
	{ "/gc/pauses:seconds", 16, COUNT, pauses },
	{ "/gc/scan/globals:bytes", 21, BYTES, scan_globals },
	{ "/gc/scan/heap:bytes", 21, BYTES, scan_heap },
	{ "/gc/scan/stack:bytes", 21, BYTES, scan_stack },
	{ "/gc/scan/total:bytes", 21, BYTES, scan_total },
	{ "/gc/stack/starting-size:bytes", 19, BYTES, starting_stack },
	{ HEAP "free:bytes", 16, BYTES, heap_free },
	{ HEAP "objects:bytes", 16, BYTES, heap_objects },
	{ HEAP "released:bytes", 16, BYTES, heap_released },
	{ HEAP "stacks:bytes", 16, BYTES, heap_stacks },
	{ HEAP "unused:bytes", 16, BYTES, heap_unused },
	{ META "mcache/free:bytes", 16, BYTES, mcache_free },
	{ META "mcache/inuse:bytes", 16, BYTES, mcache_inuse },
	{ META "mspan/free:bytes", 16, BYTES, mspan_free },
	{ META "mspan/inuse:bytes", 16, BYTES, mspan_inuse },
	{ META "other:bytes", 16, BYTES, metadata_other },
	{ "/memory/classes/os-stacks:bytes", 16, BYTES, os_stacks },
	{ "/memory/classes/other:bytes", 16, BYTES, other },
	{ "/memory/classes/profiling/buckets:bytes", 16, BYTES, profiling },
	{ "/memory/classes/total:bytes", 16, BYTES, total },
	{ "/sched/gomaxprocs:threads", 19, COUNT, gomaxprocs },
	{ "/sched/goroutines-created:goroutines", 26, COUNT, created },
	{ "/sched/goroutines/not-in-go:goroutines", 26, COUNT, not_in_go },
	{ "/sched/goroutines/runnable:goroutines", 26, COUNT, runnable },
	{ "/sched/goroutines/running:goroutines", 26, COUNT, running },
	{ "/sched/goroutines/waiting:goroutines", 26, COUNT, waiting },
	{ "/sched/goroutines:goroutines", 16, COUNT, goroutines },
	{ "/sched/latencies:seconds", 17, COUNT, latencies },
	{ "/sched/pauses/stopping/gc:seconds", 22, COUNT, stopping_gc },
	{ "/sched/pauses/stopping/other:seconds", 22, COUNT, stopping_other },
	{ "/sched/pauses/total/gc:seconds", 22, COUNT, total_gc },
	{ "/sched/pauses/total/other:seconds", 22, COUNT, total_other },
	{ "/sched/threads/total:threads", 26, COUNT, threads },
	{ "/sync/mutex/wait/total:seconds", 20, REAL, lock_wait },
};

struct mw_error *go_add_metrics(struct mw_go *go, const struct go_counters *c,
				struct mw_go_memstats *stats)
{
	struct mw_error *error = NULL;
	struct source s = {
		.go = go,
		.c = c,
		.totals = go_heap_totals(go, &c->sums),
		.stats = stats,
		.error = &error,
	};

	s.has_sched = go_read_sched_stats(go, &s.sched);
	for (size_t i = 0; i < MW_COUNT(all) && !error; i++) {
		struct mw_go_figure *figure;

		if (go_release(go) < all[i].since)
			continue;
		figure = mw_vec_push(&stats->metrics);
		if (!figure)
			return mw_error_nomem();
		*figure = (struct mw_go_figure){
			.name = all[i].name,
			.unit = all[i].unit,
		};
		figure->is_known = all[i].fill(&s, figure);
	}
	return error;
}
