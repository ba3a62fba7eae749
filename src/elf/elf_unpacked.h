/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_UNPACKED_H
#define ELF_UNPACKED_H

#include <elfutils/libdw.h>

#include "mw_elf_file.h"

/*
 * libdw goes on without a section that it cannot unpack, as if the file had no
 * such one.
 */

/** The error for @section, compressed as @how tells, with its offset. */
MW_MUST_USE struct mw_error *
elf_unpack_error(const struct mw_elf_section *section,
		 const struct mw_elf_compression *how);

/**
 * Whether @dw, of the file open as @fd, has unpacked what types need, or with
 * @for_lines these; of a file that libdw cannot open, @dw is NULL.
 *
 * Errors: MW_E_UNSUPPORTED for zstd, MW_E_FORMAT, MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *elf_check_unpacked(int fd, Dwarf *dw,
						bool for_lines);

#endif
