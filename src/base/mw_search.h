/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_SEARCH_H
#define MW_SEARCH_H

#include <stddef.h>

/*
 * The first index @i, of @from up to but not @end, for which @holds, an
 * expression that uses it, is true; @end: for none. It is false for all before
 * that index and true for all behind it, as in what is sorted by an address:
 * mw_first(i, 0, list.n, list.v[i].end > va).
 * Cost: O(log(@end - @from)) evaluations of @holds.
 */
#define mw_first(i, from, end, holds)                                  \
	({                                                             \
		size_t mw_lo = (from), mw_hi = (end);                  \
		while (mw_lo < mw_hi) {                                \
			size_t i = mw_lo + (mw_hi - mw_lo) / 2;        \
			if (holds)                                     \
				mw_hi = i;                             \
			else                                           \
				mw_lo = i + 1;                         \
		}                                                      \
		mw_lo;                                                 \
	})

#endif
