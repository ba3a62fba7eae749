/* SPDX-License-Identifier: Apache-2.0 */
#include "gtcmalloc_int.h"
#include "mw_guard.h"

/*
 * Google's TCMalloc (github.com/google/tcmalloc), which is another program than
 * that of gperftools by now: regions of 1 GiB, in huge pages; spans of pages in
 * them, each one large block or divided into blocks of one size class, by the
 * page map; what no span has is free. Its own structures lie in regions of
 * their own.
 */

static void free_state(void *ctx)
{
	struct gtcmalloc *tc = ctx;

	alloc_book_deinit(&tc->book);
	mw_vec_free(&tc->regions);
	mw_vec_free(&tc->spans);
	mw_vec_free(&tc->caches);
	mw_map64_free(&tc->freed);
	mw_free(tc);
}

static void free_statep(struct gtcmalloc **tc)
{
	if (*tc)
		free_state(*tc);
}

/* Regions */

static const struct gtc_region *region_of(const struct gtcmalloc *tc,
					  uint64_t va)
{
	// Most often it is the one that was asked for last.
	for (size_t i = tc->regions.n; i > 0; i--)
		if (va >= tc->regions.v[i - 1].start &&
		    va < tc->regions.v[i - 1].end)
			return &tc->regions.v[i - 1];
	return NULL;
}

bool gtcmalloc_is_own(const struct gtcmalloc *tc, uint64_t va)
{
	const struct gtc_region *r = region_of(tc, va);

	return r && !r->has_spans;
}

void gtcmalloc_note_region(struct gtcmalloc *tc, uint64_t va, bool has_spans)
{
	const struct mw_mappings *maps = mw_target_mappings(tc->target);
	const struct mw_mapping *m = mw_mappings_find(maps, va), *last = m;
	const struct mw_mapping *end = maps->list.v + maps->list.n;
	uint64_t low = mw_align_down(va, GTC_REGION_BYTES);
	struct gtc_region *place;

	if (region_of(tc, va) || !m || !mw_mapping_is_anonymous(m))
		return;
	while (m > maps->list.v && m->start > low && m[-1].end == m->start &&
	       mw_mapping_is_anonymous(m - 1))
		m--;
	while (last + 1 < end && last->end < low + GTC_REGION_BYTES &&
	       last[1].start == last->end && mw_mapping_is_anonymous(last + 1))
		last++;
	place = mw_vec_push(&tc->regions);
	if (!place) {
		tc->book.failed = true;
		return;
	}
	*place = (struct gtc_region){
		.start = mw_max(m->start, low),
		.end = mw_min(last->end, low + GTC_REGION_BYTES),
		.has_spans = has_spans,
	};
}

/* Spans */

static bool set_free(struct gtcmalloc *tc, const struct alloc_piece *p,
		     uint64_t slot)
{
	if (slot >= p->count ||
	    alloc_book_get(&tc->book, p, (uint32_t)slot) == ALLOC_FREE)
		return false;
	alloc_book_set(&tc->book, p, (uint32_t)slot, ALLOC_FREE);
	return true;
}

/** The block that stands @index * 8 bytes from the span's start is free. */
static bool set_free_at(struct gtcmalloc *tc, const struct alloc_piece *p,
			uint64_t index)
{
	return index * 8 % p->slot_bytes == 0 &&
	       set_free(tc, p, index * 8 / p->slot_bytes);
}

/**
 * Mark the free blocks of a span whose blocks are too small for a bit each:
 * some are named in the span, others in a list of blocks, each of which has the
 * place of the next one and those of as many more as it has room for.
 */
