/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gort_int.h"

/*
 * The runtime's variables, found without symbols: each has properties that
 * nothing else in the program's data has by chance. They lie in the module's
 * four data areas, which are copied and searched word by word.
 */

/** The linker sorts symbols by size, so the runtime's come early. */
#define MAX_AREA MW_MIB(8)

static bool could_be_pointer(uint64_t word)
{
	return word >= MW_PAGE_BYTES && word < UINT64_C(1) << 47 &&
	       mw_is_aligned(word, 8);
}

/** bss and noptrbss first: most of the runtime's variables lie there. */
static const uint8_t area_order[] = { 2, 3, 0, 1 };

/** Note which words may be pointers. */
static bool note_words(struct mw_go *go)
{
	for (size_t i = 0; i < MW_COUNT(area_order); i++) {
		const struct go_area *a = &go->areas[area_order[i]];

		for (size_t at = 0; at + 8 <= a->size; at += 8) {
			struct go_word *word;

			if (!could_be_pointer(mw_u64(a->bytes + at)))
				continue;
			word = mw_vec_push(&go->words);
			if (!word)
				return false;
			*word = (struct go_word){ area_order[i], (uint32_t)at };
		}
	}
	return true;
}

bool go_load_areas(struct mw_go *go)
{
	const struct go_range *ranges[] = {
		&go->module.noptrdata,
		&go->module.data,
		&go->module.bss,
		&go->module.noptrbss,
	};

	for (size_t i = 0; i < MW_COUNT(ranges); i++) {
		struct go_area *area = &go->areas[i];
		uint64_t va = mw_align_up(ranges[i]->start, 8);
		uint64_t size = ranges[i]->end > va ? ranges[i]->end - va : 0;

		area->va = va;
		area->size = mw_min(size, MAX_AREA) & ~UINT64_C(7);
		area->bytes = mw_calloc(area->size, 1);
		if (!area->bytes) {
			area->size = 0;
			return false;
		}
		for (uint64_t at = 0; at < area->size;) {
			uint64_t take = mw_min(
				area->size - at,
				MW_PAGE_BYTES -
					((va + at) & (MW_PAGE_BYTES - 1)));

			// What cannot be read stays zero.
			if (!mw_target_read(go->target, va + at,
					    area->bytes + at, take))
				memset(area->bytes + at, 0, take);
			at += take;
		}
	}
	return note_words(go);
}

void go_free_areas(struct mw_go *go)
{
	for (size_t i = 0; i < MW_COUNT(go->areas); i++) {
		mw_free(go->areas[i].bytes);
		go->areas[i] = (struct go_area){ 0 };
	}
	mw_vec_free(&go->words);
}

/**
 * Call @test for each word of all areas that may be a pointer, @before bytes
 * earlier, with the bytes from there to the area's end; the first address for
 * which it says true, or 0.
 */
static uint64_t find(struct mw_go *go, uint64_t before,
		     bool (*test)(struct mw_go *go, uint64_t va,
				  const uint8_t *bytes, size_t left, void *ctx),
		     void *ctx)
{
	for (size_t i = 0; i < go->words.n; i++) {
		const struct go_area *a = &go->areas[go->words.v[i].area];
		uint64_t at = go->words.v[i].offset;

		if (at < before)
			continue;
		at -= before;
		if (test(go, a->va + at, a->bytes + at, a->size - at, ctx))
			return a->va + at;
	}
	return 0;
}

/** The same for every word, for a variable that need not hold a pointer. */
static uint64_t find_anywhere(struct mw_go *go,
			      bool (*test)(const struct mw_go *go,
					   const uint8_t *bytes, size_t left))
{
	for (size_t i = 0; i < MW_COUNT(area_order); i++) {
		const struct go_area *a = &go->areas[area_order[i]];

		for (size_t at = 0; at + 8 <= a->size; at += 8)
			if (test(go, a->bytes + at, a->size - at))
				return a->va + at;
	}
	return 0;
}

static bool in_areas(const struct mw_go *go, uint64_t va)
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

