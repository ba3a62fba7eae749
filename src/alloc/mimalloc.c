/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "mimalloc_int.h"
#include "mw_guard.h"

/* mimalloc: what releases 2 and 3 have in common. */

static void free_state(void *ctx)
{
	struct mimalloc *mi = ctx;

	alloc_book_deinit(&mi->book);
	mw_vec_free(&mi->owners);
	mw_free(mi);
}

static void free_statep(struct mimalloc **mi)
{
	if (*mi)
		free_state(*mi);
}

uint32_t mimalloc_arena_of(struct mimalloc *mi, uint64_t thread)
{
	struct mimalloc_owner *owner;
	char name[32];

	for (size_t i = 0; i < mi->owners.n; i++)
		if (mi->owners.v[i].thread == thread)
			return mi->owners.v[i].arena;
	owner = mw_vec_push(&mi->owners);
	if (!owner) {
		mi->book.failed = true;
		return 0;
	}
	if (thread == MIMALLOC_ABANDONED)
		snprintf(name, sizeof(name), "abandoned");
	else if (thread < MIMALLOC_LEAST_THREAD)
		snprintf(name, sizeof(name), "internal");
	else if (thread == mi->main_thread)
		snprintf(name, sizeof(name), "main");
	else
		snprintf(name, sizeof(name), "thread-%zu", mi->owners.n);
	owner->thread = thread;
	owner->arena = alloc_book_arena(&mi->book, name);
	if (!mi->book.failed && thread >= MIMALLOC_LEAST_THREAD)
		mi->book.arenas.v[owner->arena]->figures->threads = 1;
	return owner->arena;
}

/* Pages */

/** The block at @at is the slot *@ret_slot of the page; false: it is none. */
static bool slot_of(const struct mimalloc_page *page, uint64_t at,
		    uint64_t *ret_slot)
{
	*ret_slot = (at - page->blocks) / page->block_bytes;
	// A list gets new blocks before the capacity has them.
	return at >= page->blocks && *ret_slot < page->reserved &&
	       (at - page->blocks) % page->block_bytes == 0;
}

bool mimalloc_is_sound(const struct mimalloc_page *page)
{
	uint64_t bytes, slot;

	if (page->capacity > page->reserved || page->used > page->capacity ||
	    page->block_bytes == 0 || page->block_bytes % 8 != 0 ||
	    __builtin_mul_overflow(page->reserved, page->block_bytes, &bytes) ||
	    !mw_within(page->blocks, bytes, page->start,
		       page->start + page->bytes))
		return false;
	for (size_t i = 0; i < MW_COUNT(page->lists); i++)
		if (page->lists[i] && !slot_of(page, page->lists[i], &slot))
			return false;
	return true;
}

static uint64_t rotate_right(uint64_t value, unsigned bits)
{
	return value >> (bits & 63) | value << (-bits & 63);
}

/** What follows @link in a list; the description's address stands for none. */
static uint64_t decode(const struct mimalloc_page *page, uint64_t link)
{
	uint64_t next;

	if (!page->is_encoded)
		return link;
	next = rotate_right(link - page->keys[0], page->keys[0] & 63) ^
	       page->keys[1];
	return next == page->va ? 0 : next;
}

bool mimalloc_has_links(struct mimalloc *mi, const struct mimalloc_page *page)
{
	for (size_t i = 0; i < 2; i++) {
		uint64_t next, slot;

		if (page->lists[i] &&
		    mw_target_read_u64(mi->target, page->lists[i], &next) &&
		    slot_of(page, decode(page, next), &slot))
			return true;
	}
	return false;
}

