/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_guard.h"
#include "tcmalloc_int.h"

/*
 * TCMalloc (gperftools): spans of pages, by the page map, an array of arrays of
 * pointers to struct Span. A span is free, or one large block, or divided into
 * blocks of one size class. All pages of the latter have an entry, of others the
 * first and the last.
 */
#define READ_AGAIN 3

static void free_state(void *ctx)
{
	struct tcmalloc *tc = ctx;

	alloc_book_deinit(&tc->book);
	mw_vec_free(&tc->own);
	mw_vec_free(&tc->caches);
	mw_free(tc);
}

static void free_statep(struct tcmalloc **tc)
{
	if (*tc)
		free_state(*tc);
}

void tcmalloc_note_own(struct tcmalloc *tc, uint64_t va)
{
	const struct mw_mapping *m =
		mw_mappings_find(mw_target_mappings(tc->target), va);
	uint64_t *place;

	if (!m || !mw_mapping_is_anonymous(m))
		return;
	for (size_t i = tc->own.n; i > 0; i--)
		if (tc->own.v[i - 1] == m->start)
			return;
	place = mw_vec_push(&tc->own);
	if (place)
		*place = m->start;
	else
		tc->book.failed = true;
}

/* Spans */

/** Mark the span's free blocks; how many there are. */
static uint32_t mark_free(struct tcmalloc *tc, const struct alloc_piece *p,
			  uint64_t at)
{
	uint32_t n = 0;

	while (at && n < p->count) {
		uint64_t slot = (at - p->slots) / p->slot_bytes;

		if (at < p->slots || slot >= p->count ||
		    (at - p->slots) % p->slot_bytes != 0 ||
		    alloc_book_get(&tc->book, p, (uint32_t)slot) == ALLOC_FREE)
			break;
		alloc_book_set(&tc->book, p, (uint32_t)slot, ALLOC_FREE);
		n++;
		if (!mw_target_read_u64(tc->target, at, &at))
			break;
	}
	return n;
}

static void add_blocks(struct tcmalloc *tc, uint64_t va,
		       struct tcmalloc_span s)
{
	uint32_t count = (uint32_t)mw_min(s.bytes / tc->sizes[s.class],
					  UINT32_MAX);
	size_t piece = alloc_book_slots(&tc->book, tc->arena, ALLOC_METADATA,
					s.start, s.bytes, s.start,
					tc->sizes[s.class], count);
	unsigned class = s.class;

	for (int i = 0; piece != SIZE_MAX && i <= READ_AGAIN; i++) {
		const struct alloc_piece *p = &tc->book.pieces.v[piece];

		for (uint32_t k = 0; k < p->count; k++)
			alloc_book_set(&tc->book, p, k, ALLOC_IN_USE);
		if (mark_free(tc, p, s.objects) + s.refcount == p->count)
			return;
		if (mw_target_info(tc->target)->mode != MW_CAPTURE_LIVE)
			break;
		mw_target_forget(tc->target, va, 48);
		mw_target_forget(tc->target, s.start, s.bytes);
		if (!tcmalloc_read_span(tc, va, &s) || s.class != class)
			break;
	}
	tc->book.arenas.v[tc->arena]->figures->unsettled++;
}

/**
 * What malloc() may use of a block that has a span of its own. A sample is taken
 * of small ones, too: their span is larger than their class. The first word of
 * struct StackTrace (src/common.h) is what was asked for.
 */
static uint64_t usable_bytes(struct tcmalloc *tc, const struct tcmalloc_span *s)
{
	uint64_t asked;

	if (!s->is_sampled || !alloc_book_fits(&tc->book, s->objects, 8) ||
	    !mw_target_read_u64(tc->target, s->objects, &asked))
		return s->bytes;
	for (unsigned i = 1; i < tc->classes; i++)
		if (tc->sizes[i] >= asked)
			return mw_min(tc->sizes[i], s->bytes);
	return s->bytes;
}

static void add_span(struct tcmalloc *tc, uint64_t va,
		     const struct tcmalloc_span *s)
{
	static const enum alloc_kind kinds[] = {
		[TCMALLOC_IN_USE] = ALLOC_IN_USE,
		[TCMALLOC_NORMAL] = ALLOC_DIRTY,
		[TCMALLOC_RETURNED] = ALLOC_RETAINED,
	};

	tcmalloc_note_own(tc, va);
	if (s->location == TCMALLOC_IN_USE && s->class > 0)
		add_blocks(tc, va, *s);
	else if (s->location == TCMALLOC_IN_USE)
		(void)alloc_book_slots(&tc->book, tc->arena, ALLOC_METADATA,
				       s->start, s->bytes, s->start,
				       usable_bytes(tc, s), 1);
	else
		alloc_book_add(&tc->book, tc->arena, kinds[s->location],
			       s->start, s->bytes);
}

