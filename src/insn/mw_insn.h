/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_INSN_H
#define MW_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"

/*
 * x86-64 instructions: bytes in, no process. Zydis decodes them.
 */

enum mw_insn_kind {
	MW_INSN_OTHER,
	MW_INSN_CALL,
	MW_INSN_JUMP,
	MW_INSN_BRANCH, /* a conditional jump */
	MW_INSN_RETURN,
	MW_INSN_BAD, /* no instruction: one byte of it */
};

/** What an instruction does with data, as far as that is told. */
enum mw_insn_move {
	MW_MOVE_NONE,
	MW_MOVE_ADDRESS,   /* lea: to_reg = data */
	MW_MOVE_CONSTANT,  /* mov, xor of a register with itself: to_reg = value */
	MW_MOVE_REGISTER,  /* mov: to_reg = from_reg */
	MW_MOVE_STORE,	   /* mov: stack[sp_offset] = from_reg, or value */
	MW_MOVE_LOAD,	   /* mov: to_reg = stack[sp_offset], or [data] */
};

#define MW_NO_REG (-1)

struct mw_insn {
	uint64_t va;
	uint8_t bytes; /* its length */
	enum mw_insn_kind kind;
	bool has_target; /* of a direct call or jump */
	bool has_data;	 /* an operand at a fixed address, or its address */
	uint64_t target, data;
	/* Registers are numbered as in machine code: 0 rax … 15 r15. */
	enum mw_insn_move move;
	int8_t to_reg, from_reg; /* MW_NO_REG: none */
	uint16_t changes; /* the general registers that it writes, a bit each */
	bool on_stack;	    /* of a store or load */
	int32_t sp_offset;
	uint64_t value;
};

/**
 * Make ready for all below; to be called before anything is decoded, and cheap
 * when it was called before.
 *
 * Errors: MW_E_SYSTEM when the library that decodes is not installed.
 */
MW_MUST_USE struct mw_error *mw_insn_open(void);

/**
 * Decode the instruction at @va, which stands in the first of @size bytes at
 * @code. False, and one byte of MW_INSN_BAD, when there is none.
 */
bool mw_insn_decode(const uint8_t *code, size_t size, uint64_t va,
		    struct mw_insn *ret);

enum mw_syntax {
	MW_SYNTAX_GO, /* Plan 9's, as go tool objdump has it */
	MW_SYNTAX_INTEL,
	MW_SYNTAX_ATT,
};

/** Names for addresses: false for one that has none. */
struct mw_insn_names {
	bool (*name)(void *ctx, uint64_t va, char *to, size_t size);
	void *ctx;
};

#define MW_INSN_TEXT 256

/** Write the instruction, decoded before, as text; cut off if too long. */
void mw_insn_format(const uint8_t *code, const struct mw_insn *insn,
		    enum mw_syntax syntax, const struct mw_insn_names *names,
		    char to[static MW_INSN_TEXT]);

#endif
