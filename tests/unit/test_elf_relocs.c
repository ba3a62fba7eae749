/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_image.h"
#include "mw_elf_names.h"
#include "mw_elf_relocs.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/* Object files: relocations, and sections put apart. */

enum { TEXT = 1, BSS, DEBUG, STRINGS, SYMTAB, RELA, SECTIONS };
enum { FUNCTION = 1, ZEROED, IN_DEBUG, AWAY, ABSOLUTE, SYMBOLS };
enum { RELOCATIONS = 3 };

struct image {
	Elf64_Ehdr ehdr;
	Elf64_Sym symbols[SYMBOLS];
	Elf64_Rela relocs[RELOCATIONS];
	char strings[16];
	Elf64_Shdr sections[SECTIONS];
};

static void init(struct image *image)
{
	*image = (struct image){
		.ehdr = {
			ELF_IMAGE_HEADER(ET_REL),
			.e_shoff = offsetof(struct image, sections),
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = SECTIONS,
		},
		.symbols = {
			[FUNCTION] = { .st_shndx = TEXT, .st_value = 16 },
			[ZEROED] = { .st_shndx = BSS, .st_value = 16 },
			[IN_DEBUG] = { .st_shndx = DEBUG, .st_value = 16 },
			[AWAY] = { .st_shndx = SHN_UNDEF },
			[ABSOLUTE] = { .st_shndx = SHN_ABS, .st_value = 7 },
		},
		.relocs = {
			{ 40, ELF64_R_INFO(AWAY, R_X86_64_PLT32), -4 },
			{ 8, ELF64_R_INFO(ZEROED, R_X86_64_32S), 1 },
			{ 40, ELF64_R_INFO(FUNCTION, R_X86_64_PC32), -5 },
		},
		.sections = {
			[TEXT] = { .sh_type = SHT_NOBITS, .sh_size = 5000,
				   .sh_flags = SHF_ALLOC },
			[BSS] = { .sh_type = SHT_NOBITS, .sh_size = 100,
				  .sh_flags = SHF_ALLOC },
			[DEBUG] = { .sh_type = SHT_NOBITS, .sh_size = 100 },
			[STRINGS] = {
				.sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct image, strings),
				.sh_size = sizeof(image->strings),
			},
			[SYMTAB] = {
				.sh_type = SHT_SYMTAB,
				.sh_offset = offsetof(struct image, symbols),
				.sh_size = sizeof(image->symbols),
				.sh_link = STRINGS,
				.sh_entsize = sizeof(Elf64_Sym),
			},
			[RELA] = {
				.sh_type = SHT_RELA,
				.sh_offset = offsetof(struct image, relocs),
				.sh_size = sizeof(image->relocs),
				.sh_link = SYMTAB,
				.sh_info = TEXT,
				.sh_entsize = sizeof(Elf64_Rela),
			},
		},
	};
}

struct loaded {
	struct mw_elf_file *file;
	struct mw_elf_symbols symbols;
	struct mw_elf_places places;
	struct mw_elf_relocs relocs;
};

static struct mw_error *try_load(const struct image *image, struct loaded *l)
{
	struct mw_error *error =
		mw_elf_file_open_memory(image, sizeof(*image), &l->file);

	if (!error)
		error = mw_elf_symbols_load(l->file, MW_ELF_SYMTAB,
					    &l->symbols);
	if (!error)
		error = mw_elf_places_make(l->file, &l->places);
	if (!error)
		error = mw_elf_relocs_load(l->file, TEXT, &l->relocs);
	if (!error)
		mw_elf_places_put(&l->places, &l->symbols);
	return error;
}

static void unload(struct loaded *l)
{
	mw_elf_relocs_free(&l->relocs);
	mw_elf_places_free(&l->places);
	mw_elf_symbols_free(&l->symbols);
	mw_elf_file_close(l->file);
}

