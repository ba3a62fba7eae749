/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_stats.h"
#include "mw_guard.h"

/*
 * The counters of the heap (mstats.go: consistentHeapStats) and what the Ps
 * have not told them yet (mcache.go: releaseAll).
 *
 *	heapStats.stats[3]	generations of heapStatsDelta, which count
 *				together
 *	mcache.alloc[]		a span for each span class, from which its P
 *				allocates
 *
 * From 1.19 on a span that a P takes is counted when the P is done with it, so
 * what was allocated since is allocCount - allocCountBeforeCache. Before, all
 * its free slots were counted as allocated when it was taken, so those still
 * free are too many.
 */

#define MAX_MSTATS MW_KIB(256)
#define MAX_PS 65536
#define MAX_MCACHE MW_KIB(64)
#define GENERATIONS 3
#define STACK_ORDERS 4
#define STACK_CACHE_BYTES 16 /* stackfreelist {list, size} */
#define TRIES 10

bool go_read_now(const struct mw_go *go, uint64_t va, void *to, size_t bytes)
{
	if (!mw_target_copy(go->target, va, to, bytes) &&
	    !mw_target_read(go->target, va, to, bytes))
		return false;
	// The runtime's own figures, however many at a time.
	mw_target_keep(go->target, va, bytes);
	return true;
}

bool go_now(const struct mw_go *go, uint64_t va, enum go_field field,
	    uint64_t *ret)
{
	uint8_t bytes[8] = { 0 };

	if (!go_has(go, field) || go_size(go, field) > sizeof(bytes) ||
	    va > UINT64_MAX - go_off(go, field) ||
	    !go_read_now(go, va + go_off(go, field), bytes, go_size(go, field)))
		return false;
	*ret = mw_u64(bytes);
	return true;
}

/* One reading */

static bool note(struct go_reading *r, uint64_t word)
{
	uint64_t *place = mw_vec_push(&r->words);

	if (!place)
		return false;
	*place = word;
	return true;
}

/** A span that a P allocates from. */
static bool read_cached_span(const struct mw_go *go, uint64_t va, size_t class,
			     struct go_reading *r)
{
	struct go_span span;
	uint64_t before = 0;
	uint8_t bytes[256];
	int64_t used;

	if (go_size(go, GO_mspan) + 8 > sizeof(bytes) ||
	    !go_read_now(go, va, bytes, go_size(go, GO_mspan)) ||
	    !go_parse_span(go, bytes, &span) ||
	    span.state != GO_SPAN_IN_USE) {
		r->is_whole = false;
		return true;
	}
	if (go_has(go, GO_mspan_allocCountBeforeCache)) {
		before = go_get(go, bytes, GO_mspan_allocCountBeforeCache);
		used = (int64_t)(span.allocated - before);
		r->flush.alloc_bytes += (uint64_t)used * span.elem_bytes;
	} else {
		used = -(int64_t)(span.elems - span.allocated);
	}
	r->flush.allocs[class] += used;
	return note(r, span.allocated << 32 | before);
}

static bool read_mcache(const struct mw_go *go, uint64_t cache,
			struct go_reading *r)
{
	uint64_t size = go_size(go, GO_mcache);
	size_t spans = go_size(go, GO_mcache_alloc) / 8;
	uint8_t bytes[MAX_MCACHE];

	if (size > sizeof(bytes) || size < 8 ||
	    spans / 2 > MW_GO_MAX_CLASSES ||
	    !go_read_now(go, cache, bytes, size)) {
		r->is_whole = false;
		return true;
	}
	go_flush_old(go, bytes, &r->flush);
	if (go_has(go, GO_mcache_tinyAllocs)) {
		uint64_t tiny = go_get(go, bytes, GO_mcache_tinyAllocs);

		r->flush.tiny_allocs += tiny;
		if (!note(r, tiny))
			return false;
	}
	for (size_t i = 0; i < spans; i++) {
		uint64_t span = mw_u64(bytes + go_off(go, GO_mcache_alloc) +
				       8 * i);

		// emptymspan, a variable, stands for none.
		if (!span || go_is_variable(go, span))
			continue;
		if (!note(r, span) || !read_cached_span(go, span, i / 2, r))
			return false;
	}
	return true;
}

