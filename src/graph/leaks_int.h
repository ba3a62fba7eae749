/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAKS_INT_H
#define LEAKS_INT_H

#include "mw_leaks.h"
#include "mw_map64.h"
#include "mw_num.h"
#include "mw_vec.h"

/*
 * A heap has tens of millions of blocks, so each takes 4 bytes. They lie in
 * windows of 1 MiB of address space, by address:
 *
 *	bits 15..31	where it begins in the window, in units of 8 bytes
 *	bits  5..14	its bytes in units of 8; LEAKS_SIZE_APART: see the map
 *	bit  4		LEAKS_PENDING: to be looked through
 *	bits  0..3	what is known of it: enum leaks_state
 */
#define LEAKS_UNIT 8
#define LEAKS_WINDOW_BYTES MW_MIB(1)
#define LEAKS_PAGES (LEAKS_WINDOW_BYTES / MW_PAGE_BYTES)
#define LEAKS_MAX_VA (UINT64_C(1) << 47)

#define LEAKS_AT_SHIFT 15
#define LEAKS_SIZE_SHIFT 5
#define LEAKS_SIZE_APART 1023u
#define LEAKS_PENDING 16u
#define LEAKS_STATE_MASK 15u

/** Longer blocks are streamed. */
#define LEAKS_ALONE_BYTES MW_KIB(32)
/** An inner pointer this near may be one behind a head of the block's own. */
#define LEAKS_HEAD_BYTES 24

/*
 * Below LEAKS_REACHED, a set of bits: how pointers from reached memory lead
 * into the block, though none does to its start.
 */
enum leaks_state {
	LEAKS_UNREACHED = 0,
	LEAKS_INNER = 1,     /* somewhere */
	LEAKS_BEHIND_HEAD = 2, /* a few words behind its start */
	LEAKS_ALIGNED = 4,   /* to a multiple of 8 further on */
	LEAKS_REACHED = 8,
	LEAKS_POSSIBLE,
	LEAKS_DEFINITE,
	LEAKS_FOLLOWED, /* lost: LEAKS_INDIRECT, or LEAKS_DEFINITE's ring */
	LEAKS_INDIRECT,
};

struct leaks_window {
	uint64_t start;
	uint32_t *blocks;
	uint32_t count, pending;
	bool is_unsorted;
	uint32_t below[LEAKS_PAGES + 1]; /* blocks that begin below a page */
};

struct leaks_ref {
	struct leaks_window *window;
	uint32_t index;
};

/** A definite leak that has others below it. */
struct leaks_leader {
	uint64_t va, blocks, bytes;
};

struct mw_leaks {
	struct mw_leaks_options options;
	/* Blocks */
	MW_VEC(struct leaks_window *) windows; /* ascending once sealed */
	struct mw_map64 by_number; /* address / window -> 1 + index */
	struct mw_map64 sizes;	   /* address -> bytes */
	uint64_t run_number; /* of the window that the run's blocks are in */
	MW_VEC(uint32_t) run; /* blocks not in their window yet */
	MW_VEC(struct leaks_ref) crossing; /* that end in another window */
	uint64_t lowest, span; /* of all blocks */
	/* The search */
	enum leaks_state level; /* what is found becomes this */
	uint64_t pending;
	uint64_t few; /* as many pending blocks are best read one by one */
	struct leaks_ref *queue; /* pending blocks, a ring */
	size_t queue_first, queue_count;
	bool is_partial; /* not all that are pending are in the queue */
	const struct leaks_window *only; /* whose blocks go there; or NULL */
	const struct leaks_window *buffered; /* that has been read */
	const struct leaks_window *visited; /* whose blocks were, last */
	unsigned visits;		    /* how many in sequence */
	uint64_t buffer_va;
	uint8_t *buffer, *alone; /* a window, and a block of another one */
	struct leaks_ref leader; /* of lost blocks, the one that leads there */
	uint64_t held_blocks, held_bytes;
	bool has_indirect; /* lost blocks lead to others */
	MW_VEC(struct leaks_leader) leaders; /* descending */
	uint64_t tables_tried;
	bool no_memory;
};

static inline uint32_t leaks_entry(const struct leaks_ref *ref)
{
	return ref->window->blocks[ref->index];
}

static inline enum leaks_state leaks_state(const struct leaks_ref *ref)
{
	return (enum leaks_state)(leaks_entry(ref) & LEAKS_STATE_MASK);
}

static inline void leaks_set_state(const struct leaks_ref *ref,
				   enum leaks_state state)
{
	uint32_t *entry = &ref->window->blocks[ref->index];

	*entry = (*entry & ~LEAKS_STATE_MASK) | (uint32_t)state;
}

static inline uint64_t leaks_va(const struct leaks_ref *ref)
{
	return ref->window->start +
	       (uint64_t)(leaks_entry(ref) >> LEAKS_AT_SHIFT) * LEAKS_UNIT;
}

uint64_t leaks_bytes(const struct mw_leaks *leaks,
		     const struct leaks_ref *ref);

/** All blocks have been added: sort them. */
MW_MUST_USE struct mw_error *leaks_seal(struct mw_leaks *leaks);
/** The block that holds @va. */
bool leaks_find(const struct mw_leaks *leaks, uint64_t va,
		struct leaks_ref *ret, uint64_t *ret_offset);
void leaks_free_blocks(struct mw_leaks *leaks);

/* Scanning */

MW_MUST_USE struct mw_error *leaks_scan_init(struct mw_leaks *leaks);
void leaks_scan_free(struct mw_leaks *leaks);
/** @word may be a pointer; what it leads to is found, on leaks->level. */
void leaks_meet(struct mw_leaks *leaks, uint64_t word);
/** Meet all words of @extents. */
void leaks_scan_extents(struct mw_leaks *leaks,
			const struct mw_extents *extents);
/** The same of instructions, at each byte. */
void leaks_scan_code(struct mw_leaks *l, const struct mw_extents *code);
/** Look through @window at once, not block by block. */
void leaks_load(struct mw_leaks *leaks, const struct leaks_window *window);
/** Let the block be looked through. */
void leaks_queue(struct mw_leaks *leaks, const struct leaks_ref *ref);
/** Look through all that are pending, and through what that leads to. */
void leaks_settle(struct mw_leaks *leaks);

/* Inner pointers that are as good as ones to the start (leaks_inner.c) */

/** What is known by the words at the start of the block, at @words. */
bool leaks_is_known_inner(const struct mw_leaks *leaks,
			  const struct leaks_ref *ref, const uint64_t *words,
			  uint64_t bytes);
/** What is known by what stands at @offset, where the pointer leads. */
bool leaks_is_table(struct mw_leaks *leaks, const struct leaks_ref *ref,
		    uint64_t offset);

#endif
