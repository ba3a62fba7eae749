/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "glibc_links.h"
#include "glibc_walk.h"
#include "mw_guard.h"

/*
 * The walk through the chunks of a region, in ascending order. A chunk's size
 * leads to the next one, whose PREV_INUSE tells whether the first is in use; so
 * a chunk is posted when the next one is met.
 *
 * A chain that leads to something which is no chunk was changed while it was
 * read, or is damaged. It is read again, a few times; then the walk goes on
 * where a chain begins that holds for some chunks, and what lies between is
 * posted as torn.
 */
#define READ_AGAIN 3
#define REREADS 1000	 /* in one region */
#define CHAIN_LENGTH 10	 /* chunks that must follow where the walk goes on */
#define CHAIN_ENOUGH 3	 /* of them, if they are all of what was read at once */

static bool is_live(const struct glibc_walk *w)
{
	return mw_target_info(w->target)->mode == MW_CAPTURE_LIVE;
}

static bool is_size(const struct glibc_walk *w, uint64_t head, uint64_t va)
{
	uint64_t size = head & ~(uint64_t)SIZE_FLAGS;

	// Something always follows: the top, a fence.
	return !(head & w->wrong) && size >= CHUNK_MIN && size < w->end - va;
}

/** Whether a fencepost stands at @va: a head without a body. */
static bool is_fence(const struct glibc_walk *w, uint64_t head, uint64_t va)
{
	uint64_t size = head & ~(uint64_t)SIZE_FLAGS;

	return !(head & (w->wrong | NON_MAIN_ARENA)) &&
	       (size == CHUNK_HEAD_BYTES ||
		(size == 0 && va + CHUNK_HEAD_BYTES == w->end)) &&
	       va + CHUNK_HEAD_BYTES <= w->end;
}

/* Posting */

static void load_leaf(struct glibc_walk *w, uint64_t chunk)
{
	uint64_t at = (chunk - w->region->chunks) >> MARK_LEAF_SHIFT;

	w->leaf = w->region->marks.leaves[at];
	w->leaf_start = w->region->chunks + (at << MARK_LEAF_SHIFT);
	w->leaf_end = w->leaf_start + (UINT64_C(1) << MARK_LEAF_SHIFT);
}

static inline enum glibc_kind kind_of(struct glibc_walk *w, uint64_t chunk)
{
	static const enum glibc_kind kinds[] = {
		[GLIBC_UNMARKED] = GLIBC_IN_USE,
		[GLIBC_MARK_FAST] = GLIBC_FAST,
		[GLIBC_MARK_CACHE] = GLIBC_CACHE,
		[GLIBC_MARK_TCACHE] = GLIBC_METADATA,
	};
	uint64_t at;

	if (chunk >= w->leaf_end)
		load_leaf(w, chunk);
	if (!w->leaf)
		return GLIBC_IN_USE;
	at = (chunk - w->leaf_start) / CHUNK_ALIGN;
	return kinds[w->leaf[at / 4] >> at % 4 * 2 & 3];
}

/** Whether the chunk before @va is in a fastbin, by its link. */
static bool is_linked(struct glibc_walk *w, uint64_t chunk, uint64_t va)
{
	const struct glibc_region *r = w->region;
	uint64_t bytes = va - chunk;
	uint64_t next = w->link ^ (chunk + CHUNK_FD) >> 12;
	size_t bin = (bytes - CHUNK_MIN) / CHUNK_ALIGN;

	if (!mw_is_aligned(next, CHUNK_ALIGN) || !r->arena->fastbins[bin])
		return false;
	if (next == 0) {
		w->post.sums.link_ends++;
	} else {
		if (next < r->chunks || next >= r->end)
			r = glibc_region_of(w->post.glibc, next);
		if (!r || r->arena != w->region->arena)
			return false;
		w->post.sums.link_check += glibc_link_hash(next, bytes);
	}
	w->post.sums.link_check -= glibc_link_hash(chunk, bytes);
	return true;
}

