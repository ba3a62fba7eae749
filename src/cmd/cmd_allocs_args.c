/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd_allocs.h"
#include "cmd_names.h"

/*
 * What a call is given, from the instructions before it: constants and
 * addresses that were put in registers (since Go 1.17) or on the stack.
 * cmd_allocs_flow.c has the ways on which they come.
 */

static void set_reg(struct allocs_state *state, int reg, bool known,
		    uint64_t value)
{
	if (reg < 0 || reg > 15)
		return;
	state->known_regs &= ~(1u << reg);
	state->known_regs |= (uint32_t)known << reg;
	state->regs[reg] = value;
}

static bool get_reg(const struct allocs_state *state, int reg, uint64_t *ret)
{
	if (reg < 0 || reg > 15 || !(state->known_regs >> reg & 1))
		return false;
	*ret = state->regs[reg];
	return true;
}

static int slot_of(const struct mw_insn *insn)
{
	return insn->sp_offset >= 0 && (insn->sp_offset & 7) == 0 &&
			       insn->sp_offset / 8 < ALLOCS_SLOTS
		       ? insn->sp_offset / 8
		       : -1;
}

static void store(struct allocs_state *state, const struct mw_insn *insn)
{
	uint64_t value = insn->value;
	int slot = slot_of(insn);
	bool known = insn->from_reg == MW_NO_REG ||
		     get_reg(state, insn->from_reg, &value);

	if (slot < 0)
		return;
	state->known_slots &= ~(1u << slot);
	state->known_slots |= (uint32_t)known << slot;
	state->slots[slot] = value;
}

static void load(struct allocs_state *state, struct mw_target *target,
		 const struct mw_insn *insn)
{
	int slot = insn->on_stack ? slot_of(insn) : -1;
	uint64_t value = 0;
	bool known = false;

	if (slot >= 0 && state->known_slots >> slot & 1) {
		value = state->slots[slot];
		known = true;
	} else if (!insn->on_stack && insn->has_data &&
		   cmd_is_constant(target, insn->data)) {
		// Of a shared object, where addresses come from a table.
		known = mw_target_read_u64(target, insn->data, &value);
	}
	set_reg(state, insn->to_reg, known, value);
}

void allocs_step(struct allocs_state *state, struct mw_target *target,
		 const struct mw_insn *insn)
{
	enum { STACK_POINTER = 4 };
	uint64_t value = 0;
	bool known;

	switch (insn->kind) {
	case MW_INSN_CALL:
	case MW_INSN_JUMP:
	case MW_INSN_RETURN:
	case MW_INSN_BAD:
		*state = (struct allocs_state){ 0 };
		return;
	default:
		break;
	}
	if (insn->changes >> STACK_POINTER & 1)
		state->known_slots = 0;
	switch (insn->move) {
	case MW_MOVE_ADDRESS:
		set_reg(state, insn->to_reg, true, insn->data);
		break;
	case MW_MOVE_CONSTANT:
		set_reg(state, insn->to_reg, true, insn->value);
		break;
	case MW_MOVE_REGISTER:
		known = get_reg(state, insn->from_reg, &value);
		set_reg(state, insn->to_reg, known, value);
		break;
	case MW_MOVE_STORE:
		store(state, insn);
		break;
	case MW_MOVE_LOAD:
		load(state, target, insn);
		break;
	case MW_MOVE_NONE:
		state->known_regs &= ~(uint32_t)insn->changes;
		break;
	}
}

/*
 * runtime/asm_amd64.s: it does not follow Go's conventions, but keeps all
 * general registers, except that since Go 1.21 it returns its buffer in R11.
 */
void allocs_pass_barrier(struct allocs_state *state)
{
	enum { R11 = 11 };

	set_reg(state, R11, false, 0);
}

/** The word that is argument @arg of a call made by this state. */
static bool read_arg(const struct allocs_state *state, int arg, bool on_stack,
		     uint64_t *ret)
{
	if (arg < 0)
		return false;
	if (!on_stack)
		return get_reg(state, mw_go_arg_register(arg), ret);
	if (arg >= ALLOCS_SLOTS || !(state->known_slots >> arg & 1))
		return false;
	*ret = state->slots[arg];
	return true;
}

/* What is made */

/** The type that an argument names; *@ret_on_stack tells where it was. */
static bool type_of(struct allocs *allocs, const struct allocs_state *state,
		    const struct mw_go_alloc *alloc, struct mw_go_type *ret,
		    bool *ret_on_stack)
{
	const int args[] = { alloc->type_arg, alloc->other_type_arg };

	// A register may still have what was put on the stack.
	for (int on_stack = 1; on_stack >= 0; on_stack--)
		for (size_t i = 0; i < MW_COUNT(args); i++) {
			uint64_t va;

			if (!read_arg(state, args[i], on_stack, &va) ||
			    (alloc->is_itab &&
			     !mw_target_read_u64(allocs->target, va + 8,
						 &va)) ||
			    !mw_go_type_at(allocs->types, va, ret))
				continue;
			*ret_on_stack = on_stack;
			return true;
		}
	return false;
}

