/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "elf_image.h"
#include "mw_elf_debuglink.h"
#include "mw_guard.h"
#include "mw_test.h"

/* The image's .text becomes a .gnu_debuglink of 24 bytes. */

static void init(struct elf_image *image)
{
	// Behind the other names, which end at 39.
	enum { NAME = 64 };

	elf_image_init(image);
	memcpy(image->names + NAME, ".gnu_debuglink", 15);
	image->sections[IMAGE_TEXT_SECTION].sh_name = NAME;
	memcpy(image->text, "some.debug\0\0\x26\x39\xf4\xcb", 16);
	image->sections[IMAGE_TEXT_SECTION].sh_size = 16;
}

static struct mw_elf_debuglink read_image(const struct elf_image *image)
{
	MW_CLEANUP(mw_closep) int fd = elf_image_file(image, sizeof(*image));
	struct mw_elf_debuglink link;

	ASSERT_OK(mw_elf_debuglink_read(fd, &link));
	return link;
}

TEST(a_link_is_read)
{
	struct elf_image image;
	struct mw_elf_debuglink link;

	init(&image);
	link = read_image(&image);
	assert_string_equal("some.debug", link.name);
	ASSERT_EQ(0xcbf43926, link.crc);
	ASSERT_EQ(20, link.build_id_bytes);
	ASSERT_EQ(19, link.build_id[19]);
}

TEST(a_file_need_not_have_one)
{
	struct elf_image image;
	struct mw_elf_debuglink link;

	elf_image_init(&image);
	image.ehdr.e_phnum = IMAGE_NOTE; // the last one
	link = read_image(&image);
	ASSERT_EQ(0, link.build_id_bytes);
	assert_string_equal("", link.name);
}

static void check_no_name(const struct elf_image *image)
{
	struct mw_elf_debuglink link = read_image(image);

	assert_string_equal("", link.name);
	ASSERT_EQ(0, link.crc);
}

TEST(a_damaged_link_is_none)
{
	struct elf_image image;
	Elf64_Shdr *section = &image.sections[IMAGE_TEXT_SECTION];

	init(&image);
	image.text[0] = '/';
	check_no_name(&image);
	memcpy(image.text, "../debug", 8);
	check_no_name(&image);
	image.text[0] = '\0';
	check_no_name(&image);

	init(&image);
	section->sh_size = 15; // not all of the checksum
	check_no_name(&image);
	section->sh_size = 10; // without the NUL
	check_no_name(&image);
	section->sh_size = 0;
	check_no_name(&image);
	section->sh_size = UINT64_MAX;
	check_no_name(&image);

	// 320 bytes without a NUL, and with one too late.
	init(&image);
	section->sh_offset = ELF_IMAGE_OFF(dynstr);
	section->sh_size = 264;
	memset(image.dynstr, 'x', sizeof(image.dynstr));
	check_no_name(&image);
	image.dynstr[256] = '\0';
	check_no_name(&image);
	image.dynstr[255] = '\0';
	ASSERT_EQ(255, strlen(read_image(&image).name));
}

TEST(the_build_id_decides)
{
	struct elf_image image;
	struct mw_elf_debuglink link;

	init(&image);
	link = read_image(&image);
	image.text[23] = 'x'; // the link's checksum would not agree
	MW_CLEANUP(mw_closep) int same = elf_image_file(&image, sizeof(image));
	assert_true(mw_elf_debuglink_is(&link, same));
	image.note.desc[19]++;
	MW_CLEANUP(mw_closep) int other = elf_image_file(&image, sizeof(image));
	assert_false(mw_elf_debuglink_is(&link, other));
	MW_CLEANUP(mw_closep) int text = elf_image_file("123456789", 9);
	assert_false(mw_elf_debuglink_is(&link, text));
}

TEST(without_a_build_id_the_checksum_decides)
{
	struct elf_image image;
	struct mw_elf_debuglink link;

	init(&image);
	image.ehdr.e_phnum = IMAGE_NOTE;
	link = read_image(&image);
	// CRC-32's check value, by those who defined it.
	MW_CLEANUP(mw_closep) int same = elf_image_file("123456789", 9);
	assert_true(mw_elf_debuglink_is(&link, same));
	MW_CLEANUP(mw_closep) int other = elf_image_file("123456788", 9);
	assert_false(mw_elf_debuglink_is(&link, other));
	link.name[0] = '\0';
	assert_false(mw_elf_debuglink_is(&link, same));
}

static bool same_sections(const struct elf_image *a, const struct elf_image *b)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *debug = NULL;

	ASSERT_OK(mw_elf_file_open_memory(a, sizeof(*a), &file));
	ASSERT_OK(mw_elf_file_open_memory(b, sizeof(*b), &debug));
	return mw_elf_same_sections(file, debug);
}

TEST(sections_in_memory_have_to_be_the_same)
{
	struct elf_image image, debug;

	init(&image);
	init(&debug);
	debug.sections[IMAGE_TEXT_SECTION].sh_type = SHT_NOBITS;
	debug.sections[IMAGE_NAMES_SECTION].sh_size--;
	assert_true(same_sections(&image, &debug));
	debug.sections[IMAGE_TEXT_SECTION].sh_addr++;
	assert_false(same_sections(&image, &debug));
	debug = image;
	debug.names[65] = 'G';
	assert_false(same_sections(&image, &debug));
	debug = image;
	debug.ehdr.e_shnum = IMAGE_BSS_SECTION;
	debug.ehdr.e_shstrndx = IMAGE_DYNSTR_SECTION;
	assert_false(same_sections(&image, &debug));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_link_is_read),
		CASE(a_file_need_not_have_one),
		CASE(a_damaged_link_is_none),
		CASE(the_build_id_decides),
		CASE(without_a_build_id_the_checksum_decides),
		CASE(sections_in_memory_have_to_be_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
