/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "mimalloc_v3.h"
#include "mw_guard.h"
#include "mw_search.h"

/*
 * Arenas of mimalloc 3: runs of slices, the first of which have the arena's
 * description (mi_arena_t) and its bitmaps. It begins with *base and u64 bytes
 * of the memory that was got. A bitmap begins with
 *
 *	0	u64 chunks, of 512 bits each, which stand at its end
 *
 * and the next one follows: how long a bitmap is, and so where its chunks are,
 * is seen from that.
 */
#define CHUNK_SLICES 512
#define CHUNK_BYTES 64
#define MIN_BITMAP_BYTES 128 /* before the chunks */
#define MAX_CHUNKS (1u << 16)
#define ARENA_BYTES 160 /* of its description, as far as needed */
#define MAX_ARENAS 4096

struct layout {
	const char *source;
	unsigned start, slice_count, slices_free;
};

#define MIMALLOC_V3_MAP(...)
#define MIMALLOC_V3_PAGE(...)
#define MIMALLOC_V3_ARENA(...) { __VA_ARGS__ },
static const struct layout layouts[] = {
#include "layouts/mimalloc_v3.def"
};

/** Whether [@va, …) is a bitmap of @arena that ends at @end. */
static bool is_bitmap(struct mimalloc *mi, const struct mimalloc_v3_arena *a,
		      uint64_t va, uint64_t end)
{
	uint64_t chunks;

	return va > a->start && va < end &&
	       end <= a->start + a->info * MIMALLOC_SLICE_BYTES &&
	       end - va >= MIN_BITMAP_BYTES + a->chunks * CHUNK_BYTES &&
	       mw_target_read_u64(mi->target, va, &chunks) &&
	       chunks == a->chunks;
}

static bool parse_arena(struct mimalloc *mi, const struct layout *l,
			const uint8_t *bytes, struct mimalloc_v3_arena *a)
{
	uint64_t free = mw_u64(bytes + l->slices_free);
	uint64_t committed = mw_u64(bytes + l->slices_free + 8);
	uint64_t dirty = mw_u64(bytes + l->slices_free + 16);
	uint64_t purge = mw_u64(bytes + l->slices_free + 24);

	a->start = l->start ? mw_u64(bytes + l->start) : a->va;
	a->slices = mw_u64(bytes + l->slice_count);
	a->info = mw_u64(bytes + l->slice_count + 8);
	if (a->info == 0 || a->info >= a->slices ||
	    a->slices > MAX_CHUNKS * CHUNK_SLICES ||
	    !mw_is_aligned(a->start, MIMALLOC_SLICE_BYTES) ||
	    !alloc_book_fits(&mi->book, a->start,
			     a->slices * MIMALLOC_SLICE_BYTES) ||
	    !mw_within(a->va, ARENA_BYTES, a->start,
		       a->start + a->info * MIMALLOC_SLICE_BYTES))
		return false;
	a->chunks = (a->slices + CHUNK_SLICES - 1) / CHUNK_SLICES;
	if (!is_bitmap(mi, a, free, committed) ||
	    !is_bitmap(mi, a, committed, dirty) ||
	    !is_bitmap(mi, a, dirty, purge))
		return false;
	a->free = committed - a->chunks * CHUNK_BYTES;
	a->dirty = purge - a->chunks * CHUNK_BYTES;
	return true;
}

/** Read the arena described at @va; false when there is none. */
static bool read_arena(struct mimalloc *mi, uint64_t va,
		       struct mimalloc_v3_arena *ret)
{
	uint8_t bytes[ARENA_BYTES];
	uint64_t base, end;

	if (va == 0 || !mw_is_aligned(va, MIMALLOC_SLICE_BYTES) ||
	    !alloc_book_fits(&mi->book, va, MIMALLOC_SLICE_BYTES) ||
	    !(mw_pages_state(mw_target_pages(mi->target), va) &
	      MW_PAGE_PRESENT) ||
	    !mw_target_copy(mi->target, va, bytes, sizeof(bytes)))
		return false;
	*ret = (struct mimalloc_v3_arena){ .va = va };
	for (size_t i = 0; i < MW_COUNT(layouts); i++) {
		if (!parse_arena(mi, &layouts[i], bytes, ret))
			continue;
		mw_target_keep(mi->target, va, sizeof(bytes));
		ret->own_start = ret->start;
		ret->own_end = ret->start +
			       ret->slices * MIMALLOC_SLICE_BYTES;
		base = mw_u64(bytes);
		if (base <= ret->start &&
		    mw_end(base, mw_u64(bytes + 8), &end) &&
		    end >= ret->own_end) {
			ret->own_start = base;
			ret->own_end = end;
		}
		return true;
	}
	return false;
}

/** The arena described at @va, noted if it was not; NULL: there is none. */
static struct mimalloc_v3_arena *note_arena(struct mimalloc *mi,
					    struct mimalloc_v3_arenas *arenas,
					    uint64_t va)
{
	struct mimalloc_v3_arena arena, *place;

	// Pages of one arena follow each other.
	for (size_t i = arenas->list.n; i > 0; i--)
		if (arenas->list.v[i - 1].va == va)
			return &arenas->list.v[i - 1];
	if (arenas->list.n >= MAX_ARENAS || !read_arena(mi, va, &arena))
		return NULL;
	arena.pages = mw_calloc(arena.chunks, CHUNK_BYTES);
	place = arena.pages ? mw_vec_push(&arenas->list) : NULL;
	if (!place) {
		mw_free(arena.pages);
		mi->book.failed = true;
		return NULL;
	}
	*place = arena;
	return place;
}

