/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_CODE_H
#define CMD_CODE_H

#include "cmd.h"
#include "mw_insn.h"

/* Machine code of a target, decoded. */

struct cmd_code {
	uint64_t start, bytes;
	uint8_t *raw;
	struct mw_insn *insns;
	size_t count;
};

/** Errors: MW_E_UNSUPPORTED when @image, or NULL, is for another machine. */
MW_MUST_USE struct mw_error *cmd_code_check(const struct mw_image *image);

/** No function that a compiler makes is longer. */
#define CMD_MOST_CODE MW_MIB(16)

/**
 * Read and decode [@start, @start + @bytes), at most @most instructions, into
 * @code, whose memory is used again.
 *
 * Errors: MW_E_NOT_FOUND when it cannot be read; MW_E_RANGE when it is too
 *         long.
 */
MW_MUST_USE struct mw_error *cmd_code_read(struct mw_target *target,
					   uint64_t start, uint64_t bytes,
					   size_t most, struct cmd_code *code);
/** The same for the @bytes at @raw, which @code owns from now on. */
MW_MUST_USE struct mw_error *cmd_code_decode(uint8_t *raw, uint64_t start,
					     uint64_t bytes, size_t most,
					     struct cmd_code *code);
void cmd_code_free(struct cmd_code *code);

/**
 * The length that one of the instructions behind @i loads beside the address
 * of a Go string; 0 if none does.
 */
uint64_t cmd_code_length(const struct cmd_code *code, size_t i);

#endif
