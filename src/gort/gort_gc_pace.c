/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_gc_rows.h"

/*
 * What sets the collector's pace (mgcpacer.go, mgclimit.go), and what the
 * scavenger gives back by the same goals (mgcscavenge.go).
 */

#define FORCE_NS UINT64_C(120000000000) /* sysmon collects after two minutes */

static uint64_t heap_live(const struct go_gc_rows *b)
{
	return go_has(b->go, GO_mstats_heap_live)
		       ? go_memstat(b->go, b->c, GO_mstats_heap_live)
		       : go_controller(b->go, b->c, GO_gcController_heapLive);
}

static uint64_t heap_marked(const struct go_gc_rows *b)
{
	return go_has(b->go, GO_mstats_heap_marked)
		       ? go_memstat(b->go, b->c, GO_mstats_heap_marked)
		       : go_controller(b->go, b->c, GO_gcController_heapMarked);
}

/** GOGC, up to 1.16, is a variable by itself; what it makes of it is the goal. */
static void add_old_percent(struct go_gc_rows *b)
{
	bool is_off = b->pace.goal == UINT64_MAX;
	int32_t percent;

	if (!go_old_percent(b->go, &percent) ||
	    (b->has_pace && is_off != (percent < 0)))
		go_add_unknown(b, "gogc", COUNT,
			       "not found in the code that uses it");
	else if (percent < 0)
		go_add_text(b, "gogc", "off");
	else
		go_add(b, "gogc", COUNT, (uint64_t)percent);
}

static int32_t gc_percent(const struct go_gc_rows *b)
{
	return (int32_t)go_controller(b->go, b->c, GO_gcController_gcPercent);
}

/** No cycle is then forced after two minutes. */
static bool is_gogc_off(const struct go_gc_rows *b)
{
	if (!go_has(b->go, GO_gcController_gcPercent))
		return b->pace.goal == UINT64_MAX;
	return b->c->controller && gc_percent(b) < 0;
}

static bool has_limit(const struct go_gc_rows *b)
{
	return go_has(b->go, GO_gcController_memoryLimit) &&
	       b->c->controller &&
	       go_controller(b->go, b->c, GO_gcController_memoryLimit) !=
		       INT64_MAX;
}

static void add_limits(struct go_gc_rows *b)
{
	int32_t percent = gc_percent(b);
	uint64_t limit = go_controller(b->go, b->c, GO_gcController_memoryLimit);

	if (!go_has(b->go, GO_gcController_gcPercent))
		add_old_percent(b);
	else if (!b->c->controller)
		go_add_unknown(b, "gogc", COUNT, "gcController was not found");
	else if (percent < 0)
		go_add_text(b, "gogc", "off");
	else
		go_add(b, "gogc", COUNT, (uint64_t)percent);
	if (!go_has(b->go, GO_gcController_memoryLimit) || !b->c->controller)
		return;
	if (!has_limit(b))
		go_add_text(b, "memory_limit", "off");
	else
		go_add(b, "memory_limit", BYTES, limit);
	go_add(b, "mapped_ready", BYTES,
	       go_controller(b->go, b->c, GO_gcController_mappedReady))->note =
		"what the limit is held against";
}

static void add_heap(struct go_gc_rows *b)
{
	if (!b->has_pace) {
		go_add_unknown(b, "heap_live", BYTES,
			       "gcController was not found");
		return;
	}
	go_add(b, "heap_live", BYTES, b->live)->note =
		"as the pacer sees it: spans that Ps allocate from count whole";
	go_add(b, "heap_marked", BYTES, b->marked)->note =
		"what the last cycle found alive";
	go_add(b, "heap_goal", BYTES, b->pace.goal)->note =
		is_gogc_off(b) && !has_limit(b) ? "as good as none" : NULL;
	go_add(b, "heap_trigger", BYTES, b->pace.trigger)->note =
		"a cycle begins when heap_live reaches it";
	if (go_has(b->go, GO_gcController_memoryLimit))
		go_add(b, "goal_by_memory_limit", BOOL,
		       b->pace.limited && has_limit(b));
}

