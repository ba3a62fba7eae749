/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_NOTES_H
#define MW_ELF_NOTES_H

#include "mw_elf_file.h"

/* Notes: what tools, the kernel and packagers have written into a file. */

/** One note. What it points to is owned by the mw_elf_notes. */
struct mw_elf_note {
	uint64_t offset; /* of its header in the file */
	size_t place; /* index of the section or segment that holds it */
	uint32_t type;
	const char *owner; /* owner_bytes bytes and a NUL; any bytes in it */
	uint32_t owner_bytes; /* as in the file, with its NUL if it has one */
	uint32_t bytes; /* of the description */
	const uint8_t *description;
};

struct mw_elf_notes {
	bool in_segments; /* mw_elf_note.place is a segment */
	MW_VEC(struct mw_elf_note) list;
	MW_VEC(void *) blocks;
};

enum mw_elf_notes_from {
	MW_ELF_NOTES_ANY, /* sections, or segments without such sections */
	MW_ELF_NOTES_SEGMENTS,
};

/**
 * Read all notes. What is damaged is added to the problems of @file; what comes
 * before it is kept.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *mw_elf_notes_load(struct mw_elf_file *file,
					       enum mw_elf_notes_from from,
					       struct mw_elf_notes *ret);
void mw_elf_notes_free(struct mw_elf_notes *notes);

/** Whether it is of @type and its owner, but for NULs behind it, @owner. */
bool mw_elf_note_is(const struct mw_elf_note *note, const char *owner,
		    uint32_t type);

/**
 * What the description says: the build id in hexadecimal digits, "Linux, ABI:
 * 3.2.0", the properties, the Go build id, the packaging metadata, a probe's
 * provider, name, addresses and arguments. The caller frees it. NULL when it
 * is not known how to read it, or without memory.
 */
char *mw_elf_note_text(const struct mw_elf_file *file,
		       const struct mw_elf_note *note);

/** @bytes as hexadecimal digits, at most @most of them and then "…". */
char *mw_elf_hex(const uint8_t *bytes, uint64_t count, uint64_t most);

#endif
