/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_code.h"

#include "mw_guard.h"

struct mw_error *cmd_code_check(const struct mw_image *image)
{
	if (!image || (image->elf->machine == EM_X86_64 && image->elf->is_64))
		return NULL;
	return mw_error_new(MW_E_UNSUPPORTED, "%s: only code for x86-64 can be "
			    "read", image->name);
}

/** Decode the @bytes at code->raw. */
static struct mw_error *decode(struct cmd_code *code, uint64_t start,
			       uint64_t bytes, size_t most)
{
	struct mw_insn *insns = mw_realloc(code->insns, mw_min(bytes, most),
					   sizeof(*insns));
	uint64_t at = 0;

	if (!insns)
		return mw_error_nomem();
	code->insns = insns;
	code->count = 0;
	for (; at < bytes && code->count < most; code->count++) {
		struct mw_insn *insn = &insns[code->count];

		mw_insn_decode(code->raw + at, bytes - at, start + at, insn);
		at += insn->bytes;
	}
	code->start = start;
	code->bytes = at;
	return NULL;
}

struct mw_error *cmd_code_read(struct mw_target *target, uint64_t start,
			       uint64_t bytes, size_t most,
			       struct cmd_code *code)
{
	uint8_t *raw;

	if (bytes == 0 || bytes > CMD_MOST_CODE)
		return mw_error_at(MW_E_RANGE, start,
				   "a symbol of %zu bytes is not code",
				   (size_t)bytes);
	raw = mw_realloc(code->raw, bytes, 1);
	if (!raw)
		return mw_error_nomem();
	code->raw = raw;
	if (!mw_target_read(target, start, raw, bytes))
		return mw_error_at(MW_E_NOT_FOUND, start,
				   "the code cannot be read: it is not mapped, "
				   "or not resident and its file cannot be had");
	return decode(code, start, bytes, most);
}

struct mw_error *cmd_code_decode(uint8_t *raw, uint64_t start, uint64_t bytes,
				 size_t most, struct cmd_code *code)
{
	mw_free(code->raw);
	code->raw = raw;
	return decode(code, start, bytes, most);
}

void cmd_code_free(struct cmd_code *code)
{
	mw_free(code->raw);
	mw_free(code->insns);
	*code = (struct cmd_code){ 0 };
}

uint64_t cmd_code_length(const struct cmd_code *code, size_t i)
{
	enum { NEAR = 4 };

	for (size_t k = i + 1; k < code->count && k <= i + NEAR; k++) {
		const struct mw_insn *insn = &code->insns[k];

		if (insn->kind == MW_INSN_CALL)
			break;
		if ((insn->move == MW_MOVE_CONSTANT ||
		     (insn->move == MW_MOVE_STORE &&
		      insn->from_reg == MW_NO_REG)) &&
		    insn->value > 0 && insn->value < MW_MIB(1))
			return insn->value;
	}
	return 0;
}