/** Whether @va is where the runtime maps memory for itself. */
static bool is_own_memory(const struct mw_go *go, uint64_t va)
{
	const struct mw_mapping *m;

	if (!could_be_pointer(va) || !mw_is_aligned(va, MW_PAGE_BYTES) ||
	    go_in_heap(go, va))
		return false;
	m = mw_mappings_find(mw_target_mappings(go->target), va);
	return m && mw_mapping_is_anonymous(m) && (m->perms & MW_PERM_W);
}

/**
 * Whether an object of @bytes may begin at @va: a variable, or a slot of the
 * heap that is not much larger. Needs no look at the target.
 */
static bool is_object(const struct mw_go *go, uint64_t va, uint64_t bytes)
{
	const struct go_digest *span;
	uint64_t start, elem_bytes;

	if (!could_be_pointer(va))
		return false;
	if (in_areas(go, va))
		return true;
	span = go_span_of(go, va, &start);
	elem_bytes = span ? go_elem_bytes(span) : 0;
	// A size class is at most an eighth larger than its largest object;
	// from 1.22 on a header of 8 bytes may stand in front.
	return span && !span->is_manual && elem_bytes >= bytes &&
	       elem_bytes <= bytes + bytes / 4 + 16 &&
	       (va - start) % elem_bytes <= 8;
}

/* mheap_ */

/** The span of the page at @va by the arena index at @l2. */
static bool span_by_index(const struct mw_go *go, uint64_t l2, uint64_t va,
			  uint64_t *ret)
{
	uint64_t arena = (va + GO_BASE_OFFSET) / GO_ARENA_BYTES;
	uint64_t page = va / GO_PAGE_BYTES % GO_ARENA_PAGES;
	uint64_t heap_arena;

	return arena < GO_L2_ENTRIES &&
	       mw_target_read_u64(go->target, l2 + arena * 8, &heap_arena) &&
	       heap_arena &&
	       mw_target_read_u64(go->target,
				  heap_arena + go_off(go, GO_heapArena_spans) +
					  page * 8, ret);
}

/**
 * mheap_ has a slice of all spans, and the arena index leads from the first
 * page of each span in use back to the span.
 */
static bool is_mheap(struct mw_go *go, uint64_t va, const uint8_t *bytes,
		     size_t left, void *ctx)
{
	enum { TRIED = 512, ENOUGH = 3 };
	uint64_t spans_at = go_off(go, GO_mheap_allspans);
	uint64_t arenas_at = go_off(go, GO_mheap_arenas);
	uint64_t ptr, len, cap, l2;
	unsigned good = 0;

	(void)va;
	(void)ctx;
	if (left < go_size(go, GO_mheap))
		return false;
	ptr = mw_u64(bytes + spans_at);
	len = mw_u64(bytes + spans_at + 8);
	cap = mw_u64(bytes + spans_at + 16);
	l2 = mw_u64(bytes + arenas_at);
	if (len == 0 || len > cap || cap > UINT32_MAX ||
	    !mw_is_aligned(ptr, MW_PAGE_BYTES) || !could_be_pointer(ptr) ||
	    !mw_is_aligned(l2, MW_PAGE_BYTES) || !could_be_pointer(l2))
		return false;
	for (uint64_t i = 0; i < mw_min(len, TRIED); i++) {
		uint64_t span_va, back;
		struct go_span span;

		if (!mw_target_read_u64(go->target, ptr + i * 8, &span_va) ||
		    !could_be_pointer(span_va) ||
		    !go_read_span(go, span_va, &span))
			return false;
		// Dead spans are not in the index.
		if (span.state != GO_SPAN_IN_USE &&
		    span.state != GO_SPAN_MANUAL)
			continue;
		if (!span_by_index(go, l2, span.start, &back))
			return false;
		// One that is just being made or freed may be out of step.
		if (back == span_va)
			good++;
		else if (i < ENOUGH)
			return false;
	}
	return good >= ENOUGH;
}

bool go_find_mheap(struct mw_go *go)
{
	// Read from a copy, as a slice and as a word.
	if (!go_has(go, GO_mheap) ||
	    go_size(go, GO_mheap_allspans) < sizeof(struct go_slice) ||
	    go_size(go, GO_mheap_arenas) < sizeof(uint64_t) ||
	    !go_has(go, GO_heapArena_spans) ||
	    !go_has(go, GO_mspan_startAddr))
		return false;
	go->mheap = find(go, go_off(go, GO_mheap_allspans), is_mheap, NULL);
	return go->mheap != 0;
}

