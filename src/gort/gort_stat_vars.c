/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_stats.h"

/*
 * The variables with the runtime's counters, found without symbols:
 *
 *	memstats	the fixallocs of mheap_ point into it: where they count
 *			the bytes that they take
 *	gcController	heapMinimum is gcPercent / 100 of a constant, which nothing
 *			else in the data is by chance, and heapInUse what the
 *			heap's counters say
 *	gcCPULimiter	its bucket holds a second for each P
 *	work		its last word of a cycle, tEnd, is memstats'
 *			last_gc_nanotime; before the first cycle it has nothing
 *			to tell
 *	size classes	16-bit numbers from 0, 8 and 16 ascending to 32768
 *	their pages	bytes, as many, of which at most an eighth is left over
 */

#define SMALLEST_CLASSES 60
#define LARGEST_CLASS 32768

static bool find_memstats(struct mw_go *go)
{
	static const struct {
		enum go_field allocator, counter;
	} links[] = {
		{ GO_mheap_spanalloc, GO_mstats_mspan_sys },
		{ GO_mheap_cachealloc, GO_mstats_mcache_sys },
		{ GO_mheap_specialprofilealloc, GO_mstats_other_sys },
	};
	uint64_t found = 0;

	if (!go_has(go, GO_mstats))
		return false;
	for (size_t i = 0; i < MW_COUNT(links); i++) {
		uint64_t at = go->mheap + go_off(go, links[i].allocator);
		uint64_t stat;

		if (!go_has(go, links[i].allocator) ||
		    !go_has(go, links[i].counter) ||
		    !go_read(go, at, GO_fixalloc_stat, &stat) ||
		    stat < go_off(go, links[i].counter))
			return false;
		stat -= go_off(go, links[i].counter);
		if (found && stat != found)
			return false;
		found = stat;
	}
	if (!go_is_variable(go, found) ||
	    !go_is_mapped(go, found, go_size(go, GO_mstats)))
		return false;
	go->stat_vars.memstats = found;
	return true;
}

/** What is searched for, and what it is held against. */
struct search {
	const struct mw_go *go;
	uint64_t heap_in_use; /* by the heap's own counters */
	uint64_t last_gc, cycles; /* by memstats */
	uint64_t ps;
	uint64_t controller, near_controller, limiter, work;
};

/**
 * 64-bit member @field of the struct at @at; 0 where there is none. @left is
 * how many bytes there are.
 */
static uint64_t word(const struct search *s, const uint8_t *at, size_t left,
		     enum go_field field)
{
	uint64_t off = go_off(s->go, field);

	if (!go_has(s->go, field) || go_size(s->go, field) > 8 ||
	    off + go_size(s->go, field) > left)
		return 0;
	return go_get(s->go, at, field);
}

/** Whether the pacer's figures of 1.17 and 1.18 fit together. */
static bool is_old_pace(const struct search *s, const uint8_t *at, size_t left)
{
	uint64_t live = word(s, at, left, GO_gcController_heapLive);
	uint64_t marked = word(s, at, left, GO_gcController_heapMarked);
	uint64_t goal = word(s, at, left, GO_gcController_heapGoal);

	return goal && marked <= goal && marked <= live &&
	       word(s, at, left, GO_gcController_trigger) <= goal &&
	       live <= s->heap_in_use + MW_MIB(1);
}

static void test_controller(struct search *s, uint64_t va, const uint8_t *at,
			    size_t left)
{
	int64_t percent = (int32_t)word(s, at, left, GO_gcController_gcPercent);
	uint64_t minimum = word(s, at, left, GO_gcController_heapMinimum);
	uint64_t least = go_heap_minimum(s->go);
	uint64_t live = word(s, at, left, GO_gcController_heapLive);
	uint64_t in_use = word(s, at, left, GO_gcController_heapInUse);

	if (percent < -1 || minimum != least * (uint64_t)percent / 100 ||
	    live > UINT64_C(1) << 47 ||
	    left < go_size(s->go, GO_gcController))
		return;
	// A heap without an object has less to be told by.
	if (s->go->info.is_sbrk ? minimum == 0 : live == 0)
		return;
	if (!go_has(s->go, GO_gcController_heapInUse)) {
		// Up to 1.18 the heap's size is kept elsewhere.
		if (is_old_pace(s, at, left))
			*(minimum ? &s->controller : &s->near_controller) = va;
		return;
	}
	if ((in_use == 0 && !s->go->info.is_sbrk) ||
	    !mw_is_aligned(in_use, GO_PAGE_BYTES) ||
	    word(s, at, left, GO_gcController_totalAlloc) <
		    word(s, at, left, GO_gcController_totalFree))
		return;
	if (in_use == s->heap_in_use)
		s->controller = va;
	else if (!s->near_controller)
		s->near_controller = va;
}

