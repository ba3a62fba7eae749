/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_FIND_H
#define CMD_FIND_H

#include "cmd_ranges.h"
#include "mw_find.h"

/** A search through the chosen bytes, on several threads. */
struct cmd_find {
	struct cmd_bytes *bytes;
	const struct mw_needle *needle;
	size_t most; /* hits that are kept; 0: they are only counted */
	/* The answer */
	MW_VEC(uint64_t) hits; /* ascending */
	uint64_t hit_count; /* of what was searched */
	uint64_t lost_bytes; /* could not be read after all */
	bool is_cut; /* ended when there were enough */
	/* Own: job by job what is to be read. */
	MW_VEC(struct mw_extent) pieces;
	MW_VEC(struct cmd_find_job) jobs;
};

/**
 * Run a search whose first three members are set, the others zeroed.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *cmd_find_run(struct cmd_find *find);
void cmd_find_deinit(struct cmd_find *find);

#endif
