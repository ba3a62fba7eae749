/* SPDX-License-Identifier: Apache-2.0 */
#include "mimalloc_v3.h"
#include "mw_guard.h"

/*
 * mimalloc 3: a page map leads from an address to the description of the page
 * that has it:
 *
 *	root	pointers to parts, by bits 29 and more of the address
 *	part	2^13 pointers to descriptions, by bits 16 to 28
 *
 * The part for the lowest addresses stands right behind the root, and its
 * first word leads there: by this the root is known. A description says
 * where the page's memory comes from (mi_memid_t):
 *
 *	0	*arena, or *base of memory of the page's own
 *	8	u32 first slice, 12 u32 slices; or u64 bytes
 *	16	u32 kind: which of them
 */
#define PART_SHIFT 29
#define PART_ENTRIES 8192
#define PART_BYTES (8 * PART_ENTRIES)
#define MIN_ROOT_BITS 15 /* 44 bits of address, … */
#define MAX_ROOT_BITS 19 /* … 48 */
#define MEMID_BYTES 24
#define MAX_PAGE_BYTES 144
#define MAX_BAD (1u << 20)
#define ENOUGH_PAGES 256 /* to tell which layout it is */
#define THREAD_MASK (~UINT64_C(7)) /* 4: abandoned; below it flags */

#define START 48 /* of a page: where its blocks begin */
enum start { START_POINTER, START_WORDS, START_BYTES };

struct page_layout {
	const char *source;
	unsigned thread, free, local_free, xthread_free, used, capacity;
	unsigned block_size, memid, keys;
	enum start start;
	uint32_t arena_kind;
	unsigned arena_start;
};

#define MIMALLOC_V3_MAP(...)
#define MIMALLOC_V3_PAGE(...) { __VA_ARGS__ },
#define MIMALLOC_V3_ARENA(...)
static const struct page_layout layouts[] = {
#include "layouts/mimalloc_v3.def"
};

#undef MIMALLOC_V3_MAP
#undef MIMALLOC_V3_PAGE
#define MIMALLOC_V3_MAP(source, entries) entries,
#define MIMALLOC_V3_PAGE(...)
static const unsigned map_layouts[] = {
#include "layouts/mimalloc_v3.def"
};

struct root {
	uint64_t start, end; /* with the first part */
	uint64_t va, entries;
};

/** One walk through a page map. */
struct walk {
	struct mimalloc *mi;
	/* Called for the entry @word, at @entry, of the slice at @at */
	void (*take)(struct walk *w, uint64_t entry, uint64_t word,
		     uint64_t at);
	uint64_t last; /* description that was looked at */
	unsigned rated, votes[MW_COUNT(layouts)];
	const struct page_layout *layout;
	uint32_t arena; /* of the map itself */
	struct mimalloc_v3_arenas *arenas;
};

/* Pages */

/** Set where the page's memory is by the memid at @bytes. */
static bool place_page(struct mimalloc *mi, const struct page_layout *l,
		       const uint8_t *bytes, struct mimalloc_page *page)
{
	uint32_t kind = mw_u32(bytes + 16);

	page->start = mw_u64(bytes);
	page->bytes = mw_u64(bytes + 8);
	if (kind == l->arena_kind) {
		page->in_arena = page->start;
		if (l->arena_start &&
		    !mw_target_read_u64(mi->target,
					page->in_arena + l->arena_start,
					&page->start))
			return false;
		page->start += mw_u32(bytes + 8) * MIMALLOC_SLICE_BYTES;
		page->bytes = mw_u32(bytes + 12) * MIMALLOC_SLICE_BYTES;
	} else if (kind < l->arena_kind - 3 || kind > l->arena_kind) {
		return false;
	}
	return mw_is_aligned(page->start | page->bytes, MW_PAGE_BYTES) &&
	       alloc_book_fits(&mi->book, page->start, page->bytes);
}

static uint64_t first_block(const struct page_layout *l, uint64_t va,
			    const uint8_t *bytes)
{
	switch (l->start) {
	case START_WORDS:
		return va + UINT64_C(8) * mw_u32(bytes + START);
	case START_BYTES:
		return va + mw_u64(bytes + START);
	default:
		return mw_u64(bytes + START);
	}
}

