/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_links.h"
#include "glibc_walk.h"

/*
 * The inner loop of a walk, for what most chunks are: in use, or in a fastbin
 * by a link into the same region. Which of both is often a matter of chance, so
 * no branch depends on it (hence & and |), and all that is added up stays in
 * registers.
 */

struct range {
	uint64_t start, bytes;
};

static inline bool is_in(struct range range, uint64_t va)
{
	return va - range.start < range.bytes;
}

/** From the first region to the last. */
static struct range range_of_all(const struct glibc *glibc)
{
	uint64_t start = glibc->regions.v[0]->chunks;

	return (struct range){
		start, glibc->regions.v[glibc->regions.n - 1]->end - start,
	};
}

/** The fastbins of @arena that have chunks: a bit for each 16 bytes of size. */
static uint64_t filled_bins(const struct glibc_arena *arena)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < GLIBC_FASTBINS; i++)
		if (arena->fastbins[i])
			bits |= UINT64_C(1) << (CHUNK_MIN / CHUNK_ALIGN + i);
	return bits;
}

static inline bool is_marked(const uint8_t *leaf, uint64_t offset)
{
	uint64_t at = offset / CHUNK_ALIGN;

	return leaf && (leaf[at / 4] >> at % 4 * 2 & 3);
}

/**
 * Pass the chunk @p->start, and what begins at @va or behind, up to @last. The
 * run of free chunks at @p->start begins at @p->run.
 */
static uint64_t pass(struct glibc_walk *w, uint64_t va, uint64_t last,
		     struct glibc_passed *p)
{
	const struct range all = range_of_all(w->post.glibc);
	const struct range own = { w->region->chunks,
				   w->region->end - w->region->chunks };
	const uint64_t linked_max = w->linked_max, walk_end = w->end;
	const uint64_t bins = linked_max ? filled_bins(w->region->arena) : 0;
	const uint64_t wrong = w->wrong, top = w->top;
	const uint64_t leaf_start = w->leaf_start;
	const uint8_t *leaf = w->leaf;
	const uint8_t *at = w->buffer + (va - w->buffer_start);
	uint64_t chunk = p->start, run = p->run, link = w->link, blocks = 0;
	uint64_t free_blocks = 0, free_bytes = 0, check = 0;

	for (; va <= last && va != top; blocks++) {
		uint64_t head = mw_u64(at + CHUNK_SIZE), bytes = va - chunk;
		uint64_t size = head & ~(uint64_t)SIZE_FLAGS;
		uint64_t next = link ^ (chunk + CHUNK_FD) >> 12;
		uint64_t is_link, is_own, is_free, mask;

		if ((head & (wrong | PREV_INUSE)) != PREV_INUSE ||
		    size < CHUNK_MIN || size >= walk_end - va ||
		    is_marked(leaf, chunk - leaf_start))
			break;
		if (bins) {
			is_link = (bytes <= linked_max) &
				  (bins >> bytes / CHUNK_ALIGN % 64) &
				  (next % CHUNK_ALIGN == 0);
			is_own = is_in(own, next);
			is_free = is_link & is_own;
			mask = -is_free;
			// To another region, a list's end; or much to trim.
			if ((is_link & !is_own &
			     (is_in(all, next) | (next == 0))) |
			    (((va - run) & mask) > GLIBC_RUN_SMALL))
				break;
			free_blocks += is_free;
			free_bytes += bytes & mask;
			check += (glibc_link_hash(next, bytes) -
				  glibc_link_hash(chunk, bytes)) & mask;
			run = va ^ ((va ^ run) & mask);
			link = mw_u64(at + CHUNK_FD);
		} else {
			run = va;
		}
		chunk = va;
		at += size;
		va += size;
	}
	w->link = link;
	*p = (struct glibc_passed){
		.start = p->start,
		.end = chunk,
		.run = run,
		.blocks = blocks,
		.free_blocks = free_blocks,
		.free_bytes = free_bytes,
		.link_check = check,
	};
	return va;
}

uint64_t glibc_pass(struct glibc_walk *w, uint64_t va, uint64_t end)
{
	struct glibc_passed p = { .start = w->pending };
	// The marks of the chunk before are at hand, and the first word of the
	// one at @va.
	uint64_t last = mw_min(mw_min(end - CHUNK_MIN, w->post.until),
			       w->leaf_end);

	if (va > last || w->keeps || p.start == 0 ||
	    !glibc_post_may_pass(&w->post, p.start, &p.run))
		return va;
	va = pass(w, va, last, &p);
	if (p.blocks > 0) {
		w->pending = p.end;
		w->fences = 0;
		glibc_post_passed(&w->post, &p);
	}
	return va;
}
