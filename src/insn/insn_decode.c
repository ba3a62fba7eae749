/* SPDX-License-Identifier: Apache-2.0 */
#include "insn_int.h"

bool insn_decode(const uint8_t *code, size_t size, struct insn_decoded *ret)
{
	ZydisDecoder decoder;

	zydis.DecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	return ZYAN_SUCCESS(zydis.DecoderDecodeFull(&decoder, code, size,
						   &ret->insn, ret->operands));
}

int insn_reg(ZydisRegister reg)
{
	ZydisRegister whole = zydis.RegisterGetLargestEnclosing(
		ZYDIS_MACHINE_MODE_LONG_64, reg);

	return whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15
		       ? (int)(whole - ZYDIS_REGISTER_RAX)
		       : MW_NO_REG;
}

bool insn_fixed_address(const struct insn_decoded *d,
			const ZydisDecodedOperand *operand, uint64_t va,
			uint64_t *ret)
{
	const ZydisDecodedOperandMem *mem = &operand->mem;

	if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    mem->segment == ZYDIS_REGISTER_FS ||
	    mem->segment == ZYDIS_REGISTER_GS ||
	    mem->index != ZYDIS_REGISTER_NONE)
		return false;
	if (mem->base == ZYDIS_REGISTER_RIP)
		*ret = va + d->insn.length + (uint64_t)mem->disp.value;
	else if (mem->base == ZYDIS_REGISTER_NONE && mem->disp.has_displacement)
		*ret = (uint64_t)mem->disp.value;
	else
		return false;
	return true;
}

static enum mw_insn_kind kind_of(const struct insn_decoded *d)
{
	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return MW_INSN_CALL;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return MW_INSN_JUMP;
	case ZYDIS_CATEGORY_COND_BR:
		return MW_INSN_BRANCH;
	case ZYDIS_CATEGORY_RET:
		return MW_INSN_RETURN;
	default:
		return MW_INSN_OTHER;
	}
}

static void find_addresses(const struct insn_decoded *d, struct mw_insn *ret)
{
	for (size_t i = 0; i < d->insn.operand_count_visible; i++) {
		const ZydisDecodedOperand *o = &d->operands[i];

		if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    o->imm.is_relative) {
			ret->has_target = true;
			ret->target = ret->va + ret->bytes + o->imm.value.u;
		}
		if (insn_fixed_address(d, o, ret->va, &ret->data))
			ret->has_data = true;
	}
}

static bool is_stack(const ZydisDecodedOperand *o, int32_t *ret)
{
	if (o->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    o->mem.base != ZYDIS_REGISTER_RSP ||
	    o->mem.index != ZYDIS_REGISTER_NONE)
		return false;
	*ret = (int32_t)o->mem.disp.value;
	return true;
}

/** A mov between a register, a constant, the stack and a fixed address. */
static void find_mov(const ZydisDecodedOperand *to,
		     const ZydisDecodedOperand *from, struct mw_insn *ret)
{
	bool to_reg = to->type == ZYDIS_OPERAND_TYPE_REGISTER;

	if (to_reg)
		ret->to_reg = (int8_t)insn_reg(to->reg.value);
	if (from->type == ZYDIS_OPERAND_TYPE_REGISTER)
		ret->from_reg = (int8_t)insn_reg(from->reg.value);
	if (from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		ret->value = from->imm.value.u;

	if (is_stack(to, &ret->sp_offset)) {
		ret->on_stack = true;
		if (ret->from_reg != MW_NO_REG ||
		    from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			ret->move = MW_MOVE_STORE;
	} else if (ret->to_reg == MW_NO_REG) {
		return;
	} else if (from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		ret->move = MW_MOVE_CONSTANT;
	} else if (ret->from_reg != MW_NO_REG) {
		ret->move = MW_MOVE_REGISTER;
	} else if (is_stack(from, &ret->sp_offset)) {
		ret->on_stack = true;
		ret->move = MW_MOVE_LOAD;
	} else if (ret->has_data) {
		ret->move = MW_MOVE_LOAD;
	}
}

static void find_move(const struct insn_decoded *d, struct mw_insn *ret)
{
	const ZydisDecodedOperand *to = &d->operands[0];
	const ZydisDecodedOperand *from = &d->operands[1];

	for (size_t i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &d->operands[i];

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    insn_reg(o->reg.value) != MW_NO_REG)
			ret->changes |= (uint16_t)(1u << insn_reg(o->reg.value));
	}
	if (d->insn.operand_count_visible != 2)
		return;
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_LEA:
		ret->to_reg = (int8_t)insn_reg(to->reg.value);
		if (ret->has_data)
			ret->move = MW_MOVE_ADDRESS;
		break;
	case ZYDIS_MNEMONIC_MOV:
		find_mov(to, from, ret);
		break;
	case ZYDIS_MNEMONIC_XOR:
		if (to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    to->reg.value == from->reg.value) {
			ret->to_reg = (int8_t)insn_reg(to->reg.value);
			ret->move = MW_MOVE_CONSTANT;
		}
		break;
	default:
		break;
	}
}

bool mw_insn_decode(const uint8_t *code, size_t size, uint64_t va,
		    struct mw_insn *ret)
{
	struct insn_decoded d;

	*ret = (struct mw_insn){
		.va = va,
		.bytes = 1,
		.kind = MW_INSN_BAD,
		.to_reg = MW_NO_REG,
		.from_reg = MW_NO_REG,
	};
	if (!insn_decode(code, size, &d))
		return false;
	ret->bytes = d.insn.length;
	ret->kind = kind_of(&d);
	find_addresses(&d, ret);
	find_move(&d, ret);
	return true;
}
