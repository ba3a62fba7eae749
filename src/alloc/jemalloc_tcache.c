/* SPDX-License-Identifier: Apache-2.0 */
#include "jemalloc_int.h"
#include "mw_guard.h"

/*
 * A thread's cache stands among its thread-local variables: a bin (struct
 * cache_bin_s) for each class of slabs, one behind the other, then those for
 * larger ones. The bins' stacks lie one behind the other in one block: where
 * one ends the next begins, by which bins are known.
 */
#define MAX_CACHED 8192 /* in one bin */
#define LARGE_BINS 100	/* looked at behind those of slabs */
#define LARGE_GAP 512	/* bytes in which the first of them is looked for */

/** What a bin says. */
struct bin {
	uint64_t start, end; /* of the room for items; start may be unknown */
	uint64_t items;	     /* the address of the first */
	uint64_t count;
};

static bool parse_bin(const struct jemalloc *je, const uint8_t *at,
		      struct bin *ret)
{
	if (je->layout->cache == JEMALLOC_CACHE_BITS) {
		uint64_t head = mw_u64(at), low = head & 0xffff;
		uint16_t full = mw_u16(at + 18), empty = mw_u16(at + 20);
		uint16_t used = (uint16_t)(empty - low);
		uint16_t room = (uint16_t)(empty - full);

		if (head == 0 || !mw_is_aligned(head | used | room, 8) ||
		    used > room || room == 0 || room / 8 > MAX_CACHED)
			return false;
		*ret = (struct bin){
			.start = head + used - room,
			.end = head + used,
			.items = head,
			.count = used / 8,
		};
		return true;
	}
	uint64_t avail = mw_u64(at + 16);
	uint32_t cached = mw_u32(at + 4);
	int32_t low_water = (int32_t)mw_u32(at);

	if (avail == 0 || !mw_is_aligned(avail, 8) || cached > MAX_CACHED ||
	    low_water < -1 || low_water > (int32_t)cached ||
	    avail < 8 * (uint64_t)MAX_CACHED)
		return false;
	*ret = (struct bin){
		.end = avail,
		.items = avail - 8 * (uint64_t)cached,
		.count = cached,
	};
	return true;
}

/** Whether the stack of @next can be the one behind that of @bin. */
static bool follows(const struct bin *bin, const struct bin *next)
{
	if (next->start)
		return next->start == bin->end;
	return next->end > bin->end && next->items >= bin->end &&
	       next->end - bin->end <= 8 * MAX_CACHED;
}

static bool is_cache(const struct jemalloc *je, const uint8_t *at)
{
	struct bin bin, next;

	if (!parse_bin(je, at, &bin))
		return false;
	for (unsigned i = 1; i < JEMALLOC_BINS; i++, bin = next)
		if (!parse_bin(je, at + JEMALLOC_CACHE_BIN_BYTES * i, &next) ||
		    !follows(&bin, &next))
			return false;
	return true;
}

static void mark_item(struct jemalloc *je, uint64_t va, unsigned class)
{
	uint32_t slot;
	struct alloc_piece *p = alloc_book_find(&je->book, va, &slot);

	// What is no block in use was taken out meanwhile. One with an extent
	// of its own may be smaller than its class.
	if (p && (p->slot_bytes == je->class_bytes[class] ||
		  (p->count == 1 && p->slot_bytes < je->class_bytes[class] &&
		   p->slot_bytes > je->class_bytes[class - 1])) &&
	    alloc_book_get(&je->book, p, slot) == ALLOC_IN_USE)
		alloc_book_set(&je->book, p, slot, ALLOC_CACHE);
}

static void mark_bin(struct jemalloc *je, const struct bin *bin,
		     unsigned class)
{
	for (uint64_t i = 0; i < bin->count; i++) {
		uint64_t va;

		if (mw_target_read_u64(je->target, bin->items + 8 * i, &va))
			mark_item(je, va, class);
	}
}

/** The bins of larger classes, which end somewhere in [@at, @end), at @va. */
static void mark_large(struct jemalloc *je, uint64_t va, const uint8_t *at,
		       const uint8_t *end, struct bin last)
{
	const uint8_t *start = at, *gap_end = at + LARGE_GAP;
	unsigned n = 0;
	struct bin bin;

	while (end - at >= JEMALLOC_CACHE_BIN_BYTES && n < LARGE_BINS) {
		if (parse_bin(je, at, &bin) && follows(&last, &bin)) {
			mw_target_keep(je->target, va + (uint64_t)(at - start),
				       JEMALLOC_CACHE_BIN_BYTES);
			mark_bin(je, &bin, JEMALLOC_BINS + n++);
			last = bin;
			at += JEMALLOC_CACHE_BIN_BYTES;
		} else if (n == 0 && at < gap_end) {
			at += 8;
		} else {
			break;
		}
	}
}

/** The cache at @va, whose bytes are at @at. */
static void mark_cache(struct jemalloc *je, uint64_t va, const uint8_t *at,
		       const uint8_t *end)
{
	size_t small = JEMALLOC_CACHE_BIN_BYTES * JEMALLOC_BINS;
	struct alloc_piece *stacks;
	struct bin bin = { 0 };

	for (unsigned i = 0; i < JEMALLOC_BINS; i++) {
		(void)parse_bin(je, at + JEMALLOC_CACHE_BIN_BYTES * i, &bin);
		mark_bin(je, &bin, i);
	}
	mw_target_keep(je->target, va, small);
	mark_large(je, va + small, at + small, end, bin);
	// The block of the stacks is none of the program's.
	stacks = alloc_book_at(&je->book, bin.end - 8);
	if (stacks && stacks->slot_bytes && stacks->count == 1 &&
	    alloc_book_get(&je->book, stacks, 0) == ALLOC_IN_USE)
		alloc_book_set(&je->book, stacks, 0, ALLOC_METADATA);
}

/** Read what is present of [@va, @va + @bytes), zeros for the rest. */
static void read_window(struct jemalloc *je, uint64_t va, uint8_t *to,
			uint64_t bytes)
{
	uint64_t end = va + bytes;

	while (va < end) {
		uint64_t stop = mw_min(end, mw_align_down(va, MW_PAGE_BYTES) +
						    MW_PAGE_BYTES);

		if (!(mw_pages_state(mw_target_pages(je->target), va) &
		      MW_PAGE_PRESENT) ||
		    !mw_target_search(je->target, va, to, stop - va))
			__builtin_memset(to, 0, stop - va);
		to += stop - va;
		va = stop;
	}
}

struct mw_error *jemalloc_mark_caches(struct jemalloc *je)
{
	uint64_t bytes = alloc_tls_bytes(je->target);
	size_t need = JEMALLOC_CACHE_BIN_BYTES * JEMALLOC_BINS, count;
	MW_CLEANUP(mw_freep) uint8_t *window = mw_alloc(bytes);
	const struct mw_thread *threads = mw_target_threads(je->target,
							    &count);

	if (!window)
		return mw_error_nomem();
	for (size_t i = 0; i < count; i++) {
		uint64_t tcb = alloc_tcb(je->target, &threads[i]);

		if (tcb < bytes)
			continue;
		read_window(je, tcb - bytes, window, bytes);
		for (size_t at = 0; at + need <= bytes; at += 8)
			if (is_cache(je, window + at)) {
				mark_cache(je, tcb - bytes + at, window + at,
					   window + bytes);
				jemalloc_note_thread(je, tcb - bytes, window,
						     bytes);
				break;
			}
	}
	return NULL;
}