static uint32_t mark_list(struct gtcmalloc *tc, const struct alloc_piece *p,
			  const struct gtc_span *s)
{
	uint64_t host = s->freelist, embedded = s->embedded;
	uint32_t n = 0;

	for (unsigned i = 0; i < s->cached; i++)
		n += set_free_at(tc, p, mw_u16(s->cache + 2 * i));
	while (host != UINT16_MAX && embedded < p->slot_bytes / 2) {
		uint8_t bytes[2048]; // such a block with pages of 256 KiB
		uint64_t want = 2 * (embedded + 1);

		if (!set_free_at(tc, p, host) || want > sizeof(bytes) ||
		    !mw_target_read(tc->target, s->start + host * 8, bytes,
				    want))
			break;
		mw_target_keep(tc->target, s->start + host * 8, want);
		n++;
		for (uint64_t i = 1; i <= embedded; i++)
			n += set_free_at(tc, p, mw_u16(bytes + 2 * i));
		host = mw_u16(bytes);
		embedded = p->slot_bytes / 2 - 1;
	}
	return n;
}

static uint32_t mark_free(struct gtcmalloc *tc, const struct alloc_piece *p,
			  const struct gtc_span *s)
{
	const uint64_t bits = 8 * sizeof(s->cache);
	uint32_t n = 0;

	if (p->slot_bytes < (UINT64_C(1) << tc->page_shift) / bits)
		return mark_list(tc, p, s);
	for (uint64_t i = 0; i < bits; i++)
		if (s->cache[i / 8] >> i % 8 & 1)
			n += set_free(tc, p, i);
	return n;
}

#define READ_AGAIN 3

static void add_blocks(struct gtcmalloc *tc, uint64_t va, struct gtc_span s,
		       unsigned class)
{
	uint64_t size = tc->sizes[class], start = s.start;
	uint32_t count = (uint32_t)mw_min(s.bytes / size, UINT32_MAX);
	size_t piece = alloc_book_slots(&tc->book, tc->arena, ALLOC_METADATA,
					s.start, s.bytes, s.start, size, count);

	for (int i = 0; piece != SIZE_MAX && i <= READ_AGAIN; i++) {
		const struct alloc_piece *p = &tc->book.pieces.v[piece];

		for (uint32_t k = 0; k < p->count; k++)
			alloc_book_set(&tc->book, p, k, ALLOC_IN_USE);
		// Where there is one only, they are not counted.
		if (mark_free(tc, p, &s) + s.allocated == p->count ||
		    p->count == 1)
			return;
		if (mw_target_info(tc->target)->mode != MW_CAPTURE_LIVE)
			break;
		mw_target_forget(tc->target, va, 64);
		mw_target_forget(tc->target, s.start, s.bytes);
		if (!gtcmalloc_read_span(tc, va, &s) || s.start != start)
			break;
	}
	tc->book.arenas.v[tc->arena]->figures->unsettled++;
}

static void add_span(struct gtcmalloc *tc, uint64_t va,
		     const struct gtc_span *s, unsigned class)
{
	struct gtc_range *place = mw_vec_push(&tc->spans);

	if (!place) {
		tc->book.failed = true;
		return;
	}
	*place = (struct gtc_range){ s->start, s->start + s->bytes,
				     s->sample };
	gtcmalloc_note_region(tc, va, false);
	gtcmalloc_note_region(tc, s->start, true);
	if (class > 0 && class < tc->classes && tc->sizes[class] > 0)
		add_blocks(tc, va, *s, class);
	else
		(void)alloc_book_slots(&tc->book, tc->arena, ALLOC_METADATA,
				       s->start, s->bytes, s->start, s->bytes,
				       1);
}

/** Walk the leaf at @leaf, whose first page is @base. */
static void walk_leaf(struct gtcmalloc *tc, uint64_t leaf, uint64_t base)
{
	uint64_t words[MW_PAGE_BYTES / 8], n, next = base;
	uint64_t at = gtcmalloc_entry(tc, leaf, 0);

	for (uint64_t i = 0; i < GTC_LEAF_PAGES; i += n) {
		if (!alloc_read_words(tc->target, at, i, GTC_LEAF_PAGES, words,
				      &n))
			continue;
		mw_target_keep(tc->target, at + 8 * i, 8 * n);
		for (uint64_t k = 0; k < n; k++) {
			uint64_t page = base + i + k;
			uint64_t va = words[k] << 16 >> 16;
			struct gtc_span s;

			// Entries within a span, and of others, are old ones.
			if (va == 0 || page < next ||
			    mw_map64_find(&tc->freed, va) ||
			    !gtcmalloc_read_span(tc, va, &s) ||
			    s.start != page << tc->page_shift)
				continue;
			add_span(tc, va, &s, gtcmalloc_class(tc, leaf, page));
			next = page + (s.bytes >> tc->page_shift);
		}
	}
}