TEST(sections_are_put_apart)
{
	struct image image;
	MW_CLEANUP(unload) struct loaded l = { 0 };

	init(&image);
	ASSERT_OK(try_load(&image, &l));
	uint64_t text = mw_elf_place(&l.places, TEXT);
	uint64_t bss = mw_elf_place(&l.places, BSS);
	assert_true(text > 0 && bss > text + 5000);
	ASSERT_EQ(0, mw_elf_place(&l.places, DEBUG));
	ASSERT_EQ(0, mw_elf_place(&l.places, SECTIONS));
	ASSERT_EQ(text + 16, l.symbols.list.v[FUNCTION - 1].value);
	ASSERT_EQ(bss + 16, l.symbols.list.v[ZEROED - 1].value);
	assert_true(mw_elf_symbol_has_address(&l.symbols.list.v[ZEROED - 1]));
	// Debug information is not loaded.
	ASSERT_EQ(16, l.symbols.list.v[IN_DEBUG - 1].value);
	assert_false(
		mw_elf_symbol_has_address(&l.symbols.list.v[IN_DEBUG - 1]));
	ASSERT_EQ(0, l.symbols.list.v[AWAY - 1].value);
	ASSERT_EQ(7, l.symbols.list.v[ABSOLUTE - 1].value);
}

TEST(a_section_larger_than_any_memory_has_no_place)
{
	struct image image;
	MW_CLEANUP(unload) struct loaded l = { 0 };

	init(&image);
	image.sections[TEXT].sh_size = UINT64_MAX;
	ASSERT_OK(try_load(&image, &l));
	ASSERT_EQ(0, mw_elf_place(&l.places, TEXT));
	assert_true(mw_elf_place(&l.places, BSS) > 0);
}

TEST(relocations_ascend)
{
	struct image image;
	MW_CLEANUP(unload) struct loaded l = { 0 };
	char name[MW_ELF_NAME_BYTES];

	init(&image);
	ASSERT_OK(try_load(&image, &l));
	ASSERT_EQ(RELOCATIONS, l.relocs.list.n);
	ASSERT_EQ(8, l.relocs.list.v[0].offset);
	// Those of one place stay in their order.
	ASSERT_EQ(-4, l.relocs.list.v[1].addend);
	ASSERT_EQ(-5, l.relocs.list.v[2].addend);
	ASSERT_EQ(0, mw_elf_relocs_from(&l.relocs, 0));
	ASSERT_EQ(1, mw_elf_relocs_from(&l.relocs, 9));
	ASSERT_EQ(3, mw_elf_relocs_from(&l.relocs, 41));
	assert_ptr_equal(&l.symbols.list.v[AWAY - 1],
			 mw_elf_reloc_symbol(&l.symbols,
					     &l.relocs.list.v[1]));
	ASSERT_TEXT("R_X86_64_PLT32",
		    mw_elf_relocation_name(l.relocs.list.v[1].type, name));
	ASSERT_TEXT("unrecognized: ffff", mw_elf_relocation_name(0xffff, name));
	assert_true(mw_elf_reloc_kind(R_X86_64_PLT32).is_pc_relative);
	ASSERT_EQ(4, mw_elf_reloc_kind(R_X86_64_PLT32).bytes);
	ASSERT_EQ(0, mw_elf_reloc_kind(0xffff).bytes);
}

TEST(a_symbol_that_there_is_not_is_none)
{
	struct image image;
	MW_CLEANUP(unload) struct loaded l = { 0 };

	init(&image);
	image.relocs[0].r_info = ELF64_R_INFO(0, R_X86_64_64);
	image.relocs[1].r_info = ELF64_R_INFO(SYMBOLS, R_X86_64_64);
	image.relocs[2].r_info = ELF64_R_INFO(UINT32_MAX, R_X86_64_64);
	ASSERT_OK(try_load(&image, &l));
	for (size_t i = 0; i < RELOCATIONS; i++)
		assert_null(mw_elf_reloc_symbol(&l.symbols,
						&l.relocs.list.v[i]));
}

TEST(damage_is_a_problem_and_leaves_none)
{
	for (int kind = 0; kind < 4; kind++) {
		struct image image;
		MW_CLEANUP(unload) struct loaded l = { 0 };

		init(&image);
		switch (kind) {
		case 0:
			image.sections[RELA].sh_offset = sizeof(image);
			break;
		case 1:
			image.sections[RELA].sh_size = UINT64_MAX - 5;
			break;
		case 2:
			image.sections[RELA].sh_entsize = 1;
			break;
		default:
			image.sections[RELA].sh_type = SHT_REL;
		}
		ASSERT_OK(try_load(&image, &l));
		ASSERT_EQ(0, l.relocs.list.n);
		ASSERT_EQ(1, l.file->problems.n);
	}
}

