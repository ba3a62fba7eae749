/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_int.h"

/*
 * The main arena, a struct malloc_state among the data of libc or of a static
 * executable, without symbols.
 *
 * bins[] has two words a bin, the heads of a ring that goes through the free
 * chunks; an empty bin's both words point 16 bytes below themselves. Of the
 * bins 1 to 127, the last one is never used, so it is empty in every arena
 * that was ever initialised. Behind the bins stand binmap (16 bytes) and
 * `next`, which leads through all arenas back to the main one: where it comes
 * back to tells how far below bins the struct begins, and so which layout it
 * has.
 */
#define LAST_BIN_OFF (126 * 16)
#define MAX_ARENAS 65536
#define MAX_PASSED (32 * MAX_ARENAS) /* in all rings that are tried */

bool glibc_word(struct glibc *glibc, uint64_t va, uint64_t *ret)
{
	return mw_is_aligned(va, 8) &&
	       mw_target_peek(glibc->target, va, ret, sizeof(*ret));
}

/*
 * A new arena is put behind the main one. Where the process runs on, that can
 * be one whose memory is newer than the picture of the process, so that only
 * what stands there now can tell which arena is next.
 */
#define MAX_NEW_ARENAS 4096

/** A walk along the ring. */
struct ring {
	struct mw_target *target;
	const struct glibc_arena_layout *layout;
	uint64_t first; /* arena: the main one */
	unsigned steps; /* arenas that may still be passed */
	unsigned anew;	/* those that may still be read anew */
};

/* From next on: next_free, attached_threads, system_mem, max_system_mem. */
#define TAIL_WORDS 5

static bool is_sound(const uint64_t tail[TAIL_WORDS])
{
	return tail[0] != 0 && tail[3] <= tail[4];
}

/** Read the arena at @at: where it leads to. False: it is none. */
static bool ring_next(struct ring *ring, uint64_t at, uint64_t *ret)
{
	uint64_t tail[TAIL_WORDS], va = at + ring->layout->next;
	bool has;

	if (ring->steps == 0 || !mw_is_aligned(at, 8))
		return false;
	ring->steps--;
	has = mw_target_peek(ring->target, va, tail, sizeof(tail)) &&
	      is_sound(tail);
	// The main arena is never new.
	if (!has && at != ring->first && ring->anew > 0) {
		ring->anew--;
		has = mw_target_read_now(ring->target, va, tail,
					 sizeof(tail)) &&
		      is_sound(tail);
	}
	if (has)
		*ret = tail[0];
	return has;
}

/** Whether the ring of arenas that begins at @arena comes back to it. */
static bool ring_closes(struct ring *ring, uint64_t arena)
{
	uint64_t at = arena, next;

	ring->first = arena;
	for (unsigned i = 0; i < MAX_ARENAS && ring_next(ring, at, &next);
	     i++) {
		if (next == arena)
			return true;
		if (next == at)
			return false;
		at = next;
	}
	return false;
}

/** The layout of the main arena whose last bin's words stand at @last_bin. */
static const struct glibc_arena_layout *
match_layout(struct ring *ring, uint64_t last_bin, uint64_t *ret_arena)
{
	size_t count;
	const struct glibc_arena_layout *layouts = glibc_arena_layouts(&count);

	for (size_t i = 0; i < count; i++) {
		const struct glibc_arena_layout *l = &layouts[i];
		uint64_t arena = last_bin - LAST_BIN_OFF - l->bins;
		uint32_t head[2];

		if (arena > last_bin || !mw_is_aligned(arena, 8) ||
		    !mw_target_read(ring->target, arena, head, sizeof(head)))
			continue;
		ring->layout = l;
		// A futex and two flags.
		if (head[0] > 2 || head[1] > 15 || !ring_closes(ring, arena))
			continue;
		*ret_arena = arena;
		return l;
	}
	return NULL;
}

struct scan {
	struct ring ring;
	struct mw_error *(*visit)(void *ctx, uint64_t arena,
				  const struct glibc_arena_layout *layout);
	void *ctx;
};

static struct mw_error *scan_page(void *ctx, uint64_t va,
				  const uint64_t *words, size_t count)
{
	struct scan *s = ctx;

	for (size_t i = 0; i < count; i++) {
		const struct glibc_arena_layout *layout;
		struct mw_error *error;
		uint64_t at = va + i * 8, arena;

		if (words[i] != at - 16)
			continue;
		// The last bin's second word may lie on the next page.
		layout = match_layout(&s->ring, at, &arena);
		if (!layout)
			continue;
		error = s->visit(s->ctx, arena, layout);
		if (error)
			return error;
	}
	return NULL;
}

