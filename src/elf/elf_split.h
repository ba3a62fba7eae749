/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_SPLIT_H
#define ELF_SPLIT_H

#include "elf_vars_int.h"

/**
 * Open the rest of @skeleton, a unit of the program, where vars->files has it;
 * only what carries its id is believed. False when it cannot be had.
 */
bool split_open(struct mw_vars *vars, Dwarf_Die *skeleton,
		struct vars_split *ret);
void split_close(struct vars_split *split);

/** Close the package, if there was one. */
void split_package_close(struct split_package *package);

/** The address with number @index of the unit @skeleton. */
bool split_address(struct mw_vars *vars, Dwarf_Die *skeleton, uint64_t index,
		   uint64_t *ret);

/**
 * The place in the thread's block that @value, the number of a variable there,
 * stands for: gcc writes the address of the initial value instead.
 */
uint64_t split_tls_place(struct mw_vars *vars, uint64_t value);

#endif
