/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_LAYOUT_H
#define MW_ELF_LAYOUT_H

#include "mw_elf_file.h"

/* Where every byte of an ELF file belongs. */

enum mw_elf_piece_kind {
	MW_ELF_PIECE_HEADER,
	MW_ELF_PIECE_SEGMENT_TABLE,
	MW_ELF_PIECE_SECTION_TABLE,
	MW_ELF_PIECE_SECTION,
	MW_ELF_PIECE_SEGMENT,  /* mapped, in a file without sections */
	MW_ELF_PIECE_PADDING,  /* aligns what follows it */
	MW_ELF_PIECE_GAP,      /* between two pieces, for no known reason */
	MW_ELF_PIECE_TRAILING, /* behind all that the headers speak of */
};

enum mw_elf_content {
	MW_ELF_CONTENT_UNKNOWN, /* not looked at */
	MW_ELF_CONTENT_ZERO,
	MW_ELF_CONTENT_DATA,
};

struct mw_elf_piece {
	enum mw_elf_piece_kind kind;
	size_t index; /* of the section or segment */
	uint64_t offset, bytes; /* in the file; cut at its end */
	/* What of it no piece before it has: sums up to the file. */
	uint64_t own_bytes;
	size_t overlaps; /* the piece before that has the rest; or SIZE_MAX */
	uint64_t outside_bytes; /* behind the end of the file */
	uint64_t align; /* MW_ELF_PIECE_PADDING: to this */
	enum mw_elf_content content; /* of padding, gaps and what trails */
};

/** By offset. The own_bytes of all add up to the bytes of the file. */
struct mw_elf_layout {
	MW_VEC(struct mw_elf_piece) list;
};

/**
 * Errors: MW_E_NOMEM.
 * Cost:   O(n log n) in the sections; reads at most 1 MiB of gaps.
 */
MW_MUST_USE struct mw_error *mw_elf_layout_build(const struct mw_elf_file *file,
						 struct mw_elf_layout *ret);
void mw_elf_layout_free(struct mw_elf_layout *layout);

#endif
