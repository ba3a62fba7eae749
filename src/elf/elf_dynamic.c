/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "mw_elf_dynamic.h"
#include "mw_guard.h"
#include "mw_num.h"

/* The largest seen has 40 entries. */
#define MAX_DYNAMIC MW_MIB(1)
#define MAX_STRING 8192

bool mw_elf_tag_is_string(const struct mw_elf_file *file, int64_t tag)
{
	switch (tag) {
	case DT_NEEDED:
	case DT_SONAME:
	case DT_RPATH:
	case DT_RUNPATH:
	case DT_CONFIG:
	case DT_DEPAUDIT:
	case DT_AUDIT:
		return true;
	case DT_AUXILIARY:
	case DT_FILTER:
		return file->header.machine != EM_IA_64;
	}
	return false;
}

/** Where the string table lies in the file; false if there is none. */
static bool find_strings(const struct mw_elf_file *file,
			 const struct mw_elf_section *section,
			 const struct mw_elf_dynamic *dynamic,
			 uint64_t *ret_offset, uint64_t *ret_bytes)
{
	const struct mw_elf_dynamic_entry *table =
		mw_elf_dynamic_find(dynamic, DT_STRTAB);
	const struct mw_elf_dynamic_entry *bytes =
		mw_elf_dynamic_find(dynamic, DT_STRSZ);

	if (table && mw_elf_file_offset(file, table->value, ret_offset)) {
		*ret_bytes = bytes ? bytes->value : UINT64_MAX;
		return true;
	}
	if (!section || section->link >= file->sections.n ||
	    file->sections.v[section->link].type != SHT_STRTAB)
		return false;
	*ret_offset = file->sections.v[section->link].offset;
	*ret_bytes = file->sections.v[section->link].size;
	return true;
}

/**
 * The string at @offset, of which no more than @room bytes can be; each one is
 * read on its own, since the table can be large. NULL in *@ret when it has no
 * end there.
 */
static struct mw_error *read_string(const struct mw_elf_file *file,
				    uint64_t offset, uint64_t room, char **ret)
{
	char text[MAX_STRING];
	uint64_t bytes = 0, left;

	if (offset >= file->bytes)
		return NULL;
	left = mw_min(mw_min(room, sizeof(text)), file->bytes - offset);
	while (left > 0) {
		uint64_t part = mw_min(left, 128);

		if (!mw_elf_file_read(file, offset + bytes, text + bytes, part))
			return NULL;
		if (memchr(text + bytes, '\0', part)) {
			*ret = mw_strdup(text);
			return *ret ? NULL : mw_error_nomem();
		}
		bytes += part;
		left -= part;
	}
	return NULL;
}

static struct mw_error *load_strings(const struct mw_elf_file *file,
				     const struct mw_elf_section *section,
				     struct mw_elf_dynamic *dynamic)
{
	uint64_t offset, bytes, at, left = file->bytes;
	struct mw_error *error = NULL;

	if (!find_strings(file, section, dynamic, &offset, &bytes))
		return NULL;
	for (size_t i = 0; !error && i < dynamic->list.n; i++) {
		struct mw_elf_dynamic_entry *entry = &dynamic->list.v[i];

		if (mw_elf_tag_is_string(file, entry->tag) &&
		    entry->value < bytes &&
		    mw_end(offset, entry->value, &at))
			error = read_string(file, at, bytes - entry->value,
					    &entry->text);
		// Strings may lie over each other, but not without end.
		if (entry->text && strlen(entry->text) >= left)
			break;
		left -= entry->text ? strlen(entry->text) : 0;
	}
	return error;
}

static struct mw_error *load_entries(const struct mw_elf_file *file,
				     uint64_t offset, uint64_t bytes,
				     struct mw_elf_dynamic *dynamic)
{
	unsigned word = mw_elf_word(file);
	MW_CLEANUP(mw_freep) uint8_t *raw = NULL;
	struct mw_error *error =
		mw_elf_file_copy(file, offset, bytes, MAX_DYNAMIC,
				 "the dynamic section", &raw);

	if (error)
		return error;
	dynamic->offset = offset;
	for (uint64_t at = 0; bytes - at >= 2 * word; at += 2 * word) {
		struct mw_elf_dynamic_entry *entry =
			mw_vec_push(&dynamic->list);
		uint64_t tag = mw_elf_get(file, raw + at, word);

		if (!entry)
			return mw_error_nomem();
		*entry = (struct mw_elf_dynamic_entry){
			.tag = file->is_64 ? (int64_t)tag : (int32_t)tag,
			.value = mw_elf_get(file, raw + at + word, word),
		};
		if (entry->tag == DT_NULL)
			break;
	}
	return NULL;
}

static struct mw_error *load(const struct mw_elf_file *file, bool with_strings,
			     struct mw_elf_dynamic *dynamic)
{
	const struct mw_elf_segment *segment =
		mw_elf_file_segment_of_type(file, PT_DYNAMIC);
	const struct mw_elf_section *section =
		mw_elf_file_section_of_type(file, SHT_DYNAMIC);
	struct mw_error *error;

	if (segment)
		error = load_entries(file, segment->offset, segment->filesz,
				     dynamic);
	else if (section)
		error = load_entries(file, section->offset, section->size,
				     dynamic);
	else
		return NULL;
	if (!error && with_strings)
		error = load_strings(file, section, dynamic);
	return error;
}

struct mw_error *mw_elf_dynamic_load(struct mw_elf_file *file,
				     bool with_strings,
				     struct mw_elf_dynamic *ret)
{
	struct mw_elf_dynamic dynamic = { 0 };
	struct mw_error *error = load(file, with_strings, &dynamic);

	if (error && error->code == MW_E_NOMEM) {
		mw_elf_dynamic_free(&dynamic);
		return error;
	}
	if (error)
		mw_elf_file_problem(file, error);
	*ret = dynamic;
	return NULL;
}

void mw_elf_dynamic_free(struct mw_elf_dynamic *dynamic)
{
	for (size_t i = 0; i < dynamic->list.n; i++)
		mw_free(dynamic->list.v[i].text);
	mw_vec_free(&dynamic->list);
}

const struct mw_elf_dynamic_entry *
mw_elf_dynamic_find(const struct mw_elf_dynamic *dynamic, int64_t tag)
{
	for (size_t i = 0; i < dynamic->list.n; i++)
		if (dynamic->list.v[i].tag == tag)
			return &dynamic->list.v[i];
	return NULL;
}
