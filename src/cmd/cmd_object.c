/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_object_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_text.h"

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
		const struct mw_elf_section *s =
			cmd_object_section_at(object, i);

		if (mw_elf_place(&object->places, i) && va >= s->addr &&
		    va - s->addr < s->size &&
		    (section ? is_called(object, i, section)
			     : (s->flags & SHF_EXECINSTR) != 0))
			add_found(found, object, i, va);
	}
	error = check_found(found, text);
	if (error || found->count == 0)
		return error;
	place = va - cmd_object_section_at(object, found->section)->addr +
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
	object->section = cmd_object_section_at(object, found.section);
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
