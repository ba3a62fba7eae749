/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "mw_elf_dynamic.h"
#include "mw_guard.h"
#include "mw_num.h"

/* The largest seen is of 40 entries; a string table of 20 MB is in Chromium. */
#define MAX_DYNAMIC MW_MIB(1)
#define MAX_STRINGS MW_MIB(1024)

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

/** A string with its end in the table, or NULL. */
static const char *string_at(const struct mw_elf_dynamic *dynamic,
			     uint64_t at)
{
	return dynamic->strings && at < dynamic->string_bytes
		       ? (const char *)dynamic->strings + at
		       : NULL;
}

static struct mw_error *load_strings(const struct mw_elf_file *file,
				     const struct mw_elf_section *section,
				     struct mw_elf_dynamic *dynamic)
{
	const struct mw_elf_dynamic_entry *table =
		mw_elf_dynamic_find(dynamic, DT_STRTAB);
	const struct mw_elf_dynamic_entry *bytes =
		mw_elf_dynamic_find(dynamic, DT_STRSZ);
	uint64_t offset, count;
	struct mw_error *error;

	if (table && mw_elf_file_offset(file, table->value, &offset)) {
		// Without a size, as far as the file goes.
		count = offset >= file->bytes ? 0
			: bytes ? bytes->value
				: mw_min(file->bytes - offset, MW_MIB(1));
	} else if (section && section->link < file->sections.n &&
		   file->sections.v[section->link].type == SHT_STRTAB) {
		offset = file->sections.v[section->link].offset;
		count = file->sections.v[section->link].size;
	} else {
		return NULL;
	}
	error = mw_elf_file_copy(file, offset, count, MAX_STRINGS,
				 "the strings of the dynamic section",
				 &dynamic->strings);
	if (!error)
		dynamic->string_bytes = count;
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
	if (error)
		return error;
	for (size_t i = 0; i < dynamic->list.n; i++)
		if (mw_elf_tag_is_string(file, dynamic->list.v[i].tag))
			dynamic->list.v[i].text = string_at(
				dynamic, dynamic->list.v[i].value);
	return NULL;
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
	mw_vec_free(&dynamic->list);
	mw_free(dynamic->strings);
	dynamic->strings = NULL;
}

const struct mw_elf_dynamic_entry *
mw_elf_dynamic_find(const struct mw_elf_dynamic *dynamic, int64_t tag)
{
	for (size_t i = 0; i < dynamic->list.n; i++)
		if (dynamic->list.v[i].tag == tag)
			return &dynamic->list.v[i];
	return NULL;
}
