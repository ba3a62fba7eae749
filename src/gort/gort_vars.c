/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_int.h"

/*
 * The runtime's variables, found without symbols: each has properties that
 * nothing else in the program's data (gort_areas.c) has by chance.
 */

bool go_is_variable(const struct mw_go *go, uint64_t va)
{
	const struct go_range *ranges[] = {
		&go->module.noptrdata,
		&go->module.data,
		&go->module.bss,
		&go->module.noptrbss,
	};

	for (size_t i = 0; i < MW_COUNT(ranges); i++)
		if (va >= ranges[i]->start && va < ranges[i]->end)
			return true;
	return false;
}

static bool is_mapped_by_runtime(const struct mw_go *go, uint64_t va)
{
	const struct mw_mapping *m;

	if (go_in_heap(go, va))
		return false;
	m = mw_mappings_find(mw_target_mappings(go->target), va);
	return m && mw_mapping_is_anonymous(m) && (m->perms & MW_PERM_W);
}

bool go_is_own_memory(const struct mw_go *go, uint64_t va)
{
	return go_could_be_pointer(va) && mw_is_aligned(va, MW_PAGE_BYTES) &&
	       is_mapped_by_runtime(go, va);
}

/**
 * Whether an object of @bytes may begin at @va: a variable, or a slot of the
 * heap that is not much larger; or, with GODEBUG=sbrk=1, anything outside the
 * heap. Needs no look at the target.
 */
static bool is_object(const struct mw_go *go, uint64_t va, uint64_t bytes)
{
	const struct go_digest *span;
	uint64_t start, elem_bytes;

	if (!go_could_be_pointer(va))
		return false;
	if (go_is_variable(go, va) ||
	    (go->info.is_sbrk && is_mapped_by_runtime(go, va)))
		return true;
	span = go_span_of(go, va, &start);
	elem_bytes = span ? go_elem_bytes(span) : 0;
	// A size class is at most an eighth larger than its largest object;
	// from 1.22 on a header of 8 bytes may stand in front; and with -asan
	// a red zone of up to two thirds of the object stands behind.
	return span && !span->is_manual && elem_bytes >= bytes &&
	       elem_bytes <= 2 * bytes + 32 &&
	       (va - start) % elem_bytes <= 8;
}

/* mheap_ */

/**
 * mheap_ has a slice of all spans, and the arena index leads from the first
 * page of each span in use back to the span.
 */
static bool is_mheap(struct mw_go *go, uint64_t va, const uint8_t *bytes,
		     size_t left, void *ctx)
{
	enum { TRIED = 512, ENOUGH = 3, FEW = 2 };
	uint64_t spans_at = go_off(go, GO_mheap_allspans);
	uint64_t ptr, len, cap;
	unsigned good = 0, bad = 0;

	(void)ctx;
	if (left < go_size(go, GO_mheap))
		return false;
	ptr = mw_u64(bytes + spans_at);
	len = mw_u64(bytes + spans_at + 8);
	cap = mw_u64(bytes + spans_at + 16);
	if (len == 0 || len > cap || cap > UINT32_MAX ||
	    !mw_is_aligned(ptr, MW_PAGE_BYTES) || !go_could_be_pointer(ptr) ||
	    !go_load_index(go, va))
		return false;
	for (uint64_t i = 0; i < mw_min(len, TRIED); i++) {
		uint64_t span_va, back;
		struct go_span span;

		if (!mw_target_read_u64(go->target, ptr + i * 8, &span_va) ||
		    !go_could_be_pointer(span_va))
			return false;
		if (!go_read_span(go, span_va, &span)) {
			bad++;
		} else if (span.state == GO_SPAN_IN_USE ||
			   span.state == GO_SPAN_MANUAL) {
			// Others are not in the index, or only in part.
			bool found = go_index_span(go, span.start, &back) &&
				     back == span_va;

			good += found;
			bad += !found;
		}
		// One that is just being made or freed may be out of step.
		if (bad > FEW + good / 4)
			return false;
	}
	return good >= ENOUGH;
}

/**
 * The allocators of fixed-size structs record the size of their struct.
 */
