/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"
#include "mw_cycle.h"

/* Variables that lead to the runtime's own memory, found as in gort_vars.c. */

/**
 * Whether a list of persistent chunks begins at @first: page-aligned, linked by
 * their first word, and every mspan lies in one of them. They are in go->chunks
 * then.
 */
static bool walk_chunks(struct mw_go *go, uint64_t first)
{
	enum { LIMIT = 1 << 20 };
	uint64_t chunk = first, inside = 0, all = 0;

	for (size_t i = 0; i < go->mspans.n; i++)
		all += go->mspans.v[i].end - go->mspans.v[i].start;
	go->chunks.n = 0;
	for (size_t n = 0; chunk && n < LIMIT; n++) {
		uint64_t *place;

		if (!go_is_own_memory(go, chunk) ||
		    !go_is_mapped(go, chunk, GO_PERSISTENT_CHUNK))
			return false;
		for (size_t i = 0; i < go->mspans.n; i++) {
			uint64_t from = mw_max(go->mspans.v[i].start, chunk);
			uint64_t to = mw_min(go->mspans.v[i].end,
					     chunk + GO_PERSISTENT_CHUNK);

			// A chunk's first word is the link, and no span's.
			if (from < to && go->mspans.v[i].start <= chunk)
				return false;
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
	return chunk == 0 && all > 0 && inside == all;
}

struct chunk_search {
	uint64_t va, first;
	size_t count;
};

/** A pointer to an older chunk leads to a list, too, but to a shorter one. */
static bool is_longest_chunks(struct mw_go *go, uint64_t va,
			      const uint8_t *bytes, size_t left, void *ctx)
{
	struct chunk_search *longest = ctx;
	uint64_t first = mw_u64(bytes);

	(void)left;
	if (go_is_own_memory(go, first) && walk_chunks(go, first) &&
	    go->chunks.n > longest->count)
		*longest = (struct chunk_search){ va, first, go->chunks.n };
	return false;
}

static struct mw_error *check_palloc(struct mw_go *go, uint64_t index,
				     uint64_t p, void *ctx)
{
	bool *all_known = ctx;
	uint64_t base;

	(void)index;
	if (go_has(go, GO_p_palloc) &&
	    go_read(go, p + go_off(go, GO_p_palloc), GO_persistentAlloc_base,
		    &base) &&
	    base && !go_is_chunk(go, base))
		*all_known = false;
	return NULL;
}

static void find_chunks(struct mw_go *go)
{
	struct chunk_search longest = { 0 };
	struct go_slice ps;
	bool all_known;

	go_find_word(go, 0, is_longest_chunks, &longest);
	go->persistent_chunks = longest.va;
	all_known = longest.va && walk_chunks(go, longest.first);
	go_sort_chunks(go);
	// What some P fills is in the list, if this is one.
	if (all_known && go_read_ps(go, &ps))
		mw_error_free(go_each_pointer(go, ps.ptr, ps.cap, check_palloc,
					      &all_known));
	go->has_chunks = all_known;
	if (!all_known)
		go->chunks.n = 0;
}

/** Whether an mcache lies in [@start, @start + @bytes). */
static bool has_mcache(struct mw_go *go, uint64_t start, uint64_t bytes)
{
	uint64_t p, cache;
	struct go_slice ps;

	if (!go_read_ps(go, &ps))
		return false;
	for (uint64_t i = 0; i < ps.len; i++)
		if (mw_target_read_u64(go->target, ps.ptr + i * 8, &p) &&
		    go_read(go, p, GO_p_mcache, &cache) && cache >= start &&
		    cache - start < bytes)
			return true;
	return false;
}

/**
 * The allocator that works without a P: a chunk and how much of it is used. It
 * made the first mcache.
 */
static bool is_global_alloc(struct mw_go *go, uint64_t va,
			    const uint8_t *bytes, size_t left, void *ctx)
{
	uint64_t base = mw_u64(bytes), off;

	(void)ctx;
	if (left < 16 || va == go->persistent_chunks)
		return false;
	off = mw_u64(bytes + 8);
	if (off == 0 || off > GO_PERSISTENT_CHUNK)
		return false;
	if (go->has_chunks)
		return mw_is_aligned(off, 8) && go_is_chunk(go, base);
	if (!go_is_own_memory(go, base) ||
	    !go_is_mapped(go, base, GO_PERSISTENT_CHUNK))
		return false;
	return has_mcache(go, base, off);
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
	bool without_next;
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
		if (!go_is_own_memory(go, arena) ||
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

	if (left < BITS_BYTES ||
	    (mw_u64(bytes + BITS_NEXT) == 0) != s->without_next ||
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
	if (s->without_next) {
		next = current;
		current = previous;
		previous = 0;
	}
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
	go_find_word(go, BITS_NEXT, is_better_bits, &s);
	// From a cycle's beginning until the first span is swept after it, all
	// are in `current`.
	s.without_next = true;
	go_find_word(go, BITS_CURRENT, is_better_bits, &s);
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

	return go_could_be_pointer(va) && go_in_chunk(go, va) &&
	       go_read(go, va, GO_bucket_typ, &typ) && typ == type &&
	       go_read(go, va, GO_bucket_nstk, &nstk) && nstk <= MAX_STACK &&
	       go_read(go, va, GO_bucket_allnext, ret_next);
}

static bool is_bucket_list(struct mw_go *go, uint64_t va, const uint8_t *bytes,
			   size_t left, void *ctx)
{
	const struct bucket_search *s = ctx;
	uint64_t bucket = mw_u64(bytes);
	struct mw_cycle cycle = { 0 };

	(void)va;
	(void)left;
	if (!bucket)
		return false;
	while (bucket)
		if (mw_cycle_meets(&cycle, bucket) ||
		    !is_bucket(go, bucket, s->type, &bucket))
			return false;
	return true;
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
	if (!go_is_own_memory(go, table) ||
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
	if (!go_could_be_pointer(table) ||
	    !(go_is_variable(go, table) || go_in_heap(go, table)) ||
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
		if (!go_could_be_pointer(itab) ||
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
		if (!go_could_be_pointer(desc) || !go_in_chunk(go, desc) ||
		    !go_read(go, desc, GO_pollDesc_link, &next))
			return false;
		if (next == desc + size)
			return true;
	}
	return false;
}

void go_find_own_variables(struct mw_go *go)
{
	find_chunks(go);
	go->global_alloc = go_find_word(go, 0, is_global_alloc, NULL);
	go->gc_bits_arenas = find_gc_bits(go);
	for (uint64_t type = 1; type <= 3; type++) {
		struct bucket_search s = { type };
		uint64_t first;

		go->buckets[type - 1] = go_find_word(go, 0, is_bucket_list, &s);
		if (!go->buckhash && go->buckets[type - 1] &&
		    mw_target_read_u64(go->target, go->buckets[type - 1],
				       &first))
			go->buckhash = go_find_word(go, 0, is_buckhash, &first);
	}
	go->itab_table = go_find_word(go, 0, is_itab_table, NULL);
	go->poll_cache = go_find_word(go, 8, is_poll_cache, NULL);
	go_find_trace(go);
}
