/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_object.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_ranges.h"
#include "mw_elf_names.h"
#include "mw_elf_relocs.h"
#include "mw_guard.h"
#include "mw_text.h"

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

bool cmd_is_object(const struct mw_target *target)
{
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	return count > 0 && images[0].elf->type == ET_REL;
}

struct mw_error *cmd_object_open(struct mw_target *target,
				 struct cmd_object **ret)
{
	MW_CLEANUP(cmd_object_closep) struct cmd_object *object =
		mw_calloc(1, sizeof(*object));
	struct mw_error *error;
	size_t count;

	if (!object)
		return mw_error_nomem();
	object->target = target;
	object->fd = -1;
	error = mw_target_open_image(target, mw_target_images(target, &count),
				     &object->fd);
	if (!error)
		error = mw_elf_file_open(object->fd, &object->file);
	if (!error)
		error = mw_elf_symbols_load(object->file, MW_ELF_SYMTAB,
					    &object->symbols);
	if (!error)
		error = mw_elf_places_make(object->file, &object->places);
	if (error)
		return error;
	mw_elf_places_put(&object->places, &object->symbols);
	error = mw_elf_symbols_sort(&object->symbols);
	if (error)
		return error;
	*ret = mw_steal(object);
	return NULL;
}

void cmd_object_close(struct cmd_object *object)
{
	if (!object)
		return;
	mw_elf_relocs_free(&object->relocs);
	mw_elf_places_free(&object->places);
	mw_elf_symbols_free(&object->symbols);
	mw_elf_file_close(object->file);
	mw_closep(&object->fd);
	mw_free(object);
}

/* Finding code */

static const struct mw_elf_section *section_at(const struct cmd_object *object,
					       uint64_t index)
{
	return index < object->file->sections.n
		       ? &object->file->sections.v[index]
		       : NULL;
}

/** Whether section @index is the one called @name, or with that number. */
static bool is_called(const struct cmd_object *object, uint32_t index,
		      const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	return strcmp(object->file->sections.v[index].name, name) == 0 ||
	       (end != name && !*end && number == index);
}

/** Places that fit, of which there should be one. */
struct found {
	size_t count;
	uint32_t section;
	struct mw_text others; /* for a message */
};

static void add_found(struct found *found, const struct cmd_object *object,
		      uint32_t section, uint64_t address)
{
	const struct mw_elf_section *s = &object->file->sections.v[section];

	if (found->count++ == 0)
		found->section = section;
	mw_text_add(&found->others, "%s%" PRIx64 " in %s (section %" PRIu32
		    ")", found->count > 1 ? ", " : "", address, s->name,
		    section);
}

static struct mw_error *check_found(const struct found *found,
				    const char *text)
{
	if (found->count <= 1)
		return NULL;
	return mw_error_new(MW_E_AMBIGUOUS, "%s is in several places: %s; "
			    "--section with a name or a number, and an "
			    "address, choose one", text,
			    found->others.v ? found->others.v : "");
}

/** The symbol @s, as it is called in its section. */
static struct cmd_name name_of(const struct cmd_object *object,
			       const struct mw_elf_symbol *s)
{
	return (struct cmd_name){
		.text = mw_elf_symbol_name(&object->symbols, s),
		.start = s->value - object->places.base[s->section] +
			 object->file->sections.v[s->section].addr,
		.bytes = s->bytes,
	};
}

static struct mw_error *find_by_name(const struct cmd_object *object,
				     const char *text, const char *section,
				     struct found *found,
				     struct cmd_name *ret)
{
	for (size_t i = 0; i < object->symbols.list.n; i++) {
		const struct mw_elf_symbol *s = &object->symbols.list.v[i];
		struct cmd_name name;

		if (!mw_elf_symbol_has_address(s) ||
		    strcmp(mw_elf_symbol_name(&object->symbols, s), text) != 0 ||
		    (section && !is_called(object, s->section, section)))
			continue;
		name = name_of(object, s);
		if (found->count == 1 && found->section == s->section &&
		    ret->start == name.start)
			continue; // twice the same
		add_found(found, object, s->section, name.start);
		*ret = name;
	}
	return check_found(found, text);
}

static struct mw_error *find_by_address(const struct cmd_object *object,
					uint64_t va, const char *text,
					const char *section,
					struct found *found,
					struct cmd_name *ret)
{
	struct mw_error *error;
	const struct mw_elf_symbol *symbol;
	uint64_t place;

