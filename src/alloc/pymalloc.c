/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc_book.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * pymalloc, CPython's allocator of small objects (Objects/obmalloc.c), also
 * where it is linked into another program. A variable leads to an array of
 * struct arena_object:
 *
 *	0	uintptr_t address: a mapping, 0 when the entry is not used
 *	8	*pool_address: the first pool that was never handed out
 *	16	u32 nfreepools, 20 u32 ntotalpools
 *	24	*freepools, 32 *nextarena, 40 *prevarena
 *
 * Pools are aligned, and begin with struct pool_header:
 *
 *	0	u32 count of blocks in use
 *	8	*freeblock: list of free blocks, by their first words
 *	16	*nextpool, 24 *prevpool
 *	32	u32 arenaindex: of the arena, in the array
 *	36	u32 szidx: blocks have szidx + 1 units
 *	40	u32 nextoffset: what lies behind was never handed out
 *	44	u32 maxnextoffset: of the last block
 *
 * arenaindex tells whether a pointer leads to the array, and where that ends;
 * maxnextoffset tells the layout.
 */
#define ARENA_ENTRY 48
#define POOL_HEAD 48
#define LARGEST_BLOCK 512
#define MAX_ARENAS (1u << 20)
#define MAX_ARRAYS 64 /* one for each interpreter in the process */
#define TRIED 16      /* entries in which an arena must be */

struct layout {
	const char *source;
	uint32_t arena_bytes, pool_bytes, unit;
};

#define PYMALLOC(...) { __VA_ARGS__ },
static const struct layout layouts[] = {
#include "layouts/pymalloc.def"
};

struct pymalloc {
	struct alloc_book book; /* first: see alloc_book.h */
	struct mw_target *target;
	MW_VEC(uint64_t) arrays;
};

struct arena {
	uint64_t start, carved; /* up to there pools were handed out */
};

struct pool {
	uint64_t start, next_free;
	uint32_t in_use, arena, size, next, last;
};

static void free_state(void *ctx)
{
	struct pymalloc *py = ctx;

	alloc_book_deinit(&py->book);
	mw_vec_free(&py->arrays);
	mw_free(py);
}

static void free_statep(struct pymalloc **py)
{
	if (*py)
		free_state(*py);
}

/* Structures */

static uint64_t first_pool(const struct layout *l, uint64_t arena)
{
	return mw_align_up(arena, l->pool_bytes);
}

/** Read an entry of the array; false when there can be none at @va. */
static bool read_arena(struct pymalloc *py, const struct layout *l,
		       uint64_t va, struct arena *ret)
{
	uint64_t w[ARENA_ENTRY / 8];
	uint32_t free_pools, pools;

	if (!mw_target_search(py->target, va, w, sizeof(w)))
		return false;
	free_pools = (uint32_t)w[2];
	pools = (uint32_t)(w[2] >> 32);
	*ret = (struct arena){ w[0], w[1] };
	return w[0] == 0 ||
	       (mw_is_aligned(w[0], MW_PAGE_BYTES) &&
		mw_is_aligned(w[1], l->pool_bytes) &&
		mw_within(w[1], 0, w[0], w[0] + l->arena_bytes) &&
		free_pools <= pools && pools <= l->arena_bytes / l->pool_bytes);
}

/** Read the head of the pool at @va; false when there can be none. */
static bool read_pool(struct pymalloc *py, const struct layout *l, uint64_t va,
		      struct pool *ret)
{
	uint64_t w[POOL_HEAD / 8];
	uint64_t units;

	if (!mw_target_search(py->target, va, w, sizeof(w)))
		return false;
	units = (w[4] >> 32) + 1;
	if (units > LARGEST_BLOCK / l->unit)
		return false;
	*ret = (struct pool){
		.start = va,
		.in_use = (uint32_t)w[0],
		.next_free = w[1],
		.arena = (uint32_t)w[4],
		.size = (uint32_t)units * l->unit,
		.next = (uint32_t)w[5],
		.last = (uint32_t)(w[5] >> 32),
	};
	return ret->last + ret->size == l->pool_bytes &&
	       ret->next >= POOL_HEAD && ret->next <= l->pool_bytes &&
	       ret->in_use <= (l->pool_bytes - POOL_HEAD) / ret->size;
}

