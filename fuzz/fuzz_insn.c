/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "mw_insn.h"
#include "mw_num.h"

/* The input is machine code. */

#define VA UINT64_C(0x7ffffffff000)

/** Some addresses have a name, and one that is too long. */
static bool name_of(void *ctx, uint64_t va, char *to, size_t size)
{
	(void)ctx;
	if (va & 1)
		return false;
	memset(to, 'n', size - 1);
	to[va & 2 ? size - 1 : 3] = '\0';
	return true;
}

static void check_format(const uint8_t *code, const struct mw_insn *insn,
			 const struct mw_insn_names *names)
{
	for (int syntax = MW_SYNTAX_GO; syntax <= MW_SYNTAX_ATT; syntax++) {
		char text[MW_INSN_TEXT + 1];

		memset(text, 0x55, sizeof(text));
		mw_insn_format(code, insn, (enum mw_syntax)syntax, names,
			       text);
		CHECK(memchr(text, '\0', MW_INSN_TEXT));
		CHECK(text[0] != '\0' && text[MW_INSN_TEXT] == 0x55);
		for (const char *c = text; *c; c++)
			CHECK(*c >= 0x20 && *c < 0x7f);
	}
}

static void check_insn(const struct mw_insn *insn, size_t left)
{
	CHECK(insn->bytes >= 1 && insn->bytes <= 15 && insn->bytes <= left);
	CHECK(insn->to_reg >= MW_NO_REG && insn->to_reg < 16);
	CHECK(insn->from_reg >= MW_NO_REG && insn->from_reg < 16);
	switch (insn->move) {
	case MW_MOVE_ADDRESS:
		CHECK(insn->has_data && insn->to_reg != MW_NO_REG);
		break;
	case MW_MOVE_CONSTANT:
	case MW_MOVE_REGISTER:
		CHECK(insn->to_reg != MW_NO_REG);
		break;
	case MW_MOVE_STORE:
		CHECK(insn->on_stack);
		break;
	case MW_MOVE_LOAD:
		CHECK(insn->to_reg != MW_NO_REG &&
		      (insn->on_stack || insn->has_data));
		break;
	case MW_MOVE_NONE:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mw_insn_names names = { name_of, NULL };

	CHECK(!mw_insn_open());
	// Nothing behind the input may be read.
	for (size_t at = 0; at < size && at < 4096;) {
		struct mw_insn insn;
		bool ok = mw_insn_decode(data + at, size - at, VA + at, &insn);

		CHECK(ok == (insn.kind != MW_INSN_BAD));
		CHECK(ok || insn.bytes == 1);
		CHECK(insn.va == VA + at);
		check_insn(&insn, size - at);
		check_format(data + at, &insn, at & 1 ? &names : NULL);
		at += insn.bytes;
	}
	return 0;
}
