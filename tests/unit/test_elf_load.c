/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "elf_image.h"
#include "mw_elf.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

static struct mw_elf *load_memory(const void *image, size_t bytes)
{
	struct mw_elf *elf = NULL;

	ASSERT_OK(mw_elf_load_memory(image, bytes, &elf));
	assert_non_null(elf);
	return elf;
}

static struct mw_elf *load_image(const struct elf_image *image)
{
	return load_memory(image, sizeof(*image));
}

static struct mw_elf *load_file(const struct elf_image *image)
{
	MW_CLEANUP(mw_closep) int fd = elf_image_file(image, sizeof(*image));
	struct mw_elf *elf = NULL;

	// The file's position is at its end; it does not matter.
	ASSERT_OK(mw_elf_load(fd, &elf));
	assert_non_null(elf);
	// The file stays ours.
	assert_true(fcntl(fd, F_GETFD) >= 0);
	return elf;
}

static void check_sound(const struct mw_elf *elf)
{
	const struct mw_elf_segment *s = elf->segments.v;

	assert_true(elf->is_64);
	ASSERT_EQ(ET_DYN, elf->type);
	ASSERT_EQ(EM_X86_64, elf->machine);
	ASSERT_EQ(ELF_IMAGE_VA + ELF_IMAGE_OFF(text), elf->entry);
	ASSERT_EQ(sizeof(struct elf_image), elf->file_bytes);
	ASSERT_EQ(64, elf->phoff);
	ASSERT_EQ(3 * 56, elf->ph_bytes);
	ASSERT_EQ(64, elf->eh_bytes);

	ASSERT_EQ(IMAGE_SEGMENTS, elf->segments.n);
	ASSERT_EQ(PT_LOAD, s[0].type);
	ASSERT_EQ(PF_R | PF_X, s[0].flags);
	ASSERT_EQ(0, s[0].offset);
	ASSERT_EQ(ELF_IMAGE_VA, s[0].vaddr);
	ASSERT_EQ(ELF_IMAGE_OFF(sections), s[0].filesz);
	ASSERT_EQ(ELF_IMAGE_OFF(sections) + 5, s[0].memsz);
	ASSERT_EQ(4096, s[0].align);
	ASSERT_EQ(PT_DYNAMIC, s[1].type);
	ASSERT_EQ(ELF_IMAGE_OFF(dynamic), s[1].offset);
	ASSERT_EQ(PT_NOTE, s[2].type);

	ASSERT_TEXT("libtest.so.1", elf->soname);
	ASSERT_EQ(20, elf->build_id_bytes);
	for (size_t i = 0; i < 20; i++)
		ASSERT_EQ(i, elf->build_id[i]);
}

TEST(a_file_and_its_bytes_tell_the_same)
{
	struct elf_image image;

	elf_image_init(&image);
	for (int i = 0; i < 2; i++) {
		MW_CLEANUP(mw_elf_freep) struct mw_elf *elf =
			i ? load_file(&image) : load_image(&image);

		check_sound(elf);
		ASSERT_EQ(IMAGE_SECTIONS - 1, elf->sections.n);
	}
}

TEST(sections_have_all_their_fields)
{
	struct elf_image image;

	elf_image_init(&image);
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = load_file(&image);
	const char *const names[] = { ".text", ".dynstr", ".dynamic", ".bss",
				      ".shstrtab" };

	ASSERT_EQ(MW_COUNT(names), elf->sections.n);
	for (size_t i = 0; i < MW_COUNT(names); i++) {
		const struct mw_elf_section *s = &elf->sections.v[i];
		const Elf64_Shdr *want = &image.sections[i + 1];

		ASSERT_TEXT(names[i], s->name);
		ASSERT_EQ(want->sh_type, s->type);
		ASSERT_EQ(want->sh_flags, s->flags);
		ASSERT_EQ(want->sh_addr, s->addr);
		ASSERT_EQ(want->sh_offset, s->offset);
		ASSERT_EQ(want->sh_size, s->size);
		ASSERT_EQ(want->sh_link, s->link);
		ASSERT_EQ(want->sh_info, s->info);
		ASSERT_EQ(want->sh_addralign, s->align);
		ASSERT_EQ(want->sh_entsize, s->entry_size);
		assert_ptr_equal(s, mw_elf_find_section(elf, names[i]));
	}
	assert_null(mw_elf_find_section(elf, ".data"));
	assert_null(mw_elf_find_section(elf, ".tex"));
	assert_null(mw_elf_find_section(elf, ""));
}

