/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_gc.h"
#include "mw_go_spans.h"
#include "mw_guard.h"

/*
 * The collector (mgc.go, mgcpacer.go, mgclimit.go, mgcsweep.go,
 * mgcscavenge.go). Its phase needs no variable of its own: a cycle runs when
 * gcController.markStartTime is younger than memstats.last_gc_nanotime, and the
 * write barrier is on from the one to the other.
 */

#define FORCE_NS UINT64_C(120000000000) /* sysmon collects after two minutes */

struct builder {
	struct mw_go *go;
	const struct go_counters *c;
	struct mw_go_gc *out;
	uint64_t now_ns;
	uint64_t live, marked; /* bytes of heap */
	bool has_pace;
	struct go_pace pace;
	bool short_of_memory;
};

static struct mw_go_figure *add(struct builder *b, const char *name,
				enum mw_go_unit unit, uint64_t value)
{
	static struct mw_go_figure nowhere;
	struct mw_go_figure *f = mw_vec_push(&b->out->figures);

	if (!f) {
		b->short_of_memory = true;
		return &nowhere;
	}
	*f = (struct mw_go_figure){
		.name = name,
		.unit = unit,
		.is_known = true,
		.value = value,
	};
	return f;
}

static void add_unknown(struct builder *b, const char *name,
			enum mw_go_unit unit, const char *why)
{
	struct mw_go_figure *f = add(b, name, unit, 0);

	f->is_known = false;
	f->note = why;
}

static void add_text(struct builder *b, const char *name, const char *text)
{
	add(b, name, MW_GO_UNIT_TEXT, 0)->text = text;
}

static void add_real(struct builder *b, const char *name, uint64_t bits)
{
	struct mw_go_figure *f = add(b, name, MW_GO_UNIT_REAL, bits);

	memcpy(&f->real, &bits, sizeof(f->real));
}

/** Cut to what a number of bytes or ns can be. */
static uint64_t whole(double value)
{
	const double most = (double)(UINT64_C(1) << 62);

	return value > 0 ? (uint64_t)(value < most ? value : most) : 0;
}

#define BYTES MW_GO_UNIT_BYTES
#define COUNT MW_GO_UNIT_COUNT
#define NS MW_GO_UNIT_NS
#define BOOL MW_GO_UNIT_BOOL

/** A member of gcController, where this release has it. */
static void add_pacer(struct builder *b, const char *name,
		      enum mw_go_unit unit, enum go_field field)
{
	if (!go_has(b->go, field))
		return;
	if (!b->c->controller)
		add_unknown(b, name, unit, "gcController was not found");
	else if (unit == MW_GO_UNIT_REAL)
		add_real(b, name, go_controller(b->go, b->c, field));
	else
		add(b, name, unit, go_controller(b->go, b->c, field));
}

static bool work(const struct builder *b, enum go_field field, uint64_t *ret)
{
	return b->go->stat_vars.work &&
	       go_now(b->go, b->go->stat_vars.work, field, ret);
}

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

static void add_phase(struct builder *b, const struct sweep *sweep)
{
	uint64_t done = go_memstat(b->go, b->c, GO_mstats_numgc), waiting = 0;
	bool known, runs = go_gc_runs(b->go, &known);
	bool sweeps = sweep->unswept_spans || sweep->sweeping_spans;

	if (known) {
		add_text(b, "phase", runs     ? "mark"
				     : sweeps ? "sweep"
					      : "off");
		add(b, "write_barrier", BOOL, runs);
	} else {
		add_unknown(b, "phase", MW_GO_UNIT_TEXT,
			    "neither gcController nor work was found");
		add_unknown(b, "write_barrier", BOOL, "follows from phase");
	}
	if (b->go->sched &&
	    go_now(b->go, b->go->sched, GO_schedt_gcwaiting, &waiting))
		add(b, "world_stopped", BOOL, waiting != 0)->note =
			"being stopped, or stopped, for whatever reason";
	add(b, "cycles_completed", COUNT, done);
	if (known)
		add(b, "cycle", COUNT, done + runs)->note =
			"the one that runs, or else the last";
	add(b, "cycles_forced", COUNT,
	    go_memstat(b->go, b->c, GO_mstats_numforcedgc));
	add_real(b, "cpu_fraction",
		 go_memstat(b->go, b->c, GO_mstats_gc_cpu_fraction));
}

/* The pacer */

static uint64_t heap_live(const struct builder *b)
{
	return go_has(b->go, GO_mstats_heap_live)
		       ? go_memstat(b->go, b->c, GO_mstats_heap_live)
		       : go_controller(b->go, b->c, GO_gcController_heapLive);
}

