/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "elf_lines_int.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * Debug information of object files. libdw reads it as it stands, where all
 * that refers to code or to another section is 0. (libdwfl relocates it, too,
 * but with a layout of its own.)
 */

/** The bytes of section @index, unpacked, which libdw is going to read. */
static Elf_Data *data_of(Elf *elf, size_t index,
			 const struct mw_elf_section *section)
{
	Elf_Scn *scn = elf_getscn(elf, index);

	if (!scn || ((section->flags & SHF_COMPRESSED) &&
		     elf_compress(scn, 0, 0) < 0))
		return NULL;
	return elf_rawdata(scn, NULL);
}

static void apply(const struct mw_elf_reloc *reloc,
		  const struct mw_elf_symbols *symbols, Elf_Data *data)
{
	const struct mw_elf_symbol *s = mw_elf_reloc_symbol(symbols, reloc);
	uint64_t value = (s ? s->value : 0) + (uint64_t)reloc->addend;
	size_t bytes;

	switch (reloc->type) {
	case R_X86_64_64:
	case R_X86_64_DTPOFF64:
		bytes = 8;
		break;
	case R_X86_64_32:
	case R_X86_64_32S:
	case R_X86_64_DTPOFF32:
		bytes = 4;
		break;
	default:
		return;
	}
	if (data->d_buf && mw_within(reloc->offset, bytes, 0, data->d_size))
		memcpy((uint8_t *)data->d_buf + reloc->offset, &value, bytes);
}

static struct mw_error *relocate_section(struct mw_elf_file *file, Elf *elf,
					 const struct mw_elf_section *rela,
					 const struct mw_elf_symbols *symbols)
{
	struct mw_elf_relocs relocs = { 0 };
	struct mw_error *error = mw_elf_relocs_add(file, rela, &relocs);
	Elf_Data *data =
		error ? NULL
		      : data_of(elf, rela->info, &file->sections.v[rela->info]);

	for (size_t i = 0; data && i < relocs.list.n; i++)
		apply(&relocs.list.v[i], symbols, data);
	mw_elf_relocs_free(&relocs);
	return error;
}

static bool is_debug(const struct mw_elf_file *file, uint32_t index)
{
	return index > 0 && index < file->sections.n &&
	       mw_elf_section_in_file(&file->sections.v[index]) &&
	       strncmp(file->sections.v[index].name, ".debug_", 7) == 0;
}

struct mw_error *lines_relocate(int fd, Elf *elf, struct mw_elf_places *ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	MW_CLEANUP(mw_elf_symbols_free) struct mw_elf_symbols symbols = { 0 };
	struct mw_elf_places places = { 0 };
	struct mw_error *error = mw_elf_file_open(fd, &file);

	if (!error)
		error = mw_elf_places_make(file, &places);
	if (!error)
		error = mw_elf_symbols_load(file, MW_ELF_SYMTAB, &symbols);
	if (!error)
		mw_elf_places_put(&places, &symbols);
	for (size_t i = 1; !error && i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];

		if (s->type == SHT_RELA && is_debug(file, s->info))
			error = relocate_section(file, elf, s, &symbols);
	}
	if (error) {
		mw_elf_places_free(&places);
		return error;
	}
	*ret = places;
	return NULL;
}