TEST(a_program_needs_no_sections)
{
	struct elf_image image;

	elf_image_init(&image);
	image.ehdr.e_type = ET_EXEC;
	image.ehdr.e_shoff = 0;
	image.ehdr.e_shnum = 0;
	image.ehdr.e_shstrndx = 0;
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = load_file(&image);
	ASSERT_EQ(ET_EXEC, elf->type);
	ASSERT_EQ(0, elf->sections.n);
	ASSERT_EQ(IMAGE_SEGMENTS, elf->segments.n);
	ASSERT_TEXT("libtest.so.1", elf->soname);
	ASSERT_EQ(20, elf->build_id_bytes);
}

TEST(an_object_file_needs_no_segments)
{
	struct elf_image image;

	elf_image_init(&image);
	image.ehdr.e_type = ET_REL;
	image.ehdr.e_phoff = 0;
	image.ehdr.e_phnum = 0;
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = load_file(&image);
	ASSERT_EQ(ET_REL, elf->type);
	ASSERT_EQ(0, elf->segments.n);
	ASSERT_EQ(0, elf->ph_bytes);
	ASSERT_EQ(IMAGE_SECTIONS - 1, elf->sections.n);
	assert_null(elf->soname);
	ASSERT_EQ(0, elf->build_id_bytes);
}

TEST(names_are_safe_to_print)
{
	const struct {
		const char *name, *want;
	} pairs[] = {
		{ ".a/b\n\x1b[31m", ".a?b??[31m" },
		{ "\xc3\xa4\x7f~ ", "???~ " },
		{ "../../etc", "..?..?etc" },
		{ "", "(no name)" },
	};

	for (size_t i = 0; i < MW_COUNT(pairs); i++) {
		struct elf_image image;

		elf_image_init(&image);
		image.sections[IMAGE_TEXT_SECTION].sh_name = 60;
		strcpy(image.names + 60, pairs[i].name);
		strcpy(image.dynstr + 1, pairs[i].name);
		MW_CLEANUP(mw_elf_freep) struct mw_elf *elf =
			load_image(&image);
		ASSERT_TEXT(pairs[i].want, elf->sections.v[0].name);
		// An empty soname is none.
		if (*pairs[i].name)
			ASSERT_TEXT(pairs[i].want, elf->soname);
		else
			assert_null(elf->soname);
	}
}

TEST(section_names_that_are_none_and_too_long)
{
	struct elf_image image;

	elf_image_init(&image);
	image.sections[IMAGE_TEXT_SECTION].sh_name = sizeof(image.names);
	image.sections[IMAGE_DYNSTR_SECTION].sh_name = UINT32_MAX;
	image.sections[IMAGE_DYNAMIC_SECTION].sh_name = 60;
	memset(image.names + 60, 'x', 330);
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = load_image(&image);
	ASSERT_TEXT("(no name)", elf->sections.v[0].name);
	ASSERT_TEXT("(no name)", elf->sections.v[1].name);
	ASSERT_EQ(256, strlen(elf->sections.v[2].name));
	ASSERT_TEXT(".bss", elf->sections.v[3].name);
}