static bool parse_page(struct mimalloc *mi, const struct page_layout *l,
		       uint64_t va, const uint8_t *bytes,
		       struct mimalloc_page *ret)
{
	*ret = (struct mimalloc_page){
		.va = va,
		.block_bytes = mw_u64(bytes + l->block_size),
		.blocks = first_block(l, va, bytes),
		.used = mw_u16(bytes + l->used),
		.capacity = mw_u16(bytes + l->capacity),
		.reserved = mw_u16(bytes + l->capacity + 2),
		.lists = { mw_u64(bytes + l->free),
			   mw_u64(bytes + l->local_free),
			   mw_u64(bytes + l->xthread_free) & ~UINT64_C(3) },
		.is_encoded = l->keys > 0,
		.keys = { mw_u64(bytes + l->keys),
			  mw_u64(bytes + l->keys + 8) },
		.thread = mw_u64(bytes + l->thread) & THREAD_MASK,
	};
	if (!place_page(mi, l, bytes + l->memid, ret))
		return false;
	ret->is_sound = mimalloc_is_sound(ret);
	return mw_within(ret->blocks, 1, ret->start, ret->start + ret->bytes);
}

/** A mimalloc_reader of a page by one layout. */
static bool read_page(struct mimalloc *mi, const void *of, uint64_t va,
		      struct mimalloc_page *ret)
{
	const struct page_layout *l = of;
	uint8_t bytes[MAX_PAGE_BYTES];

	return mw_is_aligned(va, 8) &&
	       mw_target_read(mi->target, va, bytes, l->memid + MEMID_BYTES) &&
	       parse_page(mi, l, va, bytes, ret);
}

/** Whether @l makes sense of the page described at @va, which has @at. */
static bool find_page(struct mimalloc *mi, const struct page_layout *l,
		      uint64_t va, uint64_t at, struct mimalloc_page *ret)
{
	return read_page(mi, l, va, ret) && ret->is_sound &&
	       mw_within(at, MIMALLOC_SLICE_BYTES, ret->start,
			 ret->start + ret->bytes);
}

/** Have the page of an entry vote for the layouts that make sense of it. */
static void rate_entry(struct walk *w, uint64_t entry, uint64_t word,
		       uint64_t at)
{
	struct mimalloc_page page;

	(void)entry;
	if (word == w->last || w->rated >= ENOUGH_PAGES)
		return;
	w->last = word;
	w->rated++;
	for (size_t i = 0; i < MW_COUNT(layouts); i++)
		if (find_page(w->mi, &layouts[i], word, at, &page))
			w->votes[i] += mimalloc_has_links(w->mi, &page) ? 2 : 1;
}

static void note_bad(struct walk *w, uint64_t at)
{
	uint64_t *place = w->arenas->bad.n < MAX_BAD
				  ? mw_vec_push(&w->arenas->bad)
				  : NULL;

	if (place)
		*place = at;
}

/** Enter what the entry at @entry of the map says of the slice at @at. */
static void take_entry(struct walk *w, uint64_t entry, uint64_t word,
		       uint64_t at)
{
	struct mimalloc *mi = w->mi;
	struct mimalloc_page page;

	// All slices of a page have the same entry.
	for (int i = 0; word && word != w->last; i++) {
		if (find_page(mi, w->layout, word, at, &page)) {
			w->last = word;
			mimalloc_add_page(mi,
					  mimalloc_arena_of(mi, page.thread),
					  &page, read_page, w->layout);
			if (page.in_arena)
				mimalloc_v3_note_page(mi, w->arenas,
						      page.in_arena, &page);
			return;
		}
		if (!mi->is_live || i == MIMALLOC_READ_AGAIN) {
			note_bad(w, at);
			return;
		}
		mw_target_forget(mi->target, word, MAX_PAGE_BYTES);
		mw_target_forget(mi->target, entry, 8);
		if (!mw_target_read_u64(mi->target, entry, &word))
			return;
	}
}

/* The page map */

/** The part at @va, which begins with the address @base. */
static void walk_part(struct walk *w, uint64_t va, uint64_t base)
{
	uint64_t words[MW_PAGE_BYTES / 8];

	for (uint64_t first = 0, n; first < PART_ENTRIES; first += n) {
		if (!alloc_read_words(w->mi->target, va, first, PART_ENTRIES,
				      words, &n))
			continue;
		mw_target_keep(w->mi->target, va + 8 * first, 8 * n);
		for (uint64_t i = 0; i < n && !w->mi->book.failed; i++)
			if (words[i])
				w->take(w, va + 8 * (first + i), words[i],
					base + (first + i) *
						       MIMALLOC_SLICE_BYTES);
	}
}

