/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "alloc_book.h"
#include "mw_guard.h"
#include "mw_num.h"

/* From a book of pieces to figures, claims and parts. */

static const struct {
	const char *parent; /* NULL: the arena's */
	const char *leaf, *evidence;
} kinds[] = {
	[ALLOC_IN_USE] = { NULL, "in-use",
			   "blocks that no list or bitmap has as free" },
	[ALLOC_FREE] = { NULL, "free",
			 "blocks that a list or a bitmap has as free" },
	[ALLOC_CACHE] = { NULL, "cache",
			  "blocks in the caches of threads and the like" },
	[ALLOC_METADATA] = { NULL, "metadata",
			     "the allocator's structures, and what alignment "
			     "adds to blocks" },
	[ALLOC_TOP] = { NULL, "top", "behind the blocks of a page" },
	[ALLOC_DIRTY] = { NULL, "dirty", "pages free and not given back" },
	[ALLOC_MUZZY] = { NULL, "muzzy", "pages given back with MADV_FREE" },
	[ALLOC_RETAINED] = { NULL, "retained",
			     "pages given back, their addresses kept" },
	[ALLOC_RESERVED] = { NULL, "reserved", "addresses not used yet" },
	[ALLOC_TORN] = { "unknown", "malloc-torn",
			 "the allocator's structures do not agree on it: "
			 "changed while they were read, or damaged" },
};

static struct mw_error *need_account(struct alloc_book *book,
				     struct alloc_book_arena *arena,
				     enum alloc_kind kind)
{
	MW_CLEANUP(mw_freep) char *parent = NULL;

	if (arena->has_account[kind])
		return NULL;
	arena->has_account[kind] = true;
	parent = mw_format("malloc/%s/%s", book->allocator,
			   arena->figures->name);
	if (!parent)
		return mw_error_nomem();
	return mw_sink_account(book->alloc->sink,
			       kinds[kind].parent ? kinds[kind].parent : parent,
			       kinds[kind].leaf, kinds[kind].evidence,
			       &arena->accounts[kind]);
}

/** Bytes of @piece by kind; *@blocks by kind, too. */
static void count(const struct alloc_book *book,
		  const struct alloc_piece *piece, uint64_t bytes[ALLOC_KINDS],
		  uint64_t blocks[ALLOC_KINDS])
{
	if (piece->slot_bytes == 0) {
		memset(bytes, 0, ALLOC_KINDS * sizeof(*bytes));
		memset(blocks, 0, ALLOC_KINDS * sizeof(*blocks));
		bytes[piece->kind] = piece->bytes;
		blocks[piece->kind] = 1;
		return;
	}
	alloc_book_count(book, piece, blocks);
	for (int k = 0; k < ALLOC_KINDS; k++)
		bytes[k] = blocks[k] * piece->slot_bytes;
	bytes[piece->kind] += piece->bytes - piece->count * piece->slot_bytes;
}

static struct mw_error *add_figures(struct alloc_book *book,
				    const struct alloc_piece *piece)
{
	struct alloc_book_arena *arena = book->arenas.v[piece->arena];
	uint64_t bytes[ALLOC_KINDS], blocks[ALLOC_KINDS];
	struct mw_alloc_arena *f = arena->figures;
	struct mw_tally tally = { 0 };
	struct mw_error *error = NULL;

	count(book, piece, bytes, blocks);
	mw_pages_tally(mw_target_pages(book->target), &book->hint,
		       piece->start, piece->start + piece->bytes, &tally);
	for (int k = 0; !error && k < ALLOC_KINDS; k++)
		if (bytes[k] > 0)
			error = need_account(book, arena, (enum alloc_kind)k);
	f->in_use_bytes += bytes[ALLOC_IN_USE];
	f->in_use_blocks += blocks[ALLOC_IN_USE];
	f->free_bytes += bytes[ALLOC_FREE] + bytes[ALLOC_DIRTY] +
			 bytes[ALLOC_MUZZY];
	f->free_blocks += blocks[ALLOC_FREE] + blocks[ALLOC_DIRTY] +
			  blocks[ALLOC_MUZZY];
	if (blocks[ALLOC_FREE] + blocks[ALLOC_DIRTY] + blocks[ALLOC_MUZZY])
		f->largest_free_bytes =
			mw_max(f->largest_free_bytes,
			       piece->slot_bytes ? piece->slot_bytes
						 : piece->bytes);
	f->cache_bytes += bytes[ALLOC_CACHE];
	f->cache_blocks += blocks[ALLOC_CACHE];
	f->metadata_bytes += bytes[ALLOC_METADATA];
	f->top_bytes += bytes[ALLOC_TOP];
	f->reserved_bytes += bytes[ALLOC_RETAINED] + bytes[ALLOC_RESERVED];
	f->torn_bytes += bytes[ALLOC_TORN];
	f->resident_bytes += tally.rss_bytes;
	if (!book->no_trimming && !arena->no_trimming &&
	    (piece->kind == ALLOC_DIRTY || piece->kind == ALLOC_MUZZY))
		f->trimmable_bytes += tally.rss_bytes;
	return error;
}

