/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MIMALLOC_V3_H
#define MIMALLOC_V3_H

#include "mimalloc_int.h"

/** An arena: memory from the system of which pages get slices. */
struct mimalloc_v3_arena {
	uint64_t va; /* of its description */
	uint64_t start, slices, info;
	uint64_t own_start, own_end; /* of all memory that was got for it */
	uint64_t chunks;	     /* of 64 bytes in a bitmap */
	uint64_t free, dirty;	     /* bitmaps: a bit a slice */
	uint8_t *pages;		     /* owned: the same, slices of pages */
};

struct mimalloc_v3_arenas {
	MW_VEC(struct mimalloc_v3_arena) list;
	/* Slices of which the page map tells nothing sensible; ascending */
	MW_VEC(uint64_t) bad;
};

/** Note that @page has slices of the arena described at @arena. */
void mimalloc_v3_note_page(struct mimalloc *mi,
			   struct mimalloc_v3_arenas *arenas, uint64_t arena,
			   const struct mimalloc_page *page);

/** Find arenas without pages, too, and enter what no page has of all. */
MW_MUST_USE struct mw_error *
mimalloc_v3_add_arenas(struct mimalloc *mi, struct mimalloc_v3_arenas *arenas);

void mimalloc_v3_free_arenas(struct mimalloc_v3_arenas *arenas);

#endif
