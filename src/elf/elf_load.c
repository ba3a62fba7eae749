/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "mw_elf.h"
#include "mw_elf_dynamic.h"
#include "mw_elf_file.h"
#include "mw_elf_notes.h"
#include "mw_guard.h"
#include "mw_num.h"

#define MAX_NAME 256

bool mw_elf_has_magic(int fd)
{
	char magic[SELFMAG];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/** A copy of @name that is safe to print and to use in an account's name. */
static char *clean_name(struct mw_elf *elf, const char *name)
{
	size_t len = strnlen(name, MAX_NAME);
	char *copy = mw_strndup(len ? name : "(no name)", len ? len : 9);
	char **place = copy ? mw_vec_push(&elf->names) : NULL;

	if (!place) {
		mw_free(copy);
		return NULL;
	}
	for (char *c = copy; *c; c++)
		if (*c < 0x20 || *c > 0x7e || *c == '/')
			*c = '?';
	*place = copy;
	return copy;
}

bool mw_elf_add_section(struct mw_elf *elf,
			const struct mw_elf_section *section)
{
	char *name = clean_name(elf, section->name);
	struct mw_elf_section *place =
		name ? mw_vec_push(&elf->sections) : NULL;

	if (!place)
		return false;
	*place = *section;
	place->name = name;
	return true;
}

bool mw_elf_set_soname(struct mw_elf *elf, const char *name)
{
	elf->soname = clean_name(elf, name);
	return elf->soname;
}

static struct mw_error *copy_segments(const struct mw_elf_file *file,
				      struct mw_elf *elf)
{
	for (size_t i = 0; i < file->segments.n; i++) {
		struct mw_elf_segment *segment = mw_vec_push(&elf->segments);

		if (!segment)
			return mw_error_nomem();
		*segment = file->segments.v[i];
	}
	return NULL;
}

/** Without names, sections are of no use: there are none then. */
static struct mw_error *copy_sections(const struct mw_elf_file *file,
				      struct mw_elf *elf)
{
	for (size_t i = 1; file->names && i < file->sections.n; i++)
		if (!mw_elf_add_section(elf, &file->sections.v[i]))
			return mw_error_nomem();
	return NULL;
}

/**
 * The name in the dynamic section. Read on its own, since the whole string
 * table can be large.
 */
static struct mw_error *load_soname(struct mw_elf_file *file,
				    struct mw_elf *elf)
{
	const struct mw_elf_dynamic_entry *strings, *soname;
	struct mw_elf_dynamic dynamic = { 0 };
	struct mw_error *error;
	char name[MAX_NAME];
	uint64_t offset, bytes;

	// The loader goes by the segment, not by a section.
	if (!mw_elf_file_segment_of_type(file, PT_DYNAMIC))
		return NULL;
	error = mw_elf_dynamic_load(file, false, &dynamic);
	if (error)
		return error;
	strings = mw_elf_dynamic_find(&dynamic, DT_STRTAB);
	soname = mw_elf_dynamic_find(&dynamic, DT_SONAME);
	bool found = strings && soname &&
		     mw_elf_file_offset(file, strings->value, &offset) &&
		     mw_end(offset, soname->value, &offset) &&
		     offset < file->bytes;
	mw_elf_dynamic_free(&dynamic);
	if (!found)
		return NULL;
	bytes = mw_min(file->bytes - offset, MAX_NAME);
	if (!mw_elf_file_read(file, offset, name, bytes) ||
	    !memchr(name, '\0', bytes) || !*name)
		return NULL;
	return mw_elf_set_soname(elf, name) ? NULL : mw_error_nomem();
}

static struct mw_error *load_build_id(struct mw_elf_file *file,
				      struct mw_elf *elf)
{
	struct mw_elf_notes notes = { 0 };
	struct mw_error *error =
		mw_elf_notes_load(file, MW_ELF_NOTES_SEGMENTS, &notes);

	for (size_t i = 0; !error && i < notes.list.n; i++) {
		const struct mw_elf_note *note = &notes.list.v[i];

		if (!mw_elf_note_is(note, ELF_NOTE_GNU, NT_GNU_BUILD_ID) ||
		    note->bytes > sizeof(elf->build_id))
			continue;
		memcpy(elf->build_id, note->description, note->bytes);
		elf->build_id_bytes = note->bytes;
		break;
	}
	mw_elf_notes_free(&notes);
	return error;
}

static struct mw_error *load(struct mw_elf_file *file, struct mw_elf **ret)
{
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf =
		mw_calloc(1, sizeof(*elf));
	struct mw_error *error;

	if (!elf)
		return mw_error_nomem();
	// A program cannot run without its segments, but without sections.
	if (file->segments.n < file->header.segments) {
		if (file->problems.n == 0)
			return mw_error_nomem();
		error = file->problems.v[0];
		file->problems.v[0] = NULL;
		return error;
	}
	elf->is_64 = file->is_64;
	elf->type = file->header.type;
	elf->machine = file->header.machine;
	elf->entry = file->header.entry;
	elf->file_bytes = file->bytes;
	elf->phoff = file->header.phoff;
	elf->eh_bytes = file->header.ehsize;
	elf->ph_bytes = file->segments.n * file->header.phentsize;
	error = copy_segments(file, elf);
	if (!error)
		error = copy_sections(file, elf);
	if (!error)
		error = load_soname(file, elf);
	if (!error)
		error = load_build_id(file, elf);
	if (!error && file->lost_problems)
		error = mw_error_nomem();
	if (error)
		return error;
	*ret = mw_steal(elf);
	return NULL;
}

struct mw_error *mw_elf_load(int fd, struct mw_elf **ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct mw_error *error = mw_elf_file_open(fd, &file);

	return error ? error : load(file, ret);
}

struct mw_error *mw_elf_load_memory(const void *image, size_t bytes,
				    struct mw_elf **ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct mw_error *error = mw_elf_file_open_memory(image, bytes, &file);

	return error ? error : load(file, ret);
}

void mw_elf_free(struct mw_elf *elf)
{
	if (!elf)
		return;
	for (size_t i = 0; i < elf->names.n; i++)
		mw_free(elf->names.v[i]);
	mw_vec_free(&elf->names);
	mw_vec_free(&elf->segments);
	mw_vec_free(&elf->sections);
	mw_free(elf);
}

const struct mw_elf_section *mw_elf_find_section(const struct mw_elf *elf,
						 const char *name)
{
	for (size_t i = 0; i < elf->sections.n; i++)
		if (strcmp(elf->sections.v[i].name, name) == 0)
			return &elf->sections.v[i];
	return NULL;
}
