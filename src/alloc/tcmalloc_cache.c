/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tcmalloc_int.h"

/*
 * Blocks that are in use for their span, but free:
 *
 * struct ThreadCache: a FreeList for each of 128 classes, 32 bytes each: *list
 * 0, u32 length 8, i32 size 24; then its own figures and the links to the caches
 * of other threads. Caches are known by the sizes of their lists.
 *
 * struct CentralFreeList: at 128 up to 64 pairs of head and tail of a list of
 * num_objects_to_move_ blocks, at 1152 i32 how many of them.
 */
#define LIST_BYTES 32
#define CACHE_LISTS (LIST_BYTES * TCMALLOC_CLASSES)
#define CACHE_REST 256 /* behind the lists, where the links are */
#define CENTRAL_BYTES 0x4c0
#define TRANSFER 128
#define TRANSFER_SLOTS 64
#define TRANSFER_USED 1152
#define MAX_CACHES 65536

static void mark_list(struct tcmalloc *tc, unsigned class, uint64_t at,
		      uint64_t count)
{
	for (uint64_t n = 0; at && n < count; n++) {
		uint32_t slot;
		const struct alloc_piece *p =
			alloc_book_find(&tc->book, at, &slot);

		if (!p || p->slot_bytes != tc->sizes[class] ||
		    alloc_book_get(&tc->book, p, slot) != ALLOC_IN_USE)
			return;
		alloc_book_set(&tc->book, p, slot, ALLOC_CACHE);
		// They lie all over the heap.
		if (!mw_target_peek(tc->target, at, &at, sizeof(at)))
			return;
	}
}

static bool read_cache(struct tcmalloc *tc, uint64_t va, uint8_t *bytes)
{
	uint64_t first;

	// Of most that is no cache, this or the first list tells.
	if (!mw_is_aligned(va, 8) || va == 0 ||
	    !(mw_pages_state(mw_target_pages(tc->target), va) &
	      MW_PAGE_PRESENT) ||
	    !mw_target_search(tc->target, va + LIST_BYTES + 24, &first, 8) ||
	    (uint32_t)first != tc->sizes[1] ||
	    !mw_target_search(tc->target, va, bytes, CACHE_LISTS + CACHE_REST))
		return false;
	for (unsigned i = 1; i < tc->classes; i++)
		if (mw_u32(bytes + LIST_BYTES * i + 24) != tc->sizes[i])
			return false;
	return true;
}

static void add_cache(struct tcmalloc *tc, uint64_t va)
{
	uint8_t bytes[CACHE_LISTS + CACHE_REST];
	uint64_t *place;

	if (tc->caches.n >= MAX_CACHES)
		return;
	for (size_t i = 0; i < tc->caches.n; i++)
		if (tc->caches.v[i] == va)
			return;
	if (!read_cache(tc, va, bytes))
		return;
	place = mw_vec_push(&tc->caches);
	if (place)
		*place = va;
	else
		tc->book.failed = true;
}

static struct mw_error *scan_caches(void *ctx, uint64_t va,
				    const uint64_t *words, size_t count)
{
	struct tcmalloc *tc = ctx;

	(void)va;
	for (size_t i = 0; i < count; i++)
		if (words[i])
			add_cache(tc, words[i]);
	return NULL;
}

static void mark_cache(struct tcmalloc *tc, uint64_t va)
{
	uint8_t bytes[CACHE_LISTS + CACHE_REST];

	if (!read_cache(tc, va, bytes))
		return;
	tcmalloc_note_own(tc, va);
	mw_target_keep(tc->target, va, sizeof(bytes));
	for (unsigned i = 1; i < tc->classes; i++)
		mark_list(tc, i, mw_u64(bytes + LIST_BYTES * i),
			  mw_u32(bytes + LIST_BYTES * i + 8));
	for (size_t at = CACHE_LISTS; at < sizeof(bytes); at += 8)
		add_cache(tc, mw_u64(bytes + at));
}

static void mark_transfer(struct tcmalloc *tc, unsigned class)
{
	uint64_t va = tc->central_va + class * (uint64_t)CENTRAL_BYTES;
	uint64_t slots[TRANSFER_SLOTS][2];
	uint32_t used;

	if (!mw_target_read(tc->target, va + TRANSFER, slots, sizeof(slots)) ||
	    !mw_target_read_u32(tc->target, va + TRANSFER_USED, &used) ||
	    used > TRANSFER_SLOTS)
		return;
	for (uint32_t i = 0; i < used; i++)
		mark_list(tc, class, slots[i][0],
			  mw_min(tc->batches[class], 65536));
}

struct mw_error *tcmalloc_mark_caches(struct tcmalloc *tc)
{
	struct mw_error *error = alloc_scan_data(tc->target, scan_caches, tc);

	for (size_t i = 0; !error && i < tc->caches.n; i++)
		mark_cache(tc, tc->caches.v[i]);
	for (unsigned i = 1; !error && tc->central_va && i < tc->classes; i++)
		mark_transfer(tc, i);
	if (!tc->book.failed && tc->book.arenas.n)
		tc->book.arenas.v[0]->figures->threads = tc->caches.n;
	return error;
}
