/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_LOCALS_H
#define MW_LOCALS_H

#include "mw_vars.h"

/*
 * Arguments and local variables: which there are at an instruction, by the
 * DWARF of its function, and what they hold in one of its frames.
 */

/** A frame of a function. */
struct mw_locals_frame {
	uint64_t pc;	/* that runs next, as in the file: a return address */
	bool is_caller; /* it is in the call before pc */
	uint64_t cfa;  /* the stack pointer before the function was called */
	const uint64_t *registers; /* MW_REGISTERS of them; NULL: not known */
};

enum mw_piece_kind {
	MW_PIECE_LOST,	   /* nowhere: nothing needs it any more */
	MW_PIECE_REGISTER, /* in a register whose content is not known */
	MW_PIECE_UNKNOWN,  /* where is told in a way that is not understood */
	MW_PIECE_MEMORY,
	MW_PIECE_VALUE,
};

/** A part of a variable, and where it is. */
struct mw_piece {
	enum mw_piece_kind kind;
	uint64_t bytes;
	uint64_t value; /* the address, or at most 8 bytes */
};

enum mw_local_kind {
	MW_LOCAL_ARGUMENT,
	MW_LOCAL_RESULT,
	MW_LOCAL_VARIABLE,
};

/** Strings are owned by the mw_vars. */
struct mw_local {
	const char *name;
	enum mw_local_kind kind;
	uint64_t type; /* for mw_vars_type_name() */
	/* The function it belongs to, inlined how many calls deep. */
	const char *function;
	unsigned depth;
	uint32_t line; /* of its declaration; 0: not known */
	/*
	 * Whether it is in one place throughout the function: then that holds
	 * anything up to the line of the declaration.
	 */
	bool is_fixed;
	/* In the order of its bytes, at least one; until @visit returns. */
	const struct mw_piece *pieces;
	size_t piece_count;
};

/**
 * Call @visit for each variable there is at @frame->pc: of the innermost
 * inlined function first, its arguments before its results before its
 * variables; until it returns false. @memory is where pointers are followed.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   the first reads what ranges all units have, the first in a unit what
 *         functions it has; what is found at a pc is kept.
 */
MW_MUST_USE struct mw_error *
mw_locals_visit(struct mw_vars *vars, const struct mw_locals_frame *frame,
		const struct mw_vars_memory *memory,
		bool (*visit)(const struct mw_local *local, void *ctx),
		void *ctx);

/**
 * Add what it holds, as mw_vars_value() does; "(optimised out)" and the like
 * where that is not known.
 */
void mw_locals_value(struct mw_vars *vars, const struct mw_local *local,
		     const struct mw_vars_memory *memory, struct mw_text *to);

/** Whether any of it is known to be somewhere. */
bool mw_local_is_there(const struct mw_local *local);

#endif