static const struct fixalloc {
	enum go_field allocator, structure;
} fixallocs[] = {
	{ GO_mheap_spanalloc, GO_mspan },
	{ GO_mheap_cachealloc, GO_mcache },
	{ GO_mheap_specialfinalizeralloc, GO_specialfinalizer },
	{ GO_mheap_specialprofilealloc, GO_specialprofile },
	{ GO_mheap_arenaHintAlloc, GO_arenaHint },
	{ GO_mheap_treapalloc, GO_treapNode },
	{ GO_mheap_spanSPMCAlloc, GO_spanSPMC },
};

/**
 * A struct that takes no more than the links of a list holds nothing: the build
 * has left it out (spanSPMC without the experiment greenteagc).
 */
#define LINKS_BYTES 16

static bool is_left_out(uint64_t size)
{
	return size >= 8 && size <= LINKS_BYTES;
}

static bool has_fixalloc(const struct mw_go *go, const struct fixalloc *f)
{
	return go_has(go, f->allocator) && go_has(go, f->structure);
}

/**
 * mheap_ of a program that has only just begun: there are no spans yet, but
 * all its allocators know the size of their struct.
 */
static bool is_new_mheap(const struct mw_go *go, const uint8_t *bytes,
			 size_t left)
{
	enum { LEAST = 3 };
	uint64_t spans_at = go_off(go, GO_mheap_allspans);
	unsigned good = 0;

	if (left < go_size(go, GO_mheap) || mw_u64(bytes + spans_at) != 0 ||
	    mw_u64(bytes + spans_at + 8) != 0)
		return false;
	for (size_t i = 0; i < MW_COUNT(fixallocs); i++) {
		const struct fixalloc *f = &fixallocs[i];
		uint64_t at = go_off(go, f->allocator) +
			      go_off(go, GO_fixalloc_size);
		bool same;

		if (!has_fixalloc(go, f))
			continue;
		same = at + 8 <= left &&
		       mw_u64(bytes + at) == go_size(go, f->structure);
		if (!same &&
		    (at + 8 > left || !is_left_out(mw_u64(bytes + at))))
			return false;
		good += same;
	}
	return good >= LEAST;
}

bool go_find_mheap(struct mw_go *go)
{
	// Read from a copy, as a slice and as a word.
	if (!go_has(go, GO_mheap) ||
	    go_size(go, GO_mheap_allspans) < sizeof(struct go_slice) ||
	    !go_has(go, GO_mspan_startAddr) || !go_has_index(go))
		return false;
	go->is_new = false;
	go->mheap = go_find_word(go, go_off(go, GO_mheap_allspans), is_mheap,
				 NULL);
	go->is_new = !go->mheap;
	if (!go->mheap)
		go->mheap = go_find_anywhere(go, is_new_mheap);
	if (go->is_new && go->mheap && !go_load_index(go, go->mheap))
		go->mheap = 0;
	if (go->mheap)
		mw_target_keep(go->target, go->mheap, go_size(go, GO_mheap));
	return go->mheap != 0;
}

void go_drop_empty_structs(struct mw_go *go)
{
	for (size_t i = 0; i < MW_COUNT(fixallocs); i++) {
		const struct fixalloc *f = &fixallocs[i];
		const char *name = go_field_names[f->structure].structure;
		uint64_t size;

		if (!has_fixalloc(go, f) ||
		    !go_read(go, go->mheap + go_off(go, f->allocator),
			     GO_fixalloc_size, &size) ||
		    !is_left_out(size))
			continue;
		for (size_t k = 0; k < GO_FIELDS; k++)
			if (strcmp(go_field_names[k].structure, name) == 0)
				go->layout.at[k] = (struct go_member){ 0 };
	}
}

/** How many of the allocators agree with the layout, of how many. */
unsigned go_check_fixallocs(const struct mw_go *go, unsigned *ret_of)
{
	unsigned good = 0, of = 0;

	for (size_t i = 0; i < MW_COUNT(fixallocs); i++) {
		const struct fixalloc *f = &fixallocs[i];
		uint64_t size;

		if (!has_fixalloc(go, f))
			continue;
		of++;
		good += go_read(go, go->mheap + go_off(go, f->allocator),
				GO_fixalloc_size, &size) &&
			size == go_size(go, f->structure);
	}
	*ret_of = of;
	return good;
}

