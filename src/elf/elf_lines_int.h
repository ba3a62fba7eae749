/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_LINES_INT_H
#define ELF_LINES_INT_H

#include <libelf.h>

#include "mw_elf_relocs.h"

/**
 * Do the relocations of the debug information of the object file open as @fd
 * in @elf, which has it open too, with its sections at *@ret. What does not fit
 * is left as it is.
 *
 * Errors: MW_E_NOMEM; MW_E_FORMAT.
 */
MW_MUST_USE struct mw_error *lines_relocate(int fd, Elf *elf,
					    struct mw_elf_places *ret);

#endif
