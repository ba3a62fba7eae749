/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_image.h"
#include "mw_elf_dynamic.h"
#include "mw_elf_notes.h"
#include "mw_elf_symbols.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/* Symbol tables: reading them, and finding by name and address. */

#define TEXT_VA UINT64_C(0x1000)

enum { TEXT_SECTION = 1, STRTAB_SECTION, SYMTAB_SECTION, SECTIONS };
enum { OUTER = 1, INNER, LABEL, UNDEFINED, LOCAL_TLS, ABSOLUTE, SYMBOLS };

/** An object file with little but symbols. */
struct image {
	Elf64_Ehdr ehdr;
	Elf64_Sym symbols[SYMBOLS];
	char strings[40];
	Elf64_Shdr sections[SECTIONS];
};

static Elf64_Sym symbol(uint32_t name, unsigned type, uint16_t section,
			uint64_t value, uint64_t bytes)
{
	return (Elf64_Sym){
		.st_name = name,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, type),
		.st_shndx = section,
		.st_value = value,
		.st_size = bytes,
	};
}

static void init(struct image *image)
{
	static const char strings[] = "\0outer\0inner\0label\0away\0tls\0abs";

	*image = (struct image){
		.ehdr = {
			ELF_IMAGE_HEADER(ET_EXEC),
			.e_shoff = offsetof(struct image, sections),
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = SECTIONS,
		},
		.symbols = {
			[OUTER] = symbol(1, STT_FUNC, TEXT_SECTION, TEXT_VA,
					 100),
			[INNER] = symbol(7, STT_OBJECT, TEXT_SECTION,
					 TEXT_VA + 20, 8),
			[LABEL] = symbol(13, STT_NOTYPE, TEXT_SECTION,
					 TEXT_VA + 200, 0),
			[UNDEFINED] = symbol(19, STT_FUNC, SHN_UNDEF, 0, 0),
			[LOCAL_TLS] = symbol(24, STT_TLS, TEXT_SECTION, 8, 4),
			[ABSOLUTE] = symbol(28, STT_NOTYPE, SHN_ABS, 5, 0),
		},
		.sections = {
			[TEXT_SECTION] = { .sh_type = SHT_NOBITS,
					   .sh_addr = TEXT_VA,
					   .sh_size = 4096 },
			[STRTAB_SECTION] = {
				.sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct image, strings),
				.sh_size = sizeof(image->strings),
			},
			[SYMTAB_SECTION] = {
				.sh_type = SHT_SYMTAB,
				.sh_offset = offsetof(struct image, symbols),
				.sh_size = sizeof(image->symbols),
				.sh_link = STRTAB_SECTION,
				.sh_entsize = sizeof(Elf64_Sym),
			},
		},
	};
	memcpy(image->strings, strings, sizeof(strings));
}

struct loaded {
	struct mw_elf_file *file;
	struct mw_elf_symbols symbols;
};

static struct mw_error *try_load(const struct image *image, struct loaded *l)
{
	struct mw_error *error =
		mw_elf_file_open_memory(image, sizeof(*image), &l->file);

	if (!error)
		error = mw_elf_symbols_load(l->file,
					    MW_ELF_SYMTAB | MW_ELF_DYNSYM,
					    &l->symbols);
	if (!error)
		error = mw_elf_symbols_sort(&l->symbols);
	return error;
}

static void unload(struct loaded *l)
{
	mw_elf_symbols_free(&l->symbols);
	mw_elf_file_close(l->file);
}

static const char *name_at(const struct loaded *l, uint64_t va)
{
	const struct mw_elf_symbol *s = mw_elf_symbols_at(&l->symbols, va);

	return s ? mw_elf_symbol_name(&l->symbols, s) : "none";
}

TEST(all_but_the_null_symbol_are_read)
{
	static const char *const names[] = { "outer", "inner", "label", "away",
					     "tls", "abs" };
	struct image image;
	struct loaded l = { 0 };

	init(&image);
	ASSERT_OK(try_load(&image, &l));
	ASSERT_EQ(0, l.file->problems.n);
	ASSERT_EQ(SYMBOLS - 1, l.symbols.list.n);
	for (size_t i = 0; i < MW_COUNT(names); i++) {
		const struct mw_elf_symbol *s = &l.symbols.list.v[i];

		ASSERT_TEXT(names[i], mw_elf_symbol_name(&l.symbols, s));
		ASSERT_EQ(i + 1, s->index);
		ASSERT_EQ(MW_ELF_SYMTAB, s->table);
		ASSERT_EQ(image.symbols[i + 1].st_value, s->value);
		ASSERT_EQ(image.symbols[i + 1].st_size, s->bytes);
		ASSERT_EQ(i < 3, mw_elf_symbol_has_address(s));
	}
	ASSERT_EQ(3, l.symbols.addressed);
	unload(&l);
}

