/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TRIAL_H
#define LEDGER_TRIAL_H

#include "ledger_model.h"

enum { MAX_OWNERS = 6, MAX_REMAINDERS = 3 };

/** Random claims with random parts, posted to a ledger and to the model. */
struct trial {
	struct model model;
	struct mw_mappings maps;
	struct mw_pages pages;
	struct mw_ledger *ledger;
	uint64_t random;
	bool keeps; /* the ledger keeps mappings and pages */
	struct mw_claim owners[MAX_OWNERS]; /* each of another walker */
	size_t owner_count;
	struct mw_claim remainders[MAX_REMAINDERS];
	size_t remainder_count;
	mw_account_id mappings[MODEL_PAGES]; /* of whose own bytes */
	mw_account_id contested, unclaimed, unplaced, torn, parts[3];
	size_t bad_parts; /* that go back or leave their claim */
	/* Of the claim whose parts are reported now */
	uint32_t at, end;
	uint8_t bits[8];
	bool load_works;
	/* Traced, if any byte is */
	struct mw_ledger_trace trace;
	bool is_traced[MODEL_BYTES + 1]; /* the last one ends a search */
	uint8_t told[MODEL_BYTES]; /* 1 + account, 0 when not told */
	bool told_twice;
};

/**
 * Make one from @seed and settle its ledger, with none, a few or all of its
 * bytes traced.
 */
void trial_begin(struct trial *trial, uint64_t seed, bool keeps);
void trial_end(struct trial *trial);

#endif