TEST(a_soname_has_to_lie_in_the_file)
{
	struct elf_image image;

	for (int i = 0; i < 9; i++) {
		elf_image_init(&image);
		switch (i) {
		case 0: // none
			image.dynamic[1].d_tag = DT_NEEDED;
			break;
		case 1: // behind the end of the table
			image.dynamic[0].d_tag = DT_NULL;
			break;
		case 2: // no string table
			image.dynamic[0].d_tag = DT_SYMTAB;
			break;
		case 3: // in no segment
			image.dynamic[0].d_un.d_ptr = ELF_IMAGE_VA +
						      sizeof(image);
			break;
		case 4: // outside the file
			image.dynamic[1].d_un.d_val = sizeof(image);
			break;
		case 5: // around the end of 64 bits
			image.dynamic[1].d_un.d_val = UINT64_MAX;
			break;
		case 6: // no table
			image.segments[IMAGE_DYNAMIC].p_type = PT_NULL;
			break;
		case 7: // a table outside the file
			image.segments[IMAGE_DYNAMIC].p_offset = UINT64_MAX - 8;
			break;
		case 8: // a segment around the end of 64 bits
			image.segments[IMAGE_LOAD].p_vaddr = UINT64_MAX - 100;
			image.dynamic[0].d_un.d_ptr = UINT64_MAX - 50;
			break;
		}
		MW_CLEANUP(mw_elf_freep) struct mw_elf *elf =
			load_image(&image);
		if (elf->soname)
			print_error("case %d: %s\n", i, elf->soname);
		assert_null(elf->soname);
		ASSERT_EQ(IMAGE_SECTIONS - 1, elf->sections.n);
	}
}

TEST(a_soname_has_a_length)
{
	struct elf_image image;

	elf_image_init(&image);
	memset(image.dynstr + 1, 'n', 255);
	image.dynstr[256] = '\0';
	struct mw_elf *elf = load_image(&image);
	ASSERT_EQ(255, strlen(elf->soname));
	mw_elf_free(elf);

	image.dynstr[256] = 'n';
	elf = load_image(&image);
	assert_null(elf->soname);
	mw_elf_free(elf);
}

TEST(a_dynamic_table_may_lack_its_end)
{
	struct elf_image image;

	elf_image_init(&image);
	image.segments[IMAGE_DYNAMIC].p_filesz = 2 * sizeof(Elf64_Dyn) + 3;
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = load_image(&image);
	ASSERT_TEXT("libtest.so.1", elf->soname);
}

TEST(a_build_id_has_its_form)
{
	struct elf_image image;

	for (int i = 0; i < 8; i++) {
		size_t want = 0;

		elf_image_init(&image);
		image.segments[IMAGE_NOTE].p_filesz = sizeof(image.note);
		switch (i) {
		case 0:
			want = 20;
			break;
		case 1: // the most there is room for
			image.note.head.n_descsz = want = 64;
			break;
		case 2:
			image.note.head.n_descsz = 65;
			break;
		case 3:
			image.note.head.n_descsz = 0;
			break;
		case 4:
			image.note.head.n_descsz = UINT32_MAX;
			break;
		case 5:
			image.note.head.n_type = NT_GNU_ABI_TAG;
			break;
		case 6:
			memcpy(image.note.name, "Go", 3);
			break;
		case 7:
			image.note.head.n_namesz = 3;
			break;
		}
		MW_CLEANUP(mw_elf_freep) struct mw_elf *elf =
			load_image(&image);
		ASSERT_EQ(want, elf->build_id_bytes);
		for (size_t k = 0; k < want; k++)
			ASSERT_EQ(k, elf->build_id[k]);
	}
}

TEST(a_build_id_may_stand_behind_other_notes)
{
	struct elf_image image;
	Elf64_Nhdr second = { 4, 6, NT_GNU_BUILD_ID };

	elf_image_init(&image);
	image.segments[IMAGE_NOTE].p_filesz = sizeof(image.note);
	image.note.head.n_type = NT_GNU_ABI_TAG;
	memcpy(image.note.desc + 20, &second, sizeof(second));
	memcpy(image.note.desc + 32, "GNU", 4);
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = load_image(&image);
	ASSERT_EQ(6, elf->build_id_bytes);
	ASSERT_EQ(36, elf->build_id[0]);
	ASSERT_EQ(41, elf->build_id[5]);
}

