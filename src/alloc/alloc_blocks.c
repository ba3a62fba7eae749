/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc_book.h"
#include "mw_num.h"

/* Single blocks of a book: its slots, and pieces that are one block each. */

/*
 * What is larger than TCMalloc's largest class has, in most of them, a length
 * of its own.
 */
#define LARGEST_CLASS MW_KIB(256)

static const struct {
	const char *state;
	enum mw_alloc_holder holder;
} kinds[ALLOC_KINDS] = {
	[ALLOC_IN_USE] = { "in-use", MW_ALLOC_IN_USE },
	[ALLOC_FREE] = { "free", MW_ALLOC_FREE },
	[ALLOC_CACHE] = { "cache", MW_ALLOC_CACHED },
	[ALLOC_METADATA] = { "metadata", MW_ALLOC_NO_BLOCK },
	[ALLOC_TOP] = { "top", MW_ALLOC_NO_BLOCK },
	[ALLOC_DIRTY] = { "dirty", MW_ALLOC_FREE },
	[ALLOC_MUZZY] = { "muzzy", MW_ALLOC_FREE },
	[ALLOC_RETAINED] = { "retained", MW_ALLOC_NO_BLOCK },
	[ALLOC_RESERVED] = { "reserved", MW_ALLOC_NO_BLOCK },
	[ALLOC_TORN] = { "torn", MW_ALLOC_NO_BLOCK },
};

static void describe(struct alloc_book *book, const struct alloc_piece *p,
		     enum alloc_kind kind, uint64_t start, uint64_t bytes,
		     struct mw_alloc_block *ret)
{
	*ret = (struct mw_alloc_block){
		.allocator = book->allocator,
		.arena = book->arenas.v[p->arena]->figures,
		.state = kinds[kind].state,
		.holder = kinds[kind].holder,
		.start = start,
		.bytes = bytes,
		.class = bytes <= LARGEST_CLASS ? (uint32_t)(bytes / 8)
						: alloc_large_class(bytes),
	};
	// Free pages are no block yet.
	if (!ret->holder || kind == ALLOC_DIRTY || kind == ALLOC_MUZZY)
		return;
	ret->user = start;
	ret->user_bytes = bytes;
	if (kind == ALLOC_IN_USE && book->find_user)
		book->find_user(book, ret);
}

static void describe_slot(struct alloc_book *book, const struct alloc_piece *p,
			  uint32_t slot, struct mw_alloc_block *ret)
{
	describe(book, p, alloc_book_get(book, p, slot),
		 p->slots + slot * p->slot_bytes, p->slot_bytes, ret);
}

struct mw_error *alloc_book_block_at(void *state, uint64_t va,
				     struct mw_alloc_block *ret,
				     bool *ret_found)
{
	struct alloc_book *book = state;
	const struct alloc_piece *p = alloc_book_at(book, va);
	uint64_t slots_end;

	if (!p)
		return NULL;
	slots_end = p->slots + p->count * p->slot_bytes;
	if (p->slot_bytes == 0)
		describe(book, p, p->kind, p->start, p->bytes, ret);
	else if (va < p->slots)
		describe(book, p, p->kind, p->start, p->slots - p->start, ret);
	else if (va >= slots_end)
		describe(book, p, p->kind, slots_end,
			 p->start + p->bytes - slots_end, ret);
	else
		describe_slot(book, p,
			      (uint32_t)((va - p->slots) / p->slot_bytes),
			      ret);
	*ret_found = true;
	return NULL;
}

static struct mw_error *visit_slots(struct alloc_book *book,
				    const struct alloc_piece *p,
				    unsigned holders, mw_alloc_visit *visit,
				    void *ctx)
{
	struct mw_error *error = NULL;

	for (uint32_t i = 0; i < p->count && !error; i++) {
		struct mw_alloc_block block;

		if (!(kinds[alloc_book_get(book, p, i)].holder & holders))
			continue;
		describe_slot(book, p, i, &block);
		error = visit(ctx, &block);
	}
	return error;
}

struct mw_error *alloc_book_blocks(void *state, unsigned holders,
				   mw_alloc_visit *visit, void *ctx)
{
	struct alloc_book *book = state;
	struct mw_error *error = NULL;

	for (size_t i = 0; i < book->pieces.n && !error; i++) {
		const struct alloc_piece *p = &book->pieces.v[i];
		struct mw_alloc_block block;

		if (p->slot_bytes) {
			error = visit_slots(book, p, holders, visit, ctx);
		} else if (kinds[p->kind].holder & holders) {
			describe(book, p, p->kind, p->start, p->bytes, &block);
			error = visit(ctx, &block);
		}
	}
	return error;
}

bool alloc_book_holds(void *state, uint64_t va)
{
	return alloc_book_at(state, va);
}
