/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_facts.h"

#include <assert.h>

struct mw_error *mw_sink_account(const struct mw_sink *sink,
				 const char *parent, const char *leaf,
				 const char *evidence, mw_account_id *ret)
{
	return sink->ops->account(sink->ctx, parent, leaf, evidence, ret);
}

struct mw_error *mw_sink_claim(const struct mw_sink *sink,
			       const struct mw_claim *claim)
{
	assert(claim->bytes > 0 && claim->walker);
	return sink->ops->claim(sink->ctx, claim);
}

void mw_part_range(struct mw_parts *parts, uint64_t start, uint64_t bytes,
		   mw_account_id account)
{
	parts->ops->range(parts->ctx, start, bytes, account);
}

void mw_part_slots(struct mw_parts *parts, const struct mw_slots *slots)
{
	assert(slots->slot_bytes > 0 && slots->used_count <= slots->count);
	parts->ops->slots(parts->ctx, slots);
}

uint64_t mw_part_uniform_until(struct mw_parts *parts, uint64_t va)
{
	return parts->ops->uniform_until(parts->ctx, va);
}

void mw_part_sums(struct mw_parts *parts, uint64_t start, uint64_t end,
		  const struct mw_sum *sums, size_t count)
{
	parts->ops->sums(parts->ctx, start, end, sums, count);
}
