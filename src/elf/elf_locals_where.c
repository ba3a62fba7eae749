/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <string.h>

#include "elf_locals_int.h"
#include "elf_vars_print.h"
#include "mw_num.h"
#include "mw_space.h"

/*
 * DWARF's location expressions (DWARF 5, 2.5 and 2.6), as far as compilers use
 * them for variables: a stack machine without branches, so that an expression
 * ends. What it cannot follow makes the variable unknown.
 */

#define STACK_WORDS 16
/** Longer ones are not understood. */
#define MOST_OPS 256

struct machine {
	const struct locals_where *where;
	const struct mw_locals_frame *frame;
	const struct mw_vars_memory *memory;
	uint64_t stack[STACK_WORDS];
	size_t depth;
	/* What the operations so far describe; MEMORY when on the stack. */
	enum mw_piece_kind kind;
	uint64_t value;
	bool failed;
	struct mw_piece *pieces;
	size_t piece_count;
};

static void push(struct machine *m, uint64_t value)
{
	if (m->depth == STACK_WORDS)
		m->failed = true;
	else
		m->stack[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (m->depth == 0) {
		m->failed = true;
		return 0;
	}
	return m->stack[--m->depth];
}

/** The content of a register; false, and the kind says so, if not known. */
static bool get_register(struct machine *m, uint64_t number, uint64_t *ret)
{
	if (number >= MW_REGISTERS || !m->frame->registers) {
		m->kind = MW_PIECE_REGISTER;
		return false;
	}
	*ret = m->frame->registers[number];
	return true;
}

static void in_register(struct machine *m, uint64_t number)
{
	if (get_register(m, number, &m->value))
		m->kind = MW_PIECE_VALUE;
}

static void push_register(struct machine *m, uint64_t number, uint64_t offset)
{
	uint64_t value;

	if (get_register(m, number, &value))
		push(m, value + offset);
	else
		m->failed = true;
}

static void dereference(struct machine *m)
{
	uint64_t value = 0;

	if (!m->memory->read(m->memory->ctx, pop(m), &value, sizeof(value)))
		m->failed = true;
	push(m, value);
}

static void step_arithmetic(struct machine *m, const Dwarf_Op *op)
{
	uint64_t top;

	switch (op->atom) {
	case DW_OP_plus_uconst:
		push(m, pop(m) + op->number);
		break;
	case DW_OP_plus:
		top = pop(m);
		push(m, pop(m) + top);
		break;
	case DW_OP_minus:
		top = pop(m);
		push(m, pop(m) - top);
		break;
	case DW_OP_and:
		top = pop(m);
		push(m, pop(m) & top);
		break;
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		push(m, op->number); // libdw has extended the sign
		break;
	default:
		m->failed = true;
		break;
	}
}

static void step(struct machine *m, const Dwarf_Op *op)
{
	if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) {
		in_register(m, op->atom - DW_OP_reg0);
		return;
	}
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		push_register(m, op->atom - DW_OP_breg0, op->number);
		return;
	}
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
		push(m, op->atom - DW_OP_lit0);
		return;
	}
	switch (op->atom) {
	case DW_OP_nop:
		break;
	case DW_OP_regx:
		in_register(m, op->number);
		break;
	case DW_OP_bregx:
		push_register(m, op->number, op->number2);
		break;
	case DW_OP_call_frame_cfa:
		push(m, m->frame->cfa);
		break;
	case DW_OP_fbreg:
		m->failed |= !m->where->has_base;
		push(m, m->frame->cfa + op->number);
		break;
	case DW_OP_deref:
		dereference(m);
		break;
	case DW_OP_stack_value:
		m->value = pop(m);
		m->kind = MW_PIECE_VALUE;
		break;
	default:
		step_arithmetic(m, op);
		break;
	}
}

static void begin(struct machine *m)
{
	m->depth = 0;
	m->failed = false;
	m->kind = MW_PIECE_LOST;
}

/** What has been described becomes the next piece, of @bytes. */
static void end(struct machine *m, uint64_t bytes)
{
	if (m->piece_count == LOCALS_PIECES)
		return;
	if (m->depth > 0 && m->kind == MW_PIECE_LOST) {
		m->kind = MW_PIECE_MEMORY;
		m->value = pop(m);
	}
	if (m->failed && m->kind != MW_PIECE_REGISTER)
		m->kind = MW_PIECE_UNKNOWN;
	m->pieces[m->piece_count++] =
		(struct mw_piece){ m->kind, bytes, m->value };
	begin(m);
}

/** Whether the operation at @at is all that is told of a piece. */
static bool is_piece(const struct locals_where *where, size_t at)
{
	return at + 1 < where->count && where->ops[at].atom != DW_OP_piece &&
	       where->ops[at + 1].atom == DW_OP_piece &&
	       (at == 0 || where->ops[at - 1].atom == DW_OP_piece);
}

/** Whether the piece told by the operation at @at has been told before. */
static bool is_told_again(const struct locals_where *where, size_t at)
{
	for (size_t i = 0; is_piece(where, at) && i < at; i++)
		if (is_piece(where, i) &&
		    where->ops[i].atom == where->ops[at].atom &&
		    where->ops[i].number == where->ops[at].number)
			return true;
	return false;
}

