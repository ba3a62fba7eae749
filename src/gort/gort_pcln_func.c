/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_funcs_int.h"

/*
 * Entries of a function table, and the record (_func) of each. Both have the
 * offset of the function's entry, which garble's linker hides in the record: it
 * XORs it with the offset of the name times a key of the build.
 */

/** The pc of ftab[@at]; @at may be the count, for the end. */
static bool read_entry(const struct mw_go_funcs *funcs,
		       const struct go_pcln *p, uint64_t at, uint64_t *ret_pc,
		       uint64_t *ret_off)
{
	size_t size = p->format->ftab_bytes;
	size_t want = at < p->count ? size : size / 2;
	uint8_t bytes[16] = { 0 };

	if (!go_funcs_read(funcs, p->ftab + at * size, bytes, want))
		return false;
	*ret_pc = size == 16 ? mw_u64(bytes) : p->text + mw_u32(bytes);
	if (ret_off)
		*ret_off = size == 16 ? mw_u64(bytes + 8) : mw_u32(bytes + 4);
	return true;
}

bool go_pcln_search(const struct mw_go_funcs *funcs,
		    const struct go_pcln *pcln, uint64_t pc, uint64_t *ret)
{
	uint64_t lo = 0, hi = pcln->count, at;

	if (!read_entry(funcs, pcln, 0, &at, NULL) || pc < at ||
	    !read_entry(funcs, pcln, pcln->count, &at, NULL) || pc >= at)
		return false;
	// Invariant, of a table in order: pc of lo <= pc < pc of hi.
	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (!read_entry(funcs, pcln, mid, &at, NULL))
			return false;
		if (at <= pc)
			lo = mid;
		else
			hi = mid;
	}
	*ret = lo;
	return true;
}

#define FUNC_ROOM 48

/** The entry, end and record of function @at, and a copy of the record. */
static bool read_func(const struct mw_go_funcs *funcs,
		      const struct go_pcln *pcln, uint64_t at,
		      struct mw_go_func *func, uint8_t record[FUNC_ROOM])
{
	uint64_t off;

	memset(record, 0, FUNC_ROOM);
	if (at >= pcln->count ||
	    !read_entry(funcs, pcln, at, &func->entry, &off) ||
	    !read_entry(funcs, pcln, at + 1, &func->end, NULL) ||
	    func->end <= func->entry || off > GO_MAX_TABLE_OFF)
		return false;
	func->record = pcln->funcs + off;
	return go_funcs_read(funcs, func->record, record,
			     pcln->format->func_bytes);
}

static uint32_t hidden_entry(const struct go_pcln *pcln,
			     const struct mw_go_func *func,
			     const uint8_t *record)
{
	uint32_t name = (uint32_t)go_slot(record, pcln->format->name_off);

	return (uint32_t)(func->entry - pcln->text) ^ name * pcln->entry_key;
}

/** What to multiply an odd @number by to get 1, modulo 2^32. */
static uint32_t inverse(uint32_t number)
{
	uint32_t x = number; // right in 3 bits, and in twice as many each time

	for (int bits = 3; bits < 32; bits *= 2)
		x *= 2 - number * x;
	return x;
}

uint32_t go_pcln_find_key(const struct mw_go_funcs *funcs,
			  const struct go_pcln *pcln)
{
	enum { TRIED = 512 };

	for (uint64_t i = 0; i < mw_min(pcln->count, TRIED); i++) {
		struct mw_go_func func;
		uint8_t record[FUNC_ROOM];
		uint32_t name;

		if (!read_func(funcs, pcln, i, &func, record))
			continue;
		name = (uint32_t)go_slot(record, pcln->format->name_off);
		if (name & 1)
			return inverse(name) *
			       (hidden_entry(pcln, &func, record) ^
				mw_u32(record));
	}
	return 0;
}

bool go_pcln_func(const struct mw_go_funcs *funcs, const struct go_pcln *pcln,
		  uint64_t at, struct mw_go_func *ret)
{
	const struct go_pcln_format *f = pcln->format;
	struct mw_go_func func = { .index = pcln->first + at };
	uint8_t b[FUNC_ROOM];

	if (!read_func(funcs, pcln, at, &func, b))
		return false;
	// Both say where it begins.
	if (f->entry.bytes == 8
		    ? mw_u64(b) != func.entry
		    : mw_u32(b) != hidden_entry(pcln, &func, b))
		return false;
	func.name_off = (uint32_t)go_slot(b, f->name_off);
	func.args_bytes = (int32_t)go_slot(b, f->args);
	func.deferreturn = (uint32_t)go_slot(b, f->deferreturn);
	func.start_line = (uint32_t)go_slot(b, f->start_line);
	func.pcsp = (uint32_t)go_slot(b, f->pcsp);
	func.pcfile = (uint32_t)go_slot(b, f->pcfile);
	func.pcln = (uint32_t)go_slot(b, f->pcln);
	func.cu_off = (uint32_t)go_slot(b, f->cu);
	func.pcdata_count = (uint32_t)go_slot(b, f->npcdata);
	func.funcdata_count = (uint32_t)go_slot(b, f->nfuncdata);
	func.id = (uint8_t)go_slot(b, f->id);
	func.flags = (uint8_t)go_slot(b, f->flag);
	*ret = func;
	return true;
}