/** Call @visit(tc, leaf, first page) for each leaf of the page map. */
static void each_leaf(struct gtcmalloc *tc,
		      void (*visit)(struct gtcmalloc *tc, uint64_t leaf,
				    uint64_t base))
{
	uint64_t words[MW_PAGE_BYTES / 8], n;
	uint64_t entries = UINT64_C(1) << (GTC_ADDRESS_BITS - tc->page_shift -
					   GTC_LEAF_BITS);

	for (uint64_t i = 0; i < entries; i += n) {
		if (!alloc_read_words(tc->target, tc->root, i, entries, words,
				      &n))
			continue;
		mw_target_keep(tc->target, tc->root + 8 * i, 8 * n);
		for (uint64_t k = 0; k < n; k++)
			if (words[k] && mw_is_aligned(words[k], 8) &&
			    alloc_book_fits(&tc->book, words[k],
					    gtcmalloc_entry(tc, 0, 0) +
						    8ull * GTC_LEAF_PAGES))
				visit(tc, words[k], (i + k) << GTC_LEAF_BITS);
	}
}

static void note_leaf(struct gtcmalloc *tc, uint64_t leaf, uint64_t base)
{
	(void)base;
	gtcmalloc_note_region(tc, leaf, false);
}

/* What no span has */

/** Free pages: those that are there, and those that are not. */
static void add_free(struct gtcmalloc *tc, uint64_t start, uint64_t end)
{
	const struct mw_pages *pages = mw_target_pages(tc->target);

	for (uint64_t va = start, stop; va < end; va = stop) {
		bool is_there = mw_pages_state(pages, va) != 0;

		for (stop = va + MW_PAGE_BYTES;
		     stop < end &&
		     (mw_pages_state(pages, stop) != 0) == is_there;
		     stop += MW_PAGE_BYTES)
			;
		alloc_book_add(&tc->book, tc->arena,
			       is_there ? ALLOC_DIRTY : ALLOC_RETAINED, va,
			       mw_min(stop, end) - va);
	}
}

static void add_gaps(struct gtcmalloc *tc, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < tc->spans.n && start < end; i++) {
		const struct gtc_range *s = &tc->spans.v[i];

		if (s->end <= start)
			continue;
		if (s->start >= end)
			break;
		if (s->start > start)
			add_free(tc, start, s->start);
		start = s->end;
	}
	if (start < end)
		add_free(tc, start, end);
}

static struct mw_error *claim_own(struct gtcmalloc *tc, uint64_t start,
				  uint64_t end)
{
	mw_account_id account;
	struct mw_error *error = mw_sink_account(
		tc->book.alloc->sink, "malloc/google-tcmalloc", "metadata",
		"regions that have spans' descriptions or the page map",
		&account);

	return error ? error
		     : mw_sink_claim(tc->book.alloc->sink, &(struct mw_claim){
		.start = start,
		.bytes = end - start,
		.layer = MW_LAYER_REMAINDER,
		.account = account,
		.walker = "google-tcmalloc",
		.what = "google-tcmalloc metadata",
	});
}

