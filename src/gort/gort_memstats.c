/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_stats.h"

/*
 * runtime.MemStats, as readmemstats_m makes it (mstats.go): the counters after
 * each P has told what it kept for itself. The heap's sizes follow from
 * heapStats in all releases:
 *
 *	HeapInuse	inHeap
 *	HeapReleased	released
 *	HeapIdle	committed - inHeap - inStacks - inWorkBufs -
 *			inPtrScalarBits + released
 *	HeapSys		HeapInuse + HeapIdle
 */

struct builder {
	struct mw_go *go;
	const struct go_counters *c;
	struct mw_go_memstats *out;
};

static void set(struct builder *b, enum mw_go_stat stat, uint64_t value)
{
	b->out->figures[stat].is_known = true;
	b->out->figures[stat].value = value;
}
#define SET(name, value) set(b, MW_GO_STAT_##name, value)

/** Set a figure that is a member of memstats. */
static void set_member(struct builder *b, enum mw_go_stat stat,
		       enum go_field field)
{
	if (go_has(b->go, field))
		set(b, stat, go_memstat(b->go, b->c, field));
	else
		b->out->figures[stat].note = "this release's layout does not "
					     "tell it";
}

static void set_unknown(struct builder *b, enum mw_go_stat stat,
			const char *why)
{
	b->out->figures[stat].is_known = false;
	b->out->figures[stat].note = why;
}

static void init_figures(struct mw_go_memstats *out)
{
	static const struct {
		const char *name;
		enum mw_go_unit unit;
	} all[] = {
#define STAT(name, unit) [MW_GO_STAT_##name] = { #name, MW_GO_UNIT_##unit },
		MW_GO_STATS_LIST(STAT)
#undef STAT
	};

	for (size_t i = 0; i < MW_GO_STATS; i++)
		out->figures[i] = (struct mw_go_figure){
			.name = all[i].name,
			.unit = all[i].unit,
		};
}

/** What is counted by objects. */
static void add_objects(struct builder *b, const struct go_heap_sums *sums)
{
	static const enum mw_go_stat stats[] = {
		MW_GO_STAT_Alloc,     MW_GO_STAT_TotalAlloc,
		MW_GO_STAT_Mallocs,   MW_GO_STAT_Frees,
		MW_GO_STAT_HeapAlloc, MW_GO_STAT_HeapObjects,
	};
	const struct go_stat_vars *vars = &b->go->stat_vars;
	struct go_heap_totals t = go_heap_totals(b->go, sums);

	if (!vars->classes) {
		for (size_t i = 0; i < MW_COUNT(stats); i++)
			set_unknown(b, stats[i],
				    "the table of size classes was not found");
		return;
	}
	SET(Alloc, t.alloc_bytes - t.free_bytes);
	SET(HeapAlloc, t.alloc_bytes - t.free_bytes);
	SET(TotalAlloc, t.alloc_bytes);
	// Tiny objects share slots: each counts as made and as freed, besides
	// the slot.
	SET(Mallocs, t.allocs + sums->tiny_allocs);
	SET(Frees, t.frees + sums->tiny_allocs);
	SET(HeapObjects, t.allocs - t.frees);
	b->out->classes = vars->classes;
	for (size_t i = 0; i < vars->classes; i++) {
		b->out->by_size[i].bytes = vars->class_bytes[i];
		b->out->by_size[i].mallocs = sums->allocs[i];
		b->out->by_size[i].frees = sums->frees[i];
	}
}

/** What is counted by pages. */
static void add_heap(struct builder *b, const struct go_heap_sums *s)
{
	uint64_t idle = s->committed - s->in_heap - s->in_stacks -
			s->in_work_bufs - s->in_ptr_scalar_bits + s->released;
	uint64_t gc_work = s->in_work_bufs + s->in_ptr_scalar_bits;
	uint64_t sys = 0;
	static const enum go_field others[] = {
		GO_mstats_stacks_sys,	GO_mstats_mspan_sys,
		GO_mstats_mcache_sys,	GO_mstats_buckhash_sys,
		GO_mstats_gcMiscSys,	GO_mstats_other_sys,
		GO_mstats_gc_sys,
	};

	SET(HeapInuse, s->in_heap);
	SET(HeapReleased, s->released);
	SET(HeapIdle, idle);
	SET(HeapSys, s->in_heap + idle);
	SET(StackInuse, s->in_stacks);
	SET(StackSys, s->in_stacks +
		      go_memstat(b->go, b->c, GO_mstats_stacks_sys));
	SET(GCSys, gc_work + go_memstat(b->go, b->c, GO_mstats_gcMiscSys) +
			   go_memstat(b->go, b->c, GO_mstats_gc_sys));
	for (size_t i = 0; i < MW_COUNT(others); i++)
		sys += go_memstat(b->go, b->c, others[i]);
	SET(Sys, sys + s->committed + s->released);
}

