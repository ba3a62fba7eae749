/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "leaks_int.h"

/*
 * Following pointers through memory that is another's. Blocks that are found
 * are pending until they have been looked through; a queue of bounded length
 * holds some of them, all have a bit. While few are pending they are read one
 * by one, from the queue; while many are, whole windows are read, again and
 * again in ascending order, so that a heap comes at the speed of a copy. First
 * in, first out, so that what branches soon becomes many.
 */
#define QUEUE_MAX 65536
/** A window with this many pending blocks is worth being read at once. */
#define MANY_IN_WINDOW 64
/** So is one whose blocks are looked through one after the other. */
#define MANY_IN_SEQUENCE 8
#define BUFFER_BYTES (LEAKS_WINDOW_BYTES + LEAKS_ALONE_BYTES)

struct mw_error *leaks_scan_init(struct mw_leaks *l)
{
	l->queue = mw_alloc(QUEUE_MAX * sizeof(*l->queue));
	l->buffer = mw_alloc(BUFFER_BYTES);
	l->alone = mw_alloc(LEAKS_ALONE_BYTES);
	l->few = mw_min(QUEUE_MAX, MANY_IN_WINDOW * l->windows.n);
	return l->queue && l->buffer && l->alone ? NULL : mw_error_nomem();
}

void leaks_scan_free(struct mw_leaks *l)
{
	mw_free(l->queue);
	mw_free(l->buffer);
	mw_free(l->alone);
}

/* Finding */

static bool enqueue(struct mw_leaks *l, const struct leaks_ref *ref)
{
	if (l->queue_count == QUEUE_MAX)
		return false;
	l->queue[(l->queue_first + l->queue_count++) % QUEUE_MAX] = *ref;
	return true;
}

void leaks_queue(struct mw_leaks *l, const struct leaks_ref *ref)
{
	ref->window->blocks[ref->index] |= LEAKS_PENDING;
	ref->window->pending++;
	l->pending++;
	if ((l->only && l->only != ref->window) || !enqueue(l, ref))
		l->is_partial = true;
}

/** The block at @ref becomes @state, and is to be looked through. */
static void reach(struct mw_leaks *l, const struct leaks_ref *ref,
		  enum leaks_state state)
{
	bool is_pending = leaks_entry(ref) & LEAKS_PENDING;

	leaks_set_state(ref, state);
	if (!is_pending)
		leaks_queue(l, ref);
}

/** The block at @ref, so far unreached, has an inner pointer: look why. */
static void meet_inner(struct mw_leaks *l, const struct leaks_ref *ref,
		       uint64_t offset)
{
	enum leaks_state old = leaks_state(ref);
	enum leaks_state now = old | LEAKS_INNER;

	if (leaks_is_table(l, ref, offset)) {
		reach(l, ref, LEAKS_REACHED);
		return;
	}
	if (offset <= LEAKS_HEAD_BYTES)
		now |= LEAKS_BEHIND_HEAD;
	if (mw_is_aligned(offset, LEAKS_UNIT))
		now |= LEAKS_ALIGNED;
	if (now == old)
		return;
	reach(l, ref, now);
}

/** The leader has a pointer to the lost block at @ref, or what it holds has. */
static void meet_lost(struct mw_leaks *l, const struct leaks_ref *ref)
{
	enum leaks_state state = leaks_state(ref);

	l->has_indirect = true;
	if (state == l->level ||
	    (l->level == LEAKS_FOLLOWED && state == LEAKS_DEFINITE))
		return;
	l->held_blocks++;
	l->held_bytes += leaks_bytes(l, ref);
	leaks_set_state(ref, l->level);
	leaks_queue(l, ref);
}

void leaks_meet(struct mw_leaks *l, uint64_t word)
{
	struct leaks_ref ref;
	enum leaks_state state;
	uint64_t offset;

	if (!leaks_find(l, word, &ref, &offset))
		return;
	state = leaks_state(&ref);
	if (state >= LEAKS_REACHED && state <= LEAKS_POSSIBLE)
		return;
	if (l->level >= LEAKS_FOLLOWED) {
		if (ref.window != l->leader.window ||
		    ref.index != l->leader.index)
			meet_lost(l, &ref);
	} else if (l->level == LEAKS_POSSIBLE || offset < LEAKS_UNIT) {
		// The low bits of an address are often used for something.
		reach(l, &ref, l->level);
	} else {
		meet_inner(l, &ref, offset);
	}
}

