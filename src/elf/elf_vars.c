/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "elf_int.h"
#include "elf_split.h"
#include "elf_unpacked.h"
#include "elf_vars_int.h"
#include "mw_guard.h"
#include "mw_num.h"

/* Finding variables in DWARF, by their addresses. */

struct mw_error *mw_vars_open(int fd, struct mw_vars **ret)
{
	MW_CLEANUP(mw_vars_closep) struct mw_vars *vars =
		mw_calloc(1, sizeof(*vars));
	struct mw_error *error;

	if (!vars)
		return mw_error_nomem();
	if (elf_has_absurd_sections(fd))
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: "
				    "too many sections");
	vars->dw = dwarf_begin(fd, DWARF_C_READ);
	error = elf_check_unpacked(fd, vars->dw, false);
	if (!error && !vars->dw)
		error = mw_error_new(MW_E_NOT_FOUND, "no debug information: %s",
				     dwarf_errmsg(-1));
	if (error)
		return error;
	// Else libdw opens any path that the target's file names.
	dwarf_setalt(vars->dw, vars->dw);
	*ret = mw_steal(vars);
	return NULL;
}

void mw_vars_close(struct mw_vars *vars)
{
	if (!vars)
		return;
	vars_locals_free(vars->locals);
	for (size_t i = 0; i < vars->splits.n; i++)
		split_close(&vars->splits.v[i]);
	mw_vec_free(&vars->splits);
	split_package_close(vars->package);
	dwarf_end(vars->dw);
	mw_free(vars);
}

void mw_vars_use_files(struct mw_vars *vars, const struct mw_vars_files *files)
{
	vars->files = *files;
}

bool vars_type(struct mw_vars *vars, uint64_t type, Dwarf_Die *ret)
{
	uint64_t split = type >> VARS_SPLIT_SHIFT;
	Dwarf_Off place = type & (VARS_IN_TYPES - 1);
	Dwarf *dw;

	if (split > vars->splits.n)
		return false;
	dw = split ? vars->splits.v[split - 1].dw : vars->dw;
	return type & VARS_IN_TYPES ? dwarf_offdie_types(dw, place, ret) != NULL
				    : dwarf_offdie(dw, place, ret) != NULL;
}

bool vars_type_number(Dwarf_Die *die, size_t split, uint64_t *ret)
{
	uint64_t place = dwarf_dieoffset(die);
	Dwarf_Half version;
	uint8_t kind;

	// In DWARF 5, units of types are in .debug_info as all others.
	if (place >= VARS_IN_TYPES ||
	    dwarf_cu_info(die->cu, &version, &kind, NULL, NULL, NULL, NULL,
			  NULL) != 0)
		return false;
	if (kind == DW_UT_type && version < 5)
		place |= VARS_IN_TYPES;
	*ret = place | (uint64_t)split << VARS_SPLIT_SHIFT;
	return true;
}

bool vars_type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, DW_AT_type, &attr) &&
	       dwarf_formref_die(&attr, ret);
}

struct search {
	struct mw_var *list;
	size_t count, left;
	bool deep; /* also in functions */
	struct mw_vars *vars;
	Dwarf_Die *skeleton; /* of the unit in the last of vars->splits */
};

static int compare(const void *a, const void *b)
{
	const struct mw_var *x = a, *y = b;

	if (x->is_tls != y->is_tls)
		return x->is_tls ? 1 : -1;
	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/** Whether it is the number of an address, which the unit's table has. */
static bool is_index(const Dwarf_Op *op)
{
	return op->atom == DW_OP_addrx || op->atom == DW_OP_GNU_addr_index ||
	       op->atom == DW_OP_constx || op->atom == DW_OP_GNU_const_index;
}

/** Two operations: a number, and that it is a place in the thread's block. */
static bool is_tls(const Dwarf_Op *expr, size_t count)
{
	return count == 2 &&
	       (expr[0].atom == DW_OP_const4u ||
		expr[0].atom == DW_OP_const8u || expr[0].atom == DW_OP_addr ||
		is_index(&expr[0])) &&
	       (expr[1].atom == DW_OP_form_tls_address ||
		expr[1].atom == DW_OP_GNU_push_tls_address);
}

/** The address that @op, of the location @attr, has the number of. */
static bool indexed(const struct search *s, Dwarf_Attribute *attr,
		    const Dwarf_Op *op, uint64_t *ret)
{
	Dwarf_Attribute address;
	Dwarf_Addr value;

	if (!is_index(op))
		return false;
	if (s->skeleton)
		return split_address(s->vars, s->skeleton, op->number, ret);
	if (dwarf_getlocation_attr(attr, op, &address) != 0 ||
	    dwarf_formaddr(&address, &value) != 0)
		return false;
	*ret = value;
	return true;
}

/** Where the variable @die is, when that is always the same. */
static bool place_of(const struct search *s, Dwarf_Die *die,
		     struct mw_var *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Op *expr;
	Dwarf_Block block;
	size_t count;

	if (!dwarf_attr(die, DW_AT_location, &attr))
		return false;
	// Go's linker writes a block where DWARF 5 has an expression, which
	// dwarf_getlocation() does not take.
	if (dwarf_formblock(&attr, &block) == 0 && block.length == 9 &&
	    block.data[0] == DW_OP_addr) {
		ret->vaddr = mw_u64(block.data + 1);
		return true;
	}
	if (dwarf_getlocation(&attr, &expr, &count) != 0)
		return false;
	ret->is_tls = is_tls(expr, count);
	if (ret->is_tls && !is_index(&expr[0])) {
		ret->vaddr = expr[0].number;
		return true;
	}
	if ((!ret->is_tls && count != 1) ||
	    !indexed(s, &attr, &expr[0], &ret->vaddr))
		return false;
	if (ret->is_tls)
		ret->vaddr = split_tls_place(s->vars, ret->vaddr);
	return true;
}

static void take(struct search *s, Dwarf_Die *die)
{
	struct mw_var key = { 0 }, *var;
	Dwarf_Die type;

	if (!place_of(s, die, &key))
		return;
	var = bsearch(&key, s->list, s->count, sizeof(*s->list), compare);
	// Several names may have one address, as a union of C's commons has.
	while (var && var > s->list && compare(var - 1, &key) == 0)
		var--;
	for (; var && var < s->list + s->count && compare(var, &key) == 0;
	     var++) {
		if (var->is_found || !vars_type_of(die, &type) ||
		    !vars_type_number(&type,
				      s->skeleton ? s->vars->splits.n : 0,
				      &var->type))
			continue;
		var->is_found = true;
		s->left--;
	}
}

/** Whether variables with fixed addresses may be inside. */
static bool is_scope(const struct search *s, int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
		return true;
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return s->deep;
	default:
		return false;
	}
}