/**
 * The allocators of fixed-size structs record the size of their struct: how
 * many of them agree with the layout, of how many.
 */
unsigned go_check_fixallocs(const struct mw_go *go, unsigned *ret_of)
{
	static const struct {
		enum go_field allocator, structure;
	} checks[] = {
		{ GO_mheap_spanalloc, GO_mspan },
		{ GO_mheap_cachealloc, GO_mcache },
		{ GO_mheap_specialfinalizeralloc, GO_specialfinalizer },
		{ GO_mheap_specialprofilealloc, GO_specialprofile },
		{ GO_mheap_arenaHintAlloc, GO_arenaHint },
		{ GO_mheap_spanSPMCAlloc, GO_spanSPMC },
	};
	unsigned good = 0, of = 0;

	for (size_t i = 0; i < MW_COUNT(checks); i++) {
		uint64_t size;

		if (!go_has(go, checks[i].allocator) ||
		    !go_has(go, checks[i].structure))
			continue;
		of++;
		good += go_read(go,
				go->mheap + go_off(go, checks[i].allocator),
				GO_fixalloc_size, &size) &&
			size == go_size(go, checks[i].structure);
	}
	*ret_of = of;
	return good;
}

/* Goroutines, processors, threads */

static bool is_status(uint64_t status)
{
	return (status & ~UINT64_C(0x1000)) <= 11;
}

/** The slice of all goroutines: the first one has the id 1. */
static bool is_allgs(struct mw_go *go, uint64_t va, const uint8_t *bytes,
		     size_t left, void *ctx)
{
	enum { TRIED = 16 };
	uint64_t ptr = mw_u64(bytes);
	uint64_t len, cap;

	(void)va;
	(void)ctx;
	if (left < 24 || !could_be_pointer(ptr))
		return false;
	len = mw_u64(bytes + 8);
	cap = mw_u64(bytes + 16);
	if (len == 0 || len > cap || cap > UINT32_MAX ||
	    !is_object(go, ptr, cap * 8))
		return false;
	for (uint64_t i = 0; i < mw_min(len, TRIED); i++) {
		uint64_t g, lo, hi, status, id;

		if (!mw_target_read_u64(go->target, ptr + i * 8, &g) ||
		    !is_object(go, g, go_size(go, GO_g)) ||
		    !go_read(go, g, GO_g_stack_lo, &lo) ||
		    !go_read(go, g, GO_g_stack_hi, &hi) ||
		    !go_read(go, g, GO_g_atomicstatus, &status) ||
		    !go_read(go, g, GO_g_goid, &id) || lo > hi ||
		    (lo == 0) != (hi == 0) || hi - lo > MW_GIB(1) ||
		    !is_status(status & UINT32_MAX) || (i == 0 && id != 1))
			return false;
	}
	return true;
}

/** The slice of all Ps: each has its index as id, and an mcache. */
static bool is_allp(struct mw_go *go, uint64_t va, const uint8_t *bytes,
		    size_t left, void *ctx)
{
	uint64_t ptr = mw_u64(bytes);
	uint64_t len, cap;

	(void)va;
	(void)ctx;
	if (left < 24 || !could_be_pointer(ptr))
		return false;
	len = mw_u64(bytes + 8);
	cap = mw_u64(bytes + 16);
	if (len == 0 || len > cap || cap > 1 << 16 ||
	    !is_object(go, ptr, cap * 8))
		return false;
	for (uint64_t i = 0; i < len; i++) {
		uint64_t p, id, cache;

		if (!mw_target_read_u64(go->target, ptr + i * 8, &p) ||
		    !is_object(go, p, go_size(go, GO_p)) || !go_read(go, p, GO_p_id, &id) ||
		    (id & UINT32_MAX) != i ||
		    !go_read(go, p, GO_p_mcache, &cache) ||
		    !could_be_pointer(cache))
			return false;
	}
	return true;
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
	return m == 0 && in_areas(go, last) ? length : 0;
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
	next = (int64_t)go_get(go, bytes, GO_schedt_mnext);
	goroutines = (int32_t)go_get(go, bytes, GO_schedt_ngsys);
	return next > 0 && next < 1 << 20 && idle >= 0 && idle <= next &&
	       goroutines >= 0 && goroutines < 1 << 20 &&
	       (int64_t)go_get(go, bytes, GO_schedt_goidgen) > 0;
}

