/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSN_INT_H
#define INSN_INT_H

#include "insn_zydis.h"
#include "mw_insn.h"

struct insn_decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

bool insn_decode(const uint8_t *code, size_t size, struct insn_decoded *ret);

/** Number of the general register that @reg is part of, or MW_NO_REG. */
int insn_reg(ZydisRegister reg);

/** The address of a memory operand that needs no register but rip. */
bool insn_fixed_address(const struct insn_decoded *d,
			const ZydisDecodedOperand *operand, uint64_t va,
			uint64_t *ret);

/** The name of @va, or its number; appended to @to. */
void insn_add_address(const struct mw_insn_names *names, uint64_t va,
		      char to[static MW_INSN_TEXT]);
/** Append formatted text; cut off when @to is full. */
__attribute__((format(printf, 2, 3))) void
insn_add(char to[static MW_INSN_TEXT], const char *fmt, ...);

void insn_format_go(const struct insn_decoded *d, uint64_t va,
		    const struct mw_insn_names *names,
		    char to[static MW_INSN_TEXT]);

#endif
