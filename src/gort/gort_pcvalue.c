/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_funcs_int.h"
#include "mw_num.h"

/*
 * A pc-value table: pairs of varints, the change of the value (zigzag) and of
 * the pc, from value -1 at the function's entry; a change of value 0 that is
 * not the first ends it (runtime/symtab.go: step, readvarint).
 */

/** More than the largest function of any program has. */
#define MAX_PAIRS (1u << 22)

/** Bytes read ahead, never over the end of a page. */
struct stream {
	const struct mw_go_funcs *funcs;
	uint64_t va;
	uint32_t at, have;
	uint8_t bytes[64];
};

static bool next_byte(struct stream *s, uint8_t *ret)
{
	if (s->at == s->have) {
		uint64_t left = sizeof(s->bytes) -
				(s->va & (sizeof(s->bytes) - 1));

		if (!go_funcs_read(s->funcs, s->va, s->bytes, left)) {
			left = 1;
			if (!go_funcs_read(s->funcs, s->va, s->bytes, 1))
				return false;
		}
		s->va += left;
		s->at = 0;
		s->have = (uint32_t)left;
	}
	*ret = s->bytes[s->at++];
	return true;
}

static bool next_varint(struct stream *s, uint32_t *ret)
{
	uint32_t value = 0;
	uint8_t byte = 0x80;

	for (unsigned shift = 0; byte & 0x80; shift += 7) {
		if (shift >= 35 || !next_byte(s, &byte))
			return false;
		value |= (uint32_t)(byte & 0x7f) << (shift & 31);
	}
	*ret = value;
	return true;
}

bool go_pc_value(const struct mw_go_funcs *funcs,
		 const struct mw_go_func *func, uint32_t table, uint64_t pc,
		 int32_t *ret)
{
	struct stream s = {
		.funcs = funcs,
		.va = go_pcln_of(funcs, func)->pctab + table,
	};
	uint64_t at = func->entry;
	uint32_t value = UINT32_MAX, change, step;

	if (table == 0 || pc < func->entry || pc >= func->end)
		return false;
	// Each pair moves the pc on, so the code's size bounds them; hostile
	// code can be large.
	for (unsigned pairs = 0; pairs < MAX_PAIRS; pairs++) {
		if (!next_varint(&s, &change) ||
		    (change == 0 && at != func->entry) ||
		    !next_varint(&s, &step) || step == 0)
			return false;
		value += -(change & 1) ^ (change >> 1);
		at += step;
		if (pc < at) {
			*ret = (int32_t)value;
			return true;
		}
	}
	return false;
}

uint64_t go_pc_table_bytes(const struct mw_go_funcs *funcs,
			   const struct mw_go_func *func, uint32_t table)
{
	const uint64_t start = go_pcln_of(funcs, func)->pctab + table;
	struct stream s = { .funcs = funcs, .va = start };
	uint64_t steps = func->end - func->entry + 1;
	uint32_t change, step;

	for (bool first = true; steps > 0; steps--, first = false) {
		if (!next_varint(&s, &change))
			break;
		if (change == 0 && !first)
			return s.va - (s.have - s.at) - start;
		if (!next_varint(&s, &step))
			break;
	}
	return 0; // damaged
}

bool go_pc_data(const struct mw_go_funcs *funcs,
		const struct mw_go_func *func, unsigned which, uint64_t pc,
		int32_t *ret)
{
	const struct go_pcln_format *f = go_pcln_of(funcs, func)->format;
	uint32_t table;

	return which < func->pcdata_count &&
	       go_funcs_read(funcs, func->record + f->func_bytes + 4 * which,
			     &table, 4) &&
	       go_pc_value(funcs, func, table, pc, ret);
}

bool go_func_data(const struct mw_go_funcs *funcs,
		  const struct mw_go_func *func, unsigned which, uint64_t *ret)
{
	const struct go_pcln *p = go_pcln_of(funcs, func);
	const struct go_pcln_format *f = p->format;
	uint64_t at = func->record + f->func_bytes +
		      4 * (uint64_t)func->pcdata_count;

	if (which >= func->funcdata_count)
		return false;
	if (f->funcdata_bytes == 4) {
		uint32_t off;

		if (!p->gofunc ||
		    !go_funcs_read(funcs, at + 4 * (uint64_t)which, &off, 4) ||
		    off == UINT32_MAX || p->gofunc > UINT64_MAX - off)
			return false;
		*ret = p->gofunc + off;
		return true;
	}

	uint64_t pointer;

	at = mw_align_up(at, 8);
	if (!go_funcs_read(funcs, at + 8 * (uint64_t)which, &pointer, 8) ||
	    pointer == 0)
		return false;
	*ret = pointer;
	return true;
}

bool mw_go_frame_bytes(struct mw_go_funcs *funcs,
		       const struct mw_go_func *func, uint64_t pc,
		       uint64_t *ret)
{
	int32_t bytes;

	if (!go_pc_value(funcs, func, func->pcsp, pc, &bytes) || bytes < 0 ||
	    (bytes & 7))
		return false;
	*ret = (uint64_t)bytes;
	return true;
}
