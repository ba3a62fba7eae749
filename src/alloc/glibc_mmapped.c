/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "glibc_int.h"

/*
 * Large blocks that malloc took from mmap, one by one. No list has them; each
 * begins with a chunk with IS_MMAPPED:
 *
 *	0	u64 prev_size: how far behind the mapping's start the chunk is
 *		(for memalign), since 2.43 with bit 0 for huge pages
 *	8	u64 size, with IS_MMAPPED and no other flag
 *
 * prev_size, size and what layout.mmapped_tail says are the whole block, which
 * is made of whole pages. mp_ has their number and the sum of their bytes: when
 * both are met, the list is right. Where blocks have a tail, the sum has it once
 * more for each time that a block was moved or changed its size (mremap_chunk()
 * in 2.43 and 2.44).
 *
 * memalign leaves the head that the block had at first; it is out of date when
 * the block has changed its size.
 *
 * The kernel joins mappings that adjoin, so a block can begin anywhere in one;
 * but most begin with it, or behind another block. Hence three passes, each of
 * which looks at more than the last one, until number and sum are met. New
 * mappings lie below old ones, so those at high addresses come first.
 *
 * A program that advises on a part of its block (madvise, mlock, mprotect) has
 * it in several mappings that adjoin. Its chunk lies in the first of them, where
 * the part is what memalign returned.
 */
enum pass {
	AT_STARTS, /* of mappings and behind other blocks */
	AT_PAGES,
	AT_ALIGNED, /* and those that memalign put on a later page */
	PASSES,
};

#define MAX_PAGES (1 << 21) /* looked at in one pass */
#define MAX_BLOCKS (1 << 20)

struct search {
	struct glibc *glibc;
	enum pass pass;
	uint64_t pages; /* that may still be looked at */
	uint64_t sum;	/* of all blocks found */
	uint64_t lowest; /* where the first of them begins */
	uint64_t reach; /* up to where a block in this range may go */
	struct mw_error *error;
};

static bool is_complete(const struct search *s)
{
	uint64_t tail = s->glibc->layout->mmapped_tail;
	uint64_t mem = s->glibc->params.mmapped_mem;

	return s->glibc->blocks.n == s->glibc->params.n_mmaps &&
	       (s->sum == mem ||
		(tail && s->sum < mem && (mem - s->sum) % tail == 0));
}

/**
 * Whether a block has its chunk at @va, where @head stands: it does not begin
 * before @from.
 */
static bool is_block(const struct search *s, uint64_t va,
		     const uint64_t head[2], uint64_t from,
		     struct glibc_block *ret)
{
	uint64_t offset, start, bytes, end;

	if ((head[1] & SIZE_FLAGS) != IS_MMAPPED)
		return false;
	// Where blocks have a tail, prev_size has a flag.
	offset = s->glibc->layout->mmapped_tail ? head[0] & ~UINT64_C(1)
						: head[0];
	start = va - offset;
	bytes = head[1] - IS_MMAPPED;
	if (offset > va - from || bytes < CHUNK_MIN ||
	    !mw_is_aligned(bytes, CHUNK_ALIGN) ||
	    !mw_end(bytes, offset + s->glibc->layout->mmapped_tail, &bytes) ||
	    !mw_is_aligned(start | bytes, MW_PAGE_BYTES) || bytes == 0 ||
	    !mw_end(start, bytes, &end) || end > s->reach ||
	    bytes > s->glibc->params.mmapped_mem)
		return false;
	*ret = (struct glibc_block){ start, bytes, va };
	return true;
}

/**
 * The block that memalign has put on the page at @page; with @only_here, one
 * that also begins there.
 */
