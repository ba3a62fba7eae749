/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_LINES_H
#define MW_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "mw_error.h"

/* Source lines from DWARF. */
struct mw_lines;

/**
 * Read the debug information of the ELF file open as @fd, which stays the
 * caller's and open until mw_lines_close().
 *
 * Errors: MW_E_NOT_FOUND when there is none; MW_E_FORMAT when it is damaged.
 */
MW_MUST_USE struct mw_error *mw_lines_open(int fd, struct mw_lines **ret);
void mw_lines_close(struct mw_lines *lines);

static inline void mw_lines_closep(struct mw_lines **lines)
{
	mw_lines_close(*lines);
	*lines = NULL;
}

/**
 * Where section @index of an object file, whose sections have no addresses, is
 * for mw_lines_at(). 0: it is not loaded, or the file is no object file.
 */
uint64_t mw_lines_section(const struct mw_lines *lines, uint32_t index);

/**
 * The source of the instruction at @vaddr, an address as in the file. *@ret_file
 * is owned by @lines. False when it is not told.
 */
bool mw_lines_at(struct mw_lines *lines, uint64_t vaddr,
		 const char **ret_file, uint32_t *ret_line);

#endif
