/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_DEBUG_H
#define CMD_DEBUG_H

#include "mw_elf_symbols.h"

/**
 * Open the debug file of the stripped file open as @fd, which is at @path: in
 * the places where gdb and elfutils look, and only when it belongs to it. The
 * caller closes it. -1: there is none.
 */
int cmd_open_debug_file(const char *path, int fd);

/**
 * For struct mw_vars_files: the files of split DWARF, where gdb and elfutils look.
 * @ctx is the path of the program.
 */
bool cmd_open_split_file(void *ctx, const char *folder, const char *name,
			 unsigned n, int *ret_fd);

/**
 * The symbols of @file, open as @fd at @path: of its .symtab, or that of its
 * debug file; where there is neither, those of @otherwise (enum
 * mw_elf_symbol_table).
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *cmd_load_symbols(struct mw_elf_file *file,
					      const char *path, int fd,
					      unsigned otherwise,
					      struct mw_elf_symbols *ret);

#endif