static void meet_all(struct mw_leaks *l, const uint64_t *words, size_t count)
{
	uint64_t lowest = l->lowest, span = l->span;

	for (size_t i = 0; i < count; i++)
		if (words[i] - lowest < span)
			leaks_meet(l, words[i]);
	if (l->options.progress)
		l->options.progress(l->options.ctx, count * LEAKS_UNIT);
}

/* Reading */

static struct mw_error *extents_of(struct mw_leaks *l, uint64_t va,
				   uint64_t bytes, struct mw_extents *ret)
{
	return mw_target_extents(l->options.target, va, va + bytes, ret);
}

struct filling {
	uint64_t va;
	uint8_t *to;
};

static bool fill_piece(void *ctx, const struct mw_piece *piece)
{
	const struct filling *f = ctx;

	if (piece->data)
		memcpy(f->to + (piece->va - f->va), piece->data, piece->bytes);
	return true;
}

static void fail(struct mw_leaks *l, struct mw_error *error)
{
	// Nothing else can fail here.
	l->no_memory |= error != NULL;
	mw_error_free(error);
}

/** Copy [@va, @va + @bytes): zeros where nothing is present. */
static void fill(struct mw_leaks *l, uint64_t va, uint8_t *to, uint64_t bytes)
{
	struct filling filling = { va, to };
	struct mw_stream stream = { .piece = fill_piece, .ctx = &filling };
	struct mw_extents extents = { 0 };
	struct mw_error *error;

	if (mw_target_copy(l->options.target, va, to, bytes))
		return;
	memset(to, 0, bytes);
	error = extents_of(l, va, bytes, &extents);
	if (!error)
		error = mw_target_stream(l->options.target, extents.list.v,
					 extents.list.n, &stream);
	fail(l, error);
	mw_extents_free(&extents);
}

static bool meet_piece(void *ctx, const struct mw_piece *piece)
{
	struct mw_leaks *l = ctx;

	if (piece->data)
		meet_all(l, (const uint64_t *)piece->data,
			 piece->bytes / LEAKS_UNIT);
	return true;
}

void leaks_scan_extents(struct mw_leaks *l, const struct mw_extents *extents)
{
	struct mw_stream stream = { .piece = meet_piece, .ctx = l };

	fail(l, mw_target_stream(l->options.target, extents->list.v,
				 extents->list.n, &stream));
}

static bool meet_instructions(void *ctx, const struct mw_piece *piece)
{
	struct mw_leaks *l = ctx;
	uint64_t lowest = l->lowest, span = l->span, word;
	size_t bytes = piece->before + piece->bytes;

	if (!piece->data)
		return true;
	for (size_t i = 0; i + sizeof(word) <= bytes; i++) {
		memcpy(&word, piece->data - piece->before + i, sizeof(word));
		if (word - lowest < span)
			leaks_meet(l, word);
	}
	if (l->options.progress)
		l->options.progress(l->options.ctx, piece->bytes);
	return true;
}

void leaks_scan_code(struct mw_leaks *l, const struct mw_extents *code)
{
	struct mw_stream stream = {
		.piece = meet_instructions,
		.ctx = l,
		.before_bytes = LEAKS_UNIT - 1,
	};

	fail(l, mw_target_stream(l->options.target, code->list.v,
				 code->list.n, &stream));
}

/** Meet the words of a block too long to be copied. */
static void scan_long(struct mw_leaks *l, uint64_t va, uint64_t bytes)
{
	struct mw_extents extents = { 0 };
	struct mw_error *error = extents_of(
		l, va, mw_align_down(bytes, LEAKS_UNIT), &extents);

	if (error)
		fail(l, error);
	else
		leaks_scan_extents(l, &extents);
	mw_extents_free(&extents);
}