/** Post the chunk before @va, whose first words are given. */
static inline void settle(struct glibc_walk *w, uint64_t va, uint64_t prev_size,
			  uint64_t head)
{
	uint64_t chunk = w->pending;

	if (chunk == 0)
		return;
	w->pending = 0;
	if (head & PREV_INUSE) {
		enum glibc_kind kind = kind_of(w, chunk);

		if (va - chunk <= w->linked_max && kind == GLIBC_IN_USE &&
		    is_linked(w, chunk, va)) {
			kind = GLIBC_FAST;
			mw_target_keep(w->target, chunk + 16, 8);
		}
		glibc_post(&w->post, kind, chunk, va);
		return;
	}
	w->post.sums.unsettled += prev_size != va - chunk;
	glibc_post(&w->post, GLIBC_FREE, chunk, va);
}

/* When the chain breaks */

/**
 * Read what follows @va into the buffer: to the end of a piece or, where not
 * all of it can be had, of a page. Returns where it ends, 0: nothing.
 */
static uint64_t fill(struct glibc_walk *w, uint64_t va)
{
	uint64_t end = mw_min(mw_align_down(va, GLIBC_PIECE) + GLIBC_PIECE,
			      w->end);

	w->buffer_start = w->buffer_end = 0;
	if (!mw_target_copy(w->target, va, w->buffer, end - va)) {
		end = mw_min(mw_align_down(va, MW_PAGE_BYTES) + MW_PAGE_BYTES,
			     w->end);
		if (!mw_target_copy(w->target, va, w->buffer, end - va))
			return 0;
	}
	w->buffer_start = va;
	return w->buffer_end = end;
}

/** The first words of a chunk, from the buffer if they are in it. */
static bool read_head(const struct glibc_walk *w, uint64_t va, uint64_t head[2])
{
	if (va < w->buffer_start || va >= w->buffer_end)
		return mw_target_copy(w->target, va, head, 16);
	mw_target_keep(w->target, va + 8, 8);
	head[0] = mw_u64(w->buffer + (va - w->buffer_start));
	head[1] = mw_u64(w->buffer + (va - w->buffer_start) + 8);
	return true;
}

/**
 * Whether a chunk whose size is out of bounds may be the top of a heap that
 * grows or shrinks just now: it ends with the region, or on a page behind.
 */
static bool may_be_top(const struct glibc_walk *w, uint64_t va, uint64_t head)
{
	uint64_t size = head & ~(uint64_t)SIZE_FLAGS;

	return is_live(w) && !(head & w->wrong) && size >= CHUNK_MIN &&
	       size >= w->end - va && size < MW_GIB(64) &&
	       mw_is_aligned(va + size, MW_PAGE_BYTES);
}

/** Whether a chain of chunks begins at @va. */
static bool is_chain(struct glibc_walk *w, uint64_t va)
{
	uint64_t head[2], before = 0;

	for (int i = 0; i < CHAIN_LENGTH && w->budget > 0; i++) {
		w->budget--;
		// What is read later may have changed meanwhile.
		if (va == w->top || (i >= CHAIN_ENOUGH && va >= w->buffer_end))
			return true;
		if (!read_head(w, va, head))
			return false;
		// A free chunk's size stands behind it once more.
		if (before && !(head[1] & PREV_INUSE) && head[0] != before)
			return false;
		if (is_fence(w, head[1], va))
			return before != 0;
		if (!is_size(w, head[1], va))
			return before && may_be_top(w, va, head[1]);
		before = head[1] & ~(uint64_t)SIZE_FLAGS;
		va += before;
	}
	return w->budget > 0;
}

/** Where a chain begins at or behind @va: the end if nowhere. */
static uint64_t find_chain(struct glibc_walk *w, uint64_t va)
{
	for (va = mw_align_up(va, CHUNK_ALIGN); va < w->end;
	     va += CHUNK_ALIGN) {
		if (w->budget == 0)
			break;
		// A page that cannot be read has no chunk.
		if ((va < w->buffer_start || va >= w->buffer_end ||
		     va - w->buffer_start > GLIBC_PIECE / 2) && !fill(w, va)) {
			va = mw_align_up(va + 1, MW_PAGE_BYTES) - CHUNK_ALIGN;
			continue;
		}
		if (is_chain(w, va))
			break;
	}
	return w->budget > 0 ? mw_min(va, w->end) : w->end;
}

