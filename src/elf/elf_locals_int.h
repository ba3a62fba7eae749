/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_LOCALS_INT_H
#define ELF_LOCALS_INT_H

#include "elf_vars_int.h"
#include "mw_locals.h"

/** The functions of a program. */
struct locals_code;

/** NULL without memory; @dw outlives it. */
struct locals_code *locals_code_new(Dwarf *dw);
void locals_code_free(struct locals_code *code);

/** The function whose code holds @pc, if any. False without memory. */
bool locals_function_at(struct locals_code *code, uint64_t pc, Dwarf_Die *ret,
			bool *ret_found);

/** Where DWARF says that a variable is, at one instruction. */
struct locals_where {
	const Dwarf_Op *ops; /* owned by libdw */
	size_t count;
	/* The function's frame base is its CFA; else it is not known. */
	bool has_base;
	/* In truth it is a pointer to the variable, which is on the heap. */
	bool is_pointer;
};

/** More pieces are left out. */
#define LOCALS_PIECES 32

/** Work out the pieces of @local, whose type is set; they lie in @pieces. */
void locals_locate(struct mw_vars *vars, const struct locals_where *where,
		   const struct mw_locals_frame *frame,
		   const struct mw_vars_memory *memory,
		   struct mw_piece pieces[LOCALS_PIECES],
		   struct mw_local *local);

#endif
