/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_gc.h"
#include "gort_gc_rows.h"
#include "mw_go_spans.h"
#include "mw_guard.h"

/*
 * The collector (mgc.go, mgcpacer.go, mgclimit.go, mgcsweep.go,
 * mgcscavenge.go). Its phase needs no variable of its own: a cycle runs when
 * gcController.markStartTime is younger than memstats.last_gc_nanotime, and the
 * write barrier is on from the one to the other.
 */

/* Where it stands */

struct sweep {
	uint64_t unswept_spans, unswept_bytes, sweeping_spans, swept_spans;
	uint64_t torn;
};

static struct mw_error *read_sweep(struct mw_go *go, struct sweep *ret)
{
	MW_CLEANUP(mw_go_spans_free) struct mw_go_spans spans = { 0 };
	struct mw_error *error = mw_go_spans_read(go, &spans);

	for (size_t i = 0; !error && i < spans.list.n; i++) {
		const struct mw_go_span *s = &spans.list.v[i];

		if (s->state != MW_GO_SPAN_IN_USE)
			continue;
		if (s->sweep == -2 || s->sweep == 1) {
			ret->unswept_spans++;
			ret->unswept_bytes += mw_go_span_bytes(s);
		} else if (s->sweep == -1) {
			ret->sweeping_spans++;
		} else {
			ret->swept_spans++;
		}
	}
	ret->torn = spans.torn;
	return error;
}

static void add_phase(struct go_gc_rows *b, const struct sweep *sweep)
{
	uint64_t done = go_memstat(b->go, b->c, GO_mstats_numgc), waiting = 0;
	bool known, runs = go_gc_runs(b->go, &known);
	bool sweeps = sweep->unswept_spans || sweep->sweeping_spans;

	if (known) {
		go_add_text(b, "phase", runs     ? "mark"
				     : sweeps ? "sweep"
					      : "off");
		go_add(b, "write_barrier", BOOL, runs);
	} else {
		go_add_unknown(b, "phase", MW_GO_UNIT_TEXT,
			       "neither gcController nor work was found");
		go_add_unknown(b, "write_barrier", BOOL, "follows from phase");
	}
	if (b->go->sched &&
	    go_now(b->go, b->go->sched, GO_schedt_gcwaiting, &waiting))
		go_add(b, "world_stopped", BOOL, waiting != 0)->note =
			"being stopped, or stopped, for whatever reason";
	go_add(b, "cycles_completed", COUNT, done);
	if (known)
		go_add(b, "cycle", COUNT, done + runs)->note =
			"the one that runs, or else the last";
	go_add(b, "cycles_forced", COUNT,
	       go_memstat(b->go, b->c, GO_mstats_numforcedgc));
	go_add_real(b, "cpu_fraction",
		    go_memstat(b->go, b->c, GO_mstats_gc_cpu_fraction));
}

/* The last cycle, as GODEBUG=gctrace=1 prints it */

static void add_last(struct go_gc_rows *b)
{
	uint64_t count = go_memstat(b->go, b->c, GO_mstats_numgc);
	uint64_t times[4], value;
	static const enum go_field fields[] = { GO_work_tSweepTerm,
						GO_work_tMark,
						GO_work_tMarkTerm,
						GO_work_tEnd };
	static const char *const names[] = { "last_sweep_termination",
					     "last_mark",
					     "last_mark_termination" };
	static const struct {
		const char *name;
		enum mw_go_unit unit;
		enum go_field field;
	} members[] = {
		{ "last_paused", NS, GO_work_pauseNS },
		{ "last_heap_at_start", BYTES, GO_work_heap0 },
		{ "last_heap_at_mark_termination", BYTES, GO_work_heap1 },
		{ "last_heap_marked", BYTES, GO_work_heap2 },
		{ "last_was_forced", BOOL, GO_work_userForced },
	};
	static const char *const pauses[] = { "pause_1", "pause_2", "pause_3",
					      "pause_4", "pause_5" };
	bool known, runs = go_gc_runs(b->go, &known);

	go_add(b, "pause_total", NS,
	       go_memstat(b->go, b->c, GO_mstats_pause_total_ns));
	if (!count)
		return;
	if (go_size(b->go, GO_mstats_pause_ns) == 8 * MW_GO_PAUSES)
		for (uint64_t i = 0; i < mw_min(count, MW_COUNT(pauses));
		     i++)
			go_add(b, pauses[i], NS,
			       mw_u64(b->c->memstats +
				      go_off(b->go, GO_mstats_pause_ns) +
				      8 * ((count - 1 - i) % MW_GO_PAUSES)))
				->note = i ? NULL : "of the last cycles, the "
						    "last one first";
	for (size_t i = 0; i < MW_COUNT(members); i++)
		if (!runs && go_work(b, members[i].field, &value))
			go_add(b, members[i].name, members[i].unit, value);
	for (size_t i = 0; i < MW_COUNT(times); i++)
		if (runs || !go_work(b, fields[i], &times[i]) ||
		    (i && times[i] < times[i - 1]))
			return;
	for (size_t i = 0; i < MW_COUNT(names); i++)
		go_add(b, names[i], NS, times[i + 1] - times[i]);
}

/* Who works */

