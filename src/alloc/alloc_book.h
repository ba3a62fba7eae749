/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOC_BOOK_H
#define ALLOC_BOOK_H

#include "alloc_int.h"

/*
 * What a walker found of an allocator that keeps blocks of one size together
 * (jemalloc, mimalloc, TCMalloc, musl): pieces of memory, in any order, each
 * of which is of one kind or is divided into slots. The book sorts them, adds
 * up the arenas' figures, claims the pieces and reports them to the ledger.
 */

enum alloc_kind {
	/* Slots can be these */
	ALLOC_IN_USE,
	ALLOC_FREE,
	ALLOC_CACHE,
	ALLOC_METADATA,
	/* Whole pieces can be these, too */
	ALLOC_TOP,	/* of a page: never handed out */
	ALLOC_DIRTY,	/* free pages, not given back */
	ALLOC_MUZZY,	/* given back lazily (MADV_FREE) */
	ALLOC_RETAINED, /* given back, the address space kept */
	ALLOC_RESERVED, /* never used */
	ALLOC_TORN,
	ALLOC_KINDS,
};

struct alloc_piece {
	uint64_t start, bytes;
	uint64_t slots;	     /* address of the first slot */
	uint64_t slot_bytes; /* 0: no slots, all of it is @kind */
	uint64_t map;	     /* of the first slot, in book->map */
	uint32_t count;	     /* of slots */
	uint32_t arena;	     /* index */
	uint8_t kind;	     /* of what no slot covers */
};

struct alloc_book_arena {
	struct mw_alloc_arena *figures;
	bool no_trimming; /* of this one */
	bool has_account[ALLOC_KINDS];
	mw_account_id accounts[ALLOC_KINDS];
	char what[64];
};

/** Pieces that adjoin and are claimed together. */
struct alloc_group {
	struct alloc_book *book;
	size_t first, count;
};

struct alloc_book {
	struct mw_alloc *alloc;
	/**
	 * Find what malloc() returned in @block, a slot that is in use, which
	 * is all of it at first; NULL: that is right.
	 */
	void (*find_user)(struct alloc_book *book,
			  struct mw_alloc_block *block);
	struct mw_target *target;
	const char *allocator; /* static */
	bool no_trimming;      /* there is no call that gives pages back */
	bool failed;	       /* no memory */
	MW_VEC(struct alloc_book_arena *) arenas;
	MW_VEC(struct alloc_piece) pieces;
	MW_VEC(uint8_t) map; /* two bits a slot: enum alloc_kind */
	uint64_t slots;
	MW_VEC(struct alloc_group) groups;
	size_t hint;
};

void alloc_book_init(struct alloc_book *book, struct mw_alloc *alloc,
		     const char *allocator);
void alloc_book_deinit(struct alloc_book *book);

/** A new arena; its index, 0 also without memory (see failed). */
uint32_t alloc_book_arena(struct alloc_book *book, const char *name);

/** Whether [@start, @start + @bytes) is all anonymous memory. */
bool alloc_book_fits(const struct alloc_book *book, uint64_t start,
		     uint64_t bytes);

/** [@start, @start + @bytes) is @kind; what does not fit is left out. */
void alloc_book_add(struct alloc_book *book, uint32_t arena,
		    enum alloc_kind kind, uint64_t start, uint64_t bytes);

/**
 * Add a piece that is divided: @count slots of @slot_bytes from @slots on, all
 * in use; what they leave is @rest. Its index, SIZE_MAX when it does not fit.
 */
size_t alloc_book_slots(struct alloc_book *book, uint32_t arena,
			enum alloc_kind rest, uint64_t start, uint64_t bytes,
			uint64_t slots, uint64_t slot_bytes, uint32_t count);

enum alloc_kind alloc_book_get(const struct alloc_book *book,
			       const struct alloc_piece *piece, uint32_t slot);
void alloc_book_set(struct alloc_book *book, const struct alloc_piece *piece,
		    uint32_t slot, enum alloc_kind kind);

/** How many slots of @piece are of each kind. */
void alloc_book_count(const struct alloc_book *book,
		      const struct alloc_piece *piece,
		      uint64_t ret[static ALLOC_KINDS]);

/** Sort the pieces; what two of them have is torn. */
void alloc_book_sort(struct alloc_book *book);

/** The piece that holds @va, or NULL; only after alloc_book_sort(). */
struct alloc_piece *alloc_book_at(struct alloc_book *book, uint64_t va);

/**
 * The piece that holds @va, and its slot; NULL when no slot begins there. Only
 * after alloc_book_sort().
 */
struct alloc_piece *alloc_book_find(struct alloc_book *book, uint64_t va,
				    uint32_t *ret_slot);

/** Claim all pieces and add up the figures; after alloc_book_sort(). */
MW_MUST_USE struct mw_error *alloc_book_claim(struct alloc_book *book);

/*
 * What a detector is asked for; after alloc_book_claim().
 * @state is the book, or a detector's state that begins with it.
 */
MW_MUST_USE struct mw_error *alloc_book_block_at(void *state, uint64_t va,
						 struct mw_alloc_block *ret,
						 bool *ret_found);
MW_MUST_USE struct mw_error *alloc_book_blocks(void *state, unsigned holders,
					       mw_alloc_visit *visit,
					       void *ctx);
bool alloc_book_holds(void *state, uint64_t va);

#endif