TEST(a_32_bit_file_is_read_too)
{
	struct {
		Elf32_Ehdr ehdr;
		Elf32_Phdr segments[2];
		Elf32_Dyn dynamic[3];
		char strings[40];
		Elf32_Shdr sections[2];
	} image = {
		.ehdr = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				     ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = 0xfffff000,
			.e_phoff = sizeof(image.ehdr),
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 2,
			.e_shentsize = sizeof(Elf32_Shdr),
			.e_shnum = 2,
			.e_shstrndx = 1,
		},
		.segments = {
			{ .p_type = PT_LOAD, .p_vaddr = 0x8000,
			  .p_filesz = sizeof(image), .p_flags = PF_W,
			  .p_memsz = 0xffffffff, .p_align = 4096 },
			{ .p_type = PT_DYNAMIC,
			  .p_filesz = sizeof(image.dynamic) },
		},
		.strings = "\0.shstrtab\0libthirty.so",
		.sections = { [1] = { .sh_name = 1, .sh_type = SHT_STRTAB,
				      .sh_size = sizeof(image.strings) } },
	};
	size_t strings = (size_t)((char *)image.strings - (char *)&image);
	size_t dynamic = (size_t)((char *)image.dynamic - (char *)&image);

	image.ehdr.e_shoff =
		(uint32_t)((char *)image.sections - (char *)&image);
	image.segments[1].p_offset = (uint32_t)dynamic;
	image.sections[1].sh_offset = (uint32_t)strings;
	image.dynamic[0] = (Elf32_Dyn){ DT_STRTAB,
					{ 0x8000 + (uint32_t)strings } };
	image.dynamic[1] = (Elf32_Dyn){ DT_SONAME, { 11 } };

	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf =
		load_memory(&image, sizeof(image));
	assert_false(elf->is_64);
	ASSERT_EQ(EM_386, elf->machine);
	ASSERT_EQ(0xfffff000, elf->entry);
	ASSERT_EQ(2 * 32, elf->ph_bytes);
	ASSERT_EQ(2, elf->segments.n);
	ASSERT_EQ(PF_W, elf->segments.v[0].flags);
	ASSERT_EQ(0xffffffff, elf->segments.v[0].memsz);
	ASSERT_EQ(1, elf->sections.n);
	ASSERT_TEXT(".shstrtab", elf->sections.v[0].name);
	ASSERT_TEXT("libthirty.so", elf->soname);
}

static struct mw_error *load_all(void *ctx)
{
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = NULL;
	struct mw_error *error =
		mw_elf_load_memory(ctx, sizeof(struct elf_image), &elf);

	// On failure the output is untouched.
	assert_true(!error == !!elf);
	if (elf)
		check_sound(elf);
	return error;
}

TEST(loading_survives_a_lack_of_memory)
{
	struct elf_image image;

	elf_image_init(&image);
	OUT_OF_MEMORY(load_all, &image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_file_and_its_bytes_tell_the_same),
		CASE(sections_have_all_their_fields),
		CASE(a_program_needs_no_sections),
		CASE(an_object_file_needs_no_segments),
		CASE(names_are_safe_to_print),
		CASE(section_names_that_are_none_and_too_long),
		CASE(a_soname_has_to_lie_in_the_file),
		CASE(a_soname_has_a_length),
		CASE(a_dynamic_table_may_lack_its_end),
		CASE(a_build_id_has_its_form),
		CASE(a_build_id_may_stand_behind_other_notes),
		CASE(a_32_bit_file_is_read_too),
		CASE(loading_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
