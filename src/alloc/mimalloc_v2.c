/* SPDX-License-Identifier: Apache-2.0 */
#include "mimalloc_int.h"
#include "mw_hash.h"
#include "mw_map64.h"

/*
 * mimalloc 2: segments of 32 MiB (64 in 2.0.6), or more for one huge block, at
 * multiples of that. Each is divided into slices, of which the first ones hold
 * the description of all; a page is a span of slices. In a secure build the
 * last slice is a guard. Segments are found at their addresses. cookie is XORed
 * with the segment's address, and all segments have the same below that.
 *
 * A span without blocks has a block size of 0; of 1, where it is in no list of
 * free spans any more, as in a whole segment that is kept for the next thread
 * in need of one (mi_span_queue_delete()).
 */
#define SEGMENT_ALIGN MW_MIB(32)
#define FULL_SLICES (SEGMENT_ALIGN / MIMALLOC_SLICE_BYTES)
#define CAPACITY 10
#define RESERVED 12
#define HEAD_BYTES 512 /* of a segment: up to its slices */
#define NOT_LISTED 1   /* the block size of a span in no list */
#define MAX_PAGE_BYTES 112

/* What stands before the blocks of a page where page_start does not tell. */
enum gap { GAP_NONE, GAP_128, GAP_384, GAP_BLOCKS };

struct layout {
	const char *source;
	unsigned cookie, segment_slices, info_slices, entries, thread_id;
	unsigned slices, page_bytes, free, used, used_bytes, block_size;
	unsigned block_size_bytes, local_free, page_start, keys, xthread_free;
	enum gap gap;
};

#define MIMALLOC_V2(...) { __VA_ARGS__ },
static const struct layout layouts[] = {
#include "layouts/mimalloc_v2.def"
};

struct segment {
	uint64_t va, key, thread;
	uint64_t slices, info, entries;
	const struct layout *layout;
	bool is_full; /* its spans fill it, and make sense */
};

typedef MW_VEC(struct segment) segments;

/* Reading */

static uint64_t number(const uint8_t *at, unsigned bytes)
{
	return bytes == 2 ? mw_u16(at) : bytes == 4 ? mw_u32(at) : mw_u64(at);
}

/** Bytes between the first slice of a page and its first block. */
static uint64_t gap_before(enum gap gap, uint64_t block_bytes)
{
	if (block_bytes < 8)
		return 0;
	if (gap == GAP_BLOCKS)
		return block_bytes <= 64    ? 3 * block_bytes
		       : block_bytes <= 512 ? block_bytes
					    : 0;
	if (block_bytes > 1024)
		return 0;
	return gap == GAP_128 ? 128 : gap == GAP_384 ? 384 : 0;
}

static uint64_t slice_va(const struct segment *s, uint64_t index)
{
	return s->va + s->layout->slices + index * s->layout->page_bytes;
}

/** The span described at @va; false when there is none. A mimalloc_reader. */
static bool read_page(struct mimalloc *mi, const void *of, uint64_t va,
		      struct mimalloc_page *ret)
{
	const struct segment *s = of;
	const struct layout *l = s->layout;
	uint64_t index = (va - slice_va(s, 0)) / l->page_bytes, slices;
	uint8_t bytes[MAX_PAGE_BYTES];

	if (!mw_target_read(mi->target, va, bytes, l->page_bytes))
		return false;
	slices = mw_u32(bytes);
	if (slices == 0 || slices > s->slices - index)
		return false;
	*ret = (struct mimalloc_page){
		.va = va,
		.start = s->va + index * MIMALLOC_SLICE_BYTES,
		.bytes = slices * MIMALLOC_SLICE_BYTES,
		.block_bytes = number(bytes + l->block_size,
				      l->block_size_bytes),
		.used = number(bytes + l->used, l->used_bytes),
		.capacity = mw_u16(bytes + CAPACITY),
		.reserved = mw_u16(bytes + RESERVED),
		.lists = { mw_u64(bytes + l->free),
			   mw_u64(bytes + l->local_free),
			   mw_u64(bytes + l->xthread_free) & ~UINT64_C(3) },
		.is_encoded = l->keys > 0,
		.keys = { mw_u64(bytes + l->keys),
			  mw_u64(bytes + l->keys + 8) },
	};
	if (ret->block_bytes == NOT_LISTED)
		ret->block_bytes = 0;
	ret->blocks = l->page_start ? mw_u64(bytes + l->page_start)
				    : ret->start + gap_before(l->gap,
							      ret->block_bytes);
	// The one block of a huge page has all of it.
	if (ret->reserved == 1 && mw_within(ret->blocks, 0, ret->start,
					    ret->start + ret->bytes))
		ret->block_bytes = mw_min(ret->block_bytes,
					  ret->start + ret->bytes -
						  ret->blocks);
	ret->is_sound = ret->block_bytes == 0 || index == 0 ||
			mimalloc_is_sound(ret);
	return true;
}

