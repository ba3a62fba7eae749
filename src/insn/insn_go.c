/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "insn_int.h"

/*
 * Go's assembler syntax (golang.org/x/arch/x86/x86asm, plan9x.go): operands
 * from source to destination, but in Intel's order for comparisons; the size
 * as a letter behind the operation; registers without their size; $ for
 * constants; disp(base)(index*scale) for memory.
 */

/** Operations that take a letter for their size. */
static bool is_sized(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_ADC:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_BSF:
	case ZYDIS_MNEMONIC_BSR:
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTC:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_CMPXCHG:
	case ZYDIS_MNEMONIC_CVTSI2SD:
	case ZYDIS_MNEMONIC_CVTSI2SS:
	case ZYDIS_MNEMONIC_CVTTSD2SI:
	case ZYDIS_MNEMONIC_CVTTSS2SI:
	case ZYDIS_MNEMONIC_DEC:
	case ZYDIS_MNEMONIC_DIV:
	case ZYDIS_MNEMONIC_IDIV:
	case ZYDIS_MNEMONIC_IMUL:
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVNTI:
	case ZYDIS_MNEMONIC_MUL:
	case ZYDIS_MNEMONIC_NEG:
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_NOT:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_RCL:
	case ZYDIS_MNEMONIC_RCR:
	case ZYDIS_MNEMONIC_ROL:
	case ZYDIS_MNEMONIC_ROR:
	case ZYDIS_MNEMONIC_SAR:
	case ZYDIS_MNEMONIC_SBB:
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SHLD:
	case ZYDIS_MNEMONIC_SHR:
	case ZYDIS_MNEMONIC_SHRD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_XADD:
	case ZYDIS_MNEMONIC_XCHG:
	case ZYDIS_MNEMONIC_XOR:
		return true;
	default:
		return false;
	}
}

/** What memory has; without any, a byte counts as the 4 of its register. */
static const char *size_letter(const struct insn_decoded *d)
{
	unsigned bits = d->insn.operand_width == 8 ? 32
						   : d->insn.operand_width;

	for (size_t i = 0; i < d->insn.operand_count_visible; i++)
		if (d->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    d->operands[i].mem.type == ZYDIS_MEMOP_TYPE_MEM)
			bits = d->operands[i].size;
	return bits == 8 ? "B" : bits == 16 ? "W" : bits == 32 ? "L"
	       : bits == 64			? "Q"
						: "";
}

static void add_upper(char to[static MW_INSN_TEXT], const char *text)
{
	char upper[64];
	size_t i = 0;

	for (; text[i] && i < sizeof(upper) - 1; i++)
		upper[i] = (char)toupper((unsigned char)text[i]);
	upper[i] = '\0';
	insn_add(to, "%s", upper);
}

static void add_reg(char to[static MW_INSN_TEXT], ZydisRegister reg)
{
	static const char *const names[] = {
		"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI",
		"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15",
	};
	ZydisRegisterClass class = zydis.RegisterGetClass(reg);
	int number = insn_reg(reg);

	if (class == ZYDIS_REGCLASS_XMM || class == ZYDIS_REGCLASS_YMM ||
	    class == ZYDIS_REGCLASS_ZMM)
		insn_add(to, "%c%d",
			 class == ZYDIS_REGCLASS_XMM   ? 'X'
			 : class == ZYDIS_REGCLASS_YMM ? 'Y'
						       : 'Z',
			 zydis.RegisterGetId(reg));
	else if ((class == ZYDIS_REGCLASS_GPR8 && reg < ZYDIS_REGISTER_SPL) ||
		 number == MW_NO_REG)
		add_upper(to, zydis.RegisterGetString(reg));
	else
		insn_add(to, "%s", names[number]);
}

static void add_number(char to[static MW_INSN_TEXT], int64_t value)
{
	if (value < 0)
		insn_add(to, "-0x%" PRIx64, -(uint64_t)value);
	else
		insn_add(to, "0x%" PRIx64, (uint64_t)value);
}

