/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_MODEL_H
#define LEDGER_MODEL_H

#include "mw_ledger.h"

/*
 * The reference for the ledger: a small address space in which each byte has
 * an element of an array for its account. It is posted to in the ledger's
 * order, byte by byte, and counted byte by byte.
 *
 * Addresses are offsets here; the space begins at MODEL_START.
 */

#define MODEL_START UINT64_C(0x7f0000000000)

enum {
	MODEL_PAGES = 24,
	MODEL_BYTES = MODEL_PAGES << MW_PAGE_SHIFT,
	MODEL_ACCOUNTS = 40,
	MODEL_NOBODY = 255, /* stands for an account: not posted yet */
};

struct model_mapping {
	uint32_t start, end;
	uint64_t unplaced_rss, unplaced_swap;
};

struct model {
	struct model_mapping mappings[MODEL_PAGES];
	size_t mapping_count;
	uint8_t mapping_of[MODEL_PAGES]; /* 1 + index, 0: not mapped */
	uint8_t state[MODEL_PAGES];
	uint8_t owners[MODEL_BYTES];	 /* how many claim it */
	bool covered[MODEL_BYTES];	 /* by an owner or a remainder */
	uint8_t account[MODEL_BYTES];
};

/** Mappings with holes between them, and states of their pages. */
void model_make(struct model *model, uint64_t *random);

/** The same for the ledger. */
void model_space(const struct model *model, struct mw_mappings *maps,
		 struct mw_pages *pages);

/** Note that an owner, or else a remainder, claims [@start, @end). */
void model_claim(struct model *model, uint32_t start, uint32_t end,
		 bool is_owner);

/** All are claimed: post the bytes with two owners. */
void model_contest(struct model *model, mw_account_id contested);

/** Whether an owner or a remainder has a part of it. */
bool model_is_shared(const struct model *model,
		     const struct model_mapping *mapping);

/** Post what of [@start, @end) is mapped and not posted yet. */
void model_post(struct model *model, uint32_t start, uint32_t end,
		mw_account_id account);

bool model_is_contested(const struct model *model, uint32_t start,
			uint32_t end);

/**
 * Where the uniform stretch from @va on ends, at @end at the latest; @va when
 * there is none.
 */
uint32_t model_uniform_until(const struct model *model, uint32_t va,
			     uint32_t end);

/**
 * Count the bytes of [@start, @end) that were posted to @account, in each
 * domain, but for those without a place.
 */
struct mw_tally model_count(const struct model *model, uint32_t start,
			    uint32_t end, mw_account_id account);

#endif