/** Whether its spans fill the segment, up to the guard if it has one. */
static bool spans_fill(struct mimalloc *mi, const struct segment *s)
{
	uint64_t index = 0;
	struct mimalloc_page page;

	while (index < s->slices && index < s->entries) {
		if (!read_page(mi, s, slice_va(s, index), &page) ||
		    !page.is_sound ||
		    (index == 0 &&
		     page.bytes != s->info * MIMALLOC_SLICE_BYTES))
			return false;
		index += page.bytes / MIMALLOC_SLICE_BYTES;
	}
	return index == s->slices || index == s->slices - 1;
}

/**
 * A segment is full, or has the slices of a huge block, which is larger than
 * half of one (MI_LARGE_OBJ_SIZE_MAX). All are described that a full segment
 * has, a guard perhaps not.
 */
static bool sizes_fit(const struct segment *s)
{
	return s->info > 0 && s->info <= s->entries &&
	       s->slices >= FULL_SLICES / 2 &&
	       s->entries <= mw_min(s->slices, 2 * FULL_SLICES) &&
	       s->entries + 1 >= mw_min(s->slices, FULL_SLICES) &&
	       s->slices <= UINT64_MAX / MIMALLOC_SLICE_BYTES;
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
	if (!sizes_fit(ret) ||
	    !alloc_book_fits(&mi->book, va,
			     ret->slices * MIMALLOC_SLICE_BYTES))
		return false;
	for (int i = 0; i <= MIMALLOC_READ_AGAIN && !ret->is_full; i++) {
		ret->is_full = spans_fill(mi, ret);
		if (!mi->is_live)
			break;
		mw_target_forget(mi->target, va,
				 ret->info * MIMALLOC_SLICE_BYTES);
	}
	mw_target_keep(mi->target, va, ret->is_full ? sizeof(bytes) : 0);
	return true;
}

/* Entering */

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

static void add_segment(struct mimalloc *mi, const struct segment *s)
{
	uint32_t arena = mimalloc_arena_of(mi, s->thread);
	uint64_t index = s->info;
	struct mimalloc_page page;

	alloc_book_add(&mi->book, arena, ALLOC_METADATA, s->va,
		       s->info * MIMALLOC_SLICE_BYTES);
	while (!mi->book.failed && index < s->slices && index < s->entries &&
	       read_page(mi, s, slice_va(s, index), &page)) {
		if (page.block_bytes == 0)
			add_span(mi, arena, page.start, page.bytes);
		else if (page.is_sound)
			mimalloc_add_page(mi, arena, &page, read_page, s);
		else
			alloc_book_add(&mi->book, arena, ALLOC_TORN,
				       page.start, page.bytes);
		index += page.bytes / MIMALLOC_SLICE_BYTES;
	}
	if (index < s->slices)
		alloc_book_add(&mi->book, arena,
			       s->is_full ? ALLOC_METADATA : ALLOC_TORN,
			       s->va + index * MIMALLOC_SLICE_BYTES,
			       (s->slices - index) * MIMALLOC_SLICE_BYTES);
}

/* Finding */

/** Note what may be a segment at @va, by each layout. */
static void try_segment(struct mimalloc *mi, segments *found, uint64_t va)
{
	for (size_t l = 0; l < MW_COUNT(layouts); l++) {
		struct segment s, *place;

		if (!read_segment(mi, va, &layouts[l], &s))
			continue;
		place = mw_vec_push(found);
		if (place)
			*place = s;
		else
			mi->book.failed = true;
	}
}

static void find_segments(struct mimalloc *mi, segments *found)
{
	const struct mw_mappings *maps = mw_target_mappings(mi->target);
	const struct mw_pages *pages = mw_target_pages(mi->target);
	size_t hint = 0;

	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t va = m->start;

		if (!mw_mapping_is_anonymous(m) || !(m->perms & MW_PERM_W))
			continue;
		while ((va = mw_pages_next_aligned(pages, va, SEGMENT_ALIGN,
						   &hint)) < m->end) {
			try_segment(mi, found, va);
			va += SEGMENT_ALIGN;
		}
	}
}

static bool is_kin(const struct segment *a, const struct segment *b)
{
	return a->layout == b->layout && a->key == b->key;
}

/** The segment that most others agree with, NULL without any. */
static const struct segment *most_common(struct mimalloc *mi,
					 const segments *found)
{
	struct mw_map64 counts = { 0 }; /* by key and layout */
	const struct segment *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < found->n && !mi->book.failed; i++) {
		const struct segment *s = &found->v[i];
		uint64_t layout = (uint64_t)(s->layout - layouts), *count;

		// One that a thread is at work in need not be full.
		if (!s->is_full)
			continue;
		count = mw_map64_at(&counts, mw_hash_bytes(s->key, &layout,
							   sizeof(layout)));
		mi->book.failed |= !count;
		if (count && ++*count > most) {
			most = *count;
			best = s;
		}
	}
	mw_map64_free(&counts);
	return best;
}

bool mimalloc_v2(struct mimalloc *mi)
{
	const struct segment *best;
	segments found = { 0 };
	bool is_there;

	find_segments(mi, &found);
	best = most_common(mi, &found);
	is_there = best;
	for (size_t i = 0; best && i < found.n && !mi->book.failed; i++)
		if (is_kin(best, &found.v[i]))
			add_segment(mi, &found.v[i]);
	mw_vec_free(&found);
	return is_there;
}