	for (uint32_t i = 1; i < object->file->sections.n; i++) {
		const struct mw_elf_section *s = section_at(object, i);

		if (mw_elf_place(&object->places, i) && va >= s->addr &&
		    va - s->addr < s->size &&
		    (section ? is_called(object, i, section)
			     : (s->flags & SHF_EXECINSTR) != 0))
			add_found(found, object, i, va);
	}
	error = check_found(found, text);
	if (error || found->count == 0)
		return error;
	place = va - section_at(object, found->section)->addr +
		object->places.base[found->section];
	symbol = mw_elf_symbols_at(&object->symbols, place);
	if (symbol && symbol->section == found->section)
		*ret = name_of(object, symbol);
	else
		*ret = (struct cmd_name){ .start = va };
	return NULL;
}

/** A name that the source has; it is unknown, or an error of cmd_names. */
static struct mw_error *find_in_source(const struct cmd_object *object,
				       struct cmd_names *names,
				       const char *text, const char *section,
				       struct found *found,
				       struct cmd_name *ret)
{
	struct cmd_name name;
	struct mw_error *error = cmd_names_find(names, text, &name);

	return error ? error
		     : find_by_name(object, name.text, section, found, ret);
}

static struct mw_error *find(const struct cmd_object *object,
			     struct cmd_names *names, const char *text,
			     const char *section, struct found *found,
			     struct cmd_name *ret)
{
	MW_CLEANUP(mw_error_freep) struct mw_error *unknown = NULL;
	struct mw_error *error =
		find_by_name(object, text, section, found, ret);
	uint64_t va;

	if (error || found->count)
		return error;
	unknown = find_in_source(object, names, text, section, found, ret);
	if (found->count || (unknown && unknown->code != MW_E_NOT_FOUND))
		return mw_steal(unknown);
	// What is a name elsewhere is not meant as a number, such as f.
	if (unknown && cmd_parse_address(text, &va))
		error = find_by_address(object, va, text, section, found, ret);
	if (error || found->count)
		return error;
	return unknown && !section
		       ? mw_steal(unknown)
		       : mw_error_new(MW_E_NOT_FOUND, "%s is not in %s", text,
				      section ? section : "a section with code");
}

struct mw_error *cmd_object_find(struct cmd_object *object,
				 struct cmd_names *names, const char *text,
				 const char *section, struct cmd_name *ret)
{
	struct found found = { .others = { .limit = 256 } };
	struct mw_error *error =
		find(object, names, text, section, &found, ret);

	mw_text_free(&found.others);
	if (error)
		return error;
	object->index = found.section;
	object->section = section_at(object, found.section);
	error = mw_elf_relocs_load(object->file, object->index,
				   &object->relocs);
	for (size_t i = 0; i < object->file->problems.n; i++)
		mw_target_note(object->target, "%s",
			       object->file->problems.v[i]->message);
	return error;
}

const struct mw_elf_section *
cmd_object_section(const struct cmd_object *object, uint32_t *ret_index)
{
	*ret_index = object->index;
	return object->section;
}

struct mw_error *cmd_object_read(struct cmd_object *object, uint64_t start,
				 uint64_t bytes, size_t most,
				 struct cmd_code *code)
{
	const struct mw_elf_section *s = object->section;
	MW_CLEANUP(mw_freep) uint8_t *raw = NULL;
	uint64_t offset = start - s->addr;
	struct mw_error *error;

	if (!mw_elf_section_in_file(s) || (s->flags & SHF_COMPRESSED))
		return mw_error_new(MW_E_UNSUPPORTED, "%s has no code in the "
				    "file", s->name);
	if (offset >= s->size || s->addr > UINT64_MAX - s->size)
		return mw_error_at(MW_E_NOT_FOUND, start, "not in %s", s->name);
	bytes = mw_min(bytes, s->size - offset);
	error = mw_elf_file_copy(object->file, s->offset + offset, bytes,
				 CMD_MOST_CODE, s->name, &raw);
	return error ? error
		     : cmd_code_decode(mw_steal(raw), start, bytes, most,
				       code);
}

/* What is referred to */

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
			: section_at(object, s->section);

	return !*name && section ? section->name : name;
}

/** The name of what lies @offset behind the start of @section. */
static bool name_in(const struct cmd_object *object, uint32_t section,
		    uint64_t offset, char *to, size_t size)
{
	const struct mw_elf_section *s = section_at(object, section);
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
		section = section_at(object, s->section);
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