static uint64_t heap_marked(const struct builder *b)
{
	return go_has(b->go, GO_mstats_heap_marked)
		       ? go_memstat(b->go, b->c, GO_mstats_heap_marked)
		       : go_controller(b->go, b->c, GO_gcController_heapMarked);
}

/** GOGC, up to 1.16, is a variable by itself; what it makes of it is the goal. */
static void add_old_percent(struct builder *b)
{
	bool is_off = b->pace.goal == UINT64_MAX;
	int32_t percent;

	if (!go_old_percent(b->go, &percent) ||
	    (b->has_pace && is_off != (percent < 0)))
		add_unknown(b, "gogc", COUNT,
			    "not found in the code that uses it");
	else if (percent < 0)
		add_text(b, "gogc", "off");
	else
		add(b, "gogc", COUNT, (uint64_t)percent);
}

static int32_t gc_percent(const struct builder *b)
{
	return (int32_t)go_controller(b->go, b->c, GO_gcController_gcPercent);
}

/** No cycle is then forced after two minutes. */
static bool is_gogc_off(const struct builder *b)
{
	if (!go_has(b->go, GO_gcController_gcPercent))
		return b->pace.goal == UINT64_MAX;
	return b->c->controller && gc_percent(b) < 0;
}

static bool has_limit(const struct builder *b)
{
	return go_has(b->go, GO_gcController_memoryLimit) &&
	       b->c->controller &&
	       go_controller(b->go, b->c, GO_gcController_memoryLimit) !=
		       INT64_MAX;
}

static void add_limits(struct builder *b)
{
	int32_t percent = gc_percent(b);
	uint64_t limit = go_controller(b->go, b->c, GO_gcController_memoryLimit);

	if (!go_has(b->go, GO_gcController_gcPercent))
		add_old_percent(b);
	else if (!b->c->controller)
		add_unknown(b, "gogc", COUNT, "gcController was not found");
	else if (percent < 0)
		add_text(b, "gogc", "off");
	else
		add(b, "gogc", COUNT, (uint64_t)percent);
	if (!go_has(b->go, GO_gcController_memoryLimit) || !b->c->controller)
		return;
	if (!has_limit(b))
		add_text(b, "memory_limit", "off");
	else
		add(b, "memory_limit", BYTES, limit);
	add(b, "mapped_ready", BYTES,
	    go_controller(b->go, b->c, GO_gcController_mappedReady))->note =
		"what the limit is held against";
}

static void add_heap(struct builder *b)
{
	if (!b->has_pace) {
		add_unknown(b, "heap_live", BYTES,
			    "gcController was not found");
		return;
	}
	add(b, "heap_live", BYTES, b->live)->note =
		"as the pacer sees it: spans that Ps allocate from count whole";
	add(b, "heap_marked", BYTES, b->marked)->note =
		"what the last cycle found alive";
	add(b, "heap_goal", BYTES, b->pace.goal)->note =
		is_gogc_off(b) && !has_limit(b) ? "as good as none" : NULL;
	add(b, "heap_trigger", BYTES, b->pace.trigger)->note =
		"a cycle begins when heap_live reaches it";
	if (go_has(b->go, GO_gcController_memoryLimit))
		add(b, "goal_by_memory_limit", BOOL,
		    b->pace.limited && has_limit(b));
}

/** When the next cycle is due at the rate since the last one. */
static void add_next(struct builder *b)
{
	uint64_t last = go_memstat(b->go, b->c, GO_mstats_last_gc_nanotime);
	uint64_t since = b->now_ns - last, left, due, forced = UINT64_MAX;
	bool known;

	if (!b->has_pace || go_gc_runs(b->go, &known))
		return;
	left = b->pace.trigger > b->live ? b->pace.trigger - b->live : 0;
	add(b, "until_trigger", BYTES, left);
	if (!b->now_ns || !last || last > b->now_ns)
		return;
	add(b, "since_last", NS, since);
	if (is_gogc_off(b) && !has_limit(b)) {
		add_unknown(b, "next_cycle_in", NS, "GOGC is off: not until "
			    "the program asks for it");
		return;
	}
	if (!is_gogc_off(b))
		forced = since < FORCE_NS ? FORCE_NS - since : 0;
	if (b->live <= b->marked) {
		add_unknown(b, "next_cycle_in", NS,
			    is_gogc_off(b)
				    ? "nothing was allocated since the last one"
				    : "nothing was allocated since the last "
				      "one; it is forced two minutes behind "
				      "that");
		return;
	}
	due = whole((double)left * (double)since /
		    (double)(b->live - b->marked));
	add(b, "alloc_per_second", BYTES,
	    whole((double)(b->live - b->marked) * 1e9 / (double)since));
	add(b, "next_cycle_in", NS, mw_min(due, forced))->note =
		due > forced
			? "two minutes behind the last it is forced"
			: "at the rate since the last one";
}

