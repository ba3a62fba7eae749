/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_CYCLE_H
#define MW_CYCLE_H

#include <stdbool.h>
#include <stdint.h>

#define MW_CYCLE_LONGEST (UINT64_C(1) << 23) /* between two marks */

/**
 * Ends the walk along a list whose elements may lead back to one that was met:
 * damage, or a list that changed while it was read (Brent's algorithm). One of
 * 16 million elements ends, too.
 *
 * Cost: no memory; of a list of N elements that leads back, at most 3 N are met
 *       before that is seen.
 */
struct mw_cycle {
	uint64_t mark; /* an element that was met */
	uint64_t left; /* steps until another one is taken for it */
	uint64_t steps; /* that there were, then */
};

/** Whether @at, the next element, was met before; all zeros at the start. */
static inline bool mw_cycle_meets(struct mw_cycle *cycle, uint64_t at)
{
	if (cycle->steps && at == cycle->mark)
		return true;
	if (cycle->left == 0) {
		if (cycle->steps == MW_CYCLE_LONGEST)
			return true;
		cycle->steps = cycle->steps ? cycle->steps * 2 : 1;
		cycle->left = cycle->steps;
		cycle->mark = at;
	}
	cycle->left--;
	return false;
}

#endif