void mimalloc_v3_note_page(struct mimalloc *mi,
			   struct mimalloc_v3_arenas *arenas, uint64_t arena,
			   const struct mimalloc_page *page)
{
	struct mimalloc_v3_arena *a = note_arena(mi, arenas, arena);
	uint64_t first, end;

	if (!a || page->start < a->start)
		return;
	first = (page->start - a->start) / MIMALLOC_SLICE_BYTES;
	end = mw_min(first + page->bytes / MIMALLOC_SLICE_BYTES, a->slices);
	for (uint64_t i = first; i < end; i++)
		a->pages[i / 8] |= (uint8_t)(1u << i % 8);
}

struct scan {
	struct mimalloc *mi;
	struct mimalloc_v3_arenas *arenas;
};

static struct mw_error *scan_arenas(void *ctx, uint64_t va,
				    const uint64_t *words, size_t count)
{
	struct scan *s = ctx;

	(void)va;
	for (size_t i = 0; i < count; i++)
		if (words[i] && mw_is_aligned(words[i], MIMALLOC_SLICE_BYTES))
			(void)note_arena(s->mi, s->arenas, words[i]);
	return s->mi->book.failed ? mw_error_nomem() : NULL;
}

void mimalloc_v3_free_arenas(struct mimalloc_v3_arenas *arenas)
{
	for (size_t i = 0; i < arenas->list.n; i++)
		mw_free(arenas->list.v[i].pages);
	mw_vec_free(&arenas->list);
	mw_vec_free(&arenas->bad);
}

/* What no page has */

/** Bitmaps of an arena, a bit a slice. */
struct bitmaps {
	uint8_t *free, *dirty;
};

static bool bit(const uint8_t *map, uint64_t i)
{
	return map[i / 8] >> i % 8 & 1;
}

static bool is_bad(const struct mimalloc_v3_arenas *arenas, uint64_t va)
{
	size_t at = mw_first(i, 0, arenas->bad.n, arenas->bad.v[i] >= va);

	return at < arenas->bad.n && arenas->bad.v[at] == va;
}

/** What a slice is; ALLOC_KINDS when a page has it. */
static enum alloc_kind kind_of(struct mimalloc *mi,
			       const struct mimalloc_v3_arenas *arenas,
			       const struct mimalloc_v3_arena *a,
			       const struct bitmaps *maps, uint64_t slice)
{
	uint64_t start = a->start + slice * MIMALLOC_SLICE_BYTES;
	struct mw_tally tally = { 0 };

	if (bit(a->pages, slice))
		return ALLOC_KINDS;
	if (slice < a->info)
		return ALLOC_METADATA;
	// Of slices that are free the page map may have an old entry.
	if (!bit(maps->free, slice))
		return is_bad(arenas, start) ? ALLOC_TORN : ALLOC_METADATA;
	if (!bit(maps->dirty, slice))
		return ALLOC_RESERVED;
	mw_pages_tally(mw_target_pages(mi->target), &mi->book.hint, start,
		       start + MIMALLOC_SLICE_BYTES, &tally);
	return tally.rss_bytes + tally.swap_bytes > 0 ? ALLOC_DIRTY
						      : ALLOC_RETAINED;
}

static void add_rest(struct mimalloc *mi,
		     const struct mimalloc_v3_arenas *arenas, uint32_t arena,
		     const struct mimalloc_v3_arena *a,
		     const struct bitmaps *maps)
{
	uint64_t end = a->start + a->slices * MIMALLOC_SLICE_BYTES;

	for (uint64_t i = 0, next; i < a->slices; i = next) {
		enum alloc_kind kind = kind_of(mi, arenas, a, maps, i);

		for (next = i + 1; next < a->slices &&
				   kind_of(mi, arenas, a, maps, next) == kind;)
			next++;
		if (kind != ALLOC_KINDS)
			alloc_book_add(&mi->book, arena, kind,
				       a->start + i * MIMALLOC_SLICE_BYTES,
				       (next - i) * MIMALLOC_SLICE_BYTES);
	}
	// What the arena's alignment cost.
	alloc_book_add(&mi->book, arena, ALLOC_RESERVED, a->own_start,
		       a->start - a->own_start);
	alloc_book_add(&mi->book, arena, ALLOC_RESERVED, end,
		       a->own_end - end);
}

static void add_arena(struct mimalloc *mi,
		      const struct mimalloc_v3_arenas *arenas, size_t index)
{
	const struct mimalloc_v3_arena *a = &arenas->list.v[index];
	uint64_t bytes = a->chunks * CHUNK_BYTES;
	MW_CLEANUP(mw_freep) uint8_t *free = mw_alloc(bytes);
	MW_CLEANUP(mw_freep) uint8_t *dirty = mw_alloc(bytes);
	char name[32];
	uint32_t arena;

	snprintf(name, sizeof(name), "arena-%zu", index + 1);
	arena = alloc_book_arena(&mi->book, name);
	mi->book.failed |= !free || !dirty;
	if (mi->book.failed)
		return;
	if (mw_target_read(mi->target, a->free, free, bytes) &&
	    mw_target_read(mi->target, a->dirty, dirty, bytes))
		add_rest(mi, arenas, arena, a,
			 &(struct bitmaps){ free, dirty });
}

struct mw_error *mimalloc_v3_add_arenas(struct mimalloc *mi,
					struct mimalloc_v3_arenas *arenas)
{
	struct scan scan = { mi, arenas };
	struct mw_error *error = alloc_scan_data(mi->target, scan_arenas,
						 &scan);

	for (size_t i = 0;
	     !error && !mi->book.failed && i < arenas->list.n; i++)
		add_arena(mi, arenas, i);
	return error;
}
