/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mw_elf_names.h"
#include "mw_num.h"
#include "mw_search.h"

/* In the order in which elf_names.def has them. */
enum table {
	MACHINE, TYPE, OSABI, SECTION, SEGMENT, TAG, NOTE, CORE_NOTE,
	RELOCATION,
};

static const struct name {
	uint8_t table;
	uint16_t machine; /* EM_NONE: all that have no name of their own */
	uint32_t value;
	const char *text;
} names[] = {
#define N(table, machine, value, text) { table, machine, value, text },
#define NOTE(table, owner, type, text)
#include "elf_names.def"
#undef N
#undef NOTE
};

static const struct note_name {
	uint8_t table;
	const char *owner; /* "": all that have no names of their own */
	uint32_t type;
	const char *text;
} note_names[] = {
#define N(table, machine, value, text)
#define NOTE(table, owner, type, text) { table, owner, type, text },
#include "elf_names.def"
#undef N
#undef NOTE
};

static const char *find(enum table table, uint16_t machine, uint64_t value)
{
	const char *found = NULL;
	size_t at = mw_first(i, 0, MW_COUNT(names), names[i].table >= table);

	for (; at < MW_COUNT(names) && names[at].table == table; at++) {
		const struct name *n = &names[at];

		if (n->value != value)
			continue;
		if (n->machine == machine)
			return n->text;
		if (n->machine == EM_NONE)
			found = n->text;
	}
	return found;
}

const char *mw_elf_class_name(const struct mw_elf_file *file)
{
	return file->is_64 ? "ELF64" : "ELF32";
}

const char *mw_elf_data_name(const struct mw_elf_file *file)
{
	return file->is_big_endian ? "2's complement, big endian"
				   : "2's complement, little endian";
}

const char *mw_elf_type_name(const struct mw_elf_file *file, bool is_pie,
			     char text[static MW_ELF_NAME_BYTES])
{
	uint16_t type = file->header.type;
	const char *name = find(TYPE, EM_NONE, type);

	if (type == ET_DYN && is_pie)
		return "DYN (Position-Independent Executable file)";
	if (name)
		return name;
	snprintf(text, MW_ELF_NAME_BYTES,
		 type >= ET_LOPROC ? "Processor Specific: (%x)"
		 : type >= ET_LOOS ? "OS Specific: (%x)"
				   : "<unknown>: %x",
		 type);
	return text;
}

const char *mw_elf_machine_name(uint16_t machine,
				char text[static MW_ELF_NAME_BYTES])
{
	const char *name = find(MACHINE, EM_NONE, machine);

	if (name)
		return name;
	snprintf(text, MW_ELF_NAME_BYTES, "<unknown>: 0x%x", machine);
	return text;
}

const char *mw_elf_osabi_name(const struct mw_elf_file *file,
			      char text[static MW_ELF_NAME_BYTES])
{
	uint8_t osabi = file->header.ident[EI_OSABI];
	const char *name = find(OSABI, file->header.machine, osabi);

	if (name)
		return name;
	snprintf(text, MW_ELF_NAME_BYTES, "<unknown: %x>", osabi);
	return text;
}

const char *mw_elf_section_type_name(const struct mw_elf_file *file,
				     uint32_t type,
				     char text[static MW_ELF_NAME_BYTES])
{
	const char *name = find(SECTION, file->header.machine, type);

	if (name)
		return name;
	if (type >= SHT_LOUSER)
		snprintf(text, MW_ELF_NAME_BYTES, "LOUSER+0x%x",
			 type - SHT_LOUSER);
	else if (type >= SHT_LOPROC)
		snprintf(text, MW_ELF_NAME_BYTES, "LOPROC+0x%x",
			 type - SHT_LOPROC);
	else if (type >= SHT_LOOS)
		snprintf(text, MW_ELF_NAME_BYTES, "LOOS+0x%x",
			 type - SHT_LOOS);
	else
		snprintf(text, MW_ELF_NAME_BYTES, "%08x: <unknown>", type);
	return text;
}