/* Reporting */

static void post_slots(const struct alloc_book *book,
		       const struct alloc_piece *p, struct mw_parts *parts)
{
	const mw_account_id *accounts = book->arenas.v[p->arena]->accounts;
	uint64_t end = p->slots + p->count * p->slot_bytes;

	if (p->slots > p->start)
		mw_part_range(parts, p->start, p->slots - p->start,
			      accounts[p->kind]);
	for (uint32_t i = 0, next; i < p->count; i = next) {
		enum alloc_kind kind = alloc_book_get(book, p, i);

		for (next = i + 1; next < p->count &&
				   alloc_book_get(book, p, next) == kind;)
			next++;
		mw_part_range(parts, p->slots + i * p->slot_bytes,
			      (next - i) * p->slot_bytes, accounts[kind]);
	}
	if (end < p->start + p->bytes)
		mw_part_range(parts, end, p->start + p->bytes - end,
			      accounts[p->kind]);
}

static void post_sums(const struct alloc_book *book,
		      const struct alloc_piece *p, struct mw_parts *parts)
{
	const mw_account_id *accounts = book->arenas.v[p->arena]->accounts;
	uint64_t bytes[ALLOC_KINDS], blocks[ALLOC_KINDS];
	struct mw_sum sums[ALLOC_KINDS];
	size_t n = 0;

	count(book, p, bytes, blocks);
	for (int k = 0; k < ALLOC_KINDS; k++)
		if (bytes[k] > 0)
			sums[n++] = (struct mw_sum){ accounts[k], bytes[k] };
	mw_part_sums(parts, p->start, p->start + p->bytes, sums, n);
}

static struct mw_error *refine(void *ctx, const struct mw_claim *claim,
			       struct mw_parts *parts)
{
	const struct alloc_group *group = ctx;
	const struct alloc_book *book = group->book;

	(void)claim;
	for (size_t i = 0; i < group->count; i++) {
		const struct alloc_piece *p =
			&book->pieces.v[group->first + i];

		if (p->slot_bytes == 0)
			mw_part_range(parts, p->start, p->bytes,
				      book->arenas.v[p->arena]
					      ->accounts[p->kind]);
		else if (mw_part_uniform_until(parts, p->start) >=
			 p->start + p->bytes)
			post_sums(book, p, parts);
		else
			post_slots(book, p, parts);
	}
	return NULL;
}

/** Put pieces of one arena that adjoin into one group. */
static void make_groups(struct alloc_book *book)
{
	const struct alloc_piece *v = book->pieces.v;

	for (size_t i = 0, next; i < book->pieces.n; i = next) {
		struct alloc_group *group = mw_vec_push(&book->groups);

		for (next = i + 1;
		     next < book->pieces.n && v[next].arena == v[i].arena &&
		     v[next].start == v[next - 1].start + v[next - 1].bytes;)
			next++;
		if (!group) {
			book->failed = true;
			return;
		}
		*group = (struct alloc_group){ book, i, next - i };
	}
}

struct mw_error *alloc_book_claim(struct alloc_book *book)
{
	struct mw_error *error = NULL;

	make_groups(book);
	if (book->failed)
		return mw_error_nomem();
	for (size_t i = 0; !error && i < book->pieces.n; i++)
		error = add_figures(book, &book->pieces.v[i]);
	for (size_t i = 0; !error && i < book->groups.n; i++) {
		struct alloc_group *g = &book->groups.v[i];
		const struct alloc_piece *first = &book->pieces.v[g->first];
		const struct alloc_piece *last = first + g->count - 1;
		struct alloc_book_arena *arena = book->arenas.v[first->arena];

		// What no part covers: nothing, but it must have a name.
		error = need_account(book, arena, ALLOC_TORN);
		if (!error)
			error = mw_sink_claim(book->alloc->sink,
					      &(struct mw_claim){
				.start = first->start,
				.bytes = last->start + last->bytes -
					 first->start,
				.layer = MW_LAYER_OWNER,
				.account = arena->accounts[ALLOC_TORN],
				.walker = book->allocator,
				.what = arena->what,
				.refine = refine,
				.ctx = g,
			});
	}
	return error;
}
