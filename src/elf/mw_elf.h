/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_H
#define MW_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_vec.h"

/*
 * ELF files and images: bytes in, no process. Everything that is read is
 * checked against the size of the file; what does not fit is an error with its
 * offset, or, for the section table, which a program does not need to run, a
 * file without sections.
 */

struct mw_elf_segment {
	uint32_t type;	/* PT_LOAD, … */
	uint32_t flags; /* PF_R, PF_W, PF_X */
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct mw_elf_section {
	const char *name; /* owned by the mw_elf; printable, never empty */
	uint32_t type;
	uint64_t flags; /* SHF_ALLOC, … */
	uint64_t addr, offset, size;
	uint32_t link, info;
	uint64_t align, entry_size;
};

/** The tables of one ELF file. Read whole: the file may be closed after. */
struct mw_elf {
	bool is_64;
	uint16_t type; /* ET_EXEC, ET_DYN, … */
	uint16_t machine;
	uint64_t entry;
	uint64_t file_bytes;
	/* Where the program header table lies in the file. */
	uint64_t phoff, ph_bytes;
	uint64_t eh_bytes;
	MW_VEC(struct mw_elf_segment) segments;
	MW_VEC(struct mw_elf_section) sections; /* without the null section */
	char *soname; /* DT_SONAME or NULL */
	uint8_t build_id[64];
	size_t build_id_bytes; /* 0 when there is none */
	MW_VEC(char *) names; /* behind the sections' names */
};

/**
 * Read the tables of the file open as @fd, which stays the caller's.
 *
 * Errors: MW_E_FORMAT when it is no ELF file or is damaged, with the offset;
 *         MW_E_LIMIT for tables larger than any real program's.
 */
MW_MUST_USE struct mw_error *mw_elf_load(int fd, struct mw_elf **ret);

/**
 * The same for @bytes of a file's beginning in memory, such as the first page
 * of an image or the vdso. @bytes are only borrowed for the call. Tables that
 * lie behind them are left out.
 */
MW_MUST_USE struct mw_error *mw_elf_load_memory(const void *image,
						size_t bytes,
						struct mw_elf **ret);

/**
 * For tables that were read elsewhere, into zeroed memory: add a section, or
 * set the soname. The name is copied. False without memory.
 */
bool mw_elf_add_section(struct mw_elf *elf,
			const struct mw_elf_section *section);
bool mw_elf_set_soname(struct mw_elf *elf, const char *name);

void mw_elf_free(struct mw_elf *elf);

static inline void mw_elf_freep(struct mw_elf **elf)
{
	mw_elf_free(*elf);
	*elf = NULL;
}

/** Whether the file begins like an ELF file; false also when unreadable. */
bool mw_elf_has_magic(int fd);

/** The first section called @name, or NULL. */
const struct mw_elf_section *mw_elf_find_section(const struct mw_elf *elf,
						 const char *name);

#endif