const char *mw_elf_segment_type_name(const struct mw_elf_file *file,
				     uint32_t type,
				     char text[static MW_ELF_NAME_BYTES])
{
	const char *name = find(SEGMENT, file->header.machine, type);

	if (name)
		return name;
	if (type >= PT_LOPROC && type <= PT_HIPROC)
		snprintf(text, MW_ELF_NAME_BYTES,
			 type == PT_LOPROC ? "LOPROC+%x" : "LOPROC+0x%x",
			 type - PT_LOPROC);
	else if (type >= PT_LOOS && type <= PT_HIOS)
		snprintf(text, MW_ELF_NAME_BYTES,
			 type == PT_LOOS ? "LOOS+%x" : "LOOS+0x%x",
			 type - PT_LOOS);
	else
		snprintf(text, MW_ELF_NAME_BYTES, "<unknown>: %x", type);
	return text;
}

const char *mw_elf_segment_flags(uint32_t flags,
				 char text[static MW_ELF_NAME_BYTES])
{
	snprintf(text, MW_ELF_NAME_BYTES, "%c%c%c", flags & PF_R ? 'R' : ' ',
		 flags & PF_W ? 'W' : ' ', flags & PF_X ? 'E' : ' ');
	for (size_t i = 3; i > 0 && text[i - 1] == ' '; i--)
		text[i - 1] = '\0';
	return text;
}

/* Values that elf.h leaves out; binutils 2.40, include/elf/common.h. */
#define DT_LOOS_ 0x6000000d
#define DT_HIOS_ 0x6ffff000

const char *mw_elf_tag_name(const struct mw_elf_file *file, int64_t tag,
			    char text[static MW_ELF_NAME_BYTES])
{
	const char *name = tag == DT_NULL ? "NULL"
			   : tag < 0 || tag > UINT32_MAX
				   ? NULL
				   : find(TAG, file->header.machine,
					  (uint64_t)tag);
	uint64_t value = file->is_64 ? (uint64_t)tag : (uint32_t)tag;

	if (name)
		return name;
	snprintf(text, MW_ELF_NAME_BYTES,
		 value >= DT_LOPROC && value <= DT_HIPROC
			 ? "Processor Specific: %" PRIx64
		 : value >= DT_LOOS_ && value <= DT_HIOS_
			 ? "Operating System specific: %" PRIx64
			 : "<unknown>: %" PRIx64,
		 value);
	return text;
}

const char *mw_elf_relocation_name(uint32_t type,
				   char text[static MW_ELF_NAME_BYTES])
{
	const char *name = find(RELOCATION, EM_X86_64, type);

	if (name)
		return name;
	snprintf(text, MW_ELF_NAME_BYTES, "unrecognized: %" PRIx32, type);
	return text;
}

/** Owners whose types readelf takes for nobody else's. */
static bool has_own_types(const char *owner)
{
	static const char *const owners[] = { "GNU", "stapsdt", "PaX",
					      "NetBSD" };

	for (size_t i = 0; i < MW_COUNT(owners); i++)
		if (strcmp(owner, owners[i]) == 0)
			return true;
	return strncmp(owner, "GNU.build", 9) == 0;
}

const char *mw_elf_note_name(const struct mw_elf_file *file,
			     const char *owner, uint32_t type,
			     char text[static MW_ELF_NAME_BYTES])
{
	enum table table = file->header.type == ET_CORE ? CORE_NOTE : NOTE;
	bool own = has_own_types(owner);
	const char *found = NULL;

	for (size_t i = 0; i < MW_COUNT(note_names); i++) {
		const struct note_name *n = &note_names[i];

		if (n->table != table || n->type != type)
			continue;
		if (strcmp(n->owner, owner) == 0)
			return n->text;
		if (!own && n->owner[0] == '\0')
			found = n->text;
	}
	if (found)
		return found;
	snprintf(text, MW_ELF_NAME_BYTES, "Unknown note type: (0x%08x)", type);
	return text;
}
