/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_OBJECT_INT_H
#define CMD_OBJECT_INT_H

#include "cmd_object.h"
#include "mw_elf_relocs.h"

struct cmd_object {
	struct mw_target *target;
	int fd;
	struct mw_elf_file *file;
	struct mw_elf_symbols symbols; /* at their places */
	struct mw_elf_places places;
	const struct mw_elf_section *section; /* NULL: not found yet */
	uint32_t index;			      /* of it */
	struct mw_elf_relocs relocs;	      /* of it */
};

/** Section @index, or NULL. */
static inline const struct mw_elf_section *
cmd_object_section_at(const struct cmd_object *object, uint64_t index)
{
	return index < object->file->sections.n
		       ? &object->file->sections.v[index]
		       : NULL;
}

#endif
