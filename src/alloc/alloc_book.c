/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_book.h"
#include "mw_num.h"
#include "mw_search.h"

#define MAX_PIECES (1u << 24)
#define MAX_SLOTS (UINT64_C(1) << 31)

void alloc_book_init(struct alloc_book *book, struct mw_alloc *alloc,
		     const char *allocator)
{
	book->alloc = alloc;
	book->target = alloc->target;
	book->allocator = allocator;
}

void alloc_book_deinit(struct alloc_book *book)
{
	for (size_t i = 0; i < book->arenas.n; i++)
		mw_free(book->arenas.v[i]);
	mw_vec_free(&book->arenas);
	mw_vec_free(&book->pieces);
	mw_vec_free(&book->map);
	mw_vec_free(&book->groups);
}

uint32_t alloc_book_arena(struct alloc_book *book, const char *name)
{
	struct alloc_book_arena *arena = mw_calloc(1, sizeof(*arena));
	struct alloc_book_arena **place =
		arena ? mw_vec_push(&book->arenas) : NULL;

	if (!place) {
		mw_free(arena);
		book->failed = true;
		return 0;
	}
	*place = arena;
	snprintf(arena->what, sizeof(arena->what), "%s %s", book->allocator,
		 name);
	arena->figures = alloc_add_arena(book->alloc, book->allocator, name);
	book->failed |= !arena->figures;
	return (uint32_t)book->arenas.n - 1;
}

bool alloc_book_fits(const struct alloc_book *book, uint64_t start,
		     uint64_t bytes)
{
	const struct mw_mappings *maps = mw_target_mappings(book->target);
	uint64_t end;

	if (bytes == 0 || !mw_end(start, bytes, &end))
		return false;
	for (size_t i = mw_mappings_after(maps, start);
	     i < maps->list.n && start < end; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (m->start > start || !mw_mapping_is_anonymous(m))
			return false;
		start = m->end;
	}
	return start >= end;
}

static struct alloc_piece *push(struct alloc_book *book, uint32_t arena,
				enum alloc_kind kind, uint64_t start,
				uint64_t bytes)
{
	struct alloc_piece *piece;

	if (book->pieces.n >= MAX_PIECES || arena >= book->arenas.n ||
	    !alloc_book_fits(book, start, bytes))
		return NULL;
	piece = mw_vec_push(&book->pieces);
	if (!piece) {
		book->failed = true;
		return NULL;
	}
	*piece = (struct alloc_piece){
		.start = start,
		.bytes = bytes,
		.arena = arena,
		.kind = (uint8_t)kind,
	};
	return piece;
}

void alloc_book_add(struct alloc_book *book, uint32_t arena,
		    enum alloc_kind kind, uint64_t start, uint64_t bytes)
{
	(void)push(book, arena, kind, start, bytes);
}

size_t alloc_book_slots(struct alloc_book *book, uint32_t arena,
			enum alloc_kind rest, uint64_t start, uint64_t bytes,
			uint64_t slots, uint64_t slot_bytes, uint32_t count)
{
	struct alloc_piece *piece;
	uint64_t end = book->slots + count, slots_bytes;

	if (slot_bytes == 0 || end > MAX_SLOTS ||
	    __builtin_mul_overflow(slot_bytes, count, &slots_bytes) ||
	    !mw_within(slots, slots_bytes, start, start + bytes))
		return SIZE_MAX;
	while (book->map.n < (end + 3) / 4) {
		uint8_t *byte = mw_vec_push(&book->map);

		if (!byte) {
			book->failed = true;
			return SIZE_MAX;
		}
		*byte = 0;
	}
	piece = push(book, arena, rest, start, bytes);
	if (!piece)
		return SIZE_MAX;
	piece->slots = slots;
	piece->slot_bytes = slot_bytes;
	piece->count = count;
	piece->map = book->slots;
	book->slots = end;
	return book->pieces.n - 1;
}

enum alloc_kind alloc_book_get(const struct alloc_book *book,
			       const struct alloc_piece *piece, uint32_t slot)
{
	uint64_t at = piece->map + slot;

	return (enum alloc_kind)(book->map.v[at / 4] >> at % 4 * 2 & 3);
}

void alloc_book_set(struct alloc_book *book, const struct alloc_piece *piece,
		    uint32_t slot, enum alloc_kind kind)
{
	uint64_t at = piece->map + slot;
	unsigned shift = at % 4 * 2;
	uint8_t *byte = &book->map.v[at / 4];

	*byte = (uint8_t)((*byte & ~(3u << shift)) | (unsigned)kind << shift);
}

void alloc_book_count(const struct alloc_book *book,
		      const struct alloc_piece *piece,
		      uint64_t ret[static ALLOC_KINDS])
{
	const uint64_t low_bits = UINT64_C(0x5555555555555555);
	uint64_t at = piece->map, end = at + piece->count;

	memset(ret, 0, ALLOC_KINDS * sizeof(*ret));
	// A word has 32 slots.
	while (at < end) {
		uint64_t skip = at % 4, take = mw_min(end - at, 32 - skip);
		uint64_t word = 0, low, high, both;

		memcpy(&word, &book->map.v[at / 4], (skip + take + 3) / 4);
		word >>= skip * 2;
		if (take < 32)
			word &= (UINT64_C(1) << take * 2) - 1;
		low = mw_popcount(word & low_bits);
		high = mw_popcount(word >> 1 & low_bits);
		both = mw_popcount(word & word >> 1 & low_bits);
		ret[0] += take - low - high + both;
		ret[1] += low - both;
		ret[2] += high - both;
		ret[3] += both;
		at += take;
	}
}

static int by_start(const void *a, const void *b)
{
	const struct alloc_piece *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

void alloc_book_sort(struct alloc_book *book)
{
	uint64_t end = 0;
	size_t n = 0;

	if (book->pieces.n == 0)
		return;
	qsort(book->pieces.v, book->pieces.n, sizeof(*book->pieces.v),
	      by_start);
	for (size_t i = 0; i < book->pieces.n; i++) {
		struct alloc_piece p = book->pieces.v[i];

		// Two cannot have the same memory: one was caught in a change.
		if (p.start < end) {
			if (p.start + p.bytes <= end)
				continue;
			p.bytes -= end - p.start;
			p.start = end;
			p.slot_bytes = 0;
			p.kind = ALLOC_TORN;
		}
		end = p.start + p.bytes;
		book->pieces.v[n++] = p;
	}
	book->pieces.n = n;
}

struct alloc_piece *alloc_book_at(struct alloc_book *book, uint64_t va)
{
	size_t at = mw_first(i, 0, book->pieces.n,
			     book->pieces.v[i].start +
					     book->pieces.v[i].bytes > va);

	return at < book->pieces.n && book->pieces.v[at].start <= va
		       ? &book->pieces.v[at]
		       : NULL;
}

struct alloc_piece *alloc_book_find(struct alloc_book *book, uint64_t va,
				    uint32_t *ret_slot)
{
	struct alloc_piece *p = alloc_book_at(book, va);

	if (!p || p->slot_bytes == 0 || va < p->slots ||
	    (va - p->slots) % p->slot_bytes != 0 ||
	    (va - p->slots) / p->slot_bytes >= p->count)
		return NULL;
	*ret_slot = (uint32_t)((va - p->slots) / p->slot_bytes);
	return p;
}