static void add_memory(char to[static MW_INSN_TEXT],
		       const struct insn_decoded *d,
		       const ZydisDecodedOperand *o, uint64_t va,
		       const struct mw_insn_names *names)
{
	const ZydisDecodedOperandMem *mem = &o->mem;
	uint64_t address;
	char name[MW_INSN_TEXT];

	if (insn_fixed_address(d, o, va, &address) && names &&
	    names->name(names->ctx, address, name, sizeof(name))) {
		insn_add(to, "%s(SB)", name);
		return;
	}
	if (mem->segment == ZYDIS_REGISTER_FS ||
	    mem->segment == ZYDIS_REGISTER_GS) {
		add_reg(to, mem->segment);
		insn_add(to, ":");
	}
	if (mem->base == ZYDIS_REGISTER_NONE &&
	    mem->index == ZYDIS_REGISTER_NONE)
		insn_add(to, "0x%" PRIx32, (uint32_t)mem->disp.value);
	else if (mem->disp.value || mem->base == ZYDIS_REGISTER_NONE)
		add_number(to, mem->disp.value);
	else
		insn_add(to, "0");
	if (mem->base == ZYDIS_REGISTER_RIP) {
		insn_add(to, "(IP)");
	} else if (mem->base != ZYDIS_REGISTER_NONE) {
		insn_add(to, "(");
		add_reg(to, mem->base);
		insn_add(to, ")");
	}
	if (mem->index != ZYDIS_REGISTER_NONE) {
		insn_add(to, "(");
		add_reg(to, mem->index);
		insn_add(to, "*%u)", mem->scale);
	}
}

static void add_operand(char to[static MW_INSN_TEXT],
			const struct insn_decoded *d,
			const ZydisDecodedOperand *o, uint64_t va,
			const struct mw_insn_names *names)
{
	switch (o->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		add_reg(to, o->reg.value);
		break;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		add_memory(to, d, o, va, names);
		break;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		if (o->imm.is_relative) {
			uint64_t target =
				va + d->insn.length + o->imm.value.u;
			size_t before = strlen(to);

			insn_add_address(names, target, to);
			if (strncmp(to + before, "0x", 2) != 0)
				insn_add(to, "(SB)");
			break;
		}
		insn_add(to, "$");
		if (d->insn.operand_width == 8)
			insn_add(to, "0x%x", (uint8_t)o->imm.value.u);
		else if (o->imm.is_signed &&
			 o->imm.value.s == (int32_t)o->imm.value.s)
			add_number(to, o->imm.value.s);
		else
			insn_add(to, "0x%" PRIx64, o->imm.value.u);
		break;
	default:
		insn_add(to, "?");
		break;
	}
}

static void add_prefixes(char to[static MW_INSN_TEXT],
			 const struct insn_decoded *d)
{
	ZydisInstructionAttributes a = d->insn.attributes;

	if (a & ZYDIS_ATTRIB_HAS_LOCK)
		insn_add(to, "LOCK ");
	if (a & ZYDIS_ATTRIB_HAS_REPNE)
		insn_add(to, "REPNE; ");
	else if (a & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
		insn_add(to, "REP; ");
}

/** Go's names of conditions, and of an operation that has the name of two. */
static void add_mnemonic(char to[static MW_INSN_TEXT],
			 const struct insn_decoded *d)
{
	static const struct {
		const char *zydis, *go;
	} conditions[] = {
		{ "z", "E" }, { "nz", "NE" }, { "nb", "AE" }, { "nbe", "A" },
		{ "nl", "GE" }, { "nle", "G" },
	};
	static const char *const heads[] = { "cmov", "set", "j" };
	const char *name = zydis.MnemonicGetString(d->insn.mnemonic);

	for (size_t h = 0; h < sizeof(heads) / sizeof(*heads); h++) {
		size_t length = strlen(heads[h]);

		if (strncmp(name, heads[h], length) != 0)
			continue;
		for (size_t i = 0;
		     i < sizeof(conditions) / sizeof(*conditions); i++)
			if (strcmp(name + length, conditions[i].zydis) == 0) {
				add_upper(to, heads[h]);
				insn_add(to, "%s", conditions[i].go);
				return;
			}
	}
	add_upper(to, name);
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_MOVSD &&
	    d->insn.meta.category != ZYDIS_CATEGORY_STRINGOP)
		insn_add(to, "_XMM");
}

void insn_format_go(const struct insn_decoded *d, uint64_t va,
		    const struct mw_insn_names *names,
		    char to[static MW_INSN_TEXT])
{
	ZydisMnemonic m = d->insn.mnemonic;
	size_t count = d->insn.operand_count_visible;

	add_prefixes(to, d);
	// What a long NOP names besides memory has no meaning.
	if (m == ZYDIS_MNEMONIC_NOP && count > 1)
		count = 1;
	add_mnemonic(to, d);
	if (is_sized(m))
		insn_add(to, "%s", size_letter(d));
	for (size_t i = 0; i < count; i++) {
		size_t at = m == ZYDIS_MNEMONIC_CMP ? i : count - 1 - i;

		insn_add(to, i ? ", " : " ");
		add_operand(to, d, &d->operands[at], va, names);
	}
}