static struct mw_error *add_region(struct gtcmalloc *tc,
				   const struct gtc_region *r)
{
	const struct mw_mappings *maps = mw_target_mappings(tc->target);
	struct mw_error *error = NULL;

	for (size_t i = mw_mappings_after(maps, r->start);
	     !error && i < maps->list.n && maps->list.v[i].start < r->end;
	     i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t start = mw_max(m->start, r->start);
		uint64_t end = mw_min(m->end, r->end);

		if (!(m->perms & MW_PERM_W))
			alloc_book_add(&tc->book, tc->arena, ALLOC_RESERVED,
				       start, end - start);
		else if (r->has_spans)
			add_gaps(tc, start, end);
		else
			error = claim_own(tc, start, end);
	}
	return error;
}

/**
 * There are size classes, but no page map that is known: claim regions, by what
 * they are like, and leave open what is in them.
 */
static struct mw_error *claim_unwalked(struct gtcmalloc *tc)
{
	const struct mw_mappings *maps = mw_target_mappings(tc->target);
	struct mw_error *error;
	mw_account_id account;

	error = mw_sink_account(tc->book.alloc->sink, "malloc/unwalked",
				"google-tcmalloc", "regions of 1 GiB that are "
				"reserved and then made writable, and size "
				"classes", &account);
	for (size_t i = 1; !error && i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		const struct gtc_region *r;

		// From the end of a region on towards its beginning.
		if (!(m->perms & MW_PERM_W) || (m->perms & MW_PERM_X) ||
		    !mw_mapping_is_anonymous(m) ||
		    !mw_is_aligned(m->end, GTC_REGION_BYTES))
			continue;
		tc->regions.n = 0;
		gtcmalloc_note_region(tc, m->start, true);
		if (tc->book.failed)
			return mw_error_nomem();
		r = tc->regions.n ? &tc->regions.v[0] : NULL;
		if (!r || r->end - r->start != GTC_REGION_BYTES ||
		    (mw_mappings_find(maps, r->start)->perms & MW_PERM_R))
			continue;
		error = mw_sink_claim(tc->book.alloc->sink, &(struct mw_claim){
			.start = m->start,
			.bytes = mw_mapping_bytes(m),
			.layer = MW_LAYER_REMAINDER,
			.account = account,
			.walker = "google-tcmalloc",
			.what = "google-tcmalloc region",
		});
	}
	return error;
}

static struct mw_error *walk(struct gtcmalloc *tc)
{
	struct mw_error *error = gtcmalloc_find(tc);

	if (!error && tc->sizes_va && !tc->root)
		error = claim_unwalked(tc);
	if (error || !tc->root)
		return error;
	tc->arena = alloc_book_arena(&tc->book, "heap");
	if (tc->book.failed)
		return mw_error_nomem();
	each_leaf(tc, note_leaf);
	error = gtcmalloc_find_freed(tc);
	if (error)
		return error;
	each_leaf(tc, walk_leaf);
	for (size_t i = 0; !error && i < tc->regions.n; i++)
		error = add_region(tc, &tc->regions.v[i]);
	if (error || tc->book.failed)
		return error ? error : mw_error_nomem();
	alloc_book_sort(&tc->book);
	error = gtcmalloc_mark_caches(tc);
	return error ? error : alloc_book_claim(&tc->book);
}

static struct mw_error *claim(struct mw_alloc *alloc)
{
	MW_CLEANUP(free_statep) struct gtcmalloc *tc =
		mw_calloc(1, sizeof(*tc));
	struct mw_error *error;

	if (!tc)
		return mw_error_nomem();
	tc->target = alloc->target;
	alloc_book_init(&tc->book, alloc, "google-tcmalloc");
	// What it gives back depends on the demand in the past minutes.
	tc->book.no_trimming = true;
	error = walk(tc);
	if (error || !tc->root)
		return error;
	return alloc_add_heap(alloc, &alloc_gtcmalloc, mw_steal(tc));
}

const struct alloc_detector alloc_gtcmalloc = {
	.name = "google-tcmalloc",
	.claim = claim,
	.free = free_state,
	.block_at = alloc_book_block_at,
	.blocks = alloc_book_blocks,
	.holds = alloc_book_holds,
};
