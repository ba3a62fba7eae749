/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_VARS_INT_H
#define ELF_VARS_INT_H

#include <elfutils/libdw.h>

#include "mw_vars.h"
#include "mw_vec.h"

struct vars_locals;
struct split_package;

/** The rest of a unit of split DWARF. */
struct vars_split {
	uint8_t *bytes; /* that libdw reads */
	uint64_t count;
	Elf *elf;
	Dwarf *dw;
	Dwarf_Die unit;
};

struct mw_vars {
	Dwarf *dw;
	struct vars_locals *locals; /* NULL until they are asked for */
	struct mw_vars_files files; /* for split DWARF; zeros: none */
	MW_VEC(struct vars_split) splits; /* those with types that were found */
	uint64_t split_bytes; /* of them */
	struct split_package *package; /* NULL: none */
	bool package_tried;
	bool lacks_split; /* a unit was met whose types cannot be had */
	Elf_Data *addresses; /* .debug_addr, when it was asked for */
};

/*
 * The number of a type: a place in .debug_info, or, with VARS_IN_TYPES, in
 * .debug_types of DWARF 4; of the file, or of one of the splits.
 */
#define VARS_SPLIT_SHIFT 40
#define VARS_IN_TYPES (UINT64_C(1) << (VARS_SPLIT_SHIFT - 1))

/** The DIE of @type. */
bool vars_type(struct mw_vars *vars, uint64_t type, Dwarf_Die *ret);
/** The number of the type @die, of split @split; 0: the file itself. */
bool vars_type_number(Dwarf_Die *die, size_t split, uint64_t *ret);

void vars_locals_free(struct vars_locals *locals);

/** How deep types may be nested. */
#define VARS_MAX_DEPTH 32

/**
 * The unit behind *@unit, or the first if that is NULL, and its entry. A unit
 * without one is left out: functions of libdw follow its zeros.
 */
bool vars_next_unit(Dwarf *dw, Dwarf_CU **unit, uint8_t *ret_type,
		    Dwarf_Die *ret);
/** The type that @die, a variable, member, pointer, …, refers to. */
bool vars_type_of(Dwarf_Die *die, Dwarf_Die *ret);
/** Its own name; NULL when it has none. */
const char *vars_type_name(Dwarf_Die *type);
/** Go through typedefs, const and the like to the type itself. */
bool vars_peel(Dwarf_Die *type);
/** Whether the unit of @die was written in Go. */
bool vars_is_go(Dwarf_Die *die);
/** Bytes of an object of @type; false when not known. */
bool vars_bytes(Dwarf_Die *type, uint64_t *ret);
#define VARS_MAX_DIMENSIONS 8
/** The elements of an array in each dimension; how many there are, 0: none. */
size_t vars_array_dimensions(Dwarf_Die *array,
			     uint64_t counts[VARS_MAX_DIMENSIONS]);
/** Where @member lies in its struct; false also when it is not told. */
bool vars_member_offset(Dwarf_Die *member, uint64_t *ret);

#endif