/** Mark the blocks of a list as free; how many there are. */
static uint64_t mark_list(struct mimalloc *mi, const struct mimalloc_page *page,
			  size_t index, uint64_t at)
{
	const struct alloc_piece *piece = &mi->book.pieces.v[index];
	uint64_t n = 0, slot;

	while (at && n < page->capacity) {
		// A list that leaves the page was changed.
		if (!slot_of(page, at, &slot) || slot >= piece->count ||
		    alloc_book_get(&mi->book, piece, (uint32_t)slot) ==
			    ALLOC_FREE)
			break;
		alloc_book_set(&mi->book, piece, (uint32_t)slot, ALLOC_FREE);
		n++;
		if (!mw_target_read_u64(mi->target, at, &at))
			break;
		at = decode(page, at);
	}
	return n;
}

/** Enter the page's blocks as a piece; whether they agree with its figures. */
static bool mark_page(struct mimalloc *mi, const struct mimalloc_page *page,
		      size_t index)
{
	const struct alloc_piece *piece = &mi->book.pieces.v[index];
	uint64_t free;

	for (uint32_t k = 0; k < piece->count; k++)
		alloc_book_set(&mi->book, piece, k, ALLOC_IN_USE);
	free = mark_list(mi, page, index, page->lists[0]);
	free += mark_list(mi, page, index, page->lists[1]);
	(void)mark_list(mi, page, index, page->lists[2]);
	return page->capacity == page->used + free &&
	       page->capacity == piece->count;
}

void mimalloc_add_page(struct mimalloc *mi, uint32_t arena,
		       const struct mimalloc_page *page,
		       mimalloc_reader *reader, const void *of)
{
	struct mimalloc_page now = *page;
	size_t index = alloc_book_slots(&mi->book, arena, ALLOC_TOP,
					page->start, page->bytes, page->blocks,
					page->block_bytes,
					(uint32_t)page->capacity);

	if (index == SIZE_MAX) {
		alloc_book_add(&mi->book, arena, ALLOC_TORN, page->start,
			       page->bytes);
		return;
	}
	for (int i = 0; i <= MIMALLOC_READ_AGAIN; i++) {
		if (mark_page(mi, &now, index))
			return;
		if (!mi->is_live)
			break;
		mw_target_forget(mi->target, page->va, MW_PAGE_BYTES / 16);
		mw_target_forget(mi->target, page->start, page->bytes);
		if (!reader(mi, of, page->va, &now) || !now.is_sound ||
		    now.start != page->start || now.blocks != page->blocks ||
		    now.block_bytes != page->block_bytes)
			break;
	}
	mi->book.arenas.v[arena]->figures->unsettled++;
}

/* Finding */

static uint64_t main_thread(struct mw_target *target)
{
	size_t count;
	const struct mw_thread *threads = mw_target_threads(target, &count);

	for (size_t i = 0; i < count; i++)
		if (threads[i].tid == mw_target_info(target)->pid)
			return alloc_tcb(target, &threads[i]);
	return 0;
}

static struct mw_error *claim(struct mw_alloc *alloc)
{
	MW_CLEANUP(free_statep) struct mimalloc *mi =
		mw_calloc(1, sizeof(*mi));
	struct mw_error *error;
	bool is_2, is_3;

	if (!mi)
		return mw_error_nomem();
	mi->target = alloc->target;
	mi->is_live = mw_target_info(alloc->target)->mode == MW_CAPTURE_LIVE;
	mi->main_thread = main_thread(alloc->target);
	alloc_book_init(&mi->book, alloc, "mimalloc");
	// mi_collect() serves only the thread that calls it.
	mi->book.no_trimming = true;
	is_2 = mimalloc_v2(mi);
	error = mimalloc_v3(mi, &is_3);
	if (error || (!is_2 && !is_3 && !mi->book.failed))
		return error;
	alloc_book_sort(&mi->book);
	error = alloc_book_claim(&mi->book);
	if (error)
		return error;
	return alloc_add_heap(alloc, &alloc_mimalloc, mw_steal(mi));
}

const struct alloc_detector alloc_mimalloc = {
	.name = "mimalloc",
	.claim = claim,
	.free = free_state,
	.block_at = alloc_book_block_at,
	.blocks = alloc_book_blocks,
	.holds = alloc_book_holds,
};