static void add_limiter(struct builder *b)
{
	static const struct {
		const char *name;
		enum mw_go_unit unit;
		enum go_field field;
	} members[] = {
		{ "cpu_limiter_on", BOOL, GO_gcCPULimiter_enabled },
		{ "cpu_limiter_fill", NS, GO_gcCPULimiter_bucket_fill },
		{ "cpu_limiter_capacity", NS, GO_gcCPULimiter_bucket_capacity },
		{ "cpu_limiter_overflow", NS, GO_gcCPULimiter_overflow },
		{ "cpu_limiter_last_cycle", COUNT,
		  GO_gcCPULimiter_lastEnabledCycle },
	};
	uint64_t value;

	for (size_t i = 0; i < MW_COUNT(members); i++) {
		if (!go_has(b->go, members[i].field))
			continue;
		if (b->go->stat_vars.limiter &&
		    go_now(b->go, b->go->stat_vars.limiter, members[i].field,
			   &value))
			add(b, members[i].name, members[i].unit, value);
		else
			add_unknown(b, members[i].name, members[i].unit,
				    "gcCPULimiter was not found");
	}
}

/* The last cycle, as GODEBUG=gctrace=1 prints it */

static void add_last(struct builder *b)
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

	add(b, "pause_total", NS,
	    go_memstat(b->go, b->c, GO_mstats_pause_total_ns));
	if (!count)
		return;
	if (go_size(b->go, GO_mstats_pause_ns) == 8 * MW_GO_PAUSES)
		for (uint64_t i = 0; i < mw_min(count, MW_COUNT(pauses));
		     i++)
			add(b, pauses[i], NS,
			    mw_u64(b->c->memstats +
				   go_off(b->go, GO_mstats_pause_ns) +
				   8 * ((count - 1 - i) % MW_GO_PAUSES)))
				->note = i ? NULL : "of the last cycles, the "
						    "last one first";
	for (size_t i = 0; i < MW_COUNT(members); i++)
		if (!runs && work(b, members[i].field, &value))
			add(b, members[i].name, members[i].unit, value);
	for (size_t i = 0; i < MW_COUNT(times); i++)
		if (runs || !work(b, fields[i], &times[i]) ||
		    (i && times[i] < times[i - 1]))
			return;
	for (size_t i = 0; i < MW_COUNT(names); i++)
		add(b, names[i], NS, times[i + 1] - times[i]);
}

/* Who works */

static void add_workers(struct builder *b)
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
		add(b, names[i], COUNT, workers[i]);
	if (work(b, GO_work_assistQueue_head, &head))
		add(b, "assists_waiting", COUNT, go_count_gs(b->go, head))
			->note = "goroutines that must help before they may "
				 "allocate";
	if (work(b, GO_work_sweepWaiters_head, &head))
		add(b, "sweep_waiters", COUNT, go_count_gs(b->go, head));
	add_pacer(b, "scan_work_heap", BYTES, GO_gcController_heapScanWork);
	add_pacer(b, "scan_work_stacks", BYTES,
		  GO_gcController_stackScanWork);
	add_pacer(b, "scan_work_globals", BYTES,
		  GO_gcController_globalsScanWork);
	add_pacer(b, "assist_time", NS, GO_gcController_assistTime);
	add_pacer(b, "dedicated_time", NS, GO_gcController_dedicatedMarkTime);
	add_pacer(b, "fractional_time", NS,
		  GO_gcController_fractionalMarkTime);
	add_pacer(b, "idle_time", NS, GO_gcController_idleMarkTime);
	add_pacer(b, "cons_mark", MW_GO_UNIT_REAL, GO_gcController_consMark);
}

static void add_sweep(struct builder *b, const struct sweep *sweep)
{
	uint64_t pages;

	add(b, "spans_swept", COUNT, sweep->swept_spans);
	add(b, "spans_unswept", COUNT, sweep->unswept_spans)->note =
		sweep->torn ? "some changed while they were read" : NULL;
	add(b, "unswept", BYTES, sweep->unswept_bytes);
	add(b, "spans_being_swept", COUNT, sweep->sweeping_spans);
	if (go_now(b->go, b->go->mheap, GO_mheap_pagesSwept, &pages))
		add(b, "pages_swept", COUNT, pages)->note =
			"since the last cycle, of 8 KiB";
	if (go_now(b->go, b->go->mheap, GO_mheap_pagesInUse, &pages))
		add(b, "pages_in_use", COUNT, pages);
}

/* The scavenger */

#define NOT_NEEDED "nothing is to be returned on its account"