/** All pieces that are told; false when they contradict each other. */
static bool find_pieces(struct machine *m, uint64_t whole)
{
	const struct locals_where *where = m->where;
	bool is_doubtful = false;
	uint64_t sum = 0;

	for (size_t i = 0; i < where->count; i++) {
		if (where->ops[i].atom != DW_OP_piece) {
			step(m, &where->ops[i]);
		} else if (i > 0 && is_told_again(where, i - 1)) {
			is_doubtful = true;
			begin(m);
		} else {
			end(m, where->ops[i].number);
		}
	}
	if (m->piece_count == 0)
		end(m, whole);
	// Go 1.16 to 1.20 tell pieces of arguments twice; if some are missing
	// then, nobody knows which.
	for (size_t i = 0; i < m->piece_count; i++)
		if (!mw_end(sum, m->pieces[i].bytes, &sum))
			return false;
	return !is_doubtful || sum == whole;
}

/** The pointer that is in the pieces leads to the variable, of @bytes. */
static void follow(struct machine *m, uint64_t bytes,
		   const struct mw_local *local)
{
	const struct printer p = { .memory = m->memory, .local = local };
	struct mw_piece piece = { MW_PIECE_UNKNOWN, bytes, 0 };

	if (!mw_local_is_there(local))
		piece.kind = local->pieces[0].kind;
	else if (vars_read_pieces(&p, 0, &piece.value, sizeof(piece.value)))
		piece.kind = MW_PIECE_MEMORY;
	m->pieces[0] = piece;
}

void locals_locate(struct mw_vars *vars, const struct locals_where *where,
		   const struct mw_locals_frame *frame,
		   const struct mw_vars_memory *memory,
		   struct mw_piece pieces[LOCALS_PIECES],
		   struct mw_local *local)
{
	uint64_t bytes = mw_vars_type_bytes(vars, local->type);
	uint64_t whole = where->is_pointer ? sizeof(uint64_t) : bytes;
	struct machine m = {
		.where = where,
		.frame = frame,
		.memory = memory,
		.pieces = pieces,
	};

	begin(&m);
	if (where->count > MOST_OPS || !find_pieces(&m, whole)) {
		pieces[0] = (struct mw_piece){ MW_PIECE_UNKNOWN, whole, 0 };
		m.piece_count = 1;
	}
	local->pieces = pieces;
	local->piece_count = m.piece_count;
	if (where->is_pointer) {
		follow(&m, bytes, local);
		local->piece_count = 1;
	}
}

/* Reading pieces */

static bool is_there(const struct mw_piece *piece)
{
	return piece->kind == MW_PIECE_MEMORY || piece->kind == MW_PIECE_VALUE;
}

bool mw_local_is_there(const struct mw_local *local)
{
	for (size_t i = 0; i < local->piece_count; i++)
		if (is_there(&local->pieces[i]))
			return true;
	return false;
}

static bool read_piece(const struct printer *p, const struct mw_piece *piece,
		       uint64_t offset, void *to, size_t bytes)
{
	uint64_t va;

	if (piece->kind == MW_PIECE_VALUE && offset + bytes <= 8) {
		memcpy(to, (const uint8_t *)&piece->value + offset, bytes);
		return true;
	}
	return piece->kind == MW_PIECE_MEMORY &&
	       mw_end(piece->value, offset, &va) &&
	       p->memory->read(p->memory->ctx, va, to, bytes);
}

bool vars_read_pieces(const struct printer *p, uint64_t offset, void *to,
		      size_t bytes)
{
	const struct mw_local *local = p->local;
	uint8_t *at = to;

	for (size_t i = 0; i < local->piece_count && bytes > 0; i++) {
		const struct mw_piece *piece = &local->pieces[i];
		size_t part;

		if (offset >= piece->bytes) {
			offset -= piece->bytes;
			continue;
		}
		part = mw_min(bytes, piece->bytes - offset);
		if (!read_piece(p, piece, offset, at, part))
			return false;
		offset = 0;
		at += part;
		bytes -= part;
	}
	return bytes == 0;
}

static const char *why(const struct mw_piece *piece)
{
	switch (piece->kind) {
	case MW_PIECE_LOST:
		return "optimised out";
	case MW_PIECE_REGISTER:
		return "in a register that is not known";
	case MW_PIECE_UNKNOWN:
		return "not known where";
	case MW_PIECE_MEMORY:
	case MW_PIECE_VALUE:
		break;
	}
	return "not readable";
}

const char *vars_why_unreadable(const struct printer *p, uint64_t offset)
{
	const struct mw_local *local = p->local;
	uint64_t end = 0;

	for (size_t i = 0; i < local->piece_count; i++) {
		const struct mw_piece *piece = &local->pieces[i];

		if (!mw_end(end, piece->bytes, &end))
			break;
		if (end > offset && !is_there(piece))
			return why(piece);
	}
	return "not readable";
}

void mw_locals_value(struct mw_vars *vars, const struct mw_local *local,
		     const struct mw_vars_memory *memory, struct mw_text *to)
{
	const struct printer p = { memory, local, to };
	Dwarf_Die type;

	if (!mw_local_is_there(local))
		mw_text_add(to, "(%s)", why(&local->pieces[0]));
	else if (local->piece_count == 1 &&
		 local->pieces[0].kind == MW_PIECE_MEMORY)
		mw_vars_value(vars, local->type, memory,
			      local->pieces[0].value, to);
	else if (vars_type(vars, local->type, &type))
		vars_add_value(&p, &type, VARS_PIECES_VA, 0);
}
