/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "elf_locals_int.h"
#include "mw_guard.h"
#include "mw_map64.h"
#include "mw_vec.h"

/* Which variables there are at an instruction. */

/** More at one instruction are left out. */
#define MOST_LOCALS 1024
/** When so many are known, what is known is forgotten. */
#define MOST_KNOWN (1u << 18)

/** A variable at some pc. */
struct known {
	struct mw_local local; /* without pieces */
	struct locals_where where;
};

struct known_pc {
	size_t first, count; /* in known */
};

struct vars_locals {
	struct locals_code *code;
	MW_VEC(struct known) known;
	MW_VEC(struct known_pc) pcs;
	bool has_lists; /* the compiler tells where variables are when */
	struct mw_map64 by_pc; /* 2 * pc + is_caller -> place in pcs + 1 */
};

static void forget(struct vars_locals *locals)
{
	locals->known.n = locals->pcs.n = 0;
	mw_map64_free(&locals->by_pc);
}

void vars_locals_free(struct vars_locals *locals)
{
	if (!locals)
		return;
	locals_code_free(locals->code);
	mw_vec_free(&locals->known);
	mw_vec_free(&locals->pcs);
	mw_map64_free(&locals->by_pc);
	mw_free(locals);
}

/* Those of a function */

struct collector {
	struct vars_locals *locals;
	uint64_t pc;	   /* where variables are to be */
	uint64_t scope_pc; /* in the scopes whose variables there are */
	size_t count;
	bool has_base;
	bool is_vague; /* of a compiler that ignores what it optimises */
};

/** Where variables begin that belong to one function: itself, or inlined. */
struct scope {
	const char *function;
	unsigned depth;
};

/**
 * An attribute that is a location expression. Go's linker writes a block where
 * DWARF 5 has an expression, and libdw does not take it; but they are alike: a
 * length in LEB128, of which a block of less than 128 has one byte, too.
 */
static bool get_expression(Dwarf_Die *die, unsigned name, Dwarf_Attribute *ret)
{
	Dwarf_Block block;

	if (!dwarf_attr_integrate(die, name, ret))
		return false;
	if (ret->form == DW_FORM_block ||
	    (ret->form == DW_FORM_block1 && dwarf_formblock(ret, &block) == 0 &&
	     block.length < 0x80))
		ret->form = DW_FORM_exprloc;
	return true;
}

static bool is_base_cfa(Dwarf_Die *function)
{
	Dwarf_Attribute attr;
	Dwarf_Op *ops;
	size_t count;

	return get_expression(function, DW_AT_frame_base, &attr) &&
	       dwarf_getlocation(&attr, &ops, &count) == 0 && count == 1 &&
	       ops[0].atom == DW_OP_call_frame_cfa;
}

static enum mw_local_kind kind_of(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	bool is_result = false;

	if (dwarf_tag(die) == DW_TAG_variable)
		return MW_LOCAL_VARIABLE;
	// So Go marks them.
	if (dwarf_attr_integrate(die, DW_AT_variable_parameter, &attr))
		dwarf_formflag(&attr, &is_result);
	return is_result ? MW_LOCAL_RESULT : MW_LOCAL_ARGUMENT;
}

static uint32_t line_of(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Word line = 0;

	if (dwarf_attr_integrate(die, DW_AT_decl_line, &attr))
		dwarf_formudata(&attr, &line);
	return line <= UINT32_MAX ? (uint32_t)line : 0;
}

/** What Go has moved to the heap is called "&name", of which a frame has a
 * pointer. */
static bool is_moved(const char *name, Dwarf_Die *type)
{
	Dwarf_Die pointer = *type;

	if (name[0] != '&' || !name[1] || !vars_peel(&pointer) ||
	    dwarf_tag(&pointer) != DW_TAG_pointer_type ||
	    !vars_type_of(&pointer, &pointer))
		return false;
	*type = pointer;
	return true;
}

/** Go has location lists since 1.11; before, only of arguments it is right. */
static bool has_lists(Dwarf *dw)
{
	Elf *elf = dwarf_getelf(dw);
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name = gelf_getshdr(section, &header)
					   ? elf_strptr(elf, names,
							header.sh_name)
					   : NULL;

		if (name && strstr(name, "debug_loc"))
			return true;
	}
	return false;
}

static bool add_local(struct collector *c, Dwarf_Die *die,
		      const struct scope *scope)
{
	const char *name = dwarf_diename(die);
	struct known *known;
	Dwarf_Attribute attr;
	Dwarf_Die type;
	Dwarf_Op *ops = NULL;
	size_t count = 0;
	uint64_t number;
	bool has_place, is_moved_away;

	// The compiler's own begin with a dot.
	if (!name || !*name || name[0] == '.' || !vars_type_of(die, &type) ||
	    c->count == MOST_LOCALS)
		return true;
	is_moved_away = is_moved(name, &type);
	if (!vars_type_number(&type, 0, &number))
		return true;
	known = mw_vec_push(&c->locals->known);
	if (!known)
		return false;
	has_place = get_expression(die, DW_AT_location, &attr);
	if (has_place)
		dwarf_getlocation_addr(&attr, c->pc, &ops, &count, 1);
	*known = (struct known){
		.local = {
			.name = name + is_moved_away,
			.kind = kind_of(die),
			.type = number,
			.function = scope->function,
			.depth = scope->depth,
			.line = line_of(die),
			.is_fixed = has_place && attr.form == DW_FORM_exprloc,
		},
		.where = { ops, count, c->has_base, is_moved_away },
	};
	if (c->is_vague && known->local.kind == MW_LOCAL_VARIABLE)
		known->where.has_base = false;
	c->count++;
	return true;
}