static void test_limiter(struct search *s, uint64_t va, const uint8_t *at,
			 size_t left)
{
	const uint64_t second = 1000000000;
	uint64_t capacity =
		word(s, at, left, GO_gcCPULimiter_bucket_capacity);

	if (capacity == 0 || capacity != second * s->ps ||
	    word(s, at, left, GO_gcCPULimiter_nprocs) != s->ps ||
	    word(s, at, left, GO_gcCPULimiter_bucket_fill) > capacity)
		return;
	s->limiter = va;
}

static void test_work(struct search *s, uint64_t va, const uint8_t *at,
		      size_t left)
{
	uint64_t cycles = word(s, at, left, GO_work_cycles);

	// Between the end of a cycle and the beginning of the next they agree.
	if (s->last_gc == 0 ||
	    word(s, at, left, GO_work_tEnd) != s->last_gc ||
	    (cycles != s->cycles && cycles != s->cycles + 1))
		return;
	s->work = va;
}

static void search_areas(struct search *s)
{
	const struct mw_go *go = s->go;

	for (size_t i = 0; i < MW_COUNT(go->areas); i++) {
		const struct go_area *a = &go->areas[i];

		for (size_t at = 0; at + 8 <= a->size; at += 8) {
			const uint8_t *bytes = a->bytes + at;
			size_t left = a->size - at;
			uint64_t va = a->va + at;

			if (go_has(go, GO_gcController_heapMinimum) &&
			    !s->controller)
				test_controller(s, va, bytes, left);
			if (go_has(go, GO_gcCPULimiter_bucket_capacity) &&
			    !s->limiter)
				test_limiter(s, va, bytes, left);
			if (go_has(go, GO_work_tEnd) && !s->work)
				test_work(s, va, bytes, left);
		}
	}
}

/* Size classes */

static size_t classes_at(const uint8_t *at, size_t left)
{
	size_t count = 1;

	if (mw_u32(at) != 8u << 16 || mw_u16(at + 4) != 16)
		return 0;
	while (count < MW_GO_MAX_CLASSES && 2 * count + 2 <= left) {
		uint16_t bytes = mw_u16(at + 2 * count);

		if (bytes <= mw_u16(at + 2 * count - 2))
			return 0;
		count++;
		if (bytes == LARGEST_CLASS)
			return count < SMALLEST_CLASSES ? 0 : count;
	}
	return 0;
}

static void find_classes(struct mw_go *go)
{
	struct go_stat_vars *vars = &go->stat_vars;

	for (size_t i = 0; i < MW_COUNT(go->areas) && !vars->classes; i++) {
		const struct go_area *a = &go->areas[i];

		// The linker aligns small arrays of numbers by their elements.
		for (size_t at = 0; at + 8 <= a->size; at += 2) {
			size_t count = classes_at(a->bytes + at, a->size - at);

			if (!count)
				continue;
			for (size_t c = 0; c < count; c++)
				vars->class_bytes[c] =
					mw_u16(a->bytes + at + 2 * c);
			vars->classes = count;
			return;
		}
	}
}

/**
 * Whether pages of a span by size class stand at @at, bytes: at most an eighth
 * of them is left over by objects of the class.
 */
static bool are_pages(const struct go_stat_vars *vars, const uint8_t *at)
{
	if (at[0] != 0)
		return false;
	for (size_t c = 1; c < vars->classes; c++) {
		uint64_t bytes = at[c] * GO_PAGE_BYTES;

		if (bytes < vars->class_bytes[c] ||
		    bytes % vars->class_bytes[c] > bytes / 8)
			return false;
	}
	return true;
}

