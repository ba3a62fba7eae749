/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "alloc_book.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * mimalloc 2: segments of 32 MiB, or more for one huge block, at multiples of
 * 32 MiB. Each is divided into slices of 64 KiB, of which the first ones hold
 * the description of all; a page is a span of slices with blocks of one size. A
 * block in no list of its page is in use:
 *
 *	capacity = used + free + local_free
 *
 * and xthread_free has those of `used` that other threads have freed.
 *
 * Segments are found at their addresses. cookie is XORed with the segment's
 * address, and all segments have the same below that.
 */
#define SEGMENT_ALIGN MW_MIB(32)
#define SLICE_BYTES MW_KIB(64)
#define MAX_ENTRIES 513
#define READ_AGAIN 3
#define SMALL_GAP 384 /* before small blocks, where page_start is none */
#define SMALL_MAX 1024
#define CAPACITY 10
#define RESERVED 12
#define HEAD_BYTES 512 /* of a segment: up to its slices */

struct layout {
	const char *source;
	unsigned cookie, segment_slices, info_slices, entries, thread_id;
	unsigned slices, page_bytes, free, used, used_bytes, block_size;
	unsigned block_size_bytes, local_free, page_start, xthread_free;
};

#define MIMALLOC(...) { __VA_ARGS__ },
static const struct layout layouts[] = {
#include "layouts/mimalloc.def"
};

struct segment {
	uint64_t va, key, thread;
	uint64_t slices, info, entries;
	const struct layout *layout;
	bool is_full; /* its spans fill it, and make sense */
};

struct page {
	uint64_t start; /* of its slices */
	uint64_t slices;
	uint64_t block_bytes; /* 0: a free span */
	uint64_t blocks;      /* where the first one is */
	uint64_t used, capacity, reserved;
	uint64_t lists[3];
	bool is_sound; /* what it says can be */
};

struct owner {
	uint64_t thread;
	uint32_t arena;
};

struct mimalloc {
	struct alloc_book book; /* first: the state is the book, too */
	struct mw_target *target;
	uint64_t main_thread;
	MW_VEC(struct segment) segments;
	MW_VEC(struct owner) owners;
};

static void free_state(void *ctx)
{
	struct mimalloc *mi = ctx;

	alloc_book_deinit(&mi->book);
	mw_vec_free(&mi->segments);
	mw_vec_free(&mi->owners);
	mw_free(mi);
}

static void free_statep(struct mimalloc **mi)
{
	if (*mi)
		free_state(*mi);
}

static bool is_live(const struct mimalloc *mi)
{
	return mw_target_info(mi->target)->mode == MW_CAPTURE_LIVE;
}

/* Reading */

static uint64_t number(const uint8_t *at, unsigned bytes)
{
	return bytes == 2 ? mw_u16(at) : bytes == 4 ? mw_u32(at) : mw_u64(at);
}

/** The span that begins with slice @index; false when there is none. */
static bool read_page(struct mimalloc *mi, const struct segment *s,
		      uint64_t index, struct page *ret)
{
	const struct layout *l = s->layout;
	uint64_t end = s->va + s->slices * SLICE_BYTES;
	uint8_t bytes[96];

	if (!mw_target_read(mi->target,
			    s->va + l->slices + index * l->page_bytes, bytes,
			    l->page_bytes))
		return false;
	*ret = (struct page){
		.start = s->va + index * SLICE_BYTES,
		.slices = mw_u32(bytes),
		.block_bytes = number(bytes + l->block_size,
				      l->block_size_bytes),
		.used = number(bytes + l->used, l->used_bytes),
		.capacity = mw_u16(bytes + CAPACITY),
		.reserved = mw_u16(bytes + RESERVED),
		.lists = { mw_u64(bytes + l->free),
			   mw_u64(bytes + l->local_free),
			   mw_u64(bytes + l->xthread_free) & ~UINT64_C(3) },
	};
	if (ret->slices == 0 || ret->slices > s->slices - index)
		return false;
	ret->is_sound = ret->block_bytes == 0 || index == 0;
	if (ret->is_sound)
		return true;
	ret->blocks = l->page_start ? mw_u64(bytes + l->page_start)
				    : ret->start;
	if (!l->page_start && ret->block_bytes >= 8 &&
	    ret->block_bytes <= SMALL_MAX)
		ret->blocks += SMALL_GAP;
	// The one block of a huge page has all of it.
	if (ret->reserved == 1 && ret->blocks >= ret->start &&
	    ret->blocks < end)
		ret->block_bytes = mw_min(ret->block_bytes,
					  ret->start +
						  ret->slices * SLICE_BYTES -
						  ret->blocks);
	ret->is_sound =
		ret->capacity <= ret->reserved && ret->used <= ret->capacity &&
		ret->block_bytes % 8 == 0 &&
		ret->block_bytes <= ret->slices * SLICE_BYTES &&
		mw_within(ret->blocks, ret->reserved * ret->block_bytes,
			  ret->start, ret->start + ret->slices * SLICE_BYTES);
	return true;
}