/**
 * The entry @index of the array at @array: false behind the array's end. What
 * stands there may be an older copy of it, in which pools have other indexes.
 */
static bool read_entry(struct pymalloc *py, const struct layout *l,
		       uint64_t array, uint32_t index, struct arena *ret)
{
	struct pool pool;

	if (!read_arena(py, l, array + (uint64_t)ARENA_ENTRY * index, ret))
		return false;
	return ret->start == 0 ||
	       ret->carved == first_pool(l, ret->start) ||
	       (read_pool(py, l, first_pool(l, ret->start), &pool) &&
		pool.arena == index);
}

/** The layout with which @array is one of arenas; NULL: with none. */
static const struct layout *layout_of(struct pymalloc *py, uint64_t array)
{
	for (size_t i = 0; i < MW_COUNT(layouts); i++) {
		const struct layout *l = &layouts[i];
		struct arena arena;

		for (uint32_t k = 0; k < TRIED; k++) {
			if (!read_entry(py, l, array, k, &arena))
				break;
			if (arena.start &&
			    arena.carved > first_pool(l, arena.start))
				return l;
		}
	}
	return NULL;
}

/* Finding */

static bool may_be_array(const struct pymalloc *py, uint64_t va)
{
	const struct mw_mapping *m =
		mw_is_aligned(va, 16)
			? mw_mappings_find(mw_target_mappings(py->target), va)
			: NULL;

	return m && mw_mapping_is_anonymous(m) && (m->perms & MW_PERM_W);
}

static bool is_known(const struct pymalloc *py, uint64_t array)
{
	for (size_t i = 0; i < py->arrays.n; i++)
		if (py->arrays.v[i] == array)
			return true;
	return false;
}

static struct mw_error *scan(void *ctx, uint64_t va, const uint64_t *words,
			     size_t count)
{
	struct pymalloc *py = ctx;

	(void)va;
	for (size_t i = 0; i < count && py->arrays.n < MAX_ARRAYS; i++) {
		uint64_t *place;

		if (!may_be_array(py, words[i]) || is_known(py, words[i]) ||
		    !layout_of(py, words[i]))
			continue;
		place = mw_vec_push(&py->arrays);
		if (!place)
			return mw_error_nomem();
		*place = words[i];
	}
	return NULL;
}

/* Pools */

/** Mark the blocks of @p that are free; how many there are. */
static uint32_t mark_free(struct pymalloc *py, const struct layout *l,
		      const struct pool *p, const struct alloc_piece *piece)
{
	uint64_t at = p->next_free, blocks = p->start + POOL_HEAD;
	uint32_t carved = (p->next - POOL_HEAD) / p->size, n = 0;

	for (uint32_t i = carved; i < piece->count; i++, n++)
		alloc_book_set(&py->book, piece, i, ALLOC_FREE);
	while (at) {
		uint64_t slot = (at - blocks) / p->size;

		if (at < blocks || at > p->start + l->pool_bytes - p->size ||
		    (at - blocks) % p->size != 0 ||
		    alloc_book_get(&py->book, piece, (uint32_t)slot) ==
			    ALLOC_FREE)
			break;
		alloc_book_set(&py->book, piece, (uint32_t)slot, ALLOC_FREE);
		n++;
		if (!mw_target_read_u64(py->target, at, &at))
			break;
	}
	return n;
}

