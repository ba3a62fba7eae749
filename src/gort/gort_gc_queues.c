/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_gc.h"
#include "mw_cycle.h"

/*
 * What hangs on objects, and what waits to be run.
 *
 * A special (mheap.go) hangs on an object of a span: a finalizer, a cleanup, a
 * sample of the heap profile. What its kind means depends on the release.
 *
 * Finalizers to be run lie in finBlocks (mfinal.go) of 4 KiB, all of which hang
 * in a list from allfin: {alllink, next, cnt, fin[]}. Those queued are the
 * first cnt of each, and the last of them runs. Go 1.24 puts cleanups among
 * them, which have no object. allfin is found in the code that uses it, or else
 * by its chain: in persistent memory, and the first finalizer that each block
 * has held still names a type.
 *
 * Since Go 1.25 cleanups have a queue of their own, gcCleanups (mcleanup.go).
 * All its blocks hang in a list, too; those to be run are the first n of each,
 * but for those that are zero: they were run, while others of the block were
 * not.
 */

static const struct {
	uint8_t since, count;
	uint8_t kinds[12]; /* enum go_special_kind, by number - 1 */
} kinds_of[] = {
	{ 9, 2, { GO_SPECIAL_FINALIZER, GO_SPECIAL_PROFILE } },
	{ 17, 4, { GO_SPECIAL_FINALIZER, GO_SPECIAL_PROFILE, GO_SPECIAL_OTHER,
		   GO_SPECIAL_PINNED } },
	{ 23, 6, { GO_SPECIAL_FINALIZER, GO_SPECIAL_WEAK, GO_SPECIAL_PROFILE,
		   GO_SPECIAL_OTHER, GO_SPECIAL_PINNED, GO_SPECIAL_CLEANUP } },
	{ 25, 10, { GO_SPECIAL_OTHER, GO_SPECIAL_FINALIZER, GO_SPECIAL_WEAK,
		    GO_SPECIAL_PROFILE, GO_SPECIAL_OTHER, GO_SPECIAL_PINNED,
		    GO_SPECIAL_CLEANUP, GO_SPECIAL_OTHER, GO_SPECIAL_OTHER,
		    GO_SPECIAL_OTHER } },
};

struct count {
	size_t table; /* of kinds_of */
	uint64_t *counts;
};

static struct mw_error *count_special(struct mw_go *go, uint64_t special,
				      uint8_t kind, void *ctx)
{
	struct count *c = ctx;

	(void)go;
	(void)special;
	c->counts[kind == 0 || kind > kinds_of[c->table].count
			  ? GO_SPECIAL_OTHER
			  : kinds_of[c->table].kinds[kind - 1]]++;
	return NULL;
}

struct mw_error *go_count_specials(struct mw_go *go,
				   uint64_t ret[static GO_SPECIALS])
{
	struct count c = { .counts = ret };

	memset(ret, 0, GO_SPECIALS * sizeof(*ret));
	while (c.table + 1 < MW_COUNT(kinds_of) &&
	       go_release(go) >= kinds_of[c.table + 1].since)
		c.table++;
	return go_each_special(go, count_special, &c);
}

#define MAX_BLOCKS (1 << 20)

/** Whether a list comes back to @block, its @n-th; @seen is kept for that. */
static bool is_round(uint64_t block, uint64_t n, uint64_t *seen)
{
	bool is_same = n && block == *seen;

	if ((n & (n + 1)) == 0)
		*seen = block;
	return is_same;
}

/* Finalizers */

#define FIN_BYTES 40 /* {fn, arg, nret, fint, ot} */
#define MAX_FINS ((4096 - 24) / FIN_BYTES)
#define MAX_RESULTS MW_MIB(1)

struct fin {
	uint64_t fn, arg, results, type, pointer_type;
};

struct chain {
	enum go_field link, count;
	bool is_allfin; /* not perhaps something else */
	bool has_cleanups;
	uint64_t length, finalizers, cleanups;
};

