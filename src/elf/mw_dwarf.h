/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_DWARF_H
#define MW_DWARF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"

/*
 * Struct layouts from DWARF, for the few types whose names begin with a given
 * prefix ("runtime.").
 */
struct mw_dwarf;

/**
 * Read the debug information of the ELF file open as @fd, which stays the
 * caller's and open, and remember the structs called @prefix….
 *
 * Errors: MW_E_NOT_FOUND when there is none; MW_E_FORMAT when it is damaged.
 * Cost:   decompresses and walks all of .debug_info once.
 */
MW_MUST_USE struct mw_error *mw_dwarf_open(int fd, const char *prefix,
					   struct mw_dwarf **ret);
void mw_dwarf_close(struct mw_dwarf *dwarf);

static inline void mw_dwarf_closep(struct mw_dwarf **dwarf)
{
	mw_dwarf_close(*dwarf);
	*dwarf = NULL;
}

/**
 * Where the member @path ("pages.summary"; "central[].mcentral" enters an
 * array's first element; "" is the struct itself) of @structure lies; "list*"
 * is what the pointer list points to, with offset 0; @structure "var NAME" is
 * the type of the variable NAME. False if there is no such struct or member.
 */
bool mw_dwarf_member(struct mw_dwarf *dwarf, const char *structure,
		     const char *path, uint64_t *ret_offset,
		     uint64_t *ret_bytes);

#endif
