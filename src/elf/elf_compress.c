/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "mw_elf_file.h"
#include "mw_num.h"

/*
 * A section with SHF_COMPRESSED begins with a header (gABI, "Section
 * Compression"):
 *
 *	32 bits: ch_type u32, ch_size u32, ch_addralign u32
 *	64 bits: ch_type u32, reserved u32, ch_size u64, ch_addralign u64
 *
 * The older form, of GNU tools before 2016 and Go before 1.19, is told by the
 * name .zdebug_… and begins with "ZLIB" and the size, u64, big-endian whatever
 * the file.
 */
#define GNU_MAGIC "ZLIB"
#define GNU_HEAD 12
#define ELFCOMPRESS_ZSTD_ 2

static struct mw_error *by_header(const struct mw_elf_file *file,
				  const struct mw_elf_section *section,
				  struct mw_elf_compression *ret)
{
	uint8_t raw[24];
	unsigned word = mw_elf_word(file), head = file->is_64 ? 24 : 12;

	if (section->size < head ||
	    !mw_elf_file_read(file, section->offset, raw, head))
		return mw_error_at(MW_E_FORMAT, section->offset,
				   "%s at offset 0x%" PRIx64 ": the compression "
				   "header leaves the section or the file",
				   section->name, section->offset);
	ret->type = (uint32_t)mw_elf_get(file, raw, 4);
	ret->bytes = mw_elf_get(file, raw + word, word);
	ret->align = mw_elf_get(file, raw + 2 * word, word);
	ret->head_bytes = head;
	ret->kind = ret->type == ELFCOMPRESS_ZLIB    ? MW_ELF_ZLIB
		    : ret->type == ELFCOMPRESS_ZSTD_ ? MW_ELF_ZSTD
						     : MW_ELF_OTHER;
	return NULL;
}

static void by_name(const struct mw_elf_file *file,
		    const struct mw_elf_section *section,
		    struct mw_elf_compression *ret)
{
	uint8_t raw[GNU_HEAD];

	// The linker writes a section that would not shrink as it is.
	if (section->size < sizeof(raw) ||
	    !mw_elf_file_read(file, section->offset, raw, sizeof(raw)) ||
	    memcmp(raw, GNU_MAGIC, strlen(GNU_MAGIC)) != 0)
		return;
	for (unsigned i = 4; i < sizeof(raw); i++)
		ret->bytes = ret->bytes << 8 | raw[i];
	ret->kind = MW_ELF_GNU_ZLIB;
	ret->align = section->align;
	ret->head_bytes = sizeof(raw);
}

struct mw_error *mw_elf_compression(const struct mw_elf_file *file,
				    const struct mw_elf_section *section,
				    struct mw_elf_compression *ret)
{
	struct mw_elf_compression found = { 0 };
	struct mw_error *error = NULL;

	if (section->flags & SHF_COMPRESSED && mw_elf_section_in_file(section))
		error = by_header(file, section, &found);
	else if (strncmp(section->name, ".zdebug", 7) == 0)
		by_name(file, section, &found);
	if (!error)
		*ret = found;
	return error;
}