/** Whether its spans fill the segment. */
static bool spans_fill(struct mimalloc *mi, const struct segment *s)
{
	uint64_t index = 0;
	struct page page;

	while (index < s->slices && index < s->entries) {
		if (!read_page(mi, s, index, &page) || !page.is_sound ||
		    (index == 0 && page.slices != s->info))
			return false;
		index += page.slices;
	}
	return index == s->slices;
}

static bool read_segment(struct mimalloc *mi, uint64_t va,
			 const struct layout *l, struct segment *ret)
{
	uint8_t bytes[HEAD_BYTES];

	if (!mw_target_search(mi->target, va, bytes, sizeof(bytes)))
		return false;
	*ret = (struct segment){
		.va = va,
		.key = mw_u64(bytes + l->cookie) ^ va,
		.thread = mw_u64(bytes + l->thread_id),
		.slices = mw_u64(bytes + l->segment_slices),
		.info = mw_u64(bytes + l->info_slices),
		.entries = mw_u64(bytes + l->entries),
		.layout = l,
	};
	if (ret->info == 0 || ret->info > ret->entries ||
	    ret->entries > MAX_ENTRIES || ret->slices < ret->info ||
	    ret->slices > UINT64_MAX / SLICE_BYTES ||
	    !alloc_book_fits(&mi->book, va, ret->slices * SLICE_BYTES))
		return false;
	for (int i = 0; i <= READ_AGAIN && !ret->is_full; i++) {
		ret->is_full = spans_fill(mi, ret);
		if (!is_live(mi))
			break;
		mw_target_forget(mi->target, va, ret->info * SLICE_BYTES);
	}
	mw_target_keep(mi->target, va, ret->is_full ? sizeof(bytes) : 0);
	return true;
}

/* Blocks */

/** Mark the blocks of a list as free; how many there are. */
static uint64_t mark_list(struct mimalloc *mi, const struct page *page,
			  size_t index, uint64_t at)
{
	struct alloc_piece *piece = &mi->book.pieces.v[index];
	uint64_t n = 0;

	while (at && n < page->capacity) {
		uint64_t slot = (at - page->blocks) / page->block_bytes;

		// A list that leaves the page is encoded, or was changed.
		if (at < page->blocks || slot >= page->capacity ||
		    (at - page->blocks) % page->block_bytes != 0 ||
		    alloc_book_get(&mi->book, piece, (uint32_t)slot) ==
			    ALLOC_FREE)
			break;
		alloc_book_set(&mi->book, piece, (uint32_t)slot, ALLOC_FREE);
		n++;
		if (!mw_target_read_u64(mi->target, at, &at))
			break;
	}
	return n;
}

/** Add the page of @bytes bytes that begins with slice @index. */
static void add_page(struct mimalloc *mi, uint32_t arena,
		     const struct segment *s, uint64_t index, uint64_t bytes)
{
	size_t piece = SIZE_MAX;
	struct page page;
	uint64_t free = 0;

	for (int i = 0; i <= READ_AGAIN; i++) {
		if (!read_page(mi, s, index, &page) || !page.is_sound ||
		    page.block_bytes == 0)
			break;
		if (piece == SIZE_MAX)
			piece = alloc_book_slots(
				&mi->book, arena, ALLOC_TOP, page.start,
				page.slices * SLICE_BYTES, page.blocks,
				page.block_bytes, (uint32_t)page.capacity);
		if (piece == SIZE_MAX)
			break;
		for (uint32_t k = 0; k < mi->book.pieces.v[piece].count; k++)
			alloc_book_set(&mi->book, &mi->book.pieces.v[piece], k,
				       ALLOC_IN_USE);
		page.capacity = mw_min(page.capacity,
				       mi->book.pieces.v[piece].count);
		free = mark_list(mi, &page, piece, page.lists[0]);
		free += mark_list(mi, &page, piece, page.lists[1]);
		(void)mark_list(mi, &page, piece, page.lists[2]);
		if (page.capacity == page.used + free)
			return;
		if (!is_live(mi))
			break;
		mw_target_forget(mi->target, s->va, s->info * SLICE_BYTES);
		mw_target_forget(mi->target, page.start,
				 page.slices * SLICE_BYTES);
	}
	if (piece == SIZE_MAX)
		alloc_book_add(&mi->book, arena, ALLOC_TORN,
			       s->va + index * SLICE_BYTES, bytes);
	else
		mi->book.arenas.v[arena]->figures->unsettled++;
}

/** A span without blocks: what of it is not writable was never used. */
static void add_span(struct mimalloc *mi, uint32_t arena, uint64_t start,
		     uint64_t bytes)
{
	const struct mw_mappings *maps = mw_target_mappings(mi->target);
	uint64_t end = start + bytes;

	for (size_t i = mw_mappings_after(maps, start);
	     i < maps->list.n && start < end; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t stop = mw_min(end, m->end);

		alloc_book_add(&mi->book, arena,
			       m->perms & MW_PERM_W ? ALLOC_DIRTY
						    : ALLOC_RESERVED,
			       start, stop - start);
		start = stop;
	}
}

