/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_elf_packages.h"
#include "mw_go_types.h"
#include "mw_guard.h"

/*
 * What describes the types of each package: descriptors, names, masks of
 * pointers, tables of methods. They have no symbols, but the runtime finds them
 * in stripped programs, too.
 */

struct adding {
	struct packages *p;
	size_t package; /* place in the list */
	bool is_short_of_memory;
};

/** Add what lies at @va, but only for the first that has it. */
static bool add_bytes(uint64_t va, uint64_t bytes, void *ctx)
{
	struct adding *a = ctx;
	struct packages *p = a->p;
	uint64_t *seen = mw_map64_at(&p->seen_types, va), taken;
	struct package_funcdata *fence;
	size_t piece;

	if (!seen) {
		a->is_short_of_memory = true;
		return false;
	}
	if ((*seen)++ || va < p->image->start || va >= p->image->end)
		return true;
	fence = mw_vec_push(&p->funcdata);
	if (!fence) {
		a->is_short_of_memory = true;
		return false;
	}
	*fence = (struct package_funcdata){ va, PACKAGE_FENCE };
	piece = packages_piece(p, va);
	if (piece == SIZE_MAX)
		return true;
	taken = packages_take(p, piece, bytes);
	p->list.v[a->package].rodata += taken;
	p->list.v[a->package].types += taken;
	return true;
}

static bool find_owner(struct adding *a, struct mw_go_types *types,
		       const struct mw_go_type *type)
{
	const char *path = mw_go_type_package(types, type);
	struct package *package =
		packages_find(a->p, *path ? path : "(types of no package)");

	if (package)
		a->package = (size_t)(package - a->p->list.v);
	else
		a->is_short_of_memory = true;
	return package;
}

static void add_descriptors(struct adding *a, struct mw_go_types *types)
{
	struct mw_go_type type;
	uint64_t at = 0;

	while (!a->is_short_of_memory && mw_go_types_next(types, &at, &type))
		if (type.address >= a->p->image->start &&
		    type.address < a->p->image->end &&
		    find_owner(a, types, &type))
			mw_go_type_pieces(types, &type, add_bytes, a);
}

/** Tables of methods lie among the types, and before Go 1.13 in the data. */
static void add_itabs(struct adding *a, struct mw_go_types *types)
{
	const struct mw_go_summary *s = &a->p->elf->go_summary;
	static const char *const names[] = { "types", "noptrdata", "data" };
	struct mw_go_type type;
	uint64_t va, bytes;

	for (size_t i = 0; i < s->part_count; i++) {
		const struct mw_go_part *part = &s->parts[i];
		uint64_t at = part->start;
		bool is_there = false;

		for (size_t k = 0; k < MW_COUNT(names); k++)
			is_there |= strcmp(part->name, names[k]) == 0;
		while (is_there && !a->is_short_of_memory &&
		       mw_go_itabs_next(types, &at, part->end, &type, &va,
					&bytes))
			if (find_owner(a, types, &type))
				add_bytes(va, bytes, a);
	}
}

struct mw_error *packages_add_types(struct packages *p)
{
	MW_CLEANUP(mw_go_types_closep) struct mw_go_types *types = NULL;
	struct adding a = { .p = p };
	struct mw_error *error = mw_go_types_open(p->target, &types);

	if (error || !types)
		return error;
	add_descriptors(&a, types);
	add_itabs(&a, types);
	return a.is_short_of_memory ? mw_error_nomem() : NULL;
}