TEST(without_memory)
{
	struct mw_error *error = NULL;
	struct image image;

	init(&image);
	for (long after = 0; after == 0 || error; after++) {
		struct loaded l = { 0 };

		mw_error_free(error);
		mw_alloc_fail_after(after);
		error = try_load(&image, &l);
		mw_alloc_fail_after(-1);
		assert_true(!error || error->code == MW_E_NOMEM);
		unload(&l);
	}
}

/* Those that the loader does */

struct library {
	Elf64_Ehdr ehdr;
	Elf64_Phdr segments[2];
	Elf64_Dyn dynamic[6];
	Elf64_Rela rela[2], plt[1];
};
#define LIBRARY_VA 0x10000
#define LIBRARY_AT(member) (LIBRARY_VA + offsetof(struct library, member))

static void init_library(struct library *l)
{
	*l = (struct library){
		.ehdr = {
			ELF_IMAGE_HEADER(ET_DYN),
			.e_phoff = offsetof(struct library, segments),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.segments = {
			{ .p_type = PT_LOAD, .p_vaddr = LIBRARY_VA,
			  .p_filesz = sizeof(*l), .p_memsz = sizeof(*l) },
			{ .p_type = PT_DYNAMIC,
			  .p_offset = offsetof(struct library, dynamic),
			  .p_filesz = sizeof(l->dynamic),
			  .p_memsz = sizeof(l->dynamic) },
		},
		.dynamic = {
			{ DT_RELA, { LIBRARY_AT(rela) } },
			{ DT_RELASZ, { sizeof(l->rela) } },
			{ DT_JMPREL, { LIBRARY_AT(plt) } },
			{ DT_PLTRELSZ, { sizeof(l->plt) } },
			{ DT_PLTREL, { DT_RELA } },
		},
		.rela = {
			{ 0x30, ELF64_R_INFO(0, R_X86_64_DTPMOD64), 0 },
			{ 0x10, ELF64_R_INFO(7, R_X86_64_TPOFF64), 5 },
		},
		.plt = { { 0x20, ELF64_R_INFO(3, R_X86_64_TLSDESC), 0 } },
	};
}

/** How many relocations there are, and problems. */
static void count_dynamic(const struct library *library, size_t relocs,
			  size_t problems)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	MW_CLEANUP(mw_elf_relocs_free) struct mw_elf_relocs list = { 0 };

	ASSERT_OK(mw_elf_file_open_memory(library, sizeof(*library), &file));
	ASSERT_OK(mw_elf_relocs_dynamic(file, &list));
	ASSERT_EQ(relocs, list.list.n);
	ASSERT_EQ(problems, file->problems.n);
	for (size_t i = 1; i < list.list.n; i++)
		assert_true(list.list.v[i - 1].offset <= list.list.v[i].offset);
}

TEST(the_loaders_relocations_are_found_by_the_dynamic_section)
{
	struct library l;

	init_library(&l);
	count_dynamic(&l, 3, 0);
	l.dynamic[4].d_un.d_val = DT_REL; // in another form
	count_dynamic(&l, 2, 0);
	l.dynamic[0].d_tag = DT_NULL;
	count_dynamic(&l, 0, 0);
}

TEST(the_loaders_relocations_outside_the_file_are_problems)
{
	struct library l;

	init_library(&l);
	l.dynamic[0].d_un.d_ptr = 1;
	count_dynamic(&l, 1, 1);
	l.dynamic[2].d_un.d_ptr = UINT64_MAX - 7;
	count_dynamic(&l, 0, 2);
	init_library(&l);
	l.dynamic[1].d_un.d_val = UINT64_MAX;
	count_dynamic(&l, 1, 1);
	l.dynamic[1].d_un.d_val = sizeof(l.rela) - 1; // the last is cut short
	count_dynamic(&l, 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sections_are_put_apart),
		CASE(a_section_larger_than_any_memory_has_no_place),
		CASE(relocations_ascend),
		CASE(a_symbol_that_there_is_not_is_none),
		CASE(damage_is_a_problem_and_leaves_none),
		CASE(without_memory),
		CASE(the_loaders_relocations_are_found_by_the_dynamic_section),
		CASE(the_loaders_relocations_outside_the_file_are_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
