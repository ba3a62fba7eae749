/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "elf_image.h"
#include "elf_int.h"
#include "mw_elf.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/** Load @bytes that lie in exactly as much memory, so that ASan sees more. */
static struct mw_error *load_memory(const void *image, size_t bytes,
				    struct mw_elf **ret)
{
	MW_CLEANUP(mw_freep) uint8_t *exact = mw_alloc(bytes);

	memcpy(exact, image, bytes);
	return mw_elf_load_memory(exact, bytes, ret);
}

static struct mw_error *load_file(const void *image, size_t bytes,
				  struct mw_elf **ret)
{
	MW_CLEANUP(mw_closep) int fd = elf_image_file(image, bytes);

	return mw_elf_load(fd, ret);
}

/** Whatever a file holds, what is made of it can be used without care. */
static void check_form(const struct mw_elf *elf)
{
	ASSERT_EQ(elf->soname ? 1 : 0,
		  elf->names.n - elf->sections.n);
	assert_true(elf->build_id_bytes <= sizeof(elf->build_id));
	assert_true(elf->sections.n < elf->file_bytes);
	for (size_t i = 0; i < elf->names.n; i++) {
		const char *name = elf->names.v[i];

		assert_in_range(strlen(name), 1, 256);
		for (; *name; name++)
			assert_true(*name >= 0x20 && *name <= 0x7e &&
				    *name != '/');
	}
	for (size_t i = 0; i < elf->sections.n; i++)
		assert_ptr_equal(elf->names.v[i], elf->sections.v[i].name);
}

static void check_either(struct mw_error *error, struct mw_elf *elf)
{
	assert_true(!error == !!elf);
	if (error)
		ASSERT_ERR(MW_E_FORMAT, error);
	else
		check_form(elf);
	mw_elf_free(elf);
}

/** Both ways of loading: all is well but for the sections, which are gone. */
static void check_no_sections(const struct elf_image *image)
{
	for (int i = 0; i < 2; i++) {
		MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = NULL;

		if (i)
			ASSERT_OK(load_file(image, sizeof(*image), &elf));
		else
			ASSERT_OK(load_memory(image, sizeof(*image), &elf));
		ASSERT_EQ(0, elf->sections.n);
		ASSERT_EQ(IMAGE_SEGMENTS, elf->segments.n);
		ASSERT_TEXT("libtest.so.1", elf->soname);
		ASSERT_EQ(20, elf->build_id_bytes);
		check_form(elf);
	}
}

/** Both ways of loading fail, at @where. */
static void check_damaged(const struct elf_image *image, uint64_t where)
{
	for (int i = 0; i < 2; i++) {
		struct mw_elf *elf = NULL;
		struct mw_error *error =
			i ? load_file(image, sizeof(*image), &elf)
			  : load_memory(image, sizeof(*image), &elf);

		assert_non_null(error);
		assert_null(elf);
		assert_true(error->has_where);
		ASSERT_EQ(where, error->where);
		ASSERT_ERR(MW_E_FORMAT, error);
	}
}

