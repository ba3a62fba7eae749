/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_elf_dynamic.h"
#include "mw_elf_relocs.h"
#include "mw_guard.h"

/* Relocations that the loader does, by the dynamic section. */

static uint64_t value_of(const struct mw_elf_dynamic *dynamic, int64_t tag)
{
	const struct mw_elf_dynamic_entry *entry =
		mw_elf_dynamic_find(dynamic, tag);

	return entry ? entry->value : 0;
}

static struct mw_error *add_table(struct mw_elf_file *file, uint64_t va,
				  uint64_t bytes, const char *name,
				  struct mw_elf_relocs *to)
{
	struct mw_elf_section table = {
		.name = name,
		.type = SHT_RELA,
		.size = bytes,
		.entry_size = sizeof(Elf64_Rela),
	};

	if (bytes == 0)
		return NULL;
	if (!mw_elf_file_offset(file, va, &table.offset)) {
		mw_elf_file_problem(file,
				    mw_error_at(MW_E_FORMAT, va,
						"%s is not in the file", name));
		return NULL;
	}
	return mw_elf_relocs_add(file, &table, to);
}

struct mw_error *mw_elf_relocs_dynamic(struct mw_elf_file *file,
				       struct mw_elf_relocs *ret)
{
	MW_CLEANUP(mw_elf_dynamic_free) struct mw_elf_dynamic dynamic = { 0 };
	struct mw_elf_relocs relocs = { 0 };
	struct mw_error *error = mw_elf_dynamic_load(file, false, &dynamic);

	if (!error)
		error = add_table(file, value_of(&dynamic, DT_RELA),
				  value_of(&dynamic, DT_RELASZ), "DT_RELA",
				  &relocs);
	if (!error && value_of(&dynamic, DT_PLTREL) == DT_RELA)
		error = add_table(file, value_of(&dynamic, DT_JMPREL),
				  value_of(&dynamic, DT_PLTRELSZ), "DT_JMPREL",
				  &relocs);
	if (error) {
		mw_elf_relocs_free(&relocs);
		return error;
	}
	mw_elf_relocs_sort(&relocs);
	*ret = relocs;
	return NULL;
}