/** Bytes that the fixalloc of mheap_ called @field has handed out. */
static void add_fixalloc(struct builder *b, enum mw_go_stat stat,
			 enum go_field field)
{
	uint64_t bytes;

	if (go_has(b->go, field) &&
	    go_now(b->go, b->go->mheap + go_off(b->go, field),
		   GO_fixalloc_inuse, &bytes))
		set(b, stat, bytes);
	else
		set_unknown(b, stat, "mheap_ cannot be read");
}

static void add_metadata(struct builder *b)
{
	static const struct {
		enum mw_go_stat stat;
		enum go_field field;
	} members[] = {
		{ MW_GO_STAT_MSpanSys, GO_mstats_mspan_sys },
		{ MW_GO_STAT_MCacheSys, GO_mstats_mcache_sys },
		{ MW_GO_STAT_BuckHashSys, GO_mstats_buckhash_sys },
		{ MW_GO_STAT_OtherSys, GO_mstats_other_sys },
		{ MW_GO_STAT_LastGC, GO_mstats_last_gc_unix },
		{ MW_GO_STAT_PauseTotalNs, GO_mstats_pause_total_ns },
		{ MW_GO_STAT_NumGC, GO_mstats_numgc },
		{ MW_GO_STAT_NumForcedGC, GO_mstats_numforcedgc },
		{ MW_GO_STAT_GCCPUFraction, GO_mstats_gc_cpu_fraction },
	};
	struct mw_go_figure *fraction =
		&b->out->figures[MW_GO_STAT_GCCPUFraction];

	for (size_t i = 0; i < MW_COUNT(members); i++)
		set_member(b, members[i].stat, members[i].field);
	if (b->out->figures[MW_GO_STAT_LastGC].value > 0)
		b->out->figures[MW_GO_STAT_LastGC].note = "since 1970";
	memcpy(&fraction->real, &fraction->value, sizeof(fraction->real));
	add_fixalloc(b, MW_GO_STAT_MSpanInuse, GO_mheap_spanalloc);
	add_fixalloc(b, MW_GO_STAT_MCacheInuse, GO_mheap_cachealloc);
}

static void add_pauses(struct builder *b)
{
	const struct mw_go *go = b->go;
	struct mw_go_memstats *out = b->out;

	if (go_size(go, GO_mstats_pause_ns) != sizeof(out->pause_ns) ||
	    go_size(go, GO_mstats_pause_end) != sizeof(out->pause_end))
		return;
	memcpy(out->pause_ns, b->c->memstats + go_off(go, GO_mstats_pause_ns),
	       sizeof(out->pause_ns));
	memcpy(out->pause_end,
	       b->c->memstats + go_off(go, GO_mstats_pause_end),
	       sizeof(out->pause_end));
	out->has_pauses = true;
}

static void add_rest(struct builder *b)
{
	struct go_pace pace;

	if (go_pace(b->go, b->c, true, &pace))
		SET(NextGC, pace.goal);
	else
		set_unknown(b, MW_GO_STAT_NextGC,
			    "gcController was not found");
	// What the runtime no longer counts, or never has.
	SET(Lookups, go_memstat(b->go, b->c, GO_mstats_nlookup));
	SET(EnableGC, 1);
	SET(DebugGC, 0);
}

struct mw_error *mw_go_memstats_read(struct mw_go *go,
				     struct mw_go_memstats *ret)
{
	struct go_counters counters;
	struct go_heap_sums sums;
	struct mw_error *error = go_read_counters(go, &counters);
	struct builder b = { go, &counters, ret };

	if (error)
		return error;
	*ret = (struct mw_go_memstats){
		.is_consistent = counters.is_consistent,
		.tries = counters.tries,
		.doubt = counters.doubt,
	};
	init_figures(ret);
	sums = go_flushed(&counters);
	add_objects(&b, &sums);
	add_heap(&b, &sums);
	add_metadata(&b);
	add_pauses(&b);
	add_rest(&b);
	error = go_add_metrics(go, &counters, ret);
	go_free_counters(&counters);
	if (error)
		mw_go_memstats_free(ret);
	return error;
}

void mw_go_memstats_free(struct mw_go_memstats *stats)
{
	mw_vec_free(&stats->metrics);
	mw_vec_free(&stats->buckets);
}
