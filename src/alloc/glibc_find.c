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

bool glibc_word(struct glibc *glibc, uint64_t va, uint64_t *ret)
{
	return mw_is_aligned(va, 8) &&
	       mw_target_peek(glibc->target, va, ret, sizeof(*ret));
}

static bool word(struct mw_target *target, uint64_t va, uint64_t *ret)
{
	return mw_is_aligned(va, 8) &&
	       mw_target_peek(target, va, ret, sizeof(*ret));
}

/** Whether the ring of arenas that begins at @arena comes back to it. */
static bool ring_closes(struct mw_target *target, uint64_t arena,
			const struct glibc_arena_layout *layout)
{
	uint64_t at = arena;

	for (int i = 0; i < MAX_ARENAS; i++) {
		uint64_t next, used, most;

		if (!word(target, at + layout->next, &next) ||
		    !word(target, at + layout->system_mem, &used) ||
		    !word(target, at + layout->max_system_mem, &most) ||
		    used > most)
			return false;
		if (next == arena)
			return true;
		if (next == at || next == 0)
			return false;
		at = next;
	}
	return false;
}

/** The layout of the main arena whose last bin's words stand at @last_bin. */
static const struct glibc_arena_layout *
match_layout(struct mw_target *target, uint64_t last_bin, uint64_t *ret_arena)
{
	size_t count;
	const struct glibc_arena_layout *layouts = glibc_arena_layouts(&count);

	for (size_t i = 0; i < count; i++) {
		const struct glibc_arena_layout *l = &layouts[i];
		uint64_t arena = last_bin - LAST_BIN_OFF - l->bins;
		uint32_t head[2];

		if (arena > last_bin || !mw_is_aligned(arena, 8) ||
		    !mw_target_read(target, arena, head, sizeof(head)))
			continue;
		// A futex and two flags.
		if (head[0] > 2 || head[1] > 15 ||
		    !ring_closes(target, arena, l))
			continue;
		*ret_arena = arena;
		return l;
	}
	return NULL;
}

struct scan {
	struct mw_target *target;
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
		layout = match_layout(s->target, at, &arena);
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
	struct scan scan = { target, visit, ctx };

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
	struct mw_error *error = add_arena(glibc, glibc->main_arena);
	uint64_t at = glibc->main_arena;

	while (!error && glibc->arenas.n < MAX_ARENAS &&
	       glibc_word(glibc, at + glibc->layout->next, &at) &&
	       !mw_map64_find(&glibc->by_va, at)) {
		const struct glibc_heap_layout *heap =
			heap_layout_of(glibc, at);

		if (!heap)
			break;
		glibc->heap_layout = heap;
		error = add_arena(glibc, at);
	}
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
