/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <stdlib.h>

#include "elf_locals_int.h"
#include "mw_search.h"
#include "mw_vec.h"

/*
 * Which function has an instruction. Not by .debug_aranges, which Go leaves
 * out since 1.25.
 */

/** Code, and what it belongs to. */
struct range {
	uint64_t low, high; /* [low, high) */
	uint64_t owner;	    /* a place in units; or the function's DIE */
};

struct ranges {
	MW_VEC(struct range) list; /* ascending once they are sorted */
};

struct unit {
	Dwarf_Off die;
	bool is_listed;
	struct ranges functions;
};

struct locals_code {
	Dwarf *dw;
	MW_VEC(struct unit) units;
	struct ranges ranges; /* of units */
};

/** Add what code @die says that it has; false without memory. */
static bool add_ranges(struct ranges *ranges, Dwarf_Die *die, uint64_t owner)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		struct range *range;

		if (low >= high)
			continue;
		range = mw_vec_push(&ranges->list);
		if (!range)
			return false;
		*range = (struct range){ low, high, owner };
	}
	return true;
}

static int by_low(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void sort_ranges(struct ranges *ranges)
{
	if (ranges->list.n > 0)
		qsort(ranges->list.v, ranges->list.n, sizeof(*ranges->list.v),
		      by_low);
}

static const struct range *range_at(const struct ranges *ranges, uint64_t pc)
{
	size_t at = mw_first(i, 0, ranges->list.n, ranges->list.v[i].low > pc);

	return at > 0 && pc < ranges->list.v[at - 1].high
		       ? &ranges->list.v[at - 1]
		       : NULL;
}

static bool list_units(struct locals_code *code)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	while (vars_next_unit(code->dw, &cu, NULL, &die)) {
		struct unit *unit = mw_vec_push(&code->units);

		if (!unit)
			return false;
		*unit = (struct unit){ .die = dwarf_dieoffset(&die) };
		if (!add_ranges(&code->ranges, &die, code->units.n - 1))
			return false;
	}
	sort_ranges(&code->ranges);
	return true;
}

static bool list_functions(Dwarf *dw, struct unit *unit)
{
	Dwarf_Die die, child;

	unit->is_listed = true;
	if (!dwarf_offdie(dw, unit->die, &die) ||
	    dwarf_child(&die, &child) != 0)
		return true;
	do {
		if (dwarf_tag(&child) == DW_TAG_subprogram &&
		    !add_ranges(&unit->functions, &child,
				dwarf_dieoffset(&child)))
			return false;
	} while (dwarf_siblingof(&child, &child) == 0);
	sort_ranges(&unit->functions);
	return true;
}

bool locals_function_at(struct locals_code *code, uint64_t pc, Dwarf_Die *ret,
			bool *ret_found)
{
	const struct range *range = range_at(&code->ranges, pc);
	struct unit *unit = range ? &code->units.v[range->owner] : NULL;

	*ret_found = false;
	if (!unit)
		return true;
	if (!unit->is_listed && !list_functions(code->dw, unit))
		return false;
	range = range_at(&unit->functions, pc);
	*ret_found = range && dwarf_offdie(code->dw, range->owner, ret);
	return true;
}

struct locals_code *locals_code_new(Dwarf *dw)
{
	struct locals_code *code = mw_calloc(1, sizeof(*code));

	if (!code)
		return NULL;
	code->dw = dw;
	if (list_units(code))
		return code;
	locals_code_free(code);
	return NULL;
}

void locals_code_free(struct locals_code *code)
{
	if (!code)
		return;
	for (size_t i = 0; i < code->units.n; i++)
		mw_vec_free(&code->units.v[i].functions.list);
	mw_vec_free(&code->units);
	mw_vec_free(&code->ranges.list);
	mw_free(code);
}
