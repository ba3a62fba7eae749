/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_elf_packages.h"
#include "mw_guard.h"

/*
 * What each package of a Go program takes in its file. The functions have a
 * name, and so a package, even in a stripped binary: their code, and what the
 * function table tells of them. So have types. Variables and constants have one
 * where there is a symbol table. What is left of every piece of the file is a
 * row of its own, so that all add up to the file.
 */

/* The table */

enum column {
	K_NAME, K_KIND, K_FUNCTIONS, K_TEXT, K_TABLE, K_RODATA, K_TYPES,
	K_STRINGS, K_DATA, K_BYTES, K_BSS,
};

static const struct mw_column columns[] = {
	[K_NAME] = { "package", "PACKAGE", MW_UNIT_TEXT,
		     "import path; or what else is in the file" },
	[K_KIND] = { "kind", "KIND", MW_UNIT_TEXT,
		     "package; or section, header, padding, …: what of these "
		     "belongs to no package" },
	[K_FUNCTIONS] = { "functions", "FUNCTIONS", MW_UNIT_COUNT,
			  "how many it has" },
	[K_TEXT] = { "text_bytes", "CODE", MW_UNIT_BYTES,
		     "its code, with what aligns it" },
	[K_TABLE] = { "pclntab_bytes", "PCLNTAB", MW_UNIT_BYTES,
		      "what the function table tells of it; what is shared "
		      "counts for the first" },
	[K_RODATA] = { "rodata_bytes", "CONSTANTS", MW_UNIT_BYTES,
		       "constants that have symbols, what describes its types, "
		       "and strings that only it refers to" },
	[K_TYPES] = { "types_bytes", "OF THEM TYPES", MW_UNIT_BYTES,
		      "what describes its types: descriptors, names, masks of "
		      "pointers, tables of methods; what is shared counts for "
		      "the first" },
	[K_STRINGS] = { "strings_bytes", "STRINGS", MW_UNIT_BYTES,
			"of the constants, text that only its code, and of a "
			"file with symbols its variables, refer to; other "
			"text is left to its section" },
	[K_DATA] = { "data_bytes", "VARIABLES", MW_UNIT_BYTES,
		     "variables with a first value that have symbols" },
	[K_BYTES] = { "file_bytes", "IN FILE", MW_UNIT_BYTES,
		      "of all these: the sum of all rows is the size of the "
		      "file" },
	[K_BSS] = { "bss_bytes", "ZEROED", MW_UNIT_BYTES,
		    "variables that begin as zeros, by symbols: in memory "
		    "only" },
};

static int by_bytes(const void *a, const void *b)
{
	const struct package *x = a, *y = b;
	uint64_t x_bytes = package_bytes(x), y_bytes = package_bytes(y);

	if (x_bytes != y_bytes)
		return x_bytes > y_bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool fill_package(const struct package *package, struct mw_cell *cells)
{
	mw_cell_value(&cells[K_FUNCTIONS], package->functions);
	mw_cell_value(&cells[K_TEXT], package->text);
	mw_cell_value(&cells[K_TABLE], package->table);
	mw_cell_value(&cells[K_RODATA], package->rodata);
	mw_cell_value(&cells[K_TYPES], package->types);
	mw_cell_value(&cells[K_STRINGS], package->strings);
	mw_cell_value(&cells[K_DATA], package->data);
	mw_cell_value(&cells[K_BYTES], package_bytes(package));
	mw_cell_value(&cells[K_BSS], package->bss);
	return mw_cell_text(&cells[K_NAME], package->name) &&
	       mw_cell_text(&cells[K_KIND], "package");
}

static bool fill_rest(const struct packages *p, size_t i,
		      struct mw_cell *cells)
{
	const struct mw_elf_piece *piece = &p->elf->layout.list.v[i];
	const char *kind = cmd_elf_piece_kind(piece);
	char name[32];

	mw_cell_value(&cells[K_BYTES], piece->own_bytes - p->taken[i]);
	return mw_cell_text(&cells[K_NAME],
			    cmd_elf_piece_name(p->elf, piece, name)) &&
	       mw_cell_text(&cells[K_KIND], kind);
}

static struct mw_error *fill_table(struct packages *p, struct mw_table *table)
{
	struct mw_cell *cells;

	if (p->list.n)
		qsort(p->list.v, p->list.n, sizeof(*p->list.v), by_bytes);
	for (size_t i = 0; i < p->list.n; i++) {
		cells = mw_table_add(table);
		if (!cells || !fill_package(&p->list.v[i], cells))
			return mw_error_nomem();
	}
	for (size_t i = 0; i < p->elf->layout.list.n; i++) {
		if (p->elf->layout.list.v[i].own_bytes == p->taken[i])
			continue;
		cells = mw_table_add(table);
		if (!cells || !fill_rest(p, i, cells))
			return mw_error_nomem();
	}
	return NULL;
}

static struct mw_error *fill_packages(const struct cmd_elf *elf,
				      struct mw_table *table)
{
	MW_CLEANUP(packages_free) struct packages p = { 0 };
	struct mw_error *error = packages_count(elf, &p);

	return error || !p.taken ? error : fill_table(&p, table);
}

const struct cmd_elf_table cmd_elf_go_packages = {
	.key = "go_packages",
	.title = "Go packages, and what else is in the file",
	.columns = columns,
	.column_count = MW_COUNT(columns),
	.fill = fill_packages,
};