/** Post what lies between @va and the next chain as @kind; where that is. */
static uint64_t skip(struct glibc_walk *w, uint64_t va, enum glibc_kind kind)
{
	uint64_t next = find_chain(w, va);

	if (w->pending) {
		// Whether it is in use, what follows would have told.
		glibc_post(&w->post, kind_of(w, w->pending), w->pending, va);
		w->pending = 0;
	}
	if (next > va)
		glibc_post(&w->post, kind, va, next);
	return next;
}

/** The top, at @va with a size of @head; what lies behind is not malloc's. */
static uint64_t post_top(struct glibc_walk *w, uint64_t va, uint64_t head)
{
	uint64_t size = head & ~(uint64_t)SIZE_FLAGS;
	uint64_t end = va + mw_min(size, w->end - va);

	glibc_post_top(&w->post, va, end);
	if (end < w->end)
		glibc_post(&w->post,
			   w->region->arena->is_main ? GLIBC_FOREIGN
						     : GLIBC_RESERVED,
			   end, w->end);
	return w->end;
}

/** Where the arena has its top by now. */
static uint64_t read_top(struct glibc_walk *w)
{
	uint64_t at = w->region->arena->va + w->post.glibc->layout->top, top;

	return mw_target_copy(w->target, at, &top, sizeof(top)) ? top : 0;
}

/**
 * A chunk that was the top and may not be it any more: the top of the main
 * arena ends at the break, others at the heap's end.
 */
static bool is_top(struct glibc_walk *w, uint64_t va, uint64_t head)
{
	if (!is_live(w) ||
	    va + (head & ~(uint64_t)SIZE_FLAGS) == w->end ||
	    read_top(w) == va)
		return true;
	w->top = 0;
	return false;
}

/**
 * A chunk at @va that reaches out of the region: the top has moved there, or
 * beyond. Where the walk goes on, 0 when it is none of both.
 */
static uint64_t take_moved_top(struct glibc_walk *w, uint64_t va,
			       const uint64_t head[2])
{
	uint64_t size = head[1] & ~(uint64_t)SIZE_FLAGS, top;

	if (!is_live(w) || (head[1] & w->wrong) || size < CHUNK_MIN ||
	    size < w->end - va)
		return 0;
	if (may_be_top(w, va, head[1])) {
		settle(w, va, head[0], head[1]);
		return post_top(w, va, head[1]);
	}
	// It was cut from a top that has grown out of the region.
	top = read_top(w);
	if (top < w->end && top >= w->region->chunks)
		return 0;
	settle(w, va, head[0], head[1]);
	glibc_post(&w->post, GLIBC_IN_USE, va, w->end);
	return w->end;
}

/** Go on where the chain does not: at @va stands @head. */
static uint64_t take_odd(struct glibc_walk *w, uint64_t va, const uint64_t head[2])
{
	uint64_t chunk = w->pending ? w->pending : va, moved;

	if (is_fence(w, head[1], va)) {
		settle(w, va, head[0], head[1]);
		glibc_post(&w->post, GLIBC_METADATA, va,
			   va + CHUNK_HEAD_BYTES);
		va += CHUNK_HEAD_BYTES;
		if (++w->fences < 2 || va == w->top || va == w->end)
			return va;
		// Behind the second one somebody else moved the break, but for
		// the few bytes that rounding left.
		return skip(w, va, w->end - va <= CHUNK_MIN * 2
					   ? GLIBC_METADATA
					   : GLIBC_FOREIGN);
	}
	moved = take_moved_top(w, va, head);
	if (moved)
		return moved;
	if (is_live(w) && w->rereads < REREADS &&
	    (w->reread != chunk || w->times < READ_AGAIN)) {
		w->times = w->reread == chunk ? w->times + 1 : 1;
		w->reread = chunk;
		w->rereads++;
		w->buffer_end = 0;
		w->pending = 0;
		return chunk;
	}
	return skip(w, va, GLIBC_TORN);
}

/* The walk */

/** The first word of the chunk at @va, which stands at @at up to @end. */
static uint64_t read_link(const struct glibc_walk *w, uint64_t va,
			  const uint8_t *at, uint64_t end)
{
	uint64_t link;

	if (va + CHUNK_FD < end)
		return mw_u64(at + CHUNK_FD);
	// All ones are no link.
	return mw_target_copy(w->target, va + CHUNK_FD, &link, sizeof(link))
		       ? link
		       : UINT64_MAX;
}