static bool find_aligned(const struct search *s, uint64_t page, uint64_t from,
			 bool only_here, struct glibc_block *ret)
{
	uint64_t words[MW_PAGE_BYTES / 8];
	struct glibc_block block;

	if (!mw_target_copy(s->glibc->target, page, words, sizeof(words)))
		return false;
	for (uint64_t align = 64; align <= MW_PAGE_BYTES; align *= 2) {
		uint64_t at = align - CHUNK_HEAD_BYTES;

		if (!is_block(s, page + at, &words[at / 8], from, &block) ||
		    (only_here && block.start != page))
			continue;
		*ret = block;
		return true;
	}
	return false;
}

/**
 * The block that begins with @block's page, when memalign has put its chunk on a
 * later page of what its head of then had.
 */
static void find_moved(struct search *s, struct glibc_block *block)
{
	uint64_t start = block->start, end = start + block->bytes;

	for (uint64_t page = start; page < end && s->pages > 0;
	     page += MW_PAGE_BYTES, s->pages--) {
		uint64_t va = page + MW_PAGE_BYTES - CHUNK_HEAD_BYTES;
		uint64_t head[2];
		struct glibc_block moved;

		// Where memalign put one it has written to.
		if (!(mw_pages_state(mw_target_pages(s->glibc->target), page) &
		      MW_PAGE_PRESENT) ||
		    !mw_target_copy(s->glibc->target, va, head,
				    sizeof(head)) ||
		    !is_block(s, va, head, start, &moved) ||
		    moved.start != start)
			continue;
		*block = moved;
		return;
	}
}

/** The block that has its chunk on the page at @page. */
static bool find_on_page(struct search *s, uint64_t page, uint64_t from,
			 struct glibc_block *ret)
{
	uint64_t head[2];
	bool found = mw_target_copy(s->glibc->target, page, head,
				    sizeof(head)) &&
		     is_block(s, page, head, from, ret);

	// Its own head may be out of date.
	if (found || s->pass == AT_ALIGNED)
		found |= find_aligned(s, page, from, found, ret);
	if (found && s->pass == AT_ALIGNED && ret->chunk == ret->start)
		find_moved(s, ret);
	if (found)
		mw_target_keep(s->glibc->target, ret->chunk, sizeof(head));
	return found;
}

/** The first page at or behind @va that is present; UINT64_MAX: none. */
static uint64_t present_from(struct glibc *glibc, uint64_t va)
{
	const struct mw_pages *pages = mw_target_pages(glibc->target);

	for (size_t i = mw_pages_after(pages, va); i < pages->runs.n; i++)
		if (mw_run_state(pages->runs.v[i]) & MW_PAGE_PRESENT)
			return mw_max(va, mw_run_start(pages->runs.v[i]));
	return UINT64_MAX;
}

static void add_block(struct search *s, const struct glibc_block *block)
{
	struct glibc_block *place = mw_vec_push(&s->glibc->blocks);

	if (!place) {
		s->error = mw_error_nomem();
		return;
	}
	*place = *block;
	s->sum += block->bytes;
	s->lowest = mw_min(s->lowest, block->start);
}

/**
 * Look for the chunks in [@from, @to), part of one mapping, of blocks that end
 * at or before @reach.
 */
static void search_range(struct search *s, uint64_t from, uint64_t to,
			 uint64_t reach)
{
	uint64_t va = from;

	s->reach = reach;
	while (!s->error && va < to && s->pages > 0 &&
	       s->glibc->blocks.n < MAX_BLOCKS && !is_complete(s)) {
		struct glibc_block block;

		if (s->pass > AT_STARTS)
			va = present_from(s->glibc, va);
		if (va >= to)
			break;
		s->pages--;
		if (find_on_page(s, va, from, &block)) {
			add_block(s, &block);
			va = from = block.start + block.bytes;
		} else if (s->pass > AT_STARTS) {
			va += MW_PAGE_BYTES;
		} else {
			break;
		}
	}
}

/**
 * How far a block can go that begins in the mapping at @index: as far as there
 * is private memory of nobody, up to the next heap and to the lowest of the
 * blocks that were found behind it.
 */