static void add_workers(struct go_gc_rows *b)
{
	enum { MAX_PS = 65536 };
	static const char *const names[] = { NULL, "workers_dedicated",
					     "workers_fractional",
					     "workers_idle" };
	uint64_t workers[MW_COUNT(names)] = { 0 }, head;
	struct go_slice ps;

	if (go_read_ps(b->go, &ps))
		for (uint64_t i = 0; i < mw_min(ps.len, MAX_PS); i++) {
			uint64_t p, mode;

			if (go_read_now(b->go, ps.ptr + 8 * i, &p,
					sizeof(p)) &&
			    go_now(b->go, p, GO_p_gcMarkWorkerMode, &mode) &&
			    mode < MW_COUNT(workers))
				workers[mode]++;
		}
	for (size_t i = 1; i < MW_COUNT(names); i++)
		go_add(b, names[i], COUNT, workers[i]);
	if (go_work(b, GO_work_assistQueue_head, &head))
		go_add(b, "assists_waiting", COUNT, go_count_gs(b->go, head))
			->note = "goroutines that must help before they may "
				 "allocate";
	if (go_work(b, GO_work_sweepWaiters_head, &head))
		go_add(b, "sweep_waiters", COUNT, go_count_gs(b->go, head));
	go_add_pacer(b, "scan_work_heap", BYTES, GO_gcController_heapScanWork);
	go_add_pacer(b, "scan_work_stacks", BYTES,
		     GO_gcController_stackScanWork);
	go_add_pacer(b, "scan_work_globals", BYTES,
		     GO_gcController_globalsScanWork);
	go_add_pacer(b, "assist_time", NS, GO_gcController_assistTime);
	go_add_pacer(b, "dedicated_time", NS,
		     GO_gcController_dedicatedMarkTime);
	go_add_pacer(b, "fractional_time", NS,
		     GO_gcController_fractionalMarkTime);
	go_add_pacer(b, "idle_time", NS, GO_gcController_idleMarkTime);
	go_add_pacer(b, "cons_mark", MW_GO_UNIT_REAL, GO_gcController_consMark);
}

static void add_sweep(struct go_gc_rows *b, const struct sweep *sweep)
{
	uint64_t pages;

	go_add(b, "spans_swept", COUNT, sweep->swept_spans);
	go_add(b, "spans_unswept", COUNT, sweep->unswept_spans)->note =
		sweep->torn ? "some changed while they were read" : NULL;
	go_add(b, "unswept", BYTES, sweep->unswept_bytes);
	go_add(b, "spans_being_swept", COUNT, sweep->sweeping_spans);
	if (go_now(b->go, b->go->mheap, GO_mheap_pagesSwept, &pages))
		go_add(b, "pages_swept", COUNT, pages)->note =
			"since the last cycle, of 8 KiB";
	if (go_now(b->go, b->go->mheap, GO_mheap_pagesInUse, &pages))
		go_add(b, "pages_in_use", COUNT, pages);
}

/* Queues */

static struct mw_error *add_queues(struct go_gc_rows *b)
{
	static const char *const names[GO_SPECIALS] = {
		[GO_SPECIAL_OTHER] = "specials_other",
		[GO_SPECIAL_FINALIZER] = "finalizers_set",
		[GO_SPECIAL_CLEANUP] = "cleanups_set",
		[GO_SPECIAL_WEAK] = "weak_handles",
		[GO_SPECIAL_PROFILE] = "profile_samples",
		[GO_SPECIAL_PINNED] = "pinned_objects",
	};
	uint64_t counts[GO_SPECIALS];
	struct go_queues queues;
	struct mw_error *error = go_count_specials(b->go, counts);

	if (error)
		return error;
	for (size_t i = 1; i < GO_SPECIALS; i++)
		go_add(b, names[i], COUNT, counts[i]);
	go_add(b, names[0], COUNT, counts[0]);
	go_count_queues(b->go, &queues);
	if (queues.has_finalizers)
		go_add(b, "finalizers_queued", COUNT, queues.finalizers)->note =
			"with the one that runs";
	else
		go_add_unknown(b, "finalizers_queued", COUNT,
			       "the list of their blocks was not found");
	if (!go_has(b->go, GO_mheap_specialCleanupAlloc))
		return NULL;
	if (queues.has_cleanups)
		go_add(b, "cleanups_queued", COUNT, queues.cleanups)->note =
			"with those that run";
	else
		go_add_unknown(b, "cleanups_queued", COUNT,
			       "gcCleanups was not found in the code that "
			       "uses it");
	return NULL;
}

struct mw_error *mw_go_gc_read(struct mw_go *go, uint64_t now_ns,
			       struct mw_go_gc *ret)
{
	struct mw_go_gc out = { 0 };
	struct go_counters counters;
	struct sweep sweep = { 0 };
	struct mw_error *error = go_read_counters(go, &counters);
	struct go_gc_rows b = { .go = go, .c = &counters, .out = &out,
				.now_ns = now_ns };

	if (error)
		return error;
	go_find_pace(&b);
	error = read_sweep(go, &sweep);
	if (!error) {
		add_phase(&b, &sweep);
		go_add_pace(&b);
		add_last(&b);
		add_workers(&b);
		add_sweep(&b, &sweep);
		go_add_scavenger(&b);
		error = add_queues(&b);
	}
	if (!error && b.short_of_memory)
		error = mw_error_nomem();
	out.is_consistent = counters.is_consistent;
	out.doubt = counters.doubt;
	go_free_counters(&counters);
	if (error) {
		mw_go_gc_free(&out);
		return error;
	}
	*ret = out;
	return NULL;
}

void mw_go_gc_free(struct mw_go_gc *gc)
{
	mw_vec_free(&gc->figures);
}
