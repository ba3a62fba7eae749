/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_part_list.h"

#include <stdlib.h>

#include "mw_num.h"
#include "mw_search.h"

struct mw_error *mw_part_list_add(struct mw_part_list *list, uint64_t start,
				  uint64_t bytes, mw_account_id account)
{
	struct mw_list_part *last =
		list->parts.n ? &list->parts.v[list->parts.n - 1] : NULL;
	uint64_t end;

	if (bytes == 0 || !mw_end(start, bytes, &end))
		return NULL;
	if (last && last->end == start && last->account == account) {
		last->end = end;
		list->is_tidy = false;
		return NULL;
	}
	last = mw_vec_push(&list->parts);
	if (!last)
		return mw_error_nomem();
	*last = (struct mw_list_part){ start, end, account };
	list->is_tidy = false;
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct mw_list_part *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

uint64_t mw_part_list_tidy(struct mw_part_list *list)
{
	uint64_t end = 0, cut = 0;
	size_t kept = 0;

	if (list->is_tidy)
		return 0;
	list->is_tidy = true;
	if (list->parts.n > 0)
		qsort(list->parts.v, list->parts.n, sizeof(*list->parts.v),
		      by_start);
	for (size_t i = 0; i < list->parts.n; i++) {
		struct mw_list_part part = list->parts.v[i];
		uint64_t start = mw_max(part.start, end);

		cut += mw_min(start, part.end) - part.start;
		if (start >= part.end)
			continue;
		part.start = start;
		end = part.end;
		list->parts.v[kept++] = part;
	}
	list->parts.n = kept;
	return cut;
}

/** Index of the first part that ends above @va. */
static size_t after(const struct mw_part_list *list, uint64_t va)
{
	return mw_first(i, 0, list->parts.n, list->parts.v[i].end > va);
}

void mw_part_list_emit(const struct mw_part_list *list,
		       const struct mw_claim *claim, struct mw_parts *parts)
{
	uint64_t end = claim->start + claim->bytes;

	for (size_t i = after(list, claim->start); i < list->parts.n; i++) {
		const struct mw_list_part *p = &list->parts.v[i];
		uint64_t from = mw_max(p->start, claim->start);
		uint64_t to = mw_min(p->end, end);

		if (from >= to)
			break;
		mw_part_range(parts, from, to - from, p->account);
	}
}

void mw_part_list_free(struct mw_part_list *list)
{
	mw_vec_free(&list->parts);
}
