/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_ELF_PACKAGES_H
#define CMD_ELF_PACKAGES_H

#include "cmd_elf.h"

/* What each package of a Go program takes, counted for `elf --go`. */

struct package {
	char *name;
	uint64_t functions;
	/* Bytes in the file: of code, of the function table, of sections that
	   cannot be written to, of those that can. */
	uint64_t text, table, rodata, data;
	uint64_t bss;	/* in memory only */
	uint64_t types; /* of rodata, what describes its types */
	uint64_t strings; /* of rodata, those that only it refers to */
};

static inline uint64_t package_bytes(const struct package *package)
{
	return package->text + package->table + package->rodata +
	       package->data;
}

#define PACKAGE_FENCE SIZE_MAX

/** One of a function's tables of funcdata; or a fence, where one must end. */
struct package_funcdata {
	uint64_t va;
	size_t package; /* place in packages.list */
};

struct packages {
	const struct cmd_elf *elf;
	struct mw_target *target;
	const struct mw_image *image;
	struct mw_go_funcs *funcs;
	MW_VEC(struct package) list;
	MW_VEC(struct package_funcdata) funcdata;
	struct mw_elf_symbols symbols;
	struct mw_map64 by_name; /* hash of the name -> 1 + place in list */
	struct mw_map64 seen, seen_types; /* what counts for the first */
	uint64_t *taken; /* of each piece of the layout, by packages */
	size_t table_piece; /* the one with the function table; SIZE_MAX */
	uint64_t text_end; /* code below this has been told */
};

/**
 * Count for the program's packages what p->elf, whose Go image is loaded, has
 * of them. @p must be zeroed; free it also after an error.
 */
MW_MUST_USE struct mw_error *packages_count(const struct cmd_elf *elf,
					    struct packages *p);
void packages_free(struct packages *p);

/* What the counting consists of */

/** The package called @name; NULL without memory. */
struct package *packages_find(struct packages *p, const char *name);
/** The package of @func, or what stands for none; NULL without memory. */
struct package *packages_of_function(struct packages *p,
				     const struct mw_go_func *func);
/** The piece of the layout that has the byte at @va; SIZE_MAX if none. */
size_t packages_piece(const struct packages *p, uint64_t va);
/** As many of @bytes as piece @i still has; they are taken. */
uint64_t packages_take(struct packages *p, size_t i, uint64_t bytes);
/** Count what describes types, cmd_elf_packages_types.c. */
MW_MUST_USE struct mw_error *packages_add_types(struct packages *p);
/** Count strings, when all else has been, cmd_elf_packages_strings.c. */
MW_MUST_USE struct mw_error *packages_add_strings(struct packages *p);

#endif
