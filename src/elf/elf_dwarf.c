/* SPDX-License-Identifier: Apache-2.0 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <string.h>

#include "elf_int.h"
#include "elf_vars_int.h"
#include "mw_dwarf.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_vec.h"

/** How deep typedefs, and members in members, may be nested. */
#define MAX_DEPTH 32

struct structure {
	const char *name; /* owned by libdw */
	Dwarf_Off offset; /* of its DIE */
	bool is_variable; /* the variable whose type is meant */
};

struct mw_dwarf {
	Dwarf *dw;
	MW_VEC(struct structure) structures;
};

static struct mw_error *collect(struct mw_dwarf *dwarf, Dwarf_Die *unit,
				const char *prefix)
{
	size_t len = strlen(prefix);
	Dwarf_Die die;

	if (dwarf_child(unit, &die) != 0)
		return NULL;
	do {
		const char *name;
		struct structure *s;
		int tag = dwarf_tag(&die);

		if (tag != DW_TAG_structure_type && tag != DW_TAG_variable)
			continue;
		name = dwarf_diename(&die);
		if (!name || strncmp(name, prefix, len) != 0)
			continue;
		s = mw_vec_push(&dwarf->structures);
		if (!s)
			return mw_error_nomem();
		*s = (struct structure){ name, dwarf_dieoffset(&die),
					 tag == DW_TAG_variable };
	} while (dwarf_siblingof(&die, &die) == 0);
	return NULL;
}

struct mw_error *mw_dwarf_open(int fd, const char *prefix,
			       struct mw_dwarf **ret)
{
	MW_CLEANUP(mw_dwarf_closep) struct mw_dwarf *dwarf =
		mw_calloc(1, sizeof(*dwarf));
	struct mw_error *error = NULL;
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	int status = 0;

	if (!dwarf)
		return mw_error_nomem();
	if (elf_has_absurd_sections(fd))
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: "
				    "too many sections");
	dwarf->dw = dwarf_begin(fd, DWARF_C_READ);
	if (!dwarf->dw)
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: %s",
				    dwarf_errmsg(-1));
	// Else libdw opens any path that the target's file names as a
	// supplementary one (.gnu_debugaltlink), and a FIFO has us wait.
	dwarf_setalt(dwarf->dw, dwarf->dw);
	while (!error && (status = dwarf_get_units(dwarf->dw, unit, &unit, NULL,
						   NULL, &die, NULL)) == 0)
		error = collect(dwarf, &die, prefix);
	if (!error && status < 0)
		error = mw_error_new(MW_E_FORMAT, "damaged debug "
				     "information: %s", dwarf_errmsg(-1));
	if (error)
		return error;
	*ret = mw_steal(dwarf);
	return NULL;
}

void mw_dwarf_close(struct mw_dwarf *dwarf)
{
	if (!dwarf)
		return;
	mw_vec_free(&dwarf->structures);
	dwarf_end(dwarf->dw);
	mw_free(dwarf);
}

/** Go through typedefs and the like to the type itself. */
static bool peel(Dwarf_Die *die)
{
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		Dwarf_Attribute attr;
		int tag = dwarf_tag(die);

		if (tag != DW_TAG_typedef && tag != DW_TAG_const_type &&
		    tag != DW_TAG_volatile_type)
			return true;
		if (!dwarf_attr_integrate(die, DW_AT_type, &attr) ||
		    !dwarf_formref_die(&attr, die))
			return false;
	}
	return false;
}

static bool type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, DW_AT_type, &attr) &&
	       dwarf_formref_die(&attr, ret) && peel(ret);
}

/*
 * A member's place: a number, or, before DWARF 4, a little program that adds a
 * number in LEB128: "plus_uconst N" or "const N, plus".
 */
bool vars_member_offset(Dwarf_Die *member, uint64_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Block block;
	Dwarf_Word value = 0;

	if (!dwarf_attr(member, DW_AT_data_member_location, &attr))
		return false;
	if (dwarf_formudata(&attr, &value) == 0) {
		*ret = value;
		return true;
	}
	if (dwarf_formblock(&attr, &block) != 0 || block.length < 2 ||
	    (block.data[0] != DW_OP_plus_uconst &&
	     block.data[0] != DW_OP_consts && block.data[0] != DW_OP_constu))
		return false;
	for (unsigned i = 1, shift = 0; i < block.length && shift < 64;
	     i++, shift += 7) {
		value |= (uint64_t)(block.data[i] & 0x7f) << shift;
		if (!(block.data[i] & 0x80))
			break;
	}
	*ret = value;
	return true;
}

/** The member of @type whose name is the @len bytes at @name. */
static bool find_member(Dwarf_Die *type, const char *name, size_t len,
			uint64_t *offset)
{
	Dwarf_Die member;

	if (dwarf_child(type, &member) != 0)
		return false;
	do {
		const char *have = dwarf_diename(&member);
		uint64_t at;

		if (dwarf_tag(&member) != DW_TAG_member || !have ||
		    strlen(have) != len || memcmp(have, name, len) != 0)
			continue;
		if (!vars_member_offset(&member, &at))
			return false;
		*offset += at;
		return type_of(&member, type);
	} while (dwarf_siblingof(&member, &member) == 0);
	return false;
}

static bool follow(Dwarf_Die *type, const char *path, uint64_t *ret_offset,
		   uint64_t *ret_bytes)
{
	uint64_t offset = 0;
	Dwarf_Word bytes;

	for (int depth = 0; *path; depth++) {
		size_t len = strcspn(path, ".[*");

		if (depth > MAX_DEPTH ||
		    (len > 0 && !find_member(type, path, len, &offset)))
			return false;
		path += len;
		if (strncmp(path, "[]", 2) == 0) {
			if (dwarf_tag(type) != DW_TAG_array_type ||
			    !type_of(type, type))
				return false;
			path += 2;
		} else if (*path == '*') {
			if (dwarf_tag(type) != DW_TAG_pointer_type ||
			    !type_of(type, type))
				return false;
			offset = 0;
			path++;
		}
		if (*path == '.')
			path++;
	}
	if (dwarf_aggregate_size(type, &bytes) != 0)
		return false;
	*ret_offset = offset;
	*ret_bytes = bytes;
	return true;
}

bool mw_dwarf_member(struct mw_dwarf *dwarf, const char *structure,
		     const char *path, uint64_t *ret_offset,
		     uint64_t *ret_bytes)
{
	bool is_variable = strncmp(structure, "var ", 4) == 0;
	const char *name = structure + (is_variable ? 4 : 0);

	for (size_t i = 0; i < dwarf->structures.n; i++) {
		const struct structure *s = &dwarf->structures.v[i];
		Dwarf_Die type;

		if (s->is_variable == is_variable &&
		    strcmp(s->name, name) == 0 &&
		    dwarf_offdie(dwarf->dw, s->offset, &type) &&
		    (!is_variable || type_of(&type, &type)) &&
		    follow(&type, path, ret_offset, ret_bytes))
			return true;
	}
	return false;
}