static bool read_ps(const struct mw_go *go, struct go_reading *r)
{
	struct go_slice ps;

	if (!go_read_ps(go, &ps)) {
		r->is_whole = false;
		return true;
	}
	for (uint64_t i = 0; i < mw_min(ps.len, MAX_PS); i++) {
		uint64_t p, cache = 0, writes = 0;

		if (!go_read_now(go, ps.ptr + 8 * i, &p, sizeof(p)) ||
		    !go_now(go, p, GO_p_mcache, &cache)) {
			r->is_whole = false;
			continue;
		}
		if (go_now(go, p, GO_p_statsSeq, &writes))
			r->is_writing |= writes & 1;
		if (!note(r, writes) || !note(r, cache) ||
		    (cache && !read_mcache(go, cache, r)))
			return false;
	}
	return true;
}

static void free_reading(struct go_reading *r)
{
	mw_vec_free(&r->words);
}

/* Stacks that the Ps keep for the next goroutine */

/** Free stacks of all Ps' caches, counted by the span they lie in. */
static bool count_stacks(struct mw_go *go, uint64_t cache,
			 struct mw_map64 *by_span)
{
	enum { LIMIT = 4096 };

	for (uint64_t order = 0; order < STACK_ORDERS; order++) {
		uint64_t stack, at = cache + go_off(go, GO_mcache_stackcache) +
				     order * STACK_CACHE_BYTES;

		if ((order + 1) * STACK_CACHE_BYTES >
			    go_size(go, GO_mcache_stackcache) ||
		    !go_read_now(go, at, &stack, sizeof(stack)))
			break;
		for (int n = 0; stack && n < LIMIT; n++) {
			const struct go_digest *span;
			uint64_t start, *count;

			span = go_span_of(go, stack, &start);
			if (!span || !span->is_manual)
				break;
			count = mw_map64_at(by_span, start);
			if (!count)
				return false;
			++*count;
			if (!go_read_now(go, stack, &stack, sizeof(stack)))
				break;
		}
	}
	return true;
}

/**
 * Bytes of stack spans of which only free stacks in caches are left: when
 * those go back, so does the span, unless the collector marks.
 */
static bool count_free_stacks(struct mw_go *go, uint64_t *ret)
{
	struct mw_map64 by_span = { 0 };
	struct go_slice ps;
	uint64_t start, count, bytes = 0;
	bool good = true;

	if (!go_has(go, GO_mcache_stackcache) || !go_read_ps(go, &ps))
		return true;
	for (uint64_t i = 0; good && i < mw_min(ps.len, MAX_PS); i++) {
		uint64_t p, cache;

		if (go_read_now(go, ps.ptr + 8 * i, &p, sizeof(p)) &&
		    go_now(go, p, GO_p_mcache, &cache) && cache)
			good = count_stacks(go, cache, &by_span);
	}
	for (size_t at = 0; good && mw_map64_next(&by_span, &at, &start,
						  &count);) {
		const struct go_digest *span = go_span_of(go, start, &start);

		if (span && span->allocated == count)
			bytes += span->pages * GO_PAGE_BYTES;
	}
	mw_map64_free(&by_span);
	*ret = bytes;
	return good;
}

/* Sums */

static uint64_t member(const struct mw_go *go, const uint8_t *delta,
		       enum go_field field)
{
	return go_has(go, field) ? go_get(go, delta, field) : 0;
}

static void add_classes(const struct mw_go *go, const uint8_t *delta,
			enum go_field field, uint64_t *to)
{
	size_t count = mw_min(go_size(go, field) / 8, MW_GO_MAX_CLASSES);

	for (size_t i = 0; i < count; i++)
		to[i] += mw_u64(delta + go_off(go, field) + 8 * i);
}