/** Whether the address that @insn takes is that of a type, or of an itab. */
static bool is_type(struct allocs *allocs, const struct mw_insn *insn,
		    struct mw_go_type *ret)
{
	uint64_t va;

	if (insn->move != MW_MOVE_ADDRESS)
		return false;
	return mw_go_type_at(allocs->types, insn->data, ret) ||
	       (mw_target_read_u64(allocs->target, insn->data + 8, &va) &&
		mw_go_type_at(allocs->types, va, ret));
}

/** Whether a value of @type can be what @alloc makes. */
static bool is_made(const struct mw_go_alloc *alloc,
		    const struct mw_go_type *type)
{
	switch (alloc->made[0]) {
	case 'm':
		return type->kind == MW_GO_MAP;
	case 's':
		return type->kind == MW_GO_STRING;
	case '[':
		return type->kind == MW_GO_SLICE;
	default:
		return type->bytes == alloc->bytes && type->pointer_bytes == 0;
	}
}

/**
 * Conversions of small values, and small maps, are made without a type, but
 * what is made is soon put together with it.
 */
static bool type_behind(struct allocs *allocs, const struct cmd_code *code,
			size_t i, const struct mw_go_alloc *alloc,
			struct mw_go_type *ret)
{
	enum { NEAR = 6 };

	for (size_t k = i + 1; k + 1 < code->count && k <= i + NEAR; k++) {
		const struct mw_insn *insn = &code->insns[k];
		const struct mw_insn *next = &code->insns[k + 1];
		bool is_arg = next->move == MW_MOVE_STORE && next->on_stack &&
			      next->sp_offset == 0;

		if (insn->kind != MW_INSN_OTHER)
			return false;
		// Put where the first argument of the next call is, it tells
		// of that; a map is made to be given to one.
		if (is_type(allocs, insn, ret) && is_made(alloc, ret) &&
		    (!is_arg || ret->kind == MW_GO_MAP))
			return true;
	}
	return false;
}

static void set_bytes(struct allocs *allocs, struct allocs_call *call,
		      uint64_t bytes, uint64_t pointer_bytes)
{
	call->has_bytes = true;
	call->bytes = bytes;
	if (allocs->has_classes)
		call->class_bytes = mw_go_class_bytes(&allocs->classes, bytes,
						      pointer_bytes);
}

static const char *slice_name(struct allocs *allocs,
			      const struct mw_go_type *element)
{
	char name[4100];

	snprintf(name, sizeof(name), "[]%s", element->name);
	return allocs_keep(allocs, name);
}

static void resolve_made(struct allocs *allocs, const struct cmd_code *code,
			 size_t i, const struct mw_go_alloc *alloc,
			 struct allocs_call *call)
{
	struct mw_go_type type = { .name = alloc->made };

	// The type behind has what is user-defined.
	if ((alloc->bytes || alloc->made[0] == 'm') &&
	    type_behind(allocs, code, i, alloc, &type))
		call->type = type.name;
	else
		call->type = alloc->made;
	if (alloc->bytes)
		set_bytes(allocs, call, alloc->bytes,
			  alloc->bytes > 8 ? alloc->bytes : 0);
}

void allocs_resolve(struct allocs *allocs, const struct cmd_code *code,
		    size_t i, const struct allocs_state *state,
		    const struct mw_go_alloc *alloc, struct allocs_call *call)
{
	struct mw_go_type type = { 0 };
	bool on_stack = false, has_type;
	uint64_t count, bytes;

	if (alloc->made) {
		resolve_made(allocs, code, i, alloc, call);
		return;
	}
	has_type = type_of(allocs, state, alloc, &type, &on_stack);
	if (has_type)
		call->type = alloc->is_element ? slice_name(allocs, &type)
					       : type.name;
	if (has_type && alloc->has_type_size)
		set_bytes(allocs, call, type.bytes, type.pointer_bytes);
	else if (has_type && read_arg(state, alloc->count_arg, on_stack,
					&count) &&
		 !__builtin_mul_overflow(count, type.bytes, &bytes))
		set_bytes(allocs, call, bytes, type.pointer_bytes);
	else if (read_arg(state, alloc->bytes_arg, on_stack, &bytes))
		set_bytes(allocs, call, bytes, type.pointer_bytes);
}