static uint64_t reach_of(const struct search *s, size_t index)
{
	const struct glibc *glibc = s->glibc;
	const struct mw_mappings *maps = mw_target_mappings(glibc->target);
	const struct mw_mapping *m = &maps->list.v[index];
	uint64_t end = m->end, limit = s->lowest;

	for (size_t i = 0; i < glibc->regions.n; i++)
		if (glibc->regions.v[i]->start >= m->end)
			limit = mw_min(limit, glibc->regions.v[i]->start);
	for (size_t i = index + 1; i < maps->list.n && end < limit &&
				   maps->list.v[i].start == end &&
				   glibc_may_be_block(maps, &maps->list.v[i]);
	     i++)
		end = maps->list.v[i].end;
	return mw_max(m->end, mw_min(end, limit));
}

/** Look through a mapping, but for the heaps in it. */
static void search_mapping(struct search *s, size_t index)
{
	const struct mw_mapping *m =
		&mw_target_mappings(s->glibc->target)->list.v[index];
	const struct glibc *glibc = s->glibc;
	uint64_t from = m->start;

	for (size_t i = 0; i < glibc->regions.n && from < m->end; i++) {
		const struct glibc_region *r = glibc->regions.v[i];

		if (r->limit <= from || r->start >= m->end)
			continue;
		if (r->start > from)
			search_range(s, from,
				     mw_align_down(r->start, MW_PAGE_BYTES),
				     r->start);
		from = mw_align_up(r->limit, MW_PAGE_BYTES);
	}
	if (from < m->end)
		search_range(s, from, m->end, reach_of(s, index));
}

static struct mw_error *search(struct glibc *glibc, struct search *s)
{
	const struct mw_mappings *maps = mw_target_mappings(glibc->target);

	for (int pass = 0; pass < PASSES; pass++) {
		glibc->blocks.n = 0;
		*s = (struct search){
			.glibc = glibc,
			.pass = (enum pass)pass,
			.pages = MAX_PAGES,
			.lowest = UINT64_MAX,
		};
		for (size_t i = maps->list.n; i > 0 && !is_complete(s); i--)
			if (glibc_may_hold_blocks(maps, &maps->list.v[i - 1]))
				search_mapping(s, i - 1);
		if (s->error || is_complete(s))
			break;
	}
	return s->error;
}

static int by_start(const void *a, const void *b)
{
	const struct glibc_block *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct mw_error *glibc_claim_mmapped(struct glibc *glibc)
{
	struct mw_alloc_arena *figures;
	struct mw_error *error;
	struct search s;
	size_t hint = 0;

	if (glibc->params.n_mmaps == 0)
		return NULL;
	figures = alloc_add_arena(glibc->alloc, "glibc",
				  glibc->number > 1 ? "libc2-mmapped"
						    : "mmapped");
	if (!figures)
		return mw_error_nomem();
	glibc->mmapped_figures = figures;
	error = search(glibc, &s);
	if (glibc->blocks.n > 0)
		qsort(glibc->blocks.v, glibc->blocks.n,
		      sizeof(*glibc->blocks.v), by_start);
	figures->system_bytes = glibc->params.mmapped_mem;
	for (size_t i = 0; !error && i < glibc->blocks.n; i++) {
		const struct glibc_block *b = &glibc->blocks.v[i];
		struct mw_tally tally = { 0 };

		mw_pages_tally(mw_target_pages(glibc->target), &hint, b->start,
			       b->start + b->bytes, &tally);
		figures->in_use_bytes += b->bytes;
		figures->in_use_blocks++;
		figures->resident_bytes += tally.rss_bytes;
		error = mw_sink_claim(glibc->alloc->sink, &(struct mw_claim){
			.start = b->start,
			.bytes = b->bytes,
			// A list that is not met by mp_ may have something in
			// it that belongs to somebody else.
			.layer = is_complete(&s) ? MW_LAYER_OWNER
						 : MW_LAYER_REMAINDER,
			.account = glibc->mmapped,
			.walker = "glibc malloc",
			.what = "glibc mmapped block",
		});
	}
	return error;
}
