/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_SPLIT_PACKAGE_H
#define ELF_SPLIT_PACKAGE_H

#include "elf_vars_int.h"

/* A package of split debug information (.dwp). */

/** Read the index of the file open as @fd; NULL: it is none, or damaged. */
struct split_package *split_package_open(int fd);

/**
 * Make what it has of the unit with @id the bytes of a file, at most @most.
 * False, and @ret to be closed all the same, when it does not have it.
 */
bool split_package_unit(struct split_package *package, uint64_t id,
			uint64_t most, struct vars_split *ret);

#endif
