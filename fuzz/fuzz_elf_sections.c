/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_elf_file.h"
#include "mw_elf_layout.h"
#include "mw_elf_names.h"

/* Compression headers, names and flags, the layout of the file. */

static void check_section(const struct mw_elf_file *file,
			  const struct mw_elf_section *s)
{
	struct mw_elf_compression c = { 0 };
	struct mw_error *error = mw_elf_compression(file, s, &c);
	char text[MW_ELF_NAME_BYTES], words[512];

	CHECK(!error || error->code == MW_E_FORMAT ||
	      error->code == MW_E_NOMEM);
	if (!error && c.kind != MW_ELF_NOT_COMPRESSED)
		CHECK(c.head_bytes <= s->size);
	mw_error_free(error);
	CHECK(*mw_elf_section_type_name(file, s->type, text));
	CHECK(strlen(mw_elf_section_flags(file, s->flags, text)) <
	      sizeof(text));
	CHECK(strlen(mw_elf_section_flag_words(file, s->flags, words)) <
	      sizeof(words));
	CHECK(strlen(s->name) <= file->names_bytes);
}

static void check_segment(const struct mw_elf_file *file,
			  const struct mw_elf_segment *s)
{
	char text[MW_ELF_NAME_BYTES];
	uint64_t offset;

	CHECK(*mw_elf_segment_type_name(file, s->type, text));
	CHECK(strlen(mw_elf_segment_flags(s->flags, text)) <= 3);
	if (mw_elf_file_offset(file, s->vaddr, &offset))
		CHECK(offset >= s->offset || file->segments.n > 1);
	for (size_t i = 0; i < file->sections.n && i < 64; i++)
		mw_elf_section_in_segment(&file->sections.v[i], s);
}

static void check_layout(const struct mw_elf_file *file,
			 const struct mw_elf_layout *layout)
{
	uint64_t at = 0;

	for (size_t i = 0; i < layout->list.n; i++) {
		const struct mw_elf_piece *p = &layout->list.v[i];

		CHECK(p->own_bytes <= p->bytes);
		CHECK(p->bytes <= file->bytes);
		CHECK(p->overlaps == SIZE_MAX || p->overlaps < i);
		CHECK((p->overlaps == SIZE_MAX) == (p->own_bytes == p->bytes));
		if (p->own_bytes == 0)
			continue;
		CHECK(p->offset + p->bytes - p->own_bytes == at);
		at += p->own_bytes;
	}
	CHECK(at == file->bytes);
}

static void use(struct mw_elf_file *file)
{
	struct mw_elf_layout layout = { 0 };
	struct mw_error *error = mw_elf_layout_build(file, &layout);
	char text[MW_ELF_NAME_BYTES];

	CHECK(!error || error->code == MW_E_NOMEM);
	if (!error)
		check_layout(file, &layout);
	mw_error_free(error);
	mw_elf_layout_free(&layout);
	CHECK(*mw_elf_type_name(file, false, text));
	CHECK(*mw_elf_machine_name(file->header.machine, text));
	CHECK(*mw_elf_osabi_name(file, text));
	for (size_t i = 0; i < file->sections.n; i++)
		check_section(file, &file->sections.v[i]);
	for (size_t i = 0; i < file->segments.n; i++)
		check_segment(file, &file->segments.v[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_elf(data, size, use);
}
