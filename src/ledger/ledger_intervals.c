/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ledger_int.h"
#include "mw_search.h"

size_t mw_intervals_after(const struct intervals *set, uint64_t va)
{
	return mw_first(i, 0, set->list.n, set->list.v[i].end > va);
}

bool mw_intervals_add(struct intervals *set, uint64_t start, uint64_t end)
{
	if (start >= end)
		return true;

	// [from, to) are the intervals that touch or overlap the new one.
	size_t from = mw_intervals_after(set, start);
	if (from > 0 && set->list.v[from - 1].end == start)
		from--;
	size_t to = from;
	while (to < set->list.n && set->list.v[to].start <= end) {
		start = mw_min(start, set->list.v[to].start);
		end = mw_max(end, set->list.v[to].end);
		to++;
	}
	if (from == to) {
		struct interval *room = mw_vec_push(&set->list);

		if (!room)
			return false;
		memmove(&set->list.v[from + 1], &set->list.v[from],
			(set->list.n - 1 - from) * sizeof(*set->list.v));
	} else {
		memmove(&set->list.v[from + 1], &set->list.v[to],
			(set->list.n - to) * sizeof(*set->list.v));
		set->list.n -= to - from - 1;
	}
	set->list.v[from] = (struct interval){ start, end };
	return true;
}
