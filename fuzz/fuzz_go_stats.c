/* SPDX-License-Identifier: Apache-2.0 */
#include "../tests/unit/fake_target.h"
#include "fuzz.h"
#include "gort_gc.h"
#include "mw_go_sched.h"
#include "mw_go_spans.h"

/*
 * The walkers behind go memstats, spans, gc and sched on a small runtime that
 * is made up, with words overwritten. The first byte of the input chooses the
 * release; then come patches of 11 bytes: bit 0 of the first tells that the
 * word is an address in this memory; two bytes of index and the word follow.
 */
#define PATCH_BYTES 11
#define MOST_PATCHES 256

#define BASE UINT64_C(0x10000000)
#define SIZE 0x80000
#define HEAP UINT64_C(0xc000000000)
#define AT(offset) (BASE + (offset))
#define MEMSTATS AT(0x20000)
#define CONTROLLER AT(0x28000)
#define LIMITER AT(0x29000)
#define WORK AT(0x2a000)
#define SCHED AT(0x2c000)
#define ALLP AT(0x30000) /* the slice; its array is behind it */
#define ALLM AT(0x30080)
#define PS AT(0x32000)
#define P_BYTES 0x4000
#define MCACHES AT(0x3a000)
#define SPANS AT(0x40000)
#define SPAN_BYTES 0x100
#define SPAN_COUNT 64
#define ALLSPANS AT(0x45000)
#define MS AT(0x46000)
#define GS AT(0x48000)
#define SPINE AT(0x4e000)
#define BLOCK AT(0x50000)

static uint8_t memory[SIZE + 8];

/* The runtime */

static void put_word(uint64_t va, uint64_t word)
{
	CHECK(mw_within(va, 8, BASE, BASE + SIZE));
	memcpy(memory + (va - BASE), &word, sizeof(word));
}

static void put(const struct mw_go *go, uint64_t va, enum go_field field,
		uint64_t value)
{
	uint64_t bytes = mw_min(go_size(go, field), 8);

	va += go_off(go, field);
	if (bytes && mw_within(va, bytes, BASE, BASE + SIZE))
		memcpy(memory + (va - BASE), &value, bytes);
}

static void put_spans(const struct mw_go *go)
{
	for (uint64_t i = 0; i < SPAN_COUNT; i++) {
		uint64_t va = SPANS + i * SPAN_BYTES;
		bool manual = i % 8 == 7;

		put_word(ALLSPANS + 8 * i, va);
		put_word(BLOCK + go_off(go, GO_spanSetBlock_spans) + 8 * i,
			 va);
		put(go, va, GO_mspan_startAddr, HEAP + i * GO_PAGE_BYTES);
		put(go, va, GO_mspan_npages, 1);
		put(go, va, GO_mspan_state, manual ? 2 : 1);
		put(go, va, GO_mspan_elemsize, manual ? 2048 : 64);
		put(go, va, GO_mspan_nelems, manual ? 0 : 128);
		put(go, va, GO_mspan_allocCount, 3);
		put(go, va, GO_mspan_freeindex, 3);
		put(go, va, GO_mspan_spanclass, 12 + i % 2);
		put(go, va, GO_mspan_sweepgen, i % 4 ? 10 : 8);
	}
}

static void put_threads(const struct mw_go *go)
{
	put_word(ALLP, ALLP + 0x20);
	put_word(ALLP + 8, 2);
	put_word(ALLP + 16, 2);
	put_word(ALLM, MS);
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t p = PS + i * P_BYTES, mcache = MCACHES + i * 0x2000;
		uint64_t m = MS + i * 0x800, g = GS + i * 0x400;

		put_word(ALLP + 0x20 + 8 * i, p);
		put(go, p, GO_p_id, i);
		put(go, p, GO_p_status, i);
		put(go, p, GO_p_mcache, mcache);
		put(go, p, GO_p_m, m);
		for (uint64_t k = 0; k < 8; k++)
			put_word(mcache + go_off(go, GO_mcache_alloc) + 8 * k,
				 SPANS + k * SPAN_BYTES);
		put_word(mcache + go_off(go, GO_mcache_stackcache),
			 HEAP + 7 * GO_PAGE_BYTES);
		put(go, m, GO_m_g0, g);
		put(go, g, GO_g_m, m);
		put(go, m, GO_m_id, i);
		put(go, m, GO_m_procid, 100 + i);
		put(go, m, GO_m_alllink, i ? 0 : m + 0x800);
		put(go, m, GO_m_curg, g);
		put(go, g, GO_g_atomicstatus, 2 + i);
	}
	put(go, SCHED, GO_schedt_midle, MS);
}

static void put_counters(const struct mw_go *go)
{
	uint64_t stats = MEMSTATS + go_off(go, GO_mstats_heapStats_stats);

	put(go, BASE, GO_mheap_sweepgen, 10);
	put(go, stats, GO_heapStatsDelta_committed, MW_MIB(8));
	put(go, stats, GO_heapStatsDelta_inHeap, MW_MIB(4));
	put(go, stats, GO_heapStatsDelta_inStacks, MW_MIB(1));
	put(go, MEMSTATS, GO_mstats_numgc, 5);
	put(go, MEMSTATS, GO_mstats_last_gc_nanotime, 1000);
	put(go, CONTROLLER, GO_gcController_gcPercent, 100);
	put(go, CONTROLLER, GO_gcController_heapLive, MW_MIB(3));
	put(go, CONTROLLER, GO_gcController_heapMarked, MW_MIB(2));
	put(go, CONTROLLER, GO_gcController_gcPercentHeapGoal, MW_MIB(4));
	put(go, CONTROLLER, GO_gcController_lastHeapGoal, MW_MIB(4));
	put(go, CONTROLLER, GO_gcController_memoryLimit, MW_MIB(9));
	put(go, WORK, GO_work_tEnd, 1000);
	put(go, WORK, GO_work_cycles, 5);
	for (uint64_t i = 0; i < 136; i++) {
		uint64_t partial = BASE + go_off(go, GO_mheap_central) +
				   i * go_size(go, GO_mheap_central_elem) +
				   go_off(go, GO_mcentral_partial);

		if (!go_has(go, GO_mcentral_partial))
			break;
		put(go, partial, GO_spanSet_spine, SPINE);
		put(go, partial, GO_spanSet_spineLen, 1);
	}
	put_word(SPINE, BLOCK);
}