/* The runtime's own memory */

/**
 * The list of persistent chunks: page-aligned, linked by their first word, and
 * every mspan lies in one of them.
 */
static bool is_persistent_chunks(struct mw_go *go, uint64_t va,
				 const uint8_t *bytes, size_t left, void *ctx)
{
	enum { LIMIT = 1 << 20 };
	uint64_t first = mw_u64(bytes), chunk = first;
	uint64_t inside = 0, all = 0;

	(void)va;
	(void)left;
	(void)ctx;
	if (go->mspans.n == 0 || !is_own_memory(go, first))
		return false;
	for (size_t i = 0; i < go->mspans.n; i++)
		all += go->mspans.v[i].end - go->mspans.v[i].start;
	go->chunks.n = 0;
	for (size_t n = 0; chunk && n < LIMIT; n++) {
		uint64_t *place;

		if (!is_own_memory(go, chunk) ||
		    !go_is_mapped(go, chunk, GO_PERSISTENT_CHUNK))
			return false;
		for (size_t i = 0; i < go->mspans.n; i++) {
			uint64_t from = mw_max(go->mspans.v[i].start, chunk);
			uint64_t to = mw_min(go->mspans.v[i].end,
					     chunk + GO_PERSISTENT_CHUNK);

			if (from < to)
				inside += to - from;
		}
		place = mw_vec_push(&go->chunks);
		if (!place)
			return false;
		*place = chunk;
		if (!mw_target_peek(go->target, chunk, &chunk, sizeof(chunk)))
			return false;
		// The first chunk cannot hold any span; a chain that leads to
		// none at all is not it, and a long one is a cycle.
		if (inside > all)
			return false;
	}
	return chunk == 0 && inside == all;
}

static bool in_chunks(const struct mw_go *go, uint64_t va)
{
	for (size_t i = 0; i < go->chunks.n; i++)
		if (va >= go->chunks.v[i] &&
		    va < go->chunks.v[i] + GO_PERSISTENT_CHUNK)
			return true;
	return false;
}

/** The allocator that works without a P: a chunk and how much of it is used. */
static bool is_global_alloc(struct mw_go *go, uint64_t va,
			    const uint8_t *bytes, size_t left, void *ctx)
{
	uint64_t base = mw_u64(bytes), off;

	(void)ctx;
	if (left < 16 || va == go->persistent_chunks)
		return false;
	off = mw_u64(bytes + 8);
	if (off == 0 || off > GO_PERSISTENT_CHUNK || !mw_is_aligned(off, 8))
		return false;
	for (size_t i = 0; i < go->chunks.n; i++)
		if (go->chunks.v[i] == base)
			return true;
	return false;
}

/* gcBitsArenas {lock, free, next, current, previous} (mheap.go) */
#define BITS_FREE 8
#define BITS_NEXT 16
#define BITS_CURRENT 24
#define BITS_PREVIOUS 32
#define BITS_BYTES 40

struct bits_search {
	uint64_t marks[64]; /* gcmarkBits of some spans */
	size_t n;
	uint64_t best_va;
	int best_score;
};

/**
 * Walk a list of bit arenas; @ret_hits counts the marks in them. False when it
 * is no such list.
 */
static bool walk_bits(const struct mw_go *go, uint64_t arena,
		      const struct bits_search *s, uint64_t *ret_arenas,
		      int *ret_hits)
{
	enum { LIMIT = 1 << 16 };
	uint64_t count = 0;
	int hits = 0;

	for (; arena && count < LIMIT; count++) {
		if (!is_own_memory(go, arena) ||
		    !go_is_mapped(go, arena, GO_GC_BITS_ARENA))
			return false;
		for (size_t i = 0; i < s->n; i++)
			hits += s->marks[i] >= arena &&
				s->marks[i] < arena + GO_GC_BITS_ARENA;
		if (!mw_target_peek(go->target,
				    arena + go_off(go, GO_gcBitsArena_next),
				    &arena, sizeof(arena)))
			return false;
	}
	*ret_arenas += count;
	*ret_hits = hits;
	return arena == 0;
}