void leaks_load(struct mw_leaks *l, const struct leaks_window *w)
{
	struct leaks_ref first = { (struct leaks_window *)w, 0 };
	struct leaks_ref last = { first.window, w->count - 1 };
	uint64_t bytes = leaks_bytes(l, &last);

	if (l->buffered == w)
		return;
	l->buffer_va = leaks_va(&first);
	fill(l, l->buffer_va, l->buffer,
	     leaks_va(&last) - l->buffer_va +
		     (bytes <= LEAKS_ALONE_BYTES ? bytes : 0));
	l->buffered = w;
}

/* Looking through a block */

/** The words of the block at @ref, of a long one the first of them. */
static const uint64_t *words_of(struct mw_leaks *l,
				const struct leaks_ref *ref, uint64_t bytes)
{
	uint64_t va = leaks_va(ref);

	l->visits = l->visited == ref->window ? l->visits + 1 : 0;
	l->visited = ref->window;
	if (l->visits == MANY_IN_SEQUENCE)
		leaks_load(l, ref->window);
	if (l->buffered == ref->window && bytes <= LEAKS_ALONE_BYTES)
		return (const uint64_t *)(l->buffer + (va - l->buffer_va));
	fill(l, va, l->alone, mw_min(bytes, LEAKS_ALONE_BYTES));
	return (const uint64_t *)l->alone;
}

static void look_through(struct mw_leaks *l, const struct leaks_ref *ref)
{
	uint64_t bytes = leaks_bytes(l, ref);
	const uint64_t *words = words_of(l, ref, bytes);

	if (leaks_state(ref) < LEAKS_REACHED) {
		if (!leaks_is_known_inner(l, ref, words, bytes))
			return;
		leaks_set_state(ref, LEAKS_REACHED);
	}
	if (bytes > LEAKS_ALONE_BYTES)
		scan_long(l, leaks_va(ref), bytes);
	else
		meet_all(l, words, bytes / LEAKS_UNIT);
}

/* All that are pending */

/** Look through what is in the queue, until it is empty or was too short. */
static void drain(struct mw_leaks *l)
{
	while (l->queue_count > 0) {
		struct leaks_ref ref = l->queue[l->queue_first];
		uint32_t *entry = &ref.window->blocks[ref.index];

		l->queue_first = (l->queue_first + 1) % QUEUE_MAX;
		l->queue_count--;
		if (!(*entry & LEAKS_PENDING))
			continue;
		*entry &= ~LEAKS_PENDING;
		ref.window->pending--;
		l->pending--;
		look_through(l, &ref);
		// Those of one window are gathered again by their bits.
		if (l->pending > l->few && !l->only)
			break;
	}
}

/** Put the pending blocks of @w in the queue, as many as there is room for. */
static void gather(struct mw_leaks *l, struct leaks_window *w)
{
	uint32_t left = w->pending;

	for (uint32_t i = 0; i < w->count && left > 0; i++) {
		struct leaks_ref ref = { w, i };

		if (!(w->blocks[i] & LEAKS_PENDING))
			continue;
		if (!enqueue(l, &ref))
			break;
		left--;
	}
}

/** Look through the pending blocks of each window, and what they lead to. */
static void sweep(struct mw_leaks *l)
{
	for (size_t i = 0; i < l->windows.n; i++) {
		struct leaks_window *w = l->windows.v[i];

		l->only = w;
		if (w->pending >= MANY_IN_WINDOW)
			leaks_load(l, w);
		while (w->pending > 0) {
			gather(l, w);
			drain(l);
		}
	}
	l->only = NULL;
	l->is_partial = l->pending > 0;
}

void leaks_settle(struct mw_leaks *l)
{
	while (l->pending > 0 && !l->no_memory) {
		if (l->pending > l->few) {
			l->queue_count = 0;
			sweep(l);
			continue;
		}
		if (l->is_partial) {
			l->queue_count = 0;
			l->is_partial = false;
			for (size_t i = 0; i < l->windows.n; i++)
				gather(l, l->windows.v[i]);
		}
		drain(l);
	}
	l->queue_count = 0;
	l->is_partial = false;
}