static bool is_fin(const struct mw_go *go, const struct chain *c,
		   const struct fin *fin)
{
	if (c->has_cleanups && !fin->type && !fin->results)
		return true;
	return fin->results <= MAX_RESULTS &&
	       (c->is_allfin || (fin->type >= go->module.types.start &&
				 fin->type < go->module.types.end));
}

/** Add one finBlock to the chain; false when it is none. */
static bool add_block(const struct mw_go *go, uint64_t block,
		      struct chain *c, uint64_t *ret_next)
{
	uint64_t at = block + go_off(go, c->count) + 8, count;
	struct fin fin;

	if (!go_in_chunk(go, block) || !go_read(go, block, c->count, &count) ||
	    count > MAX_FINS || !go_read(go, block, c->link, ret_next))
		return false;
	for (uint64_t i = 0; i < mw_max(count, 1); i++) {
		bool is_cleanup;

		if (!mw_target_read(go->target, at + i * FIN_BYTES, &fin,
				    sizeof(fin)) ||
		    !is_fin(go, c, &fin))
			return false;
		is_cleanup = c->has_cleanups && !fin.arg;
		c->cleanups += i < count && is_cleanup;
		c->finalizers += i < count && !is_cleanup;
	}
	c->length++;
	return true;
}

/** Keep in @longest the chain that begins with @block, if it is longer. */
static void try_chain(const struct mw_go *go, uint64_t block,
		      struct chain *longest)
{
	struct chain c = *longest;
	uint64_t seen = 0;

	c.length = c.finalizers = c.cleanups = 0;
	while (block && c.length < MAX_BLOCKS)
		if (is_round(block, c.length, &seen) ||
		    !add_block(go, block, &c, &block))
			return;
	// finq and finc lead into the same chain.
	if (!block && c.length > longest->length)
		*longest = c;
}

static bool try_word(struct mw_go *go, uint64_t va, const uint8_t *bytes,
		     size_t left, void *ctx)
{
	(void)left;
	// The free lists of mheap_'s allocators are chains, too.
	if (!mw_within(va, 8, go->mheap, go->mheap + go_size(go, GO_mheap)))
		try_chain(go, mw_u64(bytes), ctx);
	return false;
}

/** By the code: false when there is no such code. */
static bool try_used(struct mw_go *go, struct chain *c, bool *ret_known)
{
	enum { MOST = 64 };
	uint64_t words[MOST], block;
	size_t n = go_words_used(go, "runtime.queuefinalizer", MOST, words);
	bool is_empty = true;

	c->is_allfin = true;
	for (size_t i = 0; i < n; i++) {
		if (!mw_target_read_u64(go->target, words[i], &block))
			block = UINT64_MAX;
		is_empty &= !block;
		try_chain(go, block, c);
	}
	*ret_known = is_empty || c->length;
	return n > 0;
}

static bool count_finalizers(struct mw_go *go, struct go_queues *ret)
{
	bool is_old = !go_has(go, GO_finblock_cnt), known;
	struct chain c = {
		.link = is_old ? GO_finblock_old_alllink : GO_finblock_alllink,
		.count = is_old ? GO_finblock_old_cnt : GO_finblock_cnt,
		.has_cleanups = go_has(go, GO_mheap_specialCleanupAlloc) &&
				!go_has(go, GO_cleanupBlock),
	};

	if (!go_has(go, c.count) || !go_has(go, c.link))
		return false;
	if (!try_used(go, &c, &known)) {
		known = go->chunks.n && go_load_areas(go);
		c.is_allfin = false;
		go_find_word(go, 0, try_word, &c);
		go_free_areas(go);
	}
	if (!known)
		return false;
	ret->finalizers = c.finalizers;
	ret->cleanups = c.cleanups;
	ret->has_cleanups = c.has_cleanups;
	return true;
}

bool go_finalizer_counts(struct mw_go *go, struct go_queue_counts *ret)
{
	uint64_t words[2];

	return go_words_used(go, "runtime.finReadQueueStats", 2, words) == 2 &&
	       mw_target_read_u64(go->target, words[0], &ret->queued) &&
	       mw_target_read_u64(go->target, words[1], &ret->executed) &&
	       ret->executed <= ret->queued;
}

/* Cleanups */

