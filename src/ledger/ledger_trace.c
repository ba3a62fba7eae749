/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_int.h"

void mw_ledger_trace(struct mw_ledger *ledger,
		     const struct mw_ledger_trace *trace)
{
	ledger->trace = trace;
}

uint64_t mw_ledger_next_traced(const struct mw_ledger *ledger, uint64_t va)
{
	return ledger->trace ? ledger->trace->next(ledger->trace->ctx, va)
			     : UINT64_MAX;
}

void mw_ledger_tell(const struct mw_ledger *ledger, uint64_t start,
		    uint64_t end, mw_account_id account)
{
	if (start < end && mw_ledger_next_traced(ledger, start) < end)
		ledger->trace->range(ledger->trace->ctx, start, end, account);
}

static bool is_used(const struct mw_slots *slots, const uint8_t *bits,
		    uint64_t slot)
{
	return bits ? bits[slot / 8] >> (slot % 8) & 1 : slots->used_count > 0;
}

void mw_ledger_tell_slots(const struct mw_ledger *ledger,
			  const struct mw_slots *slots, const uint8_t *bits,
			  uint64_t from, uint64_t to)
{
	while (from < to && mw_ledger_next_traced(ledger, from) < to) {
		uint64_t slot = (from - slots->start) / slots->slot_bytes;
		bool used = is_used(slots, bits, slot);

		do
			slot++;
		while (slot < slots->count &&
		       slots->start + slot * slots->slot_bytes < to &&
		       is_used(slots, bits, slot) == used);

		uint64_t end = mw_min(
			to, slots->start + slot * slots->slot_bytes);
		mw_ledger_tell(ledger, from, end,
			       used ? slots->used : slots->unused);
		from = end;
	}
}