static void fill(struct mw_go *go, struct mw_target *target, unsigned which)
{
	size_t count;
	const struct go_layout *layouts = go_layouts(&count);
	const struct go_range all = { BASE, BASE + SIZE };
	struct go_region *region;
	uint64_t *chunk;

	go->target = target;
	go->layout = layouts[which % count];
	go->minor = go->layout.minor;
	go->mheap = BASE;
	go->allp = ALLP;
	go->allm = ALLM;
	go->sched = SCHED;
	go->module.bss = all;
	go->module.types = all;
	go->stat_vars = (struct go_stat_vars){
		.searched = true,
		.memstats = MEMSTATS,
		.controller = CONTROLLER,
		.limiter = LIMITER,
		.work = WORK,
		.classes = 68,
	};
	for (uint32_t i = 0; i < 68; i++)
		go->stat_vars.class_bytes[i] = 8 * i;
	go->allspans = (struct go_slice){ ALLSPANS, SPAN_COUNT, SPAN_COUNT };
	region = mw_vec_push(&go->regions);
	chunk = mw_vec_push(&go->chunks);
	CHECK(region && chunk);
	*region = (struct go_region){ go, HEAP, HEAP + GO_ARENA_BYTES, NULL };
	*chunk = AT(0x40000);
	go->has_chunks = true;
}

/* The promises */

static void check_spans(struct mw_go *go)
{
	struct mw_go_spans spans = { 0 };
	struct mw_error *error = mw_go_spans_read(go, &spans);
	uint64_t end = 0;

	fuzz_check_error(error);
	mw_error_free(error);
	for (size_t i = 0; i < spans.list.n; i++) {
		const struct mw_go_span *s = &spans.list.v[i];

		CHECK(s->address >= end && s->pages > 0);
		end = s->address + mw_go_span_bytes(s);
		if (s->state == MW_GO_SPAN_IN_USE)
			CHECK(s->allocated <= s->elems && s->elems > 0 &&
			      s->elems * s->elem_bytes <= mw_go_span_bytes(s));
	}
	mw_go_spans_free(&spans);
}

static void check_memstats(struct mw_go *go)
{
	struct mw_go_memstats stats = { 0 };
	struct mw_error *error = mw_go_memstats_read(go, &stats);

	fuzz_check_error(error);
	for (size_t i = 0; !error && i < MW_GO_STATS; i++)
		CHECK(stats.figures[i].name && (stats.figures[i].is_known ||
						stats.figures[i].note));
	for (size_t i = 0; !error && i < stats.metrics.n; i++)
		CHECK(stats.metrics.v[i].is_known || stats.metrics.v[i].note);
	if (!error)
		mw_go_memstats_free(&stats);
	mw_error_free(error);
}

static void check_rest(struct mw_go *go)
{
	struct mw_go_gc gc = { 0 };
	struct mw_go_sched sched = { 0 };
	struct mw_error *error = mw_go_gc_read(go, 5000000000, &gc);

	fuzz_check_error(error);
	for (size_t i = 0; i < gc.figures.n; i++)
		CHECK(gc.figures.v[i].is_known || gc.figures.v[i].note);
	mw_error_free(error);
	mw_go_gc_free(&gc);
	error = mw_go_sched_read(go, 5000000000, &sched);
	fuzz_check_error(error);
	for (size_t i = 0; i < sched.ms.n; i++)
		CHECK(sched.ms.v[i].function && sched.ms.v[i].at &&
		      mw_go_m_state_name(sched.ms.v[i].state));
	mw_error_free(error);
	mw_go_sched_free(&sched);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mw_target target = { .info = { .can_read = true } };
	const struct mw_go_reader reader = { NULL, NULL };
	struct mw_go *go;
	struct mw_error *error;

	if (size == 0)
		return 0;
	memset(memory, 0, sizeof(memory));
	fake_target_map(&target, BASE, memory, SIZE, "");
	CHECK(mw_pages_add(&target.pages, BASE, BASE + SIZE, MW_PAGE_PRESENT));
	go = mw_calloc(1, sizeof(*go));
	CHECK(go);
	fill(go, &target, data[0]);
	put_counters(go);
	put_spans(go);
	put_threads(go);
	for (size_t i = 1, n = 0; i + PATCH_BYTES <= size && n < MOST_PATCHES;
	     i += PATCH_BYTES, n++) {
		uint64_t word = mw_u64(data + i + 3);

		put_word(BASE + 8 * (mw_u16(data + i + 1) % (SIZE / 8)),
			 data[i] & 1 ? BASE + word % SIZE : word);
	}
	CHECK(go_make_span_reader(go));
	error = mw_go_funcs_new(&reader, &go->funcs);
	CHECK(!error);
	error = go_digest_spans(go);
	CHECK(!error);
	check_memstats(go);
	check_spans(go);
	check_rest(go);
	mw_go_close(go);
	fake_target_deinit(&target);
	return 0;
}
