/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_stats.h"

/*
 * When the next collection is due (mgcpacer.go). Up to 1.18 the runtime keeps
 * goal and trigger; since 1.19 it works them out when it asks for them, from
 *
 *	gcPercentHeapGoal	what GOGC allows
 *	memoryLimit		what GOMEMLIMIT allows for heap and all else
 *	sweepDistMinTrigger	no earlier than this, so that sweeping ends
 *	triggered		where the running cycle began; ~0 in none
 *	runway			what is allocated during a cycle
 *
 * The constants are those of 1.19 to 1.27, in which only one has changed.
 */
#define MIN_RUNWAY MW_KIB(64)
#define MIN_HEADROOM MW_MIB(1)
#define TRIGGER_DEN 64
#define MIN_TRIGGER_NUM 45 /* about 0.7 of the way from marked to goal */
#define MAX_TRIGGER_NUM 61

/** Headroom below the memory limit, at least: of the goal, by release. */
static const struct {
	unsigned since, percent;
} headrooms[] = { { 19, 0 }, { 21, 3 } };

struct inputs {
	uint64_t percent_goal, sweep_trigger, triggered, runway, marked;
	uint64_t limit, mapped, free, alloc;
};

uint64_t go_heap_minimum(const struct mw_go *go)
{
	return strstr(go->version, "heapminimum512kib") ? MW_KIB(512)
							: MW_MIB(4);
}

/** What the memory limit leaves for the heap. */
static uint64_t limit_goal(const struct mw_go *go, const struct inputs *in)
{
	uint64_t other = in->mapped - in->free - in->alloc;
	uint64_t over = in->mapped > in->limit ? in->mapped - in->limit : 0;
	uint64_t goal, headroom = MIN_HEADROOM;

	if (in->free + in->alloc > in->mapped)
		other = 0; // caught in a change
	if (other + over >= in->limit)
		return in->marked;
	goal = in->limit - (other + over);
	for (size_t i = 0; i < MW_COUNT(headrooms); i++)
		if (go_release(go) >= headrooms[i].since)
			headroom = mw_max(MIN_HEADROOM,
					  goal / 100 * headrooms[i].percent);
	goal = goal < 2 * headroom ? headroom : goal - headroom;
	return mw_max(goal, in->marked);
}

/** Since 1.19. */
static struct go_pace work_out(const struct mw_go *go, const struct inputs *in)
{
	struct go_pace pace = { .goal = in->percent_goal };
	uint64_t limited = limit_goal(go, in), least = 0, most, step;

	if (limited < pace.goal) {
		pace.goal = limited;
		pace.limited = true;
	} else {
		least = in->sweep_trigger;
		pace.goal = mw_max(pace.goal, least);
		if (in->triggered != UINT64_MAX &&
		    pace.goal < in->triggered + MIN_RUNWAY)
			pace.goal = in->triggered + MIN_RUNWAY;
	}
	pace.trigger = pace.goal;
	if (in->marked >= pace.goal)
		return pace;
	step = (pace.goal - in->marked) / TRIGGER_DEN;
	least = mw_max(least, in->marked);
	least = mw_max(least, step * MIN_TRIGGER_NUM + in->marked);
	most = step * MAX_TRIGGER_NUM + in->marked;
	if (pace.goal > go_heap_minimum(go))
		most = mw_max(most, pace.goal - go_heap_minimum(go));
	most = mw_max(most, least);
	pace.trigger = in->runway > pace.goal ? least
					      : pace.goal - in->runway;
	pace.trigger = mw_min(mw_max(pace.trigger, least), most);
	return pace;
}

bool go_pace(const struct mw_go *go, const struct go_counters *c, bool flushed,
	     struct go_pace *ret)
{
	if (go_has(go, GO_mstats_next_gc)) {
		*ret = (struct go_pace){
			.goal = go_memstat(go, c, GO_mstats_next_gc),
			.trigger = go_memstat(go, c, GO_mstats_gc_trigger),
		};
		return true;
	}
	if (!c->controller)
		return false;
#define GET(name) go_controller(go, c, GO_gcController_##name)
	if (go_has(go, GO_gcController_heapGoal)) {
		*ret = (struct go_pace){
			.goal = GET(heapGoal),
			.trigger = GET(trigger),
		};
		return true;
	}
	if (!go_has(go, GO_gcController_gcPercentHeapGoal) ||
	    !go_has(go, GO_gcController_memoryLimit))
		return false;
	*ret = work_out(go, &(struct inputs){
		.percent_goal = GET(gcPercentHeapGoal),
		.sweep_trigger = GET(sweepDistMinTrigger),
		.triggered = GET(triggered),
		.runway = GET(runway),
		.marked = GET(heapMarked),
		.limit = GET(memoryLimit),
		.mapped = GET(mappedReady),
		.free = GET(heapFree) + (flushed ? c->flush.stack_bytes : 0),
		.alloc = GET(totalAlloc) - GET(totalFree) +
			 (flushed ? c->flush.alloc_bytes : 0),
	});
#undef GET
	return true;
}