static void walk_leaf(struct tcmalloc *tc, uint64_t leaf, uint64_t base)
{
	uint64_t words[MW_PAGE_BYTES / 8], next = base;
	uint64_t end = leaf + (8ull << tc->leaf_bits);

	if (end < leaf)
		return;
	tcmalloc_note_own(tc, leaf);
	for (uint64_t va = leaf, stop; va < end; va = stop) {
		stop = mw_min(end, mw_align_down(va, MW_PAGE_BYTES) +
					   MW_PAGE_BYTES);
		if (!(mw_pages_state(mw_target_pages(tc->target), va) &
		      MW_PAGE_PRESENT) ||
		    !mw_target_read(tc->target, va, words, stop - va))
			continue;
		for (size_t i = 0; i < (stop - va) / 8; i++) {
			uint64_t page = base + (va - leaf) / 8 + i;
			struct tcmalloc_span s;

			// What an entry within a span says is old.
			if (words[i] == 0 || page < next ||
			    !tcmalloc_read_span(tc, words[i], &s) ||
			    s.start != page << tc->page_shift)
				continue;
			add_span(tc, words[i], &s);
			next = page + (s.bytes >> tc->page_shift);
		}
	}
}

static void walk_map(struct tcmalloc *tc)
{
	uint64_t words[MW_PAGE_BYTES / 8], entries = 1ull << tc->root_bits;

	for (uint64_t at = 0, n; at < entries; at += n) {
		uint64_t va = tc->root + 8 * at;

		n = mw_min((MW_PAGE_BYTES - va % MW_PAGE_BYTES) / 8,
			   entries - at);
		if (!(mw_pages_state(mw_target_pages(tc->target), va) &
		      MW_PAGE_PRESENT) ||
		    !mw_target_read(tc->target, va, words, 8 * n))
			continue;
		for (uint64_t i = 0; i < n; i++)
			if (words[i] && mw_is_aligned(words[i], 8))
				walk_leaf(tc, words[i],
					  (at + i) << tc->leaf_bits);
	}
}

/** What no span has of mappings with the allocator's structures is its own. */
static struct mw_error *claim_own(struct tcmalloc *tc)
{
	const struct mw_mappings *maps = mw_target_mappings(tc->target);
	struct mw_error *error;
	mw_account_id account;

	error = mw_sink_account(tc->book.alloc->sink, "malloc/tcmalloc",
				"metadata", "mappings that have spans, caches "
				"or the page map: what no span has",
				&account);
	for (size_t i = 0; !error && i < tc->own.n; i++) {
		const struct mw_mapping *m =
			mw_mappings_find(maps, tc->own.v[i]);

		error = mw_sink_claim(tc->book.alloc->sink, &(struct mw_claim){
			.start = m->start,
			.bytes = mw_mapping_bytes(m),
			.layer = MW_LAYER_REMAINDER,
			.account = account,
			.walker = "tcmalloc",
			.what = "tcmalloc metadata",
		});
	}
	return error;
}

static struct mw_error *walk(struct tcmalloc *tc)
{
	struct mw_error *error = tcmalloc_find(tc);

	if (error || !tc->root)
		return error;
	tc->arena = alloc_book_arena(&tc->book, "heap");
	if (tc->book.failed)
		return mw_error_nomem();
	walk_map(tc);
	alloc_book_sort(&tc->book);
	error = tcmalloc_mark_caches(tc);
	if (!error)
		error = alloc_book_claim(&tc->book);
	return error ? error : claim_own(tc);
}

static struct mw_error *claim(struct mw_alloc *alloc)
{
	MW_CLEANUP(free_statep) struct tcmalloc *tc =
		mw_calloc(1, sizeof(*tc));
	struct mw_error *error;

	if (!tc)
		return mw_error_nomem();
	tc->target = alloc->target;
	alloc_book_init(&tc->book, alloc, "tcmalloc");
	error = walk(tc);
	if (error || !tc->root)
		return error;
	return alloc_add_heap(alloc, &alloc_tcmalloc, mw_steal(tc));
}

const struct alloc_detector alloc_tcmalloc = {
	.name = "tcmalloc",
	.claim = claim,
	.free = free_state,
	.block_at = alloc_book_block_at,
	.blocks = alloc_book_blocks,
	.holds = alloc_book_holds,
};