static void find_pages(struct mw_go *go)
{
	struct go_stat_vars *vars = &go->stat_vars;

	for (size_t i = 0; vars->classes && i < MW_COUNT(go->areas); i++) {
		const struct go_area *a = &go->areas[i];

		for (size_t at = 0; at + vars->classes <= a->size; at++)
			if (are_pages(vars, a->bytes + at)) {
				memcpy(vars->class_pages, a->bytes + at,
				       vars->classes);
				return;
			}
	}
}

/* All of them */

/** Forget what is kept of the data, to see it as it is now. */
static void forget_areas(struct mw_go *go)
{
	const struct go_range *ranges[] = { &go->module.noptrdata,
					    &go->module.data, &go->module.bss,
					    &go->module.noptrbss };

	for (size_t i = 0; i < MW_COUNT(ranges); i++)
		mw_target_forget(go->target, ranges[i]->start,
				 ranges[i]->end - ranges[i]->start);
}

/** Whether all that this release has, and that has begun to count, is there. */
static bool is_complete(const struct search *s)
{
	const struct mw_go *go = s->go;

	return (s->controller || !go_has(go, GO_gcController_heapMinimum)) &&
	       (s->limiter || !go_has(go, GO_gcCPULimiter_bucket_capacity)) &&
	       (s->work || !s->last_gc);
}

static uint64_t sum_in_heap(const struct mw_go *go)
{
	uint64_t sum = 0, size = go_size(go, GO_heapStatsDelta);

	if (!go_has(go, GO_heapStatsDelta_inHeap) ||
	    !go_has(go, GO_mstats_heapStats_stats))
		return 0;
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t part;

		if (go_read(go,
			    go->stat_vars.memstats +
				    go_off(go, GO_mstats_heapStats_stats) +
				    i * size,
			    GO_heapStatsDelta_inHeap, &part))
			sum += part;
	}
	return sum;
}

static void search_once(struct mw_go *go, struct search *s)
{
	struct go_stat_vars *vars = &go->stat_vars;
	struct go_slice ps;

	forget_areas(go);
	*s = (struct search){ .go = go };
	if (!go_load_areas(go))
		return;
	s->heap_in_use = sum_in_heap(go);
	go_read(go, vars->memstats, GO_mstats_last_gc_nanotime, &s->last_gc);
	go_read(go, vars->memstats, GO_mstats_numgc, &s->cycles);
	if (go_read_ps(go, &ps))
		s->ps = ps.len;
	search_areas(s);
	if (!s->controller)
		s->controller = s->near_controller;
	if (!vars->classes) {
		find_classes(go);
		find_pages(go);
	}
	vars->controller = s->controller;
	vars->limiter = s->limiter;
	vars->work = s->work;
}

bool go_find_stat_vars(struct mw_go *go)
{
	enum { TRIES = 4 };
	struct go_stat_vars *vars = &go->stat_vars;
	struct search s;

	if (vars->searched)
		return vars->memstats != 0;
	vars->searched = true;
	if (!find_memstats(go))
		return false;
	// A target that moves may be caught between two of the variables.
	for (int i = 0; i < TRIES; i++) {
		search_once(go, &s);
		go_free_areas(go);
		if (is_complete(&s))
			break;
	}
	return true;
}

bool go_gc_runs(const struct mw_go *go, bool *ret_known)
{
	const struct go_stat_vars *vars = &go->stat_vars;
	uint64_t begun, ended, cycles, done;

	*ret_known = true;
	if (vars->controller &&
	    go_now(go, vars->controller, GO_gcController_markStartTime,
		   &begun) &&
	    go_now(go, vars->memstats, GO_mstats_last_gc_nanotime, &ended))
		return begun > ended;
	// A cycle is counted as begun before the mark phase, and as done
	// behind it.
	if (vars->work && go_now(go, vars->work, GO_work_cycles, &cycles) &&
	    go_now(go, vars->memstats, GO_mstats_numgc, &done))
		return (uint32_t)cycles != (uint32_t)done;
	*ret_known = false;
	return false;
}
