/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_gc.h"

/*
 * What hangs on objects, and what waits to be run.
 *
 * A special (mheap.go) hangs on an object of a span: a finalizer, a cleanup, a
 * sample of the heap profile. What its kind means depends on the release.
 *
 * Finalizers to be run lie in finBlocks (mfinal.go) of 4 KiB, all of which hang
 * in a list from allfin: {alllink, next, cnt, fin[]}. Those queued are the
 * first cnt of each. allfin is found by its chain: in persistent memory, and
 * the first finalizer that each block has held still names a type.
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
	struct mw_error *error = NULL;

	memset(ret, 0, GO_SPECIALS * sizeof(*ret));
	while (c.table + 1 < MW_COUNT(kinds_of) &&
	       go_release(go) >= kinds_of[c.table + 1].since)
		c.table++;
	for (size_t i = 0; !error && i < go->allspans.len; i++) {
		struct go_span span;
		uint64_t va;

		if (go->digests[i].has_specials &&
		    mw_target_read_u64(go->target, go->allspans.ptr + i * 8,
				       &va) &&
		    go_read_span(go, va, &span))
			error = go_each_special(go, span.specials,
						count_special, &c);
	}
	return error;
}

/* Finalizers */

#define BLOCK_BYTES 4096
#define FIN_BYTES 40 /* {fn, arg, nret, fint, ot} */
#define FIN_RESULTS 16
#define FIN_TYPE 24
#define MAX_RESULTS MW_MIB(1)

struct blocks {
	enum go_field link, count;
	uint64_t found, length, queued;
};

/** One finBlock: how many it has queued. */
static bool read_block(const struct mw_go *go, const struct blocks *b,
		       uint64_t block, uint64_t *ret_next, uint64_t *ret_queued)
{
	uint64_t fin = block + go_off(go, b->count) + 8, type, results;

	return go_in_chunk(go, block) &&
	       go_read(go, block, b->count, ret_queued) &&
	       *ret_queued <= (BLOCK_BYTES - 24) / FIN_BYTES &&
	       go_read(go, block, b->link, ret_next) &&
	       mw_target_read_u64(go->target, fin + FIN_RESULTS, &results) &&
	       results <= MAX_RESULTS &&
	       mw_target_read_u64(go->target, fin + FIN_TYPE, &type) &&
	       type >= go->module.types.start && type < go->module.types.end;
}

static bool is_longest_chain(struct mw_go *go, uint64_t va,
			     const uint8_t *bytes, size_t left, void *ctx)
{
	enum { LIMIT = 1 << 16 };
	struct blocks *b = ctx;
	uint64_t block = mw_u64(bytes), length = 0, queued = 0;

	(void)left;
	// The free lists of mheap_'s allocators are chains, too.
	if (mw_within(va, 8, go->mheap, go->mheap + go_size(go, GO_mheap)))
		return false;
	for (; block && length < LIMIT; length++) {
		uint64_t count;

		if (!read_block(go, b, block, &block, &count))
			return false;
		queued += count;
	}
	// finq and finc point into the same chain.
	if (block == 0 && length > b->length) {
		b->found = va;
		b->length = length;
		b->queued = queued;
	}
	return false;
}

bool go_count_finalizers(struct mw_go *go, uint64_t *ret)
{
	struct blocks b = { GO_finblock_alllink, GO_finblock_cnt, 0, 0, 0 };

	if (!go_has(go, GO_finblock_cnt)) {
		b.link = GO_finblock_old_alllink;
		b.count = GO_finblock_old_cnt;
	}
	if (!go_has(go, b.count) || !go_has(go, b.link) || !go->chunks.n ||
	    !go_load_areas(go))
		return false;
	go_find_word(go, 0, is_longest_chain, &b);
	go_free_areas(go);
	*ret = b.queued;
	return true;
}

uint64_t go_count_gs(const struct mw_go *go, uint64_t g)
{
	enum { LIMIT = 1 << 24 };
	uint64_t n = 0;

	while (g && n < LIMIT) {
		n++;
		if (!go_read(go, g, GO_g_schedlink, &g))
			break;
	}
	return n;
}
