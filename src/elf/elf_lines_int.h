/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_LINES_INT_H
#define ELF_LINES_INT_H

#include <libelf.h>

#include "mw_elf_relocs.h"

/** An object file in memory, its debug information with relocations done. */
struct lines_object {
	uint8_t *bytes; /* the file; behind it, sections that were packed */
	uint64_t count;
	Elf *elf;
	struct mw_elf_places places;
};

/**
 * Read the one open as @fd. What does not fit in it is left as it is.
 *
 * Errors: MW_E_NOMEM; MW_E_FORMAT, MW_E_LIMIT when it is too large.
 */
MW_MUST_USE struct mw_error *lines_object_open(int fd,
					       struct lines_object *ret);
void lines_object_close(struct lines_object *object);

#endif