TEST(the_innermost_one_is_found)
{
	struct image image;
	struct loaded l = { 0 };

	init(&image);
	ASSERT_OK(try_load(&image, &l));
	ASSERT_TEXT("none", name_at(&l, TEXT_VA - 1));
	ASSERT_TEXT("outer", name_at(&l, TEXT_VA));
	ASSERT_TEXT("outer", name_at(&l, TEXT_VA + 19));
	ASSERT_TEXT("inner", name_at(&l, TEXT_VA + 20));
	ASSERT_TEXT("inner", name_at(&l, TEXT_VA + 27));
	ASSERT_TEXT("outer", name_at(&l, TEXT_VA + 28));
	ASSERT_TEXT("outer", name_at(&l, TEXT_VA + 99));
	ASSERT_TEXT("none", name_at(&l, TEXT_VA + 100));
	ASSERT_TEXT("label", name_at(&l, TEXT_VA + 200));
	ASSERT_TEXT("none", name_at(&l, TEXT_VA + 201));
	unload(&l);
}

TEST(only_what_is_defined_is_found_by_name)
{
	struct image image;
	struct loaded l = { 0 };

	init(&image);
	ASSERT_OK(try_load(&image, &l));
	assert_ptr_equal(&l.symbols.list.v[1],
			 mw_elf_symbols_find(&l.symbols, "inner"));
	assert_null(mw_elf_symbols_find(&l.symbols, "away"));
	assert_null(mw_elf_symbols_find(&l.symbols, "inne"));
	unload(&l);
}

TEST(damage_is_a_problem_and_never_a_wild_name)
{
	struct image image;

	for (int i = 0; i < 5; i++) {
		struct loaded l = { 0 };

		init(&image);
		switch (i) {
		case 0:
			image.symbols[OUTER].st_name = UINT32_MAX;
			break;
		case 1: // a name without an end
			memset(image.strings + 1, 'x',
			       sizeof(image.strings) - 1);
			break;
		case 2:
			image.sections[SYMTAB_SECTION].sh_link = 99;
			break;
		case 3:
			image.sections[STRTAB_SECTION].sh_offset = UINT64_MAX;
			break;
		case 4:
			image.sections[SYMTAB_SECTION].sh_offset =
				sizeof(image) - 24;
			break;
		}
		ASSERT_OK(try_load(&image, &l));
		if (i >= 2)
			assert_true(l.file->problems.n > 0);
		for (size_t k = 0; k < l.symbols.list.n; k++)
			assert_true(strlen(mw_elf_symbol_name(
					    &l.symbols,
					    &l.symbols.list.v[k])) <
				    sizeof(image.strings));
		unload(&l);
	}
}

/** All that `elf` and `syms` read of a file's tables. */
static struct mw_error *read_all(const uint8_t *bytes, size_t count,
				 size_t *ret_problems)
{
	struct mw_elf_dynamic dynamic = { 0 };
	struct mw_elf_notes notes = { 0 };
	struct loaded l = { 0 };
	struct mw_error *error =
		mw_elf_file_open_memory(bytes, count, &l.file);

	if (!error)
		error = mw_elf_dynamic_load(l.file, true, &dynamic);
	if (!error)
		error = mw_elf_notes_load(l.file, MW_ELF_NOTES_ANY, &notes);
	if (!error)
		error = mw_elf_symbols_load(l.file, MW_ELF_SYMTAB,
					    &l.symbols);
	if (!error)
		*ret_problems = l.file->problems.n;
	mw_elf_dynamic_free(&dynamic);
	mw_elf_notes_free(&notes);
	unload(&l);
	return error;
}

TEST(a_file_may_break_off_at_every_byte)
{
	struct image image;
	size_t problems = 0;

	init(&image);
	for (size_t size = 0; size <= sizeof(image); size++) {
		// Of exactly that size: the sanitizer sees what reads on.
		uint8_t *part = malloc(size ? size : 1);

		memcpy(part, &image, size);
		if (size < sizeof(Elf64_Ehdr)) {
			ASSERT_ERR(MW_E_FORMAT,
				   read_all(part, size, &problems));
		} else {
			ASSERT_OK(read_all(part, size, &problems));
			ASSERT_EQ(size < sizeof(image), problems > 0);
		}
		free(part);
	}
}

static struct mw_error *load_all(void *image)
{
	struct loaded l = { 0 };
	struct mw_error *error = try_load(image, &l);

	unload(&l);
	return error;
}

TEST(a_lack_of_memory_is_told)
{
	struct image image;

	init(&image);
	OUT_OF_MEMORY(load_all, &image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(all_but_the_null_symbol_are_read),
		CASE(the_innermost_one_is_found),
		CASE(only_what_is_defined_is_found_by_name),
		CASE(damage_is_a_problem_and_never_a_wild_name),
		CASE(a_file_may_break_off_at_every_byte),
		CASE(a_lack_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