/**
 * Walk the chunks whose heads lie in [@va, @end), which is in the buffer.
 * Returns the address of the first chunk behind.
 */
static uint64_t walk_piece(struct glibc_walk *w, uint64_t va, uint64_t end)
{
	while (va < end) {
		const uint8_t *at;
		uint64_t prev_size, head;

		if (va <= w->post.until)
			va = glibc_pass(w, va, end);
		if (va >= end)
			break;
		at = w->buffer + (va - w->buffer_start);
		prev_size = mw_u64(at);
		head = mw_u64(at + 8);

		// What stands before the size is the user's, but for a free
		// chunk's end.
		if (w->keeps)
			mw_target_keep(w->target,
				       head & PREV_INUSE ? va + 8 : va,
				       head & PREV_INUSE ? 8 : 16);
		if (va == w->top && is_top(w, va, head)) {
			settle(w, va, prev_size, head);
			return post_top(w, va, head);
		}
		if (!is_size(w, head, va))
			return take_odd(w, va,
					(const uint64_t[]){ prev_size, head });
		settle(w, va, prev_size, head);
		w->fences = 0;
		w->pending = va;
		head &= ~(uint64_t)SIZE_FLAGS;
		if (head <= w->linked_max)
			w->link = read_link(w, va, at, end);
		va += head;
	}
	return va;
}

uint64_t glibc_walk_to(struct glibc_walk *w, uint64_t va, uint64_t stop)
{
	while (va < stop && !w->post.error) {
		uint64_t end = va >= w->buffer_start && va < w->buffer_end
				       ? w->buffer_end
				       : fill(w, va);

		va = end ? walk_piece(w, va, mw_min(end, stop))
			 : skip(w, va, GLIBC_UNREADABLE);
	}
	return va;
}

uint64_t glibc_walk_look(struct glibc_walk *w, uint64_t va, uint64_t stop)
{
	uint64_t head[2];

	va = find_chain(w, va);
	while (va < stop)
		va = va != w->top && read_head(w, va, head) &&
				     is_size(w, head[1], va)
			     ? va + (head[1] & ~(uint64_t)SIZE_FLAGS)
			     : find_chain(w, va + CHUNK_ALIGN);
	return va;
}

void glibc_walk_settle(struct glibc_walk *w, uint64_t va)
{
	uint64_t head[2];

	if (read_head(w, va, head))
		settle(w, va, head[0], head[1]);
}

void glibc_walk_end(struct glibc_walk *w)
{
	const struct glibc_region *r = w->region;

	// The chain ended without an end.
	if (w->pending)
		glibc_post(&w->post, GLIBC_TORN, w->pending, w->end);
	if (r->limit > r->end)
		glibc_post(&w->post, GLIBC_RESERVED, r->end, r->limit);
	glibc_post_finish(&w->post);
}

void glibc_walk_begin(struct glibc_walk *w, struct glibc_region *r,
		      uint8_t *buffer)
{
	struct glibc *glibc = r->arena->glibc;

	*w = (struct glibc_walk){
		.post = { .glibc = glibc, .region = r },
		.target = glibc->target,
		.region = r,
		.buffer = buffer,
		.keeps = mw_target_keeps(glibc->target),
		.end = mw_align_down(r->end, CHUNK_ALIGN),
		.wrong = IS_MMAPPED | 8 | (r->arena->is_main ? NON_MAIN_ARENA
							     : 0),
		.linked_max = r->arena->linked_max,
		.budget = (r->end - r->chunks) / CHUNK_ALIGN * 2,
	};
	w->top = is_live(w) ? read_top(w) : r->arena->top;
	if (w->top < r->chunks || w->top >= r->end)
		w->top = 0;
}

void glibc_walk_region(struct glibc_region *r, struct mw_parts *parts)
{
	MW_CLEANUP(mw_freep) uint8_t *buffer = mw_alloc(GLIBC_PIECE);
	struct glibc_walk w;

	if (!buffer) {
		mw_error_free(r->error);
		r->error = mw_error_nomem();
		return;
	}
	glibc_walk_begin(&w, r, buffer);
	w.post.parts = parts;
	if (r->chunks > r->start)
		glibc_post(&w.post, GLIBC_METADATA, r->start, r->chunks);
	glibc_walk_to(&w, r->chunks, w.end);
	glibc_walk_end(&w);
}