static struct go_heap_sums sum_up(const struct mw_go *go,
				  const uint8_t *memstats)
{
	const uint8_t *stats = memstats + go_off(go, GO_mstats_heapStats_stats);
	struct go_heap_sums s = { 0 };

	for (int i = 0; i < GENERATIONS; i++) {
		const uint8_t *d = stats + (size_t)i *
				   go_size(go, GO_heapStatsDelta);

#define ADD(to, field) s.to += member(go, d, field)
		ADD(committed, GO_heapStatsDelta_committed);
		ADD(released, GO_heapStatsDelta_released);
		ADD(in_heap, GO_heapStatsDelta_inHeap);
		ADD(in_stacks, GO_heapStatsDelta_inStacks);
		ADD(in_work_bufs, GO_heapStatsDelta_inWorkBufs);
		ADD(in_ptr_scalar_bits, GO_heapStatsDelta_inPtrScalarBits);
		ADD(tiny_allocs, GO_heapStatsDelta_tinyAllocCount);
		ADD(large_alloc, GO_heapStatsDelta_largeAlloc);
		ADD(large_alloc_count, GO_heapStatsDelta_largeAllocCount);
		ADD(large_free, GO_heapStatsDelta_largeFree);
		ADD(large_free_count, GO_heapStatsDelta_largeFreeCount);
#undef ADD
		add_classes(go, d, GO_heapStatsDelta_smallAllocCount, s.allocs);
		add_classes(go, d, GO_heapStatsDelta_smallFreeCount, s.frees);
	}
	if (go_has(go, GO_mstats_tinyallocs))
		s.tiny_allocs += go_get(go, memstats, GO_mstats_tinyallocs);
	return s;
}

/** The sums, from where this release has them. */
static bool sum(const struct mw_go *go, const uint8_t *memstats,
		struct go_heap_sums *ret)
{
	if (go_has_old_counters(go))
		return go_sum_old(go, memstats, ret);
	*ret = sum_up(go, memstats);
	return true;
}

struct go_heap_totals go_heap_totals(const struct mw_go *go,
				     const struct go_heap_sums *sums)
{
	struct go_heap_totals t = {
		.alloc_bytes = sums->large_alloc,
		.allocs = sums->large_alloc_count,
		.free_bytes = sums->large_free,
		.frees = sums->large_free_count,
	};

	for (size_t i = 0; i < go->stat_vars.classes; i++) {
		uint64_t bytes = go->stat_vars.class_bytes[i];

		t.alloc_bytes += sums->allocs[i] * bytes;
		t.allocs += sums->allocs[i];
		t.free_bytes += sums->frees[i] * bytes;
		t.frees += sums->frees[i];
	}
	return t;
}

struct go_heap_sums go_flushed(const struct go_counters *c)
{
	struct go_heap_sums s = c->sums;

	for (size_t i = 0; i < MW_GO_MAX_CLASSES; i++) {
		s.allocs[i] += (uint64_t)c->flush.allocs[i];
		s.frees[i] += c->flush.frees[i];
	}
	s.large_free += c->flush.large_free;
	s.large_free_count += c->flush.large_free_count;
	s.tiny_allocs += c->flush.tiny_allocs;
	s.in_stacks -= c->flush.stack_bytes;
	return s;
}

/* All of it, until it stands still */

static bool has_layout(const struct mw_go *go)
{
	uint64_t generations = go_size(go, GO_heapStatsDelta) * GENERATIONS;

	if (!go_has(go, GO_mcache_alloc) || !go_has(go, GO_p_mcache) ||
	    go_size(go, GO_mstats) > MAX_MSTATS)
		return false;
	return go_has_old_counters(go) ||
	       (go_has(go, GO_heapStatsDelta) &&
		go_has(go, GO_mstats_heapStats_stats) &&
		mw_within(go_off(go, GO_mstats_heapStats_stats), generations,
			  0, go_size(go, GO_mstats)));
}

static bool read_structs(const struct mw_go *go, struct go_counters *c)
{
	const struct go_stat_vars *vars = &go->stat_vars;

	return go_read_now(go, vars->memstats, c->memstats,
			   go_size(go, GO_mstats)) &&
	       (!c->controller ||
		go_read_now(go, vars->controller, c->controller,
			    go_size(go, GO_gcController)));
}

/** Whether the heap's counters still are what the copy says. */
static bool is_unchanged(const struct mw_go *go, const struct go_counters *c,
			 uint8_t *room)
{
	struct go_heap_sums again;

	return go_read_now(go, go->stat_vars.memstats, room,
			   go_size(go, GO_mstats)) &&
	       memcmp(room, c->memstats, go_size(go, GO_mstats)) == 0 &&
	       sum(go, room, &again) &&
	       memcmp(&again, &c->sums, sizeof(again)) == 0;
}

