/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_unpacked.h"

#include <gelf.h>
#include <inttypes.h>
#include <string.h>

#include "mw_elf_file.h"
#include "mw_guard.h"
#include "mw_num.h"

static bool is_needed(const char *name, bool for_lines)
{
	static const char *const needed[] = { "info", "abbrev", "str", "line",
					      "line_str" };
	enum { FOR_TYPES = 3 };
	size_t head = strncmp(name, ".debug_", 7) == 0	  ? 7
		      : strncmp(name, ".zdebug_", 8) == 0 ? 8
							  : 0;

	for (size_t i = 0;
	     head && i < (for_lines ? MW_COUNT(needed) : FOR_TYPES); i++)
		if (strcmp(name + head, needed[i]) == 0)
			return true;
	return false;
}

/** Whether section @index of @elf is compressed still. */
static bool is_packed(Elf *elf, size_t index)
{
	Elf_Scn *scn = elf_getscn(elf, index);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	GElf_Shdr shdr;

	if (!scn || !gelf_getshdr(scn, &shdr) || !data)
		return true;
	return (shdr.sh_flags & SHF_COMPRESSED) ||
	       (data->d_size >= 4 && memcmp(data->d_buf, "ZLIB", 4) == 0);
}

struct mw_error *elf_unpack_error(const struct mw_elf_section *section,
				  const struct mw_elf_compression *how)
{
	if (how->kind == MW_ELF_ZSTD)
		return mw_error_at(MW_E_UNSUPPORTED, section->offset,
				   "%s at offset 0x%" PRIx64 " is compressed "
				   "with zstd, and the libelf here cannot "
				   "unpack it: objcopy "
				   "--decompress-debug-sections gives a copy "
				   "that can be read", section->name,
				   section->offset);
	return mw_error_at(MW_E_FORMAT, section->offset, "%s at offset 0x%"
			   PRIx64 " is compressed and cannot be unpacked",
			   section->name, section->offset);
}

struct mw_error *elf_check_unpacked(int fd, Dwarf *dw, bool for_lines)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct mw_error *error = mw_elf_file_open(fd, &file);

	for (size_t i = 1; !error && i < file->sections.n; i++) {
		const struct mw_elf_section *s = &file->sections.v[i];
		struct mw_elf_compression how;

		if (!is_needed(s->name, for_lines) || !mw_elf_section_in_file(s))
			continue;
		error = mw_elf_compression(file, s, &how);
		if (!error && how.kind != MW_ELF_NOT_COMPRESSED &&
		    (!dw || is_packed(dwarf_getelf(dw), i)))
			error = elf_unpack_error(s, &how);
	}
	return error;
}