/* Goroutines, processors, threads */

static bool is_status(uint64_t status)
{
	return (status & ~UINT64_C(0x1000)) <= 11;
}

static bool is_among(const uint64_t *ids, uint64_t count, uint64_t id)
{
	for (uint64_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/**
 * The slice of all goroutines, each with an id of its own; 0 in those that have
 * run nothing yet. The first one has 1 but where main.main is not run, as in a
 * C library, or has ended its goroutine: then others have used it since.
 */
static bool is_allgs(struct mw_go *go, uint64_t va, const uint8_t *bytes,
		     size_t left, void *ctx)
{
	enum { TRIED = 16 };
	uint64_t ptr = mw_u64(bytes);
	uint64_t len, cap, ids[TRIED];

	(void)va;
	(void)ctx;
	if (left < 24 || !go_could_be_pointer(ptr))
		return false;
	len = mw_u64(bytes + 8);
	cap = mw_u64(bytes + 16);
	if (len == 0 || len > cap || cap > UINT32_MAX ||
	    !is_object(go, ptr, cap * 8))
		return false;
	for (uint64_t i = 0; i < mw_min(len, TRIED); i++) {
		uint64_t g, lo, hi, status;

		if (!mw_target_read_u64(go->target, ptr + i * 8, &g) ||
		    !is_object(go, g, go_size(go, GO_g)) ||
		    !go_read(go, g, GO_g_stack_lo, &lo) ||
		    !go_read(go, g, GO_g_stack_hi, &hi) ||
		    !go_read(go, g, GO_g_atomicstatus, &status) ||
		    !go_read(go, g, GO_g_goid, &ids[i]) || lo > hi ||
		    (lo == 0) != (hi == 0) || hi - lo > MW_GIB(1) ||
		    !is_status(status & UINT32_MAX) ||
		    (i == 0 && ids[i] == 0) ||
		    (ids[i] && is_among(ids, i, ids[i])))
			return false;
	}
	return true;
}

/** Whether the pointer at @va leads to the P that has this @id. */
static bool is_p(struct mw_go *go, uint64_t va, uint64_t id, bool is_active)
{
	uint64_t p, found, cache;

	return mw_target_read_u64(go->target, va, &p) &&
	       is_object(go, p, go_size(go, GO_p)) &&
	       go_read(go, p, GO_p_id, &found) &&
	       (found & UINT32_MAX) == id &&
	       go_read(go, p, GO_p_mcache, &cache) &&
	       (go_could_be_pointer(cache) || !is_active);
}

/** The slice of all Ps: each has its index as id, and an mcache. */
static bool is_allp(struct mw_go *go, uint64_t va, const uint8_t *bytes,
		    size_t left, void *ctx)
{
	uint64_t ptr = mw_u64(bytes);
	uint64_t len, cap;

	(void)va;
	(void)ctx;
	if (left < 24 || !go_could_be_pointer(ptr))
		return false;
	len = mw_u64(bytes + 8);
	cap = mw_u64(bytes + 16);
	if (len == 0 || len > cap || cap > 1 << 16 ||
	    !is_object(go, ptr, cap * 8))
		return false;
	for (uint64_t i = 0; i < len; i++)
		if (!is_p(go, ptr + i * 8, i, true))
			return false;
	return true;
}

/** The same when it is an array, of 1,025 pointers (Go 1.9). */
static bool is_allp_array(struct mw_go *go, uint64_t va, const uint8_t *bytes,
			  size_t left, void *ctx)
{
	enum { ENTRIES = 1025 };
	uint64_t *count = ctx;
	uint64_t n = 0;

	if (left < ENTRIES * 8)
		return false;
	// Retired ones stay in it.
	while (n < ENTRIES && mw_u64(bytes + n * 8) &&
	       is_p(go, va + n * 8, n, n == 0))
		n++;
	for (uint64_t i = n; i < ENTRIES; i++)
		if (mw_u64(bytes + i * 8))
			return false;
	*count = n;
	return n > 0;
}

static void find_ps(struct mw_go *go)
{
	go->allp_count = 0;
	go->allp = go_find_word(go, 0, is_allp, NULL);
	if (!go->allp)
		go->allp = go_find_word(go, 0, is_allp_array, &go->allp_count);
	if (!go->allp)
		go->allp_count = 0;
}

/** Length of the chain of Ms from @m; 0 when it is not one. */
static uint64_t chain_of_ms(const struct mw_go *go, uint64_t m)
{
	enum { LIMIT = 1 << 20 };
	uint64_t length = 0, last = 0;

	for (; m && length < LIMIT; length++) {
		uint64_t g0, back;

		if (!is_object(go, m, go_size(go, GO_m)) || !go_read(go, m, GO_m_g0, &g0) ||
		    !is_object(go, g0, go_size(go, GO_g)) || !go_read(go, g0, GO_g_m, &back) ||
		    back != m)
			return 0;
		last = m;
		if (!go_read(go, m, GO_m_alllink, &m))
			return 0;
	}
	// The chain ends in m0, which is a variable.
	return m == 0 && go_is_variable(go, last) ? length : 0;
}

struct longest {
	uint64_t va, length;
};

static bool is_longest_allm(struct mw_go *go, uint64_t va,
			    const uint8_t *bytes, size_t left, void *ctx)
{
	struct longest *longest = ctx;
	uint64_t m = mw_u64(bytes), g0, back;

	(void)left;
	// Most words fail at once; only the rest is worth a walk.
	if (!is_object(go, m, go_size(go, GO_m)) || !go_read(go, m, GO_m_g0, &g0) ||
	    !is_object(go, g0, go_size(go, GO_g)) || !go_read(go, g0, GO_g_m, &back) ||
	    back != m)
		return false;

	uint64_t length = chain_of_ms(go, m);
	if (length > longest->length)
		*longest = (struct longest){ va, length };
	return false;
}

/** sched: at most 10,000 threads, unless the program says otherwise. */
static bool is_sched(const struct mw_go *go, const uint8_t *bytes,
		     size_t left)
{
	const uint8_t *at = bytes + go_off(go, GO_schedt_maxmcount);
	int32_t idle, goroutines;
	int64_t next;

	if (left < go_size(go, GO_schedt) || mw_u32(at) != 10000)
		return false;
	idle = (int32_t)go_get(go, bytes, GO_schedt_nmidle);
	next = go_has(go, GO_schedt_mnext)
		       ? (int64_t)go_get(go, bytes, GO_schedt_mnext)
		       : (int32_t)go_get(go, bytes, GO_schedt_mcount);
	goroutines = (int32_t)go_get(go, bytes, GO_schedt_ngsys);
	return next > 0 && next < 1 << 20 && idle >= 0 && idle <= next &&
	       goroutines >= 0 && goroutines < 1 << 20 &&
	       (int64_t)go_get(go, bytes, GO_schedt_goidgen) > 0;
}

static void find_gs_ps_ms(struct mw_go *go)
{
	struct longest longest = { 0 };

	go->allgs = go_find_word(go, 0, is_allgs, NULL);
	find_ps(go);
	go_find_word(go, 0, is_longest_allm, &longest);
	go->allm = longest.va;
}

void go_find_variables(struct mw_go *go)
{
	go->info.is_sbrk = false;
	find_gs_ps_ms(go);
	// All three are made on the heap, if objects are made there at all.
	if (!go->allgs && !go->allp && !go->is_new) {
		go->info.is_sbrk = true;
		find_gs_ps_ms(go);
		go->info.is_sbrk = go->allgs && go->allp;
	}
	if (go_size(go, GO_schedt_maxmcount) == 4 &&
	    go_has(go, GO_schedt_nmidle) &&
	    (go_has(go, GO_schedt_mnext) || go_has(go, GO_schedt_mcount)) &&
	    go_has(go, GO_schedt_ngsys) &&
	    go_has(go, GO_schedt_goidgen))
		go->sched = go_find_anywhere(go, is_sched);
	if (go->sched)
		mw_target_keep(go->target, go->sched, go_size(go, GO_schedt));
	go_find_own_variables(go);
}