static void search_scope(struct search *s, Dwarf_Die *scope, int depth)
{
	Dwarf_Die die;

	if (depth > VARS_MAX_DEPTH || dwarf_child(scope, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_variable)
			take(s, &die);
		else if (is_scope(s, tag))
			search_scope(s, &die, depth + 1);
	} while (s->left > 0 && dwarf_siblingof(&die, &die) == 0);
}

/** Whether a variable should be in this unit. */
static bool is_named(const struct search *s, Dwarf_Die *unit)
{
	const char *name = dwarf_diename(unit);
	bool any = false;

	for (size_t i = 0; name && i < s->count; i++)
		if (s->list[i].unit && strcmp(s->list[i].unit, name) == 0)
			s->list[i].was_tried = any = true;
	return any;
}

bool vars_is_go(Dwarf_Die *die)
{
	Dwarf_Die unit;

	return dwarf_diecu(die, &unit, NULL, NULL) &&
	       dwarf_srclang(&unit) == DW_LANG_Go;
}

bool vars_next_unit(Dwarf *dw, Dwarf_CU **unit, uint8_t *ret_type,
		    Dwarf_Die *ret)
{
	while (dwarf_get_units(dw, *unit, unit, NULL, ret_type, ret, NULL) ==
	       0)
		if (ret->cu)
			return true;
	return false;
}

/** Search the unit that @skeleton stands for, and keep it if that was well. */
static void search_split(struct search *s, Dwarf_Die *skeleton)
{
	struct mw_vars *vars = s->vars;
	size_t left = s->left;
	struct vars_split *split;
	bool deep = s->deep;

	split = mw_vec_push(&vars->splits);
	if (!split)
		return;
	*split = (struct vars_split){ 0 };
	if (split_open(vars, skeleton, split)) {
		s->skeleton = skeleton;
		s->deep = true; // it is opened once
		search_scope(s, &split->unit, 0);
		s->skeleton = NULL;
		s->deep = deep;
	} else {
		vars->lacks_split = true;
	}
	if (s->left < left) {
		vars->split_bytes += split->count;
	} else {
		split_close(split);
		vars->splits.n--;
	}
}

/** Search the units that @wanted wants. */
static void search_units(struct mw_vars *vars, struct search *s,
			 bool (*wanted)(const struct search *s,
					Dwarf_Die *unit))
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	uint8_t type;

	while (s->left > 0 && vars_next_unit(vars->dw, &unit, &type, &die)) {
		if (!wanted(s, &die))
			continue;
		if (type != DW_UT_skeleton)
			search_scope(s, &die, 0);
		else if (!s->deep)
			search_split(s, &die);
	}
}

bool mw_vars_lacks_split(const struct mw_vars *vars)
{
	return vars->lacks_split;
}

static bool any_unit(const struct search *s, Dwarf_Die *unit)
{
	(void)s;
	(void)unit;
	return true;
}

/** Go has no variables with an address in functions, and has many of these. */
static bool deep_unit(const struct search *s, Dwarf_Die *unit)
{
	(void)s;
	return !vars_is_go(unit);
}

void mw_vars_find(struct mw_vars *vars, struct mw_var *list, size_t count)
{
	struct search s = { .list = list, .count = count, .left = count,
			    .vars = vars };

	qsort(list, count, sizeof(*list), compare);
	search_units(vars, &s, is_named);
	// What its own unit lacks, the compiler or the linker has made up;
	// but Go 1.10 has all variables in another one.
	for (size_t i = 0; s.left < count && i < count; i++)
		if (!list[i].is_found && list[i].was_tried)
			s.left--;
	if (s.left == 0)
		return;
	search_units(vars, &s, any_unit);
	s.deep = true;
	search_units(vars, &s, deep_unit);
}