/** When the next cycle is due at the rate since the last one. */
static void add_next(struct go_gc_rows *b)
{
	uint64_t last = go_memstat(b->go, b->c, GO_mstats_last_gc_nanotime);
	uint64_t since = b->now_ns - last, left, due, forced = UINT64_MAX;
	bool known;

	if (!b->has_pace || go_gc_runs(b->go, &known))
		return;
	left = b->pace.trigger > b->live ? b->pace.trigger - b->live : 0;
	go_add(b, "until_trigger", BYTES, left);
	if (!b->now_ns || !last || last > b->now_ns)
		return;
	go_add(b, "since_last", NS, since);
	if (is_gogc_off(b) && !has_limit(b)) {
		go_add_unknown(b, "next_cycle_in", NS, "GOGC is off: not until "
			       "the program asks for it");
		return;
	}
	if (!is_gogc_off(b))
		forced = since < FORCE_NS ? FORCE_NS - since : 0;
	if (b->live <= b->marked) {
		go_add_unknown(b, "next_cycle_in", NS,
			       is_gogc_off(b)
				    ? "nothing was allocated since the last one"
				    : "nothing was allocated since the last "
				      "one; it is forced two minutes behind "
				      "that");
		return;
	}
	due = go_whole((double)left * (double)since /
		       (double)(b->live - b->marked));
	go_add(b, "alloc_per_second", BYTES,
	       go_whole((double)(b->live - b->marked) * 1e9 / (double)since));
	go_add(b, "next_cycle_in", NS, mw_min(due, forced))->note =
		due > forced
			? "two minutes behind the last it is forced"
			: "at the rate since the last one";
}

static void add_limiter(struct go_gc_rows *b)
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
			go_add(b, members[i].name, members[i].unit, value);
		else
			go_add_unknown(b, members[i].name, members[i].unit,
				       "gcCPULimiter was not found");
	}
}

void go_find_pace(struct go_gc_rows *b)
{
	b->has_pace = go_pace(b->go, b->c, false, &b->pace);
	b->live = heap_live(b);
	b->marked = heap_marked(b);
}

void go_add_pace(struct go_gc_rows *b)
{
	add_limits(b);
	add_heap(b);
	add_next(b);
	add_limiter(b);
}

/* The scavenger */

#define NOT_NEEDED "nothing is to be returned on its account"

/** What the background scavenger retains for GOGC: gcPaceScavenger. */
static bool retained_goal(const struct go_gc_rows *b, uint64_t *ret)
{
	uint64_t last_goal =
		go_controller(b->go, b->c, GO_gcController_lastHeapGoal);
	uint64_t last_in_use =
		go_memstat(b->go, b->c, GO_mstats_lastHeapInUse);
	uint64_t goal;

	if (!b->has_pace || !last_goal ||
	    !go_has(b->go, GO_mstats_lastHeapInUse))
		return false;
	goal = go_whole((double)last_in_use *
			((double)b->pace.goal / (double)last_goal));
	goal += goal / 10; // retainExtraPercent
	*ret = mw_align_up(goal, MW_PAGE_BYTES);
	return true;
}

void go_add_scavenger(struct go_gc_rows *b)
{
	const struct go_heap_sums *s = &b->c->sums;
	uint64_t retained = s->committed - s->in_stacks - s->in_work_bufs -
			    s->in_ptr_scalar_bits;
	uint64_t goal = UINT64_MAX, limit, ready, surplus = 0;

	go_add(b, "heap_retained", BYTES, retained);
	go_add(b, "heap_released", BYTES, s->released);
	if (!go_now(b->go, b->go->mheap, GO_mheap_scavengeGoal, &goal) &&
	    !go_now(b->go, b->go->mheap, GO_mheap_scavengeRetainedGoal,
		    &goal) &&
	    !retained_goal(b, &goal))
		goal = UINT64_MAX;
	if (goal == UINT64_MAX)
		go_add_unknown(b, "scavenger_goal", BYTES, NOT_NEEDED);
	else
		go_add(b, "scavenger_goal", BYTES, goal)->note =
			"of heap_retained, by GOGC";
	if (retained > goal && retained - goal >= MW_PAGE_BYTES)
		surplus = retained - goal;
	limit = go_controller(b->go, b->c, GO_gcController_memoryLimit);
	if (limit && limit != INT64_MAX) {
		ready = go_controller(b->go, b->c, GO_gcController_mappedReady);
		limit = go_whole((double)limit * 0.95); // reduceExtraPercent
		go_add(b, "scavenger_limit_goal", BYTES, limit)->note =
			"of mapped_ready, by GOMEMLIMIT";
		if (ready > limit)
			surplus = mw_max(surplus, ready - limit);
	}
	// It can return no more than is free.
	ready = retained > s->in_heap ? retained - s->in_heap : 0;
	if (go_has(b->go, GO_mheap_scavengeGoal) ||
	    go_has(b->go, GO_mheap_scavengeRetainedGoal) ||
	    go_has(b->go, GO_mstats_lastHeapInUse))
		go_add(b, "scavenger_to_return", BYTES, mw_min(surplus, ready))
			->note = "in the background, from here on";
	else // up to 1.12 sysmon does it
		go_add(b, "scavenger_to_return", BYTES, ready)->note =
			"as far as it stays unused for five minutes";
	go_add(b, "heap_free", BYTES, ready)->note = "free pages that are kept";
}
