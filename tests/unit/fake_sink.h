/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_SINK_H
#define FAKE_SINK_H

#include "mw_facts.h"
#include "mw_vec.h"

/** What an account got of the walk. */
struct fake_account {
	char name[96];
	uint64_t bytes;
};

/** A sink that checks what it is told, and adds it up. */
struct fake_sink {
	struct mw_sink sink;
	MW_VEC(struct fake_account) accounts;
	MW_VEC(struct mw_claim) claims;
	bool by_range; /* no stretch is uniform */
	bool broken;   /* a promise of mw_facts.h was */
	/* Of the claim that is being refined */
	uint64_t end, limit;
};

void fake_sink_init(struct fake_sink *sink);
void fake_sink_deinit(struct fake_sink *sink);
/** Ask all claims for their parts. */
MW_MUST_USE struct mw_error *fake_sink_settle(struct fake_sink *sink);
/** Bytes of the account called @name. */
uint64_t fake_sink_bytes(const struct fake_sink *sink, const char *name);

#endif
