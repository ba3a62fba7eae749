/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_RELOCS_H
#define MW_ELF_RELOCS_H

#include "mw_elf_symbols.h"

/*
 * Object files for x86-64: what the linker would do. Their sections have no
 * addresses yet, and where code and data refer to something there are zeros and
 * a relocation.
 */

/** The sections of an object file, put where no two of them overlap. */
struct mw_elf_places {
	uint64_t *base; /* by index; 0: a section that is not loaded */
	size_t count;
};

/** Errors: MW_E_NOMEM. */
MW_MUST_USE struct mw_error *mw_elf_places_make(const struct mw_elf_file *file,
						struct mw_elf_places *ret);
void mw_elf_places_free(struct mw_elf_places *places);

/** The address of section @index, or 0. */
static inline uint64_t mw_elf_place(const struct mw_elf_places *places,
				    uint64_t index)
{
	return index < places->count ? places->base[index] : 0;
}

/**
 * Make addresses of the values of @symbols, which are offsets in sections;
 * those in sections that are not loaded are none.
 */
void mw_elf_places_put(const struct mw_elf_places *places,
		       struct mw_elf_symbols *symbols);

/** One of SHT_RELA. */
struct mw_elf_reloc {
	uint64_t offset; /* in the section */
	int64_t addend;
	uint32_t type;
	uint32_t symbol; /* index in the table; 0: none */
	uint32_t order;	 /* of its reading */
};

struct mw_elf_relocs {
	MW_VEC(struct mw_elf_reloc) list; /* ascending by offset */
	uint32_t symtab; /* index of the section with the symbols */
};

/**
 * Read the relocations of section @index. What is damaged, or in a form that
 * is not read, is left out and added to the problems of @file.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *mw_elf_relocs_load(struct mw_elf_file *file,
						uint32_t index,
						struct mw_elf_relocs *ret);
/**
 * Read those that the loader does, as the dynamic section has them (DT_RELA
 * and DT_JMPREL), in the same way.
 */
MW_MUST_USE struct mw_error *mw_elf_relocs_dynamic(struct mw_elf_file *file,
						   struct mw_elf_relocs *ret);
/** Add those of section @rela, to be sorted by mw_elf_relocs_sort(). */
MW_MUST_USE struct mw_error *
mw_elf_relocs_add(struct mw_elf_file *file, const struct mw_elf_section *rela,
		  struct mw_elf_relocs *to);
void mw_elf_relocs_sort(struct mw_elf_relocs *relocs);
void mw_elf_relocs_free(struct mw_elf_relocs *relocs);

/** The first in @relocs that is not below @offset. */
size_t mw_elf_relocs_from(const struct mw_elf_relocs *relocs,
			  uint64_t offset);

/** How a relocation is done. */
struct mw_elf_reloc_kind {
	uint8_t bytes; /* of the field; 0: not known, or nothing is written */
	bool is_pc_relative;
	const char *suffix; /* "@GOTPCREL": not the symbol itself; or "" */
};

struct mw_elf_reloc_kind mw_elf_reloc_kind(uint32_t type);

/**
 * The symbol of @reloc in @symbols, whose first table is that of the
 * relocations, or NULL.
 */
const struct mw_elf_symbol *
mw_elf_reloc_symbol(const struct mw_elf_symbols *symbols,
		    const struct mw_elf_reloc *reloc);

#endif