static bool is_better_bits(struct mw_go *go, uint64_t va, const uint8_t *bytes,
			   size_t left, void *ctx)
{
	struct bits_search *s = ctx;
	uint64_t arenas = 0;
	int free_hits, next, current, previous;

	if (left < BITS_BYTES || !mw_u64(bytes + BITS_NEXT) ||
	    mw_u64(bytes) > 2 || // the lock is free, or just taken
	    !walk_bits(go, mw_u64(bytes + BITS_NEXT), s, &arenas, &next) ||
	    !walk_bits(go, mw_u64(bytes + BITS_FREE), s, &arenas,
		       &free_hits) ||
	    !walk_bits(go, mw_u64(bytes + BITS_CURRENT), s, &arenas,
		       &current) ||
	    !walk_bits(go, mw_u64(bytes + BITS_PREVIOUS), s, &arenas,
		       &previous))
		return false;

	// Marks are made in `next`; nothing in use lies in `free`. A hit one
	// word off has the right lists under wrong names.
	int score = 4 * next + 2 * current + previous - 8 * free_hits;
	if (score > s->best_score) {
		s->best_score = score;
		s->best_va = va;
	}
	return false;
}

static uint64_t find_gc_bits(struct mw_go *go)
{
	struct bits_search s = { 0 };

	for (uint64_t i = 0; i < go->allspans.len && s.n < MW_COUNT(s.marks);
	     i++) {
		struct go_span span;
		uint64_t va;

		if (!mw_target_read_u64(go->target, go->allspans.ptr + i * 8,
					&va))
			break;
		if (go_read_span(go, va, &span) &&
		    span.state == GO_SPAN_IN_USE && span.gcmark_bits)
			s.marks[s.n++] = span.gcmark_bits;
	}
	find(go, BITS_NEXT, is_better_bits, &s);
	return s.best_va;
}

/*
 * A profile bucket (mprof.go): its chain `allnext` holds buckets of one kind.
 */
struct bucket_search {
	uint64_t type; /* 1 memory, 2 block, 3 mutex */
};

static bool is_bucket(const struct mw_go *go, uint64_t va, uint64_t type,
		      uint64_t *ret_next)
{
	enum { MAX_STACK = 1024 };
	uint64_t typ, nstk;

	return could_be_pointer(va) && in_chunks(go, va) &&
	       go_read(go, va, GO_bucket_typ, &typ) && typ == type &&
	       go_read(go, va, GO_bucket_nstk, &nstk) && nstk <= MAX_STACK &&
	       go_read(go, va, GO_bucket_allnext, ret_next);
}

static bool is_bucket_list(struct mw_go *go, uint64_t va, const uint8_t *bytes,
			   size_t left, void *ctx)
{
	enum { LIMIT = 1 << 24 };
	const struct bucket_search *s = ctx;
	uint64_t bucket = mw_u64(bytes), count = 0;

	(void)va;
	(void)left;
	if (!bucket)
		return false;
	for (; bucket && count < LIMIT; count++)
		if (!is_bucket(go, bucket, s->type, &bucket))
			return false;
	return bucket == 0 && count > 0;
}

#define BUCKHASH_ENTRIES 179999

/** The hash table of buckets: the known ones hang in their chains. */
static bool is_buckhash(struct mw_go *go, uint64_t va, const uint8_t *bytes,
			size_t left, void *ctx)
{
	enum { MAX_CHAIN = 10000 };
	uint64_t table = mw_u64(bytes), bucket = *(uint64_t *)ctx;
	uint64_t hash, at;

	(void)va;
	(void)left;
	if (!is_own_memory(go, table) ||
	    !go_is_mapped(go, table, BUCKHASH_ENTRIES * 8) ||
	    !go_read(go, bucket, GO_bucket_hash, &hash) ||
	    !mw_target_read_u64(go->target,
				table + hash % BUCKHASH_ENTRIES * 8, &at))
		return false;
	for (int n = 0; at && at != bucket && n < MAX_CHAIN; n++)
		if (!go_read(go, at, GO_bucket_next, &at))
			return false;
	return at == bucket;
}