static uint32_t arena_of(struct mimalloc *mi, uint64_t thread)
{
	struct owner *owner;
	char name[32];

	for (size_t i = 0; i < mi->owners.n; i++)
		if (mi->owners.v[i].thread == thread)
			return mi->owners.v[i].arena;
	owner = mw_vec_push(&mi->owners);
	if (!owner) {
		mi->book.failed = true;
		return 0;
	}
	if (thread == 0)
		snprintf(name, sizeof(name), "abandoned");
	else if (thread == mi->main_thread)
		snprintf(name, sizeof(name), "main");
	else
		snprintf(name, sizeof(name), "thread-%zu", mi->owners.n);
	owner->thread = thread;
	owner->arena = alloc_book_arena(&mi->book, name);
	if (!mi->book.failed && thread)
		mi->book.arenas.v[owner->arena]->figures->threads = 1;
	return owner->arena;
}

static void add_segment(struct mimalloc *mi, const struct segment *s)
{
	uint32_t arena = arena_of(mi, s->thread);
	uint64_t index = s->info;
	struct page page;

	alloc_book_add(&mi->book, arena, ALLOC_METADATA, s->va,
		       s->info * SLICE_BYTES);
	while (!mi->book.failed && index < s->slices && index < s->entries &&
	       read_page(mi, s, index, &page)) {
		if (page.block_bytes == 0)
			add_span(mi, arena, page.start,
				 page.slices * SLICE_BYTES);
		else
			add_page(mi, arena, s, index,
				 page.slices * SLICE_BYTES);
		index += page.slices;
	}
	if (index < s->slices)
		alloc_book_add(&mi->book, arena, ALLOC_TORN,
			       s->va + index * SLICE_BYTES,
			       (s->slices - index) * SLICE_BYTES);
}

/* Finding */

static void find_segments(struct mimalloc *mi)
{
	const struct mw_mappings *maps = mw_target_mappings(mi->target);

	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t va = mw_align_up(m->start, SEGMENT_ALIGN);

		if (!mw_mapping_is_anonymous(m) || !(m->perms & MW_PERM_W))
			continue;
		for (; va < m->end; va += SEGMENT_ALIGN) {
			struct segment s;

			if (!(mw_pages_state(mw_target_pages(mi->target), va) &
			      MW_PAGE_PRESENT))
				continue;
			for (size_t l = 0; l < MW_COUNT(layouts); l++) {
				struct segment *place;

				if (!read_segment(mi, va, &layouts[l], &s))
					continue;
				place = mw_vec_push(&mi->segments);
				if (place)
					*place = s;
				else
					mi->book.failed = true;
			}
		}
	}
}

static bool is_kin(const struct segment *a, const struct segment *b)
{
	return a->layout == b->layout && a->key == b->key;
}

/** The segment that most others agree with, NULL without any. */
static const struct segment *most_common(const struct mimalloc *mi)
{
	const struct segment *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < mi->segments.n; i++) {
		size_t n = 0;

		// One that a thread is at work in need not be.
		if (!mi->segments.v[i].is_full)
			continue;
		for (size_t k = 0; k < mi->segments.n; k++)
			n += is_kin(&mi->segments.v[i], &mi->segments.v[k]);
		if (n > most) {
			most = n;
			best = &mi->segments.v[i];
		}
		if (most > mi->segments.n / 2)
			break;
	}
	return best;
}

static struct mw_error *claim(struct mw_alloc *alloc, void **ret_state)
{
	MW_CLEANUP(free_statep) struct mimalloc *mi =
		mw_calloc(1, sizeof(*mi));
	const struct segment *best;
	struct mw_error *error;
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(alloc->target, &count);

	if (!mi)
		return mw_error_nomem();
	mi->target = alloc->target;
	alloc_book_init(&mi->book, alloc, "mimalloc");
	// mi_collect() serves only the thread that calls it.
	mi->book.no_trimming = true;
	find_segments(mi);
	best = most_common(mi);
	if (!best && !mi->book.failed)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (threads[i].tid == mw_target_info(mi->target)->pid)
			mi->main_thread = alloc_tcb(mi->target, &threads[i]);
	for (size_t i = 0; i < mi->segments.n && !mi->book.failed; i++)
		if (is_kin(best, &mi->segments.v[i]))
			add_segment(mi, &mi->segments.v[i]);
	alloc_book_sort(&mi->book);
	error = alloc_book_claim(&mi->book);
	if (error)
		return error;
	*ret_state = mw_steal(mi);
	return NULL;
}

const struct alloc_detector alloc_mimalloc = {
	.name = "mimalloc",
	.claim = claim,
	.free = free_state,
	.block_at = alloc_book_block_at,
	.blocks = alloc_book_blocks,
	.holds = alloc_book_holds,
};