/** What the background scavenger retains for GOGC: gcPaceScavenger. */
static bool retained_goal(const struct builder *b, uint64_t *ret)
{
	uint64_t last_goal =
		go_controller(b->go, b->c, GO_gcController_lastHeapGoal);
	uint64_t last_in_use =
		go_memstat(b->go, b->c, GO_mstats_lastHeapInUse);
	uint64_t goal;

	if (!b->has_pace || !last_goal ||
	    !go_has(b->go, GO_mstats_lastHeapInUse))
		return false;
	goal = whole((double)last_in_use *
		     ((double)b->pace.goal / (double)last_goal));
	goal += goal / 10; // retainExtraPercent
	*ret = mw_align_up(goal, MW_PAGE_BYTES);
	return true;
}

static void add_scavenger(struct builder *b)
{
	const struct go_heap_sums *s = &b->c->sums;
	uint64_t retained = s->committed - s->in_stacks - s->in_work_bufs -
			    s->in_ptr_scalar_bits;
	uint64_t goal = UINT64_MAX, limit, ready, surplus = 0;

	add(b, "heap_retained", BYTES, retained);
	add(b, "heap_released", BYTES, s->released);
	if (!go_now(b->go, b->go->mheap, GO_mheap_scavengeGoal, &goal) &&
	    !go_now(b->go, b->go->mheap, GO_mheap_scavengeRetainedGoal,
		    &goal) &&
	    !retained_goal(b, &goal))
		goal = UINT64_MAX;
	if (goal == UINT64_MAX)
		add_unknown(b, "scavenger_goal", BYTES, NOT_NEEDED);
	else
		add(b, "scavenger_goal", BYTES, goal)->note =
			"of heap_retained, by GOGC";
	if (retained > goal && retained - goal >= MW_PAGE_BYTES)
		surplus = retained - goal;
	limit = go_controller(b->go, b->c, GO_gcController_memoryLimit);
	if (limit && limit != INT64_MAX) {
		ready = go_controller(b->go, b->c, GO_gcController_mappedReady);
		limit = whole((double)limit * 0.95); // reduceExtraPercent
		add(b, "scavenger_limit_goal", BYTES, limit)->note =
			"of mapped_ready, by GOMEMLIMIT";
		if (ready > limit)
			surplus = mw_max(surplus, ready - limit);
	}
	// It can return no more than is free.
	ready = retained > s->in_heap ? retained - s->in_heap : 0;
	if (go_has(b->go, GO_mheap_scavengeGoal) ||
	    go_has(b->go, GO_mheap_scavengeRetainedGoal) ||
	    go_has(b->go, GO_mstats_lastHeapInUse))
		add(b, "scavenger_to_return", BYTES, mw_min(surplus, ready))
			->note = "in the background, from here on";
	else // up to 1.12 sysmon does it
		add(b, "scavenger_to_return", BYTES, ready)->note =
			"as far as it stays unused for five minutes";
	add(b, "heap_free", BYTES, ready)->note = "free pages that are kept";
}

/* Queues */

static struct mw_error *add_queues(struct builder *b)
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
		add(b, names[i], COUNT, counts[i]);
	add(b, names[0], COUNT, counts[0]);
	go_count_queues(b->go, &queues);
	if (queues.has_finalizers)
		add(b, "finalizers_queued", COUNT, queues.finalizers)->note =
			"with the one that runs";
	else
		add_unknown(b, "finalizers_queued", COUNT,
			    "the list of their blocks was not found");
	if (!go_has(b->go, GO_mheap_specialCleanupAlloc))
		return NULL;
	if (queues.has_cleanups)
		add(b, "cleanups_queued", COUNT, queues.cleanups)->note =
			"with those that run";
	else
		add_unknown(b, "cleanups_queued", COUNT,
			    "gcCleanups was not found in the code that uses it");
	return NULL;
}

struct mw_error *mw_go_gc_read(struct mw_go *go, uint64_t now_ns,
			       struct mw_go_gc *ret)
{
	struct mw_go_gc out = { 0 };
	struct go_counters counters;
	struct sweep sweep = { 0 };
	struct mw_error *error = go_read_counters(go, &counters);
	struct builder b = { .go = go, .c = &counters, .out = &out,
			     .now_ns = now_ns };

	if (error)
		return error;
	b.has_pace = go_pace(go, &counters, false, &b.pace);
	b.live = heap_live(&b);
	b.marked = heap_marked(&b);
	error = read_sweep(go, &sweep);
	if (!error) {
		add_phase(&b, &sweep);
		add_limits(&b);
		add_heap(&b);
		add_next(&b);
		add_limiter(&b);
		add_last(&b);
		add_workers(&b);
		add_sweep(&b, &sweep);
		add_scavenger(&b);
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
