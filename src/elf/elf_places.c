/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_elf_relocs.h"
#include "mw_num.h"

/* Room in front of each section, so that its neighbour's end is not its start. */
#define GAP 4096

struct mw_error *mw_elf_places_make(const struct mw_elf_file *file,
				    struct mw_elf_places *ret)
{
	uint64_t *base = mw_calloc(file->sections.n, sizeof(*base));
	uint64_t end = 0, start;

	if (!base)
		return mw_error_nomem();
	for (size_t i = 1; i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];

		// .bss can be of any size that somebody writes there.
		if (!(s->flags & SHF_ALLOC) || s->size > MW_GIB(1 << 20) ||
		    !mw_end(mw_align_up(end, GAP), GAP, &start) ||
		    !mw_end(start, s->size, &end))
			continue;
		base[i] = start;
	}
	*ret = (struct mw_elf_places){ base, file->sections.n };
	return NULL;
}

void mw_elf_places_free(struct mw_elf_places *places)
{
	mw_free(places->base);
	*places = (struct mw_elf_places){ 0 };
}

void mw_elf_places_put(const struct mw_elf_places *places,
		       struct mw_elf_symbols *symbols)
{
	for (size_t i = 0; i < symbols->list.n; i++) {
		struct mw_elf_symbol *s = &symbols->list.v[i];

		if (s->special || s->section == SHN_UNDEF)
			continue;
		if (mw_elf_place(places, s->section) == 0)
			s->special = true; // so it has no address
		else
			s->value += places->base[s->section];
	}
}