static bool add_scope(struct collector *c, Dwarf_Die *die,
		      const struct scope *scope, int nesting)
{
	Dwarf_Die child;
	bool ok = true;

	if (nesting > VARS_MAX_DEPTH || dwarf_child(die, &child) != 0)
		return true;
	do {
		int tag = dwarf_tag(&child);
		struct scope inner = *scope;

		if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable)
			ok = add_local(c, &child, scope);
		if ((tag != DW_TAG_inlined_subroutine &&
		     tag != DW_TAG_lexical_block) ||
		    dwarf_haspc(&child, c->scope_pc) != 1)
			continue;
		if (tag == DW_TAG_inlined_subroutine) {
			inner.function = dwarf_diename(&child);
			inner.depth++;
		}
		ok = add_scope(c, &child, &inner, nesting + 1);
	} while (ok && dwarf_siblingof(&child, &child) == 0);
	return ok;
}

static int by_scope(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	if (x->local.depth != y->local.depth)
		return x->local.depth > y->local.depth ? -1 : 1;
	return (int)x->local.kind - (int)y->local.kind;
}

/** Stable, so that they stay in the order in which they are declared. */
static void sort_locals(struct known *v, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct known one = v[i];
		size_t at = i;

		for (; at > 0 && by_scope(&v[at - 1], &one) > 0; at--)
			v[at] = v[at - 1];
		v[at] = one;
	}
}

/**
 * Collect what there is in @frame; false without memory. A caller is still in
 * the scopes of its call, but its variables are where they will be when that
 * has returned: Go's compiler has them in registers up to the call itself, even
 * if they have been saved before.
 */
static bool collect(struct mw_vars *vars, const struct mw_locals_frame *frame,
		    struct known_pc *ret)
{
	struct vars_locals *locals = vars->locals;
	struct collector c = {
		.locals = locals,
		.pc = frame->pc,
		.scope_pc = frame->pc - frame->is_caller,
	};
	size_t first = locals->known.n;
	Dwarf_Die function;
	bool is_found;

	if (!locals_function_at(locals->code, c.scope_pc, &function,
				&is_found))
		return false;
	if (is_found) {
		const struct scope scope = { dwarf_diename(&function), 0 };

		c.has_base = is_base_cfa(&function);
		c.is_vague = !locals->has_lists && vars_is_go(&function);
		if (!add_scope(&c, &function, &scope, 0))
			return false;
		if (c.count > 0)
			sort_locals(locals->known.v + first, c.count);
	}
	*ret = (struct known_pc){ first, c.count };
	return true;
}

/** What there is in @frame, known or found now; NULL without memory. */
static const struct known_pc *look_up(struct mw_vars *vars,
				      const struct mw_locals_frame *frame)
{
	struct vars_locals *locals = vars->locals;
	struct known_pc *place;
	uint64_t *number;

	if (locals->known.n >= MOST_KNOWN || locals->pcs.n >= MOST_KNOWN)
		forget(locals);
	number = mw_map64_at(&locals->by_pc, frame->pc << 1 | frame->is_caller);
	if (!number || *number)
		return number ? &locals->pcs.v[*number - 1] : NULL;
	place = mw_vec_push(&locals->pcs);
	if (!place)
		return NULL;
	if (!collect(vars, frame, place)) {
		locals->pcs.n--;
		return NULL;
	}
	*number = locals->pcs.n;
	return place;
}

static bool open_locals(struct mw_vars *vars)
{
	struct vars_locals *locals;

	if (vars->locals)
		return true;
	locals = mw_calloc(1, sizeof(*locals));
	if (!locals)
		return false;
	locals->has_lists = has_lists(vars->dw);
	locals->code = locals_code_new(vars->dw);
	if (!locals->code) {
		vars_locals_free(locals);
		return false;
	}
	vars->locals = locals;
	return true;
}

struct mw_error *
mw_locals_visit(struct mw_vars *vars, const struct mw_locals_frame *frame,
		const struct mw_vars_memory *memory,
		bool (*visit)(const struct mw_local *local, void *ctx),
		void *ctx)
{
	const struct known_pc *pc =
		open_locals(vars) ? look_up(vars, frame) : NULL;

	if (!pc)
		return mw_error_nomem();
	for (size_t i = 0; i < pc->count; i++) {
		const struct known *known =
			&vars->locals->known.v[pc->first + i];
		struct mw_local local = known->local;
		struct mw_piece pieces[LOCALS_PIECES];

		locals_locate(vars, &known->where, frame, memory, pieces,
			      &local);
		if (!visit(&local, ctx))
			break;
	}
	return NULL;
}