/** Call take() for all entries; part(), if not NULL, for all parts. */
static void walk_map(struct walk *w, const struct root *root,
		     void (*part)(struct walk *w, uint64_t va))
{
	uint64_t words[MW_PAGE_BYTES / 8];

	w->last = 0;
	for (uint64_t first = 0, n; first < root->entries; first += n) {
		if (!alloc_read_words(w->mi->target, root->va, first,
				      root->entries, words, &n))
			continue;
		mw_target_keep(w->mi->target, root->va + 8 * first, 8 * n);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t base = (first + i) << PART_SHIFT;

			if (!words[i] || !mw_is_aligned(words[i], 8) ||
			    !alloc_is_mapped(w->mi->target, base, PART_SHIFT) ||
			    !alloc_book_fits(&w->mi->book, words[i],
					     PART_BYTES))
				continue;
			// The first was got together with the root.
			if (part && first + i > 0)
				part(w, words[i]);
			walk_part(w, words[i], base);
		}
	}
}

static void add_part(struct walk *w, uint64_t va)
{
	alloc_book_add(&w->mi->book, w->arena, ALLOC_METADATA, va, PART_BYTES);
}

/** Enter what @root leads to; false: no layout makes sense of any page. */
static bool take_map(struct mimalloc *mi, const struct root *root,
		     struct mimalloc_v3_arenas *arenas)
{
	struct walk w = { .mi = mi, .take = rate_entry, .arenas = arenas };
	unsigned most = 0;

	walk_map(&w, root, NULL);
	for (size_t i = 0; i < MW_COUNT(layouts); i++)
		if (w.votes[i] > most) {
			most = w.votes[i];
			w.layout = &layouts[i];
		}
	if (!w.layout)
		return false;
	w.take = take_entry;
	w.arena = alloc_book_arena(&mi->book, "page-map");
	if (mi->book.failed)
		return true;
	alloc_book_add(&mi->book, w.arena, ALLOC_METADATA, root->start,
		       root->end - root->start);
	walk_map(&w, root, add_part);
	return true;
}

/* Finding */

struct root_scan {
	struct mimalloc *mi;
	MW_VEC(struct root) roots;
};

/** Whether a page map is at @va, its entries @before bytes behind. */
static bool is_root(struct mimalloc *mi, uint64_t va, unsigned before,
		    struct root *ret)
{
	uint64_t first, room;

	if (va == 0 || !mw_is_aligned(va, MW_PAGE_BYTES) ||
	    !alloc_book_fits(&mi->book, va, MW_PAGE_BYTES) ||
	    !(mw_pages_state(mw_target_pages(mi->target), va) &
	      MW_PAGE_PRESENT) ||
	    !mw_target_copy(mi->target, va + before, &first, sizeof(first)))
		return false;
	room = first - va - mw_align_up(before, MW_PAGE_BYTES);
	if (first < va || !mw_is_aligned(first, MW_PAGE_BYTES) ||
	    (room & (room - 1)) != 0 ||
	    room < UINT64_C(8) << MIN_ROOT_BITS ||
	    room > UINT64_C(8) << MAX_ROOT_BITS ||
	    !alloc_book_fits(&mi->book, va, first - va + PART_BYTES))
		return false;
	mw_target_keep(mi->target, va + before, sizeof(first));
	*ret = (struct root){
		.start = va,
		.end = first + PART_BYTES,
		.va = va + before,
		.entries = room / 8,
	};
	return true;
}

static struct mw_error *note_root(struct root_scan *s, const struct root *root)
{
	struct root *place;

	for (size_t i = 0; i < s->roots.n; i++)
		if (s->roots.v[i].start == root->start)
			return NULL;
	place = mw_vec_push(&s->roots);
	if (!place)
		return mw_error_nomem();
	*place = *root;
	return NULL;
}

static struct mw_error *scan_roots(void *ctx, uint64_t va,
				   const uint64_t *words, size_t count)
{
	struct root_scan *s = ctx;
	struct mw_error *error = NULL;
	struct root root;

	(void)va;
	for (size_t i = 0; !error && i < count; i++) {
		// Most words are not even the address of a page.
		if (words[i] % MW_PAGE_BYTES != 0)
			continue;
		for (size_t l = 0; !error && l < MW_COUNT(map_layouts); l++)
			if (is_root(s->mi, words[i], map_layouts[l], &root))
				error = note_root(s, &root);
	}
	return error;
}

struct mw_error *mimalloc_v3(struct mimalloc *mi, bool *ret_found)
{
	struct root_scan s = { .mi = mi };
	struct mimalloc_v3_arenas arenas = { 0 };
	struct mw_error *error = alloc_scan_data(mi->target, scan_roots, &s);
	bool is_found = false;

	for (size_t i = 0; !error && i < s.roots.n; i++)
		is_found |= take_map(mi, &s.roots.v[i], &arenas);
	if (!error && is_found)
		error = mimalloc_v3_add_arenas(mi, &arenas);
	if (!error)
		*ret_found = is_found;
	mimalloc_v3_free_arenas(&arenas);
	mw_vec_free(&s.roots);
	return error;
}
