/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_LEAKS_H
#define MW_LEAKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_target.h"
#include "mw_target_bulk.h"

/*
 * Which blocks of memory nothing reaches any more. The search is conservative:
 * every aligned word of a root or of a block that is reached counts as a
 * pointer if it could be one. So a block may be held by a number that only
 * looks like its address; none is called lost while its address stands
 * anywhere in the open.
 *
 * Use: mw_leaks_new(), mw_leaks_add() for each block, mw_leaks_search(), then
 * mw_leaks_of() for each block.
 */
struct mw_leaks;

enum mw_leak_kind {
	MW_LEAK_NONE, /* reached by pointers to the starts of blocks */
	/* Only by pointers into its inside, or from blocks so reached. */
	MW_LEAK_POSSIBLE,
	MW_LEAK_DEFINITE, /* nothing has a pointer to it */
	MW_LEAK_INDIRECT, /* only lost blocks have */
};

struct mw_leak {
	enum mw_leak_kind kind;
	/* Of a definite leak: what is lost with it. */
	uint64_t indirect_blocks, indirect_bytes;
};

/** What the search asks; all but @target may be NULL. */
struct mw_leaks_options {
	struct mw_target *target;
	/** Whether a table of virtual functions may stand at @va. */
	bool (*is_vtable)(void *ctx, uint64_t va);
	/** Another @bytes bytes of roots and blocks have been looked through. */
	void (*progress)(void *ctx, uint64_t bytes);
	void *ctx;
};

/**
 * A search without blocks. What @options leads to is borrowed for its life.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *
mw_leaks_new(const struct mw_leaks_options *options, struct mw_leaks **ret);
void mw_leaks_free(struct mw_leaks *leaks);

static inline void mw_leaks_freep(struct mw_leaks **leaks)
{
	mw_leaks_free(*leaks);
	*leaks = NULL;
}

/**
 * Add the block of @bytes bytes at @va. In any order, but long ascending runs
 * are quick. One that overlaps another, or begins at no multiple of 8 or above
 * 2^47, is never found lost.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   4 bytes of memory; some 40 more where a block is larger than 8 KiB
 *         or its size is no multiple of 8.
 */
MW_MUST_USE struct mw_error *mw_leaks_add(struct mw_leaks *leaks, uint64_t va,
					  uint64_t bytes);

/**
 * Find what @roots, which begin and end at multiples of 8, and @count @words,
 * such as those in registers, lead to. In @code, instructions that a program
 * has made, pointers stand at any byte. What of memory is not present is no
 * pointer.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   roots are read once, blocks once and, where pointers lead to and
 *         fro, some of them again; 3 MiB of memory, and 24 bytes for each
 *         definite leak with others below it.
 */
MW_MUST_USE struct mw_error *mw_leaks_search(struct mw_leaks *leaks,
					     const struct mw_extents *roots,
					     const struct mw_extents *code,
					     const uint64_t *words,
					     size_t count);

/** What the block at @va is; MW_LEAK_NONE when it was not added. */
struct mw_leak mw_leaks_of(const struct mw_leaks *leaks, uint64_t va);

#endif
