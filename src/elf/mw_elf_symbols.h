/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_SYMBOLS_H
#define MW_ELF_SYMBOLS_H

#include "mw_elf_file.h"

/*
 * Symbol tables. Made for binaries with millions of symbols: 32 bytes each, in
 * one array, with their names in one block.
 */

enum mw_elf_symbol_table {
	MW_ELF_SYMTAB = 1,
	MW_ELF_DYNSYM = 2,
	MW_ELF_DEBUGDATA = 4, /* .gnu_debugdata: a small ELF file inside */
};

struct mw_elf_symbol {
	uint64_t value, bytes;
	uint32_t name;	  /* place in mw_elf_symbols.strings */
	uint32_t section; /* index, or SHN_UNDEF, SHN_ABS, SHN_COMMON */
	uint32_t index;	  /* in its table */
	uint8_t info;	  /* ELF64_ST_TYPE() and ELF64_ST_BIND() of it */
	uint8_t other;
	uint8_t table;	  /* enum mw_elf_symbol_table */
	bool special;	  /* section is one of SHN_LORESERVE and above */
};

struct mw_elf_symbols {
	MW_VEC(struct mw_elf_symbol) list; /* table after table, as there */
	char *strings; /* begins with an empty one */
	uint64_t string_bytes;
	/* Made by mw_elf_symbols_sort(). */
	uint32_t *by_address; /* indices of those that have one */
	uint64_t *reach;      /* highest end of all up to this place */
	size_t addressed;
};

/**
 * Read the tables of @tables (enum mw_elf_symbol_table) that there are, without
 * each one's null symbol. What is damaged is added to the problems of @file.
 *
 * Errors: MW_E_NOMEM.
 * Cost:   one pass over the tables; the names are copied as a block.
 */
MW_MUST_USE struct mw_error *mw_elf_symbols_load(struct mw_elf_file *file,
						 unsigned tables,
						 struct mw_elf_symbols *ret);
void mw_elf_symbols_free(struct mw_elf_symbols *symbols);

static inline const char *mw_elf_symbol_name(
	const struct mw_elf_symbols *symbols,
	const struct mw_elf_symbol *symbol)
{
	return symbols->strings + symbol->name;
}

/** Whether its value is an address in the image. */
bool mw_elf_symbol_has_address(const struct mw_elf_symbol *symbol);

/**
 * Order by address those that have one, for mw_elf_symbols_at().
 * Errors: MW_E_NOMEM.
 * Cost:   O(n), a radix sort.
 */
MW_MUST_USE struct mw_error *
mw_elf_symbols_sort(struct mw_elf_symbols *symbols);

/**
 * The innermost symbol that contains @va, or one without a size that stands
 * there; NULL if there is none. Needs mw_elf_symbols_sort().
 */
const struct mw_elf_symbol *
mw_elf_symbols_at(const struct mw_elf_symbols *symbols, uint64_t va);

/** The first one that is defined and called @name, or NULL. O(n). */
const struct mw_elf_symbol *
mw_elf_symbols_find(const struct mw_elf_symbols *symbols, const char *name);

#endif
