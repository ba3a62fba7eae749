/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_RELOCS_H
#define TARGET_RELOCS_H

#include "mw_elf.h"

/*
 * Relocations of a file that is loaded at its own addresses: words that get the
 * address they stand for, of a symbol only where the same file defines it. A position-independent Go program has
 * its pointers there, and zeros in the file. (Those of DT_RELR have the right
 * address in the file already.)
 */
struct target_relocs;

/**
 * Read those of @elf, open as @fd, from its dynamic table. What lies
 * outside the file is left out.
 */
MW_MUST_USE struct mw_error *mw_relocs_load(int fd, const struct mw_elf *elf,
					    struct target_relocs **ret);
void mw_relocs_free(struct target_relocs *relocs);

/** Do those that touch the page at @va, whose bytes are at @page. */
void mw_relocs_apply(const struct target_relocs *relocs, uint64_t va,
		     uint8_t *page);

#endif
