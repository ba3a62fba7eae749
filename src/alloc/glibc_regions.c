/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "glibc_int.h"
#include "mw_search.h"

/*
 * Where the chunks of each arena lie.
 *
 * For the main arena see glibc_main.c. Any other arena has heaps of 64 MiB (four huge pages, if it was told to use
 * these), at multiples of their size. Each begins with struct heap_info:
 *
 *	0	*ar_ptr: the arena; in the first heap, right behind this struct
 *	8	*prev: the heap before, 0 in the first
 *	16	u64 size: bytes in use by the arena
 *	24	u64 mprotect_size: bytes that were made writable
 *
 * All of it is mapped; what lies behind size is only reserved. The top lies in
 * the last heap; the others end with fenceposts.
 */
#define MAX_HEAPS 65536

bool glibc_may_be_block(const struct mw_mappings *maps,
			const struct mw_mapping *m)
{
	const char *path = mw_mapping_path(maps, m);

	return mw_mapping_is_anonymous(m) &&
	       (!*path || strncmp(path, "[anon:", 6) == 0);
}

bool glibc_may_hold_blocks(const struct mw_mappings *maps,
			   const struct mw_mapping *m)
{
	return glibc_may_be_block(maps, m) && (m->perms & MW_PERM_W) &&
	       (m->perms & MW_PERM_R) && !(m->perms & MW_PERM_X);
}

struct mw_error *glibc_add_region(struct glibc *glibc,
				  const struct glibc_region *region)
{
	struct glibc_region *copy = mw_alloc(sizeof(*copy));
	struct glibc_region **place =
		copy ? mw_vec_push(&glibc->regions) : NULL;
	uint64_t mib = (region->end - region->start) >> MARK_LEAF_SHIFT;

	if (!place) {
		mw_free(copy);
		return mw_error_nomem();
	}
	*place = copy;
	*copy = *region;
	copy->marks.count = mib + 1;
	copy->marks.leaves = mw_calloc(copy->marks.count,
				       sizeof(*copy->marks.leaves));
	return copy->marks.leaves ? NULL : mw_error_nomem();
}

/* Thread arenas */

/** Heaps that lead from @heap to the first one of @arena; 0: it does not. */
static size_t count_heaps(struct glibc *glibc, const struct glibc_arena *arena,
			  uint64_t heap, uint64_t heap_max)
{
	uint64_t first = arena->va - glibc->heap_layout->bytes, owner;

	for (size_t n = 1; n <= MAX_HEAPS; n++) {
		if (!mw_is_aligned(heap, heap_max) ||
		    !glibc_is_heap(glibc->target, heap, heap_max, &owner) ||
		    owner != arena->va)
			return 0;
		if (heap == first)
			return n;
		if (!glibc_word(glibc, heap + 8, &heap) || heap == 0)
			return 0;
	}
	return 0;
}

static struct mw_error *add_heap(struct glibc *glibc,
				 struct glibc_arena *arena, uint64_t heap)
{
	uint64_t *known = mw_map64_at(&glibc->heaps, heap);
	uint64_t head = glibc->heap_layout->bytes, size;

	if (!known)
		return mw_error_nomem();
	if (*known || !glibc_word(glibc, heap + 16, &size))
		return NULL;
	*known = 1;
	if (heap + head == arena->va)
		head += glibc->layout->bytes;
	return glibc_add_region(glibc, &(struct glibc_region){
		.arena = arena,
		.start = heap,
		.chunks = mw_align_up(heap + head, CHUNK_ALIGN),
		.end = heap + mw_min(mw_align_down(size, MW_PAGE_BYTES),
				     glibc->heap_max),
		.limit = heap + glibc->heap_max,
	});
}

static struct mw_error *find_heaps(struct glibc *glibc,
				   struct glibc_arena *arena)
{
	uint64_t first = arena->va - glibc->heap_layout->bytes;
	uint64_t heap = arena->top & ~(glibc->heap_max - 1);
	struct mw_error *error = NULL;

	for (size_t n = count_heaps(glibc, arena, heap, glibc->heap_max);
	     !error && n > 0; n--) {
		error = add_heap(glibc, arena, heap);
		if (!glibc_word(glibc, heap + 8, &heap))
			break;
	}
	// Whatever the top says, the arena itself stands in a heap.
	return error ? error : add_heap(glibc, arena, first);
}

/** How many of the first thread arenas have a top that fits heaps of @bytes. */
static size_t count_fits(struct glibc *glibc, uint64_t bytes)
{
	enum { FIRST = 16 };
	size_t fits = 0;

	for (size_t i = 1; i < glibc->arenas.n && i <= FIRST; i++) {
		const struct glibc_arena *a = glibc->arenas.v[i];

		fits += count_heaps(glibc, a, a->top & ~(bytes - 1), bytes) > 0;
	}
	return fits;
}

/** Whether heaps of @bytes, aligned as they are, can have all the arenas. */
static bool may_be_apart(const struct glibc *glibc, uint64_t bytes)
{
	for (size_t i = 1; i < glibc->arenas.n; i++)
		if (!mw_is_aligned(glibc->arenas.v[i]->va -
					   glibc->heap_layout->bytes, bytes))
			return false;
	return true;
}

/**
 * Four huge pages, if the arenas' heaps are like that, or 64 MiB; another size
 * where only that leads to the tops, which may be damaged. The smallest one,
 * since a larger one would take in what lies behind.
 */
static uint64_t find_heap_max(struct glibc *glibc)
{
	uint64_t sizes[2 + 17] = { 4 * glibc->params.hp_pagesize, MW_MIB(64) };
	uint64_t best = MW_MIB(64);
	size_t most = 0;

	for (size_t i = 2; i < MW_COUNT(sizes); i++)
		sizes[i] = MW_MIB(1) << (i - 2);
	for (size_t i = 0; i < MW_COUNT(sizes); i++) {
		size_t fits = sizes[i] && (i < 2 || may_be_apart(glibc, sizes[i]))
				      ? count_fits(glibc, sizes[i])
				      : 0;

		if (fits > most) {
			most = fits;
			best = sizes[i];
		}
	}
	return best;
}

static int by_start(const void *a, const void *b)
{
	const struct glibc_region *const *x = a, *const *y = b;

	return (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

struct mw_error *glibc_find_regions(struct glibc *glibc)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < glibc->arenas.n; i++) {
		struct glibc_arena *arena = glibc->arenas.v[i];

		if (!glibc_word(glibc, arena->va + glibc->layout->top,
				&arena->top) ||
		    !mw_is_aligned(arena->top, CHUNK_ALIGN))
			arena->top = 0;
	}
	if (glibc->heap_layout)
		glibc->heap_max = find_heap_max(glibc);
	for (size_t i = 1; !error && i < glibc->arenas.n; i++)
		error = find_heaps(glibc, glibc->arenas.v[i]);
	if (!error)
		error = glibc_find_main_regions(glibc);
	if (!error && glibc->regions.n > 0)
		qsort(glibc->regions.v, glibc->regions.n,
		      sizeof(*glibc->regions.v), by_start);
	return error;
}

const struct glibc_region *glibc_region_of(const struct glibc *glibc,
					   uint64_t va)
{
	size_t at = mw_first(i, 0, glibc->regions.n,
			     glibc->regions.v[i]->end > va);

	return at < glibc->regions.n && glibc->regions.v[at]->chunks <= va
		       ? glibc->regions.v[at]
		       : NULL;
}