static void add_pool(struct pymalloc *py, const struct layout *l,
		     uint32_t arena, uint64_t va, uint32_t index)
{
	struct alloc_book *book = &py->book;
	uint64_t blocks = va + POOL_HEAD, bytes = l->pool_bytes - POOL_HEAD;
	struct pool pool;
	size_t piece;

	if (!read_pool(py, l, va, &pool) || pool.arena != index) {
		alloc_book_add(book, arena, ALLOC_TORN, va, l->pool_bytes);
		return;
	}
	mw_target_keep(py->target, va, POOL_HEAD);
	if (pool.in_use == 0) {
		alloc_book_add(book, arena, ALLOC_DIRTY, va, l->pool_bytes);
		return;
	}
	alloc_book_add(book, arena, ALLOC_METADATA, va, POOL_HEAD);
	piece = alloc_book_slots(book, arena, ALLOC_METADATA, blocks, bytes,
				 blocks, pool.size,
				 (uint32_t)(bytes / pool.size));
	if (piece != SIZE_MAX &&
	    mark_free(py, l, &pool, &book->pieces.v[piece]) + pool.in_use !=
		    book->pieces.v[piece].count)
		book->arenas.v[arena]->figures->unsettled++;
}

static void add_reserved(struct pymalloc *py, uint32_t arena, uint64_t start,
			 uint64_t end)
{
	if (start < end)
		alloc_book_add(&py->book, arena, ALLOC_RESERVED, start,
			       end - start);
}

/** What has been believed is structure. */
static void keep_entry(const struct pymalloc *py, const struct layout *l,
		       uint64_t array, uint32_t index, const struct arena *a)
{
	mw_target_keep(py->target, array + (uint64_t)ARENA_ENTRY * index,
		       ARENA_ENTRY);
	if (a->start && a->carved != first_pool(l, a->start))
		mw_target_keep(py->target, first_pool(l, a->start), POOL_HEAD);
}

static void add_array(struct pymalloc *py, uint64_t array, uint32_t arena)
{
	const struct layout *l = layout_of(py, array);
	struct arena a;

	for (uint32_t i = 0;
	     l && i < MAX_ARENAS && read_entry(py, l, array, i, &a); i++) {
		uint64_t pools = first_pool(l, a.start);

		keep_entry(py, l, array, i, &a);
		if (a.start == 0 || !alloc_book_fits(&py->book, a.start,
						     l->arena_bytes))
			continue;
		add_reserved(py, arena, a.start, pools);
		for (uint64_t va = pools; va < a.carved; va += l->pool_bytes)
			add_pool(py, l, arena, va, i);
		add_reserved(py, arena, mw_max(a.carved, pools),
			     a.start + l->arena_bytes);
	}
}

static struct mw_error *walk(struct pymalloc *py)
{
	struct mw_error *error = alloc_scan_data(py->target, scan, py);

	if (error || py->arrays.n == 0)
		return error;
	for (size_t i = 0; i < py->arrays.n; i++) {
		MW_CLEANUP(mw_freep) char *name =
			i ? mw_format("heap-%zu", i + 1) : mw_format("heap");
		uint32_t arena;

		if (!name)
			return mw_error_nomem();
		arena = alloc_book_arena(&py->book, name);
		if (py->book.failed)
			return mw_error_nomem();
		add_array(py, py->arrays.v[i], arena);
	}
	alloc_book_sort(&py->book);
	return alloc_book_claim(&py->book);
}

static struct mw_error *claim(struct mw_alloc *alloc)
{
	MW_CLEANUP(free_statep) struct pymalloc *py =
		mw_calloc(1, sizeof(*py));
	struct mw_error *error;

	if (!py)
		return mw_error_nomem();
	py->target = alloc->target;
	alloc_book_init(&py->book, alloc, "pymalloc");
	py->book.no_trimming = true;
	error = walk(py);
	if (error || py->arrays.n == 0)
		return error;
	return alloc_add_heap(alloc, &alloc_pymalloc, mw_steal(py));
}

const struct alloc_detector alloc_pymalloc = {
	.name = "pymalloc",
	// The interpreter frees objects itself, and points behind their heads.
	.is_root = true,
	.claim = claim,
	.free = free_state,
	.block_at = alloc_book_block_at,
	.blocks = alloc_book_blocks,
	.holds = alloc_book_holds,
};
