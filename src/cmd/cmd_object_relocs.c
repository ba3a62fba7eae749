/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_object_int.h"

#include <inttypes.h>
#include <string.h>

#include "mw_elf_names.h"
#include "mw_text.h"

/* What code refers to, as its relocations tell. */

/** The value that the file has in the field of @reloc, of instruction @i. */
static bool read_field(const struct cmd_code *code, size_t i,
		       const struct mw_elf_reloc *reloc, uint64_t *ret)
{
	struct mw_elf_reloc_kind kind = mw_elf_reloc_kind(reloc->type);
	const struct mw_insn *insn = &code->insns[i];
	uint64_t at = reloc->offset - insn->va, value = 0;
	unsigned unused = 64 - 8 * kind.bytes;

	if (kind.bytes == 0 || !mw_within(at, kind.bytes, 0, insn->bytes))
		return false;
	memcpy(&value, code->raw + (reloc->offset - code->start), kind.bytes);
	value = (uint64_t)((int64_t)(value << unused) >> unused);
	*ret = kind.is_pc_relative ? value + insn->va + insn->bytes : value;
	return true;
}

/* Relocations have the offset in the section, instructions its address. */
static struct mw_elf_reloc shown(const struct cmd_object *object, size_t k)
{
	struct mw_elf_reloc reloc = object->relocs.list.v[k];

	reloc.offset += object->section->addr;
	return reloc;
}

/** The relocations of instruction @i are [*@ret, end) of the list. */
static size_t relocs_of(const struct cmd_object *object,
			const struct cmd_code *code, size_t i, size_t *ret)
{
	uint64_t at = code->insns[i].va - object->section->addr;

	*ret = mw_elf_relocs_from(&object->relocs, at);
	return mw_elf_relocs_from(&object->relocs,
				  at + code->insns[i].bytes);
}

/** The one that decides what @va in instruction @i is. */
static bool find_reloc(const struct cmd_object *object,
		       const struct cmd_code *code, size_t i, uint64_t va,
		       struct mw_elf_reloc *ret)
{
	size_t k, end = relocs_of(object, code, i, &k);
	uint64_t value;

	for (; k < end; k++) {
		struct mw_elf_reloc reloc = shown(object, k);

		if (read_field(code, i, &reloc, &value) &&
		    (value == va || (uint32_t)value == va)) {
			*ret = reloc;
			return true;
		}
	}
	return false;
}

bool cmd_object_is_relocated(const struct cmd_object *object,
			     const struct cmd_code *code, size_t i,
			     uint64_t va)
{
	struct mw_elf_reloc reloc;

	return find_reloc(object, code, i, va, &reloc);
}

/** What the linker adds, counted from the end of the instruction. */
static uint64_t addend_of(const struct cmd_code *code, size_t i,
			  const struct mw_elf_reloc *reloc)
{
	const struct mw_insn *insn = &code->insns[i];

	return (uint64_t)reloc->addend +
	       (mw_elf_reloc_kind(reloc->type).is_pc_relative
			? insn->va + insn->bytes - reloc->offset
			: 0);
}

static void add_offset(uint64_t offset, char *to, size_t size)
{
	size_t used = strlen(to);

	if (offset)
		snprintf(to + used, size - used,
			 (int64_t)offset < 0 ? "-0x%" PRIx64 : "+0x%" PRIx64,
			 (int64_t)offset < 0 ? -offset : offset);
}

/** What relocations call @s: a section by its own name. */
static const char *symbol_name(const struct cmd_object *object,
			       const struct mw_elf_symbol *s)
{
	const char *name = mw_elf_symbol_name(&object->symbols, s);
	const struct mw_elf_section *section =
		s->section == SHN_UNDEF || s->section >= SHN_LORESERVE
			? NULL
			: cmd_object_section_at(object, s->section);

	return !*name && section ? section->name : name;
}

/** The name of what lies @offset behind the start of @section. */
static bool name_in(const struct cmd_object *object, uint32_t section,
		    uint64_t offset, char *to, size_t size)
{
	const struct mw_elf_section *s = cmd_object_section_at(object, section);
	uint64_t base = mw_elf_place(&object->places, section);
	const struct mw_elf_symbol *found =
		s && base && offset < s->size
			? mw_elf_symbols_at(&object->symbols, base + offset)
			: NULL;

	if (!found || found->section != section ||
	    !*mw_elf_symbol_name(&object->symbols, found))
		return false;
	snprintf(to, size, "%s", mw_elf_symbol_name(&object->symbols, found));
	add_offset(base + offset - found->value, to, size);
	return true;
}

bool cmd_object_name(const struct cmd_object *object,
		     const struct cmd_code *code, size_t i, uint64_t va,
		     char *to, size_t size)
{
	const struct mw_elf_symbol *s;
	struct mw_elf_reloc reloc;
	uint64_t addend;

	if (!find_reloc(object, code, i, va, &reloc))
		return name_in(object, object->index,
			       va - object->section->addr, to, size);
	s = mw_elf_reloc_symbol(&object->symbols, &reloc);
	if (!s)
		return false;
	addend = addend_of(code, i, &reloc);
	// Of a section, the symbol that is meant.
	if (ELF64_ST_TYPE(s->info) == STT_SECTION &&
	    name_in(object, s->section, addend, to, size))
		return true;
	snprintf(to, size, "%s%s", symbol_name(object, s),
		 mw_elf_reloc_kind(reloc.type).suffix);
	add_offset(addend, to, size);
	return true;
}

char *cmd_object_relocations(const struct cmd_object *object,
			     const struct cmd_code *code, size_t i)
{
	struct mw_text text = { .limit = 4096 };
	size_t k, end = relocs_of(object, code, i, &k);
	char name[MW_ELF_NAME_BYTES];

	for (; k < end; k++) {
		const struct mw_elf_reloc *r = &object->relocs.list.v[k];
		const struct mw_elf_symbol *s =
			mw_elf_reloc_symbol(&object->symbols, r);
		char addend[24] = "";

		add_offset((uint64_t)r->addend, addend, sizeof(addend));
		mw_text_add(&text, "%s%s %s%s", text.n ? ", " : "",
			    mw_elf_relocation_name(r->type, name),
			    s ? symbol_name(object, s) : "*ABS*", addend);
	}
	return text.v; // handed over
}

size_t cmd_object_data(const struct cmd_object *object,
		       const struct cmd_code *code, size_t i, uint8_t *to,
		       size_t size, const char **ret_section)
{
	size_t k, end = relocs_of(object, code, i, &k);

	for (; k < end; k++) {
		struct mw_elf_reloc reloc = shown(object, k);
		const struct mw_elf_symbol *s =
			mw_elf_reloc_symbol(&object->symbols, &reloc);
		const struct mw_elf_section *section;
		uint64_t base, offset, take;
		const uint8_t *nul;

		if (!s || *mw_elf_reloc_kind(reloc.type).suffix)
			continue;
		base = mw_elf_place(&object->places, s->section);
		section = cmd_object_section_at(object, s->section);
		if (s->special || !base || section->flags & SHF_EXECINSTR)
			continue;
		*ret_section = section->name;
		// A symbol of a section has its address, which is 0 in it.
		offset = s->value - base + addend_of(code, i, &reloc);
		if (offset >= section->size ||
		    !mw_elf_section_in_file(section))
			return 0;
		take = mw_min(size, section->size - offset);
		if (!mw_elf_file_read(object->file, section->offset + offset,
				      to, take))
			return 0;
		nul = memchr(to, 0, take);
		return nul ? (size_t)(nul - to) : 0;
	}
	return 0;
}
