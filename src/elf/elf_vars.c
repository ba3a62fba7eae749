/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "elf_int.h"
#include "elf_vars_int.h"
#include "mw_guard.h"
#include "mw_num.h"

/* Finding variables in DWARF, by their addresses. */

struct mw_error *mw_vars_open(int fd, struct mw_vars **ret)
{
	MW_CLEANUP(mw_vars_closep) struct mw_vars *vars =
		mw_calloc(1, sizeof(*vars));

	if (!vars)
		return mw_error_nomem();
	if (elf_has_absurd_sections(fd))
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: "
				    "too many sections");
	vars->dw = dwarf_begin(fd, DWARF_C_READ);
	if (!vars->dw)
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: %s",
				    dwarf_errmsg(-1));
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
	dwarf_end(vars->dw);
	mw_free(vars);
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
};

static int compare(const void *a, const void *b)
{
	const struct mw_var *x = a, *y = b;

	if (x->is_tls != y->is_tls)
		return x->is_tls ? 1 : -1;
	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/** Two operations: a number, and that it is a place in the thread's block. */
static bool is_tls(const Dwarf_Op *expr, size_t count)
{
	return count == 2 &&
	       (expr[0].atom == DW_OP_const4u ||
		expr[0].atom == DW_OP_const8u || expr[0].atom == DW_OP_addr) &&
	       (expr[1].atom == DW_OP_form_tls_address ||
		expr[1].atom == DW_OP_GNU_push_tls_address);
}

/** Where the variable @die is, when that is always the same. */
static bool place_of(Dwarf_Die *die, struct mw_var *ret)
{
	Dwarf_Attribute attr, address;
	Dwarf_Op *expr;
	Dwarf_Block block;
	Dwarf_Addr value;
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
	if (is_tls(expr, count)) {
		ret->vaddr = expr[0].number;
		ret->is_tls = true;
		return true;
	}
	if (count != 1 ||
	    (expr[0].atom != DW_OP_addrx &&
	     expr[0].atom != DW_OP_GNU_addr_index) ||
	    dwarf_getlocation_attr(&attr, expr, &address) != 0 ||
	    dwarf_formaddr(&address, &value) != 0)
		return false;
	ret->vaddr = value;
	return true;
}

static void take(struct search *s, Dwarf_Die *die)
{
	struct mw_var key = { 0 }, *var;
	Dwarf_Die type;

	if (!place_of(die, &key))
		return;
	var = bsearch(&key, s->list, s->count, sizeof(*s->list), compare);
	// Several names may have one address, as a union of C's commons has.
	while (var && var > s->list && compare(var - 1, &key) == 0)
		var--;
	for (; var && var < s->list + s->count && compare(var, &key) == 0;
	     var++) {
		if (var->is_found || !vars_type_of(die, &type))
			continue;
		var->is_found = true;
		var->type = dwarf_dieoffset(&type);
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

/** Search the units that @wanted wants. */
static void search_units(struct mw_vars *vars, struct search *s,
			 bool (*wanted)(const struct search *s,
					Dwarf_Die *unit))
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	uint8_t type;

	while (s->left > 0 && vars_next_unit(vars->dw, &unit, &type, &die)) {
		vars->is_split |= type == DW_UT_skeleton;
		if (wanted(s, &die))
			search_scope(s, &die, 0);
	}
}

bool mw_vars_is_split(const struct mw_vars *vars)
{
	return vars->is_split;
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
	struct search s = { .list = list, .count = count, .left = count };

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