TEST(other_files_are_refused)
{
	const struct {
		const char *bytes;
		size_t count;
	} files[] = {
		{ "", 0 },
		{ "\x7f", 1 },
		{ "\x7f" "ELF", 4 },
		{ "#!/bin/sh\n", 10 },
		{ "!<arch>\n", 8 },
		{ "\x7f" "ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16 },
		{ "\x7f" "ELF\7\1\1\0\0\0\0\0\0\0\0\0", 16 }, // class
		{ "\x7f" "ELF\2\7\1\0\0\0\0\0\0\0\0\0", 16 }, // byte order
	};

	for (size_t i = 0; i < MW_COUNT(files); i++) {
		struct mw_elf *elf = NULL;

		ASSERT_ERR(MW_E_FORMAT,
			   load_memory(files[i].bytes, files[i].count, &elf));
		ASSERT_ERR(MW_E_FORMAT,
			   load_file(files[i].bytes, files[i].count, &elf));
		assert_null(elf);
	}
}

TEST(what_is_no_file_is_refused)
{
	MW_CLEANUP(mw_closep) int dir = open("/", O_RDONLY | O_CLOEXEC);
	MW_CLEANUP(mw_closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct mw_elf *elf = NULL;
	int pair[2];

	assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	close(pair[1]);
	ASSERT_ERR(MW_E_FORMAT, mw_elf_load(dir, &elf));
	ASSERT_ERR(MW_E_FORMAT, mw_elf_load(null, &elf));
	ASSERT_ERR(MW_E_FORMAT, mw_elf_load(pair[0], &elf));
	ASSERT_ERR(MW_E_SYSTEM, mw_elf_load(-1, &elf));
	assert_null(elf);
	assert_false(mw_elf_has_magic(dir));
	assert_false(mw_elf_has_magic(null));
	assert_false(mw_elf_has_magic(pair[0]));
	assert_false(mw_elf_has_magic(-1));
	close(pair[0]);
}

TEST(the_magic_is_four_bytes)
{
	const char text[] = "\x7f" "ELF";

	for (size_t bytes = 0; bytes <= 4; bytes++) {
		MW_CLEANUP(mw_closep) int fd = elf_image_file(text, bytes);

		assert_true(mw_elf_has_magic(fd) == (bytes == 4));
	}
	MW_CLEANUP(mw_closep) int fd = elf_image_file("\x7f" "ELf", 4);
	assert_false(mw_elf_has_magic(fd));
}

TEST(a_file_may_break_off_anywhere)
{
	struct elf_image image;
	size_t program = ELF_IMAGE_OFF(dynamic);

	elf_image_init(&image);
	for (size_t bytes = 0; bytes < sizeof(image); bytes++) {
		for (int i = 0; i < 2; i++) {
			struct mw_elf *elf = NULL;
			struct mw_error *error =
				i ? load_file(&image, bytes, &elf)
				  : load_memory(&image, bytes, &elf);

			// With the program headers whole the rest is extra.
			assert_true(!error == (bytes >= program));
			if (elf) {
				ASSERT_EQ(bytes, elf->file_bytes);
				ASSERT_EQ(IMAGE_SEGMENTS, elf->segments.n);
				ASSERT_EQ(0, elf->sections.n);
			}
			check_either(error, elf);
		}
	}
}

TEST(the_program_header_table_must_lie_in_the_file)
{
	const uint64_t places[] = {
		sizeof(struct elf_image),
		sizeof(struct elf_image) - IMAGE_SEGMENTS * sizeof(Elf64_Phdr)
			+ 1,
		UINT64_C(1) << 40,
		UINT64_MAX,
		UINT64_MAX - IMAGE_SEGMENTS * sizeof(Elf64_Phdr) + 1,
	};
	struct elf_image image;

	for (size_t i = 0; i < MW_COUNT(places); i++) {
		elf_image_init(&image);
		image.ehdr.e_phoff = places[i];
		check_damaged(&image, places[i]);
	}
	elf_image_init(&image);
	image.ehdr.e_phnum = 1000;
	check_damaged(&image, image.ehdr.e_phoff);
	image.ehdr.e_phnum = PN_XNUM;
	check_damaged(&image, image.ehdr.e_phoff);
}

TEST(a_damaged_section_table_is_none)
{
	struct elf_image image;

	for (int i = 0; i < 14; i++) {
		Elf64_Shdr *names = &image.sections[IMAGE_NAMES_SECTION];

		elf_image_init(&image);
		switch (i) {
		case 0:
			image.ehdr.e_shoff = sizeof(image);
			break;
		case 1:
			image.ehdr.e_shoff = sizeof(image) - 1;
			break;
		case 2:
			image.ehdr.e_shoff += 1; // the last one leaves the file
			break;
		case 3:
			image.ehdr.e_shoff = UINT64_MAX;
			break;
		case 4:
			image.ehdr.e_shoff = UINT64_MAX - sizeof(Elf64_Shdr);
			break;
		case 5:
			image.ehdr.e_shnum = 0xfeff;
			break;
		case 6:
			image.ehdr.e_shentsize = 0;
			break;
		case 7: // extended numbering, of as many as can be said
			image.ehdr.e_shnum = 0;
			image.sections[0].sh_size = UINT64_MAX;
			break;
		case 8:
			image.ehdr.e_shnum = 0;
			image.sections[0].sh_size = UINT64_C(1) << 58;
			break;
		case 9:
			image.ehdr.e_shstrndx = IMAGE_SECTIONS;
			break;
		case 10:
			image.ehdr.e_shstrndx = SHN_XINDEX;
			image.sections[0].sh_link = UINT32_MAX;
			break;
		case 11: // names in what are no strings
			names->sh_type = SHT_PROGBITS;
			break;
		case 12:
			names->sh_offset = UINT64_MAX - 3;
			break;
		case 13:
			names->sh_size = UINT64_C(1) << 50;
			break;
		}
		check_no_sections(&image);
	}
}

TEST(extended_numbering_is_understood)
{
	struct elf_image image;
	struct mw_elf *elf = NULL;

	elf_image_init(&image);
	image.ehdr.e_shnum = 0;
	image.sections[0].sh_size = IMAGE_SECTIONS;
	image.ehdr.e_shstrndx = SHN_XINDEX;
	image.sections[0].sh_link = IMAGE_NAMES_SECTION;
	ASSERT_OK(load_file(&image, sizeof(image), &elf));
	ASSERT_EQ(IMAGE_SECTIONS - 1, elf->sections.n);
	ASSERT_TEXT(".bss", elf->sections.v[3].name);
	mw_elf_free(elf);
}

/** A file of @bytes with @image at its beginning and holes behind it. */
static int sparse_file(const struct elf_image *image, off_t bytes)
{
	int fd = elf_image_file(image, sizeof(*image));

	assert_int_equal(0, ftruncate(fd, bytes));
	return fd;
}

TEST(absurd_counts_are_refused_though_they_fit)
{
	struct elf_image image;
	struct mw_elf *elf = NULL;

	// 65,537 program headers, all of them in the file.
	elf_image_init(&image);
	image.ehdr.e_phnum = PN_XNUM;
	image.sections[0].sh_info = 65537;
	MW_CLEANUP(mw_closep) int many = sparse_file(&image, 8 << 20);
	ASSERT_ERR(MW_E_LIMIT, mw_elf_load(many, &elf));
	assert_null(elf);

	// More than a million sections, likewise.
	elf_image_init(&image);
	image.ehdr.e_shnum = 0;
	image.sections[0].sh_size = (1 << 20) + 1;
	MW_CLEANUP(mw_closep) int more = sparse_file(&image, 70 << 20);
	ASSERT_OK(mw_elf_load(more, &elf));
	ASSERT_EQ(0, elf->sections.n);
	ASSERT_TEXT("libtest.so.1", elf->soname);
	mw_elf_free(elf);
	elf = NULL;

	// Section names of more than 64 MiB.
	elf_image_init(&image);
	image.sections[IMAGE_NAMES_SECTION].sh_size = MW_MIB(64) + 1;
	MW_CLEANUP(mw_closep) int long_names = sparse_file(&image, 70 << 20);
	ASSERT_OK(mw_elf_load(long_names, &elf));
	ASSERT_EQ(0, elf->sections.n);
	mw_elf_free(elf);
}

static void put(uint8_t *at, uint64_t value, size_t bytes, bool is_big_endian)
{
	for (size_t i = 0; i < bytes; i++)
		at[is_big_endian ? bytes - 1 - i : i] =
			(uint8_t)(value >> 8 * i);
}

/** Ask of a file with @count sections, by e_shnum or by the first of them. */
static bool is_absurd(bool is_64, bool is_big_endian, uint64_t shnum,
		      uint64_t count)
{
	uint8_t file[256] = {
		ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
		is_64 ? ELFCLASS64 : ELFCLASS32,
		is_big_endian ? ELFDATA2MSB : ELFDATA2LSB,
	};

	if (is_64) {
		put(file + 40, 130, 8, is_big_endian); // e_shoff
		put(file + 60, shnum, 2, is_big_endian);
		put(file + 130 + 32, count, 8, is_big_endian); // sh_size
	} else {
		put(file + 32, 130, 4, is_big_endian);
		put(file + 48, shnum, 2, is_big_endian);
		put(file + 130 + 20, count, 4, is_big_endian);
	}
	MW_CLEANUP(mw_closep) int fd = elf_image_file(file, sizeof(file));
	return elf_has_absurd_sections(fd);
}

TEST(more_sections_than_any_program_has_are_seen_before_libelf)
{
	for (int i = 0; i < 4; i++) {
		assert_true(is_absurd(i & 1, i & 2, 0, MAX_SECTIONS + 1));
		assert_true(is_absurd(i & 1, i & 2, 0, UINT32_MAX));
		assert_false(is_absurd(i & 1, i & 2, 0, MAX_SECTIONS));
		// The header's own number is never too large.
		assert_false(is_absurd(i & 1, i & 2, 1, UINT32_MAX));
	}
	assert_true(is_absurd(true, false, 0, UINT64_MAX));
	MW_CLEANUP(mw_closep) int none = elf_image_file("", 0);
	assert_false(elf_has_absurd_sections(none));
	assert_false(elf_has_absurd_sections(-1));
}

TEST(random_changes_do_no_harm)
{
	uint64_t random = 1;
	size_t loaded = 0, refused = 0;

	for (int i = 0; i < 20000; i++) {
		struct elf_image image;
		size_t bytes = sizeof(image);
		uint8_t *at = (uint8_t *)&image;
		struct mw_elf *elf = NULL;
		int changes = 1 + (int)mw_test_below(&random, 6);

		elf_image_init(&image);
		while (changes-- > 0) {
			// The headers are what matters.
			size_t limit = mw_test_below(&random, 3)
					       ? ELF_IMAGE_OFF(dynstr)
					       : bytes;
			size_t place = mw_test_below(&random, limit);
			const uint8_t values[] = {
				0, 1, 0x7f, 0x80, 0xff,
				(uint8_t)mw_test_random(&random),
			};

			// A magic number that is gone tells nothing new.
			if (place >= SELFMAG)
				at[place] = values[mw_test_below(
					&random, sizeof(values))];
		}
		if (mw_test_below(&random, 8) == 0)
			bytes = mw_test_below(&random, bytes);
		struct mw_error *error = i % 4 ? load_memory(at, bytes, &elf)
					       : load_file(at, bytes, &elf);
		loaded += !error;
		refused += error != NULL;
		check_either(error, elf);
	}
	assert_true(loaded > 1000 && refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(other_files_are_refused),
		CASE(what_is_no_file_is_refused),
		CASE(the_magic_is_four_bytes),
		CASE(a_file_may_break_off_anywhere),
		CASE(the_program_header_table_must_lie_in_the_file),
		CASE(a_damaged_section_table_is_none),
		CASE(extended_numbering_is_understood),
		CASE(absurd_counts_are_refused_though_they_fit),
		CASE(more_sections_than_any_program_has_are_seen_before_libelf),
		CASE(random_changes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