static uint64_t cleanup_bytes(const struct mw_go *go)
{
	return go_has(go, GO_cleanupFn) ? go_size(go, GO_cleanupFn) : 8;
}

/** Those of one block; false when it is none. */
static bool count_cleanups(const struct mw_go *go, uint64_t block,
			   uint64_t *ret, uint64_t *ret_next)
{
	uint64_t at = block + go_off(go, GO_cleanupBlock_cleanups), n, first;

	*ret = 0;
	if (!go_in_chunk(go, block) ||
	    !go_read(go, block, GO_cleanupBlock_n, &n) ||
	    n > go_size(go, GO_cleanupBlock_cleanups) / cleanup_bytes(go) ||
	    !go_read(go, block, GO_cleanupBlock_alllink, ret_next))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (!mw_target_read_u64(go->target, at + i * cleanup_bytes(go),
					&first))
			return false;
		*ret += first != 0;
	}
	return true;
}

static bool sum_cleanups(const struct mw_go *go, uint64_t queue, uint64_t *ret)
{
	uint64_t block, count, sum = 0, seen = 0;

	if (!go_read(go, queue, GO_cleanupQueue_all, &block))
		return false;
	for (uint64_t i = 0; block && i < MAX_BLOCKS; i++) {
		if (is_round(block, i, &seen) ||
		    !count_cleanups(go, block, &count, &block))
			return false;
		sum += count;
	}
	*ret = sum;
	return !block;
}

static bool is_cleanup_queue(struct mw_go *go, uint64_t va)
{
	uint64_t running, goroutines, sum;

	return go_is_variable(go, va + go_size(go, GO_cleanupQueue) - 1) &&
	       go_read(go, va, GO_cleanupQueue_ng, &goroutines) &&
	       go_read(go, va, GO_cleanupQueue_running, &running) &&
	       running <= goroutines && sum_cleanups(go, va, &sum);
}

/** gcCleanups; 0 when it was not found. */
static uint64_t find_cleanups(struct mw_go *go)
{
	return go_has(go, GO_cleanupQueue) && go_has(go, GO_cleanupBlock) ?
		       go_address_taken(go, "runtime.(*activeSweep).end",
					is_cleanup_queue) :
		       0;
}

static bool count_cleanup_queue(struct mw_go *go, uint64_t *ret)
{
	uint64_t queue = find_cleanups(go), running = 0;

	if (!queue || !sum_cleanups(go, queue, ret))
		return false;
	// Where more is kept than a pointer, a cleanup is taken out before it
	// is run.
	if (go_has(go, GO_cleanupFn) &&
	    go_read(go, queue, GO_cleanupQueue_running, &running))
		*ret += running;
	return true;
}

bool go_cleanup_counts(struct mw_go *go, struct go_queue_counts *ret)
{
	enum { MAX_PS = 65536 };
	uint64_t queue = find_cleanups(go), p, queued;
	struct go_slice ps;

	if (!queue || !go_read_ps(go, &ps) ||
	    !go_read(go, queue, GO_cleanupQueue_executed, &ret->executed) ||
	    !go_read(go, queue, GO_cleanupQueue_queued, &ret->queued))
		return false;
	for (uint64_t i = 0; i < mw_min(ps.len, MAX_PS); i++) {
		if (!mw_target_read_u64(go->target, ps.ptr + 8 * i, &p) ||
		    !go_read(go, p, GO_p_cleanupsQueued, &queued))
			return false;
		ret->queued += queued;
	}
	return ret->executed <= ret->queued;
}

void go_count_queues(struct mw_go *go, struct go_queues *ret)
{
	*ret = (struct go_queues){ 0 };
	ret->has_finalizers = count_finalizers(go, ret);
	if (!ret->has_cleanups)
		ret->has_cleanups = count_cleanup_queue(go, &ret->cleanups);
}

uint64_t go_count_gs(const struct mw_go *go, uint64_t g)
{
	struct mw_cycle cycle = { 0 };
	uint64_t n = 0;

	while (g && !mw_cycle_meets(&cycle, g)) {
		n++;
		if (!go_read(go, g, GO_g_schedlink, &g))
			break;
	}
	return n;
}
