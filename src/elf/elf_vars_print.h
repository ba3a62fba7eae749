/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_VARS_PRINT_H
#define ELF_VARS_PRINT_H

#include "elf_vars_int.h"

/* What the files that write values share. */

struct mw_local;

struct printer {
	const struct mw_vars_memory *memory;
	/* Whose pieces are what is read at VARS_PIECES_VA; NULL: none */
	const struct mw_local *local;
	struct mw_text *to;
};

/** Where nothing of a program is: not a canonical address. */
#define VARS_PIECES_VA UINT64_C(0xf000000000000000)

/** Copy @bytes at @va; false, and @to undefined, when it cannot. */
bool vars_read(const struct printer *p, uint64_t va, void *to, size_t bytes);
bool vars_read_word(const struct printer *p, uint64_t va, uint64_t *ret);
/** Say why what is at @va cannot be read. */
void vars_add_unreadable(const struct printer *p, uint64_t va);

/** The same of the variable that is in pieces, by the offset in it. */
bool vars_read_pieces(const struct printer *p, uint64_t offset, void *to,
		      size_t bytes);
const char *vars_why_unreadable(const struct printer *p, uint64_t offset);

void vars_add_value(const struct printer *p, Dwarf_Die *type, uint64_t va,
		    int depth);
/** @count values of @type, one behind the other. */
void vars_add_elements(const struct printer *p, Dwarf_Die *type, uint64_t va,
		       uint64_t count, int depth);

/* Text */

/** Whether @type is a character of one byte. */
bool vars_is_char(Dwarf_Die *type);
/** Bytes of @type, where that is a wider character; 0: it is none. */
uint64_t vars_wide_bytes(Dwarf_Die *type);
/** @bytes of text, cut where it is long. */
void vars_add_string(const struct printer *p, uint64_t va, uint64_t bytes);
/** An array of @count characters: up to a NUL, unless @with_nul. */
void vars_add_chars(const struct printer *p, uint64_t va, uint64_t count,
		    bool with_nul);
/** Up to @count characters of @unit bytes, up to a NUL. */
void vars_add_wide(const struct printer *p, uint64_t va, uint64_t unit,
		   uint64_t count);
/** What a pointer to characters leads to; @unit as vars_wide_bytes() has it. */
void vars_add_c_string(const struct printer *p, uint64_t va, uint64_t unit);
/** Write the character @c to @to, of 4 bytes; how many it takes. */
size_t vars_utf8(uint32_t c, uint8_t *to);

/* Numbers and enumerations */

void vars_add_scalar(const struct printer *p, Dwarf_Die *type, uint64_t va);
/** The same as a number of at most 64 bits, without a sign. */
bool vars_read_scalar(const struct printer *p, Dwarf_Die *type, uint64_t va,
		      uint64_t *ret);
/** A bit-field of that @type, which holds @raw. */
void vars_add_bits(const struct printer *p, Dwarf_Die *type, uint64_t raw,
		   unsigned bits);

/* Structs, classes, unions */

void vars_add_struct(const struct printer *p, Dwarf_Die *type, uint64_t va,
		     int depth);

/* Go's own types */

bool vars_is_go_byte(Dwarf_Die *type);
/** A string, slice or interface; false when the struct @type is none. */
bool vars_add_go(const struct printer *p, Dwarf_Die *type, uint64_t va,
		 int depth);
/** How much is in the map or channel at @value; false when it is none. */
bool vars_add_counted(const struct printer *p, const char *type,
		      uint64_t value);

#endif
