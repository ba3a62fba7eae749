/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_PART_LIST_H
#define MW_PART_LIST_H

#include "mw_facts.h"
#include "mw_vec.h"

/** Parts of claims that are found in any order and reported in ascending. */
struct mw_part_list {
	MW_VEC(struct mw_list_part) parts;
	bool is_tidy;
};

struct mw_list_part {
	uint64_t start, end;
	mw_account_id account;
};

/** Empty ranges are left out. Joins with the last part where they touch. */
MW_MUST_USE struct mw_error *mw_part_list_add(struct mw_part_list *list,
					      uint64_t start, uint64_t bytes,
					      mw_account_id account);

/**
 * Sort the parts and cut off overlaps: of two that begin at one address the
 * shorter one is kept whole, otherwise the lower one. Returns how many bytes
 * were cut off.
 */
uint64_t mw_part_list_tidy(struct mw_part_list *list);

/** Report those that lie in @claim; the list must be tidy. */
void mw_part_list_emit(const struct mw_part_list *list,
		       const struct mw_claim *claim, struct mw_parts *parts);

void mw_part_list_free(struct mw_part_list *list);

#endif
