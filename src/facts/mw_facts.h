/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_FACTS_H
#define MW_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"

/*
 * What walkers report, and the sink that they report to.
 *
 * A walker finds the regions that its runtime or allocator owns and claims
 * each of them whole. Only when all walkers have claimed, and regions with two
 * owners have been found out, is each claim asked for its parts, which it
 * streams in ascending order; so a heap of millions of spans needs no memory
 * here. What no part covers stays with the claim's own account.
 */

/** Names an account; made by mw_sink_account(). */
typedef uint32_t mw_account_id;

enum mw_layer {
	/*
	 * Owners: two owners of one byte are an error, which is reported with
	 * both names; the byte goes to unknown/contested.
	 */
	MW_LAYER_OWNER,
	/*
	 * Ranges whose owner is known but whose bounds are not, such as "the
	 * mapping in which the loader's first allocations lie": they get what
	 * no owner has claimed. Among themselves the first claim counts.
	 */
	MW_LAYER_REMAINDER,
	/*
	 * What a mapping is when nobody claims it. Exactly the bounds of a
	 * mapping.
	 */
	MW_LAYER_MAPPING,
	MW_LAYERS,
};

struct mw_parts;
struct mw_claim;

/**
 * Report the parts of @claim, in ascending order, with mw_part_*(). An error
 * ends the capture: damage in the target is no error but a part that is left
 * out, or goes to an account of unknown.
 */
typedef struct mw_error *mw_refine_fn(void *ctx, const struct mw_claim *claim,
				      struct mw_parts *parts);

struct mw_claim {
	uint64_t start;
	uint64_t bytes; /* not 0 */
	enum mw_layer layer;
	mw_account_id account; /* of what no part covers */
	const char *walker;    /* who claims, for reports; static */
	const char *what;      /* for `maps`: who owns this region; may be NULL */
	mw_refine_fn *refine;  /* NULL: the claim has no parts */
	void *ctx; /* of refine; the walker's, outlives the ledger */
};

/** Slots of equal size, each of which belongs to one of two accounts. */
struct mw_slots {
	uint64_t start;
	uint64_t slot_bytes; /* not 0 */
	uint64_t count;
	uint64_t used_count;
	mw_account_id used;
	mw_account_id unused;
	/*
	 * Which slots are used, one bit a slot, least significant bit first,
	 * written to @bits, zeroed room for @count bits; not asked when all
	 * or none are. False if it cannot be known: then the slots go to
	 * @unknown. Where the bits do not add up to used_count, they are
	 * right. (Slots on pages of one state are better reported by
	 * mw_part_sums().)
	 */
	bool (*load)(void *ctx, uint8_t *bits);
	void *load_ctx;
	mw_account_id unknown;
};

struct mw_sink_ops {
	struct mw_error *(*account)(void *ctx, const char *parent,
				    const char *leaf, const char *evidence,
				    mw_account_id *ret);
	struct mw_error *(*claim)(void *ctx, const struct mw_claim *claim);
};

/** Where a walker reports to. Passed by pointer; the walker keeps nothing. */
struct mw_sink {
	const struct mw_sink_ops *ops;
	void *ctx;
};

/** How many bytes of a stretch belong to an account. */
struct mw_sum {
	mw_account_id account;
	uint64_t bytes;
};

struct mw_part_ops {
	uint64_t (*uniform_until)(void *ctx, uint64_t va);
	void (*sums)(void *ctx, uint64_t start, uint64_t end,
		     const struct mw_sum *sums, size_t count);
	void (*range)(void *ctx, uint64_t start, uint64_t bytes,
		      mw_account_id account);
	void (*slots)(void *ctx, const struct mw_slots *slots);
};

struct mw_parts {
	const struct mw_part_ops *ops;
	void *ctx;
};

/**
 * The account @parent/@leaf; made when it is new. @parent is a path with '/'
 * between its names; @leaf is one name, whatever it holds. @evidence says in
 * one line how the bytes are known; that of the first call stays.
 */
MW_MUST_USE struct mw_error *mw_sink_account(const struct mw_sink *sink,
					     const char *parent,
					     const char *leaf,
					     const char *evidence,
					     mw_account_id *ret);

/** Claim a region. Everything behind @claim's pointers must stay. */
MW_MUST_USE struct mw_error *mw_sink_claim(const struct mw_sink *sink,
					   const struct mw_claim *claim);

/**
 * A part of the claim: [@start, @start + @bytes) is @account's. What lies
 * outside the claim or before the end of the last part is cut off and counted
 * as an overlap.
 */
void mw_part_range(struct mw_parts *parts, uint64_t start, uint64_t bytes,
		   mw_account_id account);

/** Slots of equal size as parts of the claim. */
void mw_part_slots(struct mw_parts *parts, const struct mw_slots *slots);

/**
 * The end of the stretch from @va on whose pages are all in one state. Within
 * it only sums matter: a walker may add up its parts and report them once, with
 * mw_part_sums(). Not above @va when there is no such stretch.
 */
uint64_t mw_part_uniform_until(struct mw_parts *parts, uint64_t va);

/**
 * Parts of [@start, @end), which lies in a uniform stretch, by their sums. What
 * they leave stays with the claim.
 */
void mw_part_sums(struct mw_parts *parts, uint64_t start, uint64_t end,
		  const struct mw_sum *sums, size_t count);

#endif
