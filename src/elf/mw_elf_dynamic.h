/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_DYNAMIC_H
#define MW_ELF_DYNAMIC_H

#include "mw_elf_file.h"

/* The dynamic section: what the loader is told. */

struct mw_elf_dynamic_entry {
	int64_t tag; /* DT_NEEDED, …; as the file has it */
	uint64_t value;
	char *text; /* what the value names in the string table, or NULL */
};

struct mw_elf_dynamic {
	uint64_t offset; /* of the first entry in the file */
	MW_VEC(struct mw_elf_dynamic_entry) list; /* to DT_NULL, inclusive */
};

/**
 * Read the entries; none for a file without them. Their texts are read only
 * @with_strings. What is damaged is added to the problems of @file.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *mw_elf_dynamic_load(struct mw_elf_file *file,
						 bool with_strings,
						 struct mw_elf_dynamic *ret);
void mw_elf_dynamic_free(struct mw_elf_dynamic *dynamic);

/** The first entry with @tag, or NULL. */
const struct mw_elf_dynamic_entry *
mw_elf_dynamic_find(const struct mw_elf_dynamic *dynamic, int64_t tag);

/** Whether the value of @tag is an offset in the string table. */
bool mw_elf_tag_is_string(const struct mw_elf_file *file, int64_t tag);

#endif