struct mw_error *
glibc_find_main(struct mw_target *target,
		struct mw_error *(*visit)(void *ctx, uint64_t arena,
					  const struct glibc_arena_layout *l),
		void *ctx)
{
	struct scan scan = {
		.ring = {
			.target = target,
			.steps = MAX_PASSED,
			.anew = MAX_NEW_ARENAS,
		},
		.visit = visit,
		.ctx = ctx,
	};

	return alloc_scan_data(target, scan_page, &scan);
}

/* Thread arenas */

bool glibc_is_heap(struct mw_target *target, uint64_t va, uint64_t heap_max,
		   uint64_t *ret_arena)
{
	uint64_t heap[4];

	// ar_ptr, prev, size, mprotect_size
	if (!(mw_pages_state(mw_target_pages(target), va) & MW_PAGE_PRESENT) ||
	    !mw_target_peek(target, va, heap, sizeof(heap)) ||
	    !mw_is_aligned(heap[2] | heap[3], MW_PAGE_BYTES) || heap[2] == 0 ||
	    heap[2] > heap[3] || heap[3] > heap_max ||
	    !mw_is_aligned(heap[1], MW_MIB(1)))
		return false;
	*ret_arena = heap[0];
	return true;
}

/** Which heap_info stands before the arena, the first thing in its heap. */
static const struct glibc_heap_layout *heap_layout_of(struct glibc *glibc,
						      uint64_t arena)
{
	size_t count;
	const struct glibc_heap_layout *layouts = glibc_heap_layouts(&count);

	for (size_t i = 0; i < count; i++) {
		uint64_t heap = arena - layouts[i].bytes, owner;

		if (mw_is_aligned(heap, MW_MIB(1)) &&
		    glibc_is_heap(glibc->target, heap, MW_GIB(64), &owner) &&
		    owner == arena)
			return &layouts[i];
	}
	return NULL;
}

static struct mw_error *add_arena(struct glibc *glibc, uint64_t va)
{
	struct glibc_arena *arena = mw_calloc(1, sizeof(*arena));
	struct glibc_arena **place =
		arena ? mw_vec_push(&glibc->arenas) : NULL;
	uint64_t *index = place ? mw_map64_at(&glibc->by_va, va) : NULL;

	if (!place)
		mw_free(arena);
	else
		*place = arena;
	if (!index)
		return mw_error_nomem();
	*index = glibc->arenas.n;
	arena->glibc = glibc;
	arena->va = va;
	arena->is_main = glibc->arenas.n == 1;
	return NULL;
}

struct mw_error *glibc_find_arenas(struct glibc *glibc)
{
	struct ring ring = {
		.target = glibc->target,
		.layout = glibc->layout,
		.first = glibc->main_arena,
		.steps = MAX_ARENAS,
		.anew = MAX_NEW_ARENAS,
	};
	struct mw_error *error = add_arena(glibc, glibc->main_arena);
	uint64_t at = glibc->main_arena;
	size_t left_out = 0;

	while (!error && ring_next(&ring, at, &at) &&
	       !mw_map64_find(&glibc->by_va, at)) {
		const struct glibc_heap_layout *heap =
			heap_layout_of(glibc, at);

		if (!heap && ++left_out == MAX_NEW_ARENAS)
			break;
		if (!heap)
			continue;
		glibc->heap_layout = heap;
		error = add_arena(glibc, at);
	}
	if (left_out > 0)
		mw_target_note(glibc->target, "%zu arenas of malloc are left "
			       "out: %s", left_out,
			       mw_target_info(glibc->target)->mode ==
					       MW_CAPTURE_LIVE
				       ? "they are newer than the picture of "
					 "the process, or are damaged"
				       : "they are damaged");
	// A new arena goes behind the main one: those behind it are older.
	for (size_t i = 1, k = glibc->arenas.n - 1; !error && i < k;
	     i++, k--) {
		struct glibc_arena *arena = glibc->arenas.v[i];

		glibc->arenas.v[i] = glibc->arenas.v[k];
		glibc->arenas.v[k] = arena;
	}
	for (size_t i = 0; !error && i < glibc->arenas.n; i++)
		*mw_map64_find(&glibc->by_va, glibc->arenas.v[i]->va) = i + 1;
	return error;
}