/*
 * itabTableType (iface.go): size is a power of two, count entries of it are
 * used, each an itab whose type has the itab's hash (0 for those that were
 * made at run time).
 */
static bool is_itab_table(struct mw_go *go, uint64_t va, const uint8_t *bytes,
			  size_t left, void *ctx)
{
	enum { TRIED = 1024 };
	uint64_t table = mw_u64(bytes), size, count, good = 0;
	uint64_t entries;

	(void)va;
	(void)left;
	(void)ctx;
	// The first one is a variable; one that has grown is an object.
	if (!could_be_pointer(table) ||
	    !(in_areas(go, table) || go_in_heap(go, table)) ||
	    !go_read(go, table, GO_itabTable_size, &size) ||
	    !go_read(go, table, GO_itabTable_count, &count) || size < 512 ||
	    size > 1 << 24 || (size & (size - 1)) || count == 0 ||
	    count > size)
		return false;
	entries = table + go_off(go, GO_itabTable_entries);
	for (uint64_t i = 0; i < mw_min(size, TRIED); i++) {
		uint64_t itab, words[3];
		uint32_t type_hash;

		if (!mw_target_read_u64(go->target, entries + i * 8, &itab))
			return false;
		if (!itab)
			continue;
		if (!could_be_pointer(itab) ||
		    !mw_target_read(go->target, itab, words, sizeof(words)) ||
		    !mw_target_read_u32(go->target, words[1] + 16,
					&type_hash) ||
		    ((uint32_t)words[2] && (uint32_t)words[2] != type_hash))
			return false;
		good++;
	}
	return good > 0;
}

/** pollcache {lock, first}: a chain of free descriptors in a chunk. */
static bool is_poll_cache(struct mw_go *go, uint64_t va, const uint8_t *bytes,
			  size_t left, void *ctx)
{
	uint64_t size = go_size(go, GO_pollDesc);
	uint64_t in_block = size ? 4096 / size : 0;
	uint64_t desc, next, count = 0;

	(void)va;
	(void)ctx;
	if (in_block < 2 || left < 16 || mw_u64(bytes) > 2)
		return false;
	desc = mw_u64(bytes + 8);
	// A fresh block is linked in ascending order, a descriptor's size
	// apart; of what has been used since, some neighbours remain.
	for (; desc && count < 4 * in_block; count++, desc = next) {
		if (!could_be_pointer(desc) || !in_chunks(go, desc) ||
		    !go_read(go, desc, GO_pollDesc_link, &next))
			return false;
		if (next == desc + size)
			return true;
	}
	return false;
}

void go_find_variables(struct mw_go *go)
{
	struct longest longest = { 0 };

	go->allgs = find(go, 0, is_allgs, NULL);
	go->allp = find(go, 0, is_allp, NULL);
	find(go, 0, is_longest_allm, &longest);
	go->allm = longest.va;
	if (go_size(go, GO_schedt_maxmcount) == 4 &&
	    go_has(go, GO_schedt_nmidle) &&
	    go_has(go, GO_schedt_mnext) && go_has(go, GO_schedt_ngsys) &&
	    go_has(go, GO_schedt_goidgen))
		go->sched = find_anywhere(go, is_sched);
	go->persistent_chunks = find(go, 0, is_persistent_chunks, NULL);
	if (!go->persistent_chunks)
		go->chunks.n = 0;
	else
		go->global_alloc = find(go, 0, is_global_alloc, NULL);
	go->gc_bits_arenas = find_gc_bits(go);
	for (uint64_t type = 1; type <= 3; type++) {
		struct bucket_search s = { type };
		uint64_t first;

		go->buckets[type - 1] = find(go, 0, is_bucket_list, &s);
		if (!go->buckhash && go->buckets[type - 1] &&
		    mw_target_read_u64(go->target, go->buckets[type - 1],
				       &first))
			go->buckhash = find(go, 0, is_buckhash, &first);
	}
	go->itab_table = find(go, 0, is_itab_table, NULL);
	go->poll_cache = find(go, 8, is_poll_cache, NULL);
}
