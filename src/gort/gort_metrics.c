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

CONTROLLER_METRIC(gogc, (int64_t)(int32_t)CONTROLLER(gcPercent))
CONTROLLER_METRIC(memory_limit, CONTROLLER(memoryLimit))
CONTROLLER_METRIC(heap_live, CONTROLLER(heapMarked))
CONTROLLER_METRIC(scan_globals, CONTROLLER(globalsScan))
CONTROLLER_METRIC(scan_heap, CONTROLLER(heapScan))
CONTROLLER_METRIC(scan_stack, CONTROLLER(lastStackScan))
CONTROLLER_METRIC(scan_total, CONTROLLER(heapScan) +
				      CONTROLLER(lastStackScan) +
				      CONTROLLER(globalsScan))

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

/* Histograms: how many samples they hold */

#define SAMPLES "a histogram: this is the number of its samples"

static uint64_t sum_classes(const struct source *s, const uint64_t *counts,
			    uint64_t large)
{
	for (size_t i = 1; i < s->go->stat_vars.classes; i++)
		large += counts[i];
	return large;
}

static bool allocs_by_size(const struct source *s, struct mw_go_figure *f)
{
	f->value = sum_classes(s, SUMS.allocs, SUMS.large_alloc_count);
	f->note = SAMPLES;
	return true;
}

static bool frees_by_size(const struct source *s, struct mw_go_figure *f)
{
	f->value = sum_classes(s, SUMS.frees, SUMS.large_free_count);
	f->note = SAMPLES;
	return true;
}

/** Samples in the timeHistogram at @va. */
static bool samples(const struct source *s, uint64_t va,
		    struct mw_go_figure *f)
{
	enum { MAX_COUNTS = 4096 };
	const struct mw_go *go = s->go;
	uint64_t bytes = go_size(go, GO_timeHistogram_counts), extra;
	uint64_t counts[MAX_COUNTS];

	f->note = "the histogram was not found";
	if (bytes == 0 || bytes > sizeof(counts) ||
	    !go_read_now(go, va + go_off(go, GO_timeHistogram_counts), counts,
			 bytes))
		return false;
	for (size_t i = 0; i < bytes / 8; i++)
		f->value += counts[i];
	if (go_now(go, va, GO_timeHistogram_underflow, &extra))
		f->value += extra;
	if (go_now(go, va, GO_timeHistogram_overflow, &extra))
		f->value += extra;
	f->note = SAMPLES;
	return true;
}

static bool sched_samples(const struct source *s, enum go_field field,
			  struct mw_go_figure *f)
{
	f->note = "sched was not found";
	return s->go->sched && go_has(s->go, field) &&
	       samples(s, s->go->sched + go_off(s->go, field), f);
}

static bool pauses(const struct source *s, struct mw_go_figure *f)
{
	if (go_has(s->go, GO_mstats_gcPauseDist))
		return samples(s, s->go->stat_vars.memstats +
					  go_off(s->go, GO_mstats_gcPauseDist),
			       f);
	return sched_samples(s, GO_schedt_stwTotalTimeGC, f);
}

#define SCHED_SAMPLES(name, field)                                        \
	static bool name(const struct source *s, struct mw_go_figure *f)  \
	{                                                                 \
		return sched_samples(s, field, f);                        \
	}

SCHED_SAMPLES(latencies, GO_schedt_timeToRun)
SCHED_SAMPLES(total_gc, GO_schedt_stwTotalTimeGC)
SCHED_SAMPLES(total_other, GO_schedt_stwTotalTimeOther)
SCHED_SAMPLES(stopping_gc, GO_schedt_stwStoppingTimeGC)
SCHED_SAMPLES(stopping_other, GO_schedt_stwStoppingTimeOther)

/* sched */

static bool goroutines(const struct source *s, struct mw_go_figure *f)
{
	uint64_t system;

	f->note = "the list of goroutines was not found";
	if (!s->go->info.has_goroutines)
		return false;
	f->note = NULL;
	f->value = s->go->info.goroutines;
	// Since 1.26, with those of the runtime itself.
	if (go_has(s->go, GO_schedt_goroutinesCreated) &&
	    go_read(s->go, s->go->sched, GO_schedt_ngsys, &system))
		f->value += system;
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

static bool created(const struct source *s, struct mw_go_figure *f)
{
	enum { MAX_PS = 65536 };
	struct go_slice ps;
	uint64_t sum;

	f->note = "sched was not found";
	if (!s->go->sched || !go_read_ps(s->go, &ps) ||
	    !go_now(s->go, s->go->sched, GO_schedt_goroutinesCreated, &sum))
		return false;
	for (uint64_t i = 0; i < mw_min(ps.len, MAX_PS); i++) {
		uint64_t p, count;

		if (go_read_now(s->go, ps.ptr + 8 * i, &p, sizeof(p)) &&
		    go_now(s->go, p, GO_p_goroutinesCreated, &count))
			sum += count;
	}
	f->note = NULL;
	f->value = sum;
	return true;
}

static bool not_found(const struct source *s, struct mw_go_figure *f)
{
	(void)s;
	f->note = "its variable has nothing to be found by without symbols";
	return false;
}

static bool of_the_moment(const struct source *s, struct mw_go_figure *f)
{
	(void)s;
	f->note = "of a moment while the program asks for it; `go goroutines` "
		  "and `go sched` tell states";
	return false;
}

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
	{ "/cgo/go-to-c-calls:calls", 19, COUNT, not_found },
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
	{ "/gc/cleanups/executed:cleanups", 26, COUNT, not_found },
	{ "/gc/cleanups/queued:cleanups", 26, COUNT, not_found },
	{ "/gc/cycles/automatic:gc-cycles", 16, COUNT, cycles_automatic },
	{ "/gc/cycles/forced:gc-cycles", 16, COUNT, cycles_forced },
	{ "/gc/cycles/total:gc-cycles", 16, COUNT, cycles },
	{ "/gc/finalizers/executed:finalizers", 26, COUNT, not_found },
	{ "/gc/finalizers/queued:finalizers", 26, COUNT, not_found },
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
	{ "/gc/stack/starting-size:bytes", 19, BYTES, not_found },
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
	{ "/sched/goroutines/not-in-go:goroutines", 26, COUNT, of_the_moment },
	{ "/sched/goroutines/runnable:goroutines", 26, COUNT, of_the_moment },
	{ "/sched/goroutines/running:goroutines", 26, COUNT, of_the_moment },
	{ "/sched/goroutines/waiting:goroutines", 26, COUNT, of_the_moment },
	{ "/sched/goroutines:goroutines", 16, COUNT, goroutines },
	{ "/sched/latencies:seconds", 17, COUNT, latencies },
	{ "/sched/pauses/stopping/gc:seconds", 22, COUNT, stopping_gc },
	{ "/sched/pauses/stopping/other:seconds", 22, COUNT, stopping_other },
	{ "/sched/pauses/total/gc:seconds", 22, COUNT, total_gc },
	{ "/sched/pauses/total/other:seconds", 22, COUNT, total_other },
	{ "/sched/threads/total:threads", 26, COUNT, of_the_moment },
	{ "/sync/mutex/wait/total:seconds", 20, REAL, not_found },
};

struct mw_error *go_add_metrics(struct mw_go *go, const struct go_counters *c,
				struct mw_go_memstats *stats)
{
	struct source s = { go, c, go_heap_totals(go, &c->sums) };

	for (size_t i = 0; i < MW_COUNT(all); i++) {
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
	return NULL;
}