static bool is_same(const struct go_reading *a, const struct go_reading *b)
{
	return a->is_whole && b->is_whole && !a->is_writing &&
	       !b->is_writing && a->words.n == b->words.n &&
	       (a->words.n == 0 ||
		memcmp(a->words.v, b->words.v,
		       a->words.n * sizeof(*a->words.v)) == 0);
}

/** What the runtime itself checks when it is told to doubt its counters. */
static const char *find_doubt(const struct mw_go *go,
			      const struct go_counters *c)
{
	const struct go_heap_sums *s = &c->sums;
	uint64_t used = s->in_stacks + s->in_work_bufs + s->in_ptr_scalar_bits;
	const uint64_t parts[] = { s->in_heap, s->in_stacks, s->in_work_bufs,
				   s->in_ptr_scalar_bits, s->released };

	// No more than the address space, so that the sums make sense, too.
	for (size_t i = 0; i < MW_COUNT(parts); i++)
		if (parts[i] > UINT64_C(1) << 48)
			return "the heap's counters contradict each other";
	if (s->committed < used || s->committed - used < s->in_heap)
		return "the heap's counters contradict each other";
	if (c->controller && go_has(go, GO_gcController_heapInUse) &&
	    (go_controller(go, c, GO_gcController_heapInUse) !=
		     s->in_heap ||
	     go_controller(go, c, GO_gcController_heapReleased) !=
		     s->released))
		return "the heap's counters and gcController's disagree";
	return NULL;
}

static struct mw_error *read_once(struct mw_go *go, struct go_counters *c,
				  uint8_t *room)
{
	MW_CLEANUP(free_reading) struct go_reading first = { .is_whole = true };
	MW_CLEANUP(free_reading) struct go_reading second = { .is_whole = true };

	if (!read_structs(go, c))
		return mw_error_at(MW_E_ABSENT, go->stat_vars.memstats,
				   "the runtime's counters cannot be read");
	if (!read_ps(go, &first) || !read_ps(go, &second))
		return mw_error_nomem();
	c->flush = first.flush;
	if (!sum(go, c->memstats, &c->sums))
		return mw_error_at(MW_E_ABSENT, go->mheap,
				   "the heap's counters cannot be read");
	c->doubt = find_doubt(go, c);
	c->is_consistent = is_same(&first, &second) &&
			   is_unchanged(go, c, room) && !c->doubt;
	return NULL;
}

struct mw_error *go_read_counters(struct mw_go *go, struct go_counters *ret)
{
	MW_CLEANUP(mw_freep) uint8_t *room = NULL;
	struct mw_error *error = NULL;
	bool known;

	*ret = (struct go_counters){ 0 };
	if (!has_layout(go) || !go_find_stat_vars(go))
		return mw_error_at(MW_E_UNSUPPORTED, go->mheap,
				   "the counters of this Go runtime (%s) were "
				   "not found", go->version);
	room = mw_calloc(1, go_size(go, GO_mstats) + 8);
	ret->memstats = mw_calloc(1, go_size(go, GO_mstats) + 8);
	if (go->stat_vars.controller)
		ret->controller =
			mw_calloc(1, go_size(go, GO_gcController) + 8);
	if (!room || !ret->memstats ||
	    (go->stat_vars.controller && !ret->controller))
		error = mw_error_nomem();
	while (!error && !ret->is_consistent && ret->tries < TRIES) {
		ret->tries++;
		error = read_once(go, ret, room);
	}
	if (!error && !go_gc_runs(go, &known) &&
	    !count_free_stacks(go, &ret->flush.stack_bytes))
		error = mw_error_nomem();
	if (error) {
		go_free_counters(ret);
		return error;
	}
	if (!ret->doubt && !go->stat_vars.classes)
		ret->doubt = "the table of size classes was not found";
	return NULL;
}

void go_free_counters(struct go_counters *counters)
{
	mw_free(counters->memstats);
	mw_free(counters->controller);
	counters->memstats = NULL;
	counters->controller = NULL;
}

uint64_t go_memstat(const struct mw_go *go, const struct go_counters *c,
		    enum go_field field)
{
	return member(go, c->memstats, field);
}

uint64_t go_controller(const struct mw_go *go, const struct go_counters *c,
		       enum go_field field)
{
	return c->controller ? member(go, c->controller, field) : 0;
}
