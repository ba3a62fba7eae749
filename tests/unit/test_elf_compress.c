/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_elf_file.h"
#include "mw_num.h"
#include "mw_test.h"

/* How sections are compressed, by their first bytes. */

static struct mw_elf_file over(const void *bytes, size_t count)
{
	return (struct mw_elf_file){
		.fd = -1, .image = bytes, .bytes = count, .is_64 = true,
	};
}

TEST(headers_of_both_classes)
{
	const Elf64_Chdr wide = { ELFCOMPRESS_ZLIB, 0, 1 << 20, 8 };
	const Elf32_Chdr narrow = { 2 /* zstd */, 4096, 4 };
	struct mw_elf_file file = over(&wide, sizeof(wide));
	struct mw_elf_section section = {
		.name = ".debug_info", .type = SHT_PROGBITS,
		.flags = SHF_COMPRESSED, .size = sizeof(wide),
	};
	struct mw_elf_compression c;

	ASSERT_OK(mw_elf_compression(&file, &section, &c));
	ASSERT_EQ(MW_ELF_ZLIB, c.kind);
	ASSERT_EQ(1 << 20, c.bytes);
	ASSERT_EQ(8, c.align);
	ASSERT_EQ(24, c.head_bytes);

	file = over(&narrow, sizeof(narrow));
	file.is_64 = false;
	section.size = sizeof(narrow);
	ASSERT_OK(mw_elf_compression(&file, &section, &c));
	ASSERT_EQ(MW_ELF_ZSTD, c.kind);
	ASSERT_EQ(4096, c.bytes);
	ASSERT_EQ(12, c.head_bytes);
}

TEST(a_header_that_is_cut_short)
{
	const Elf64_Chdr head = { 99, 0, 77, 1 };
	struct mw_elf_file file = over(&head, sizeof(head));
	struct mw_elf_section section = {
		.name = ".x", .type = SHT_PROGBITS, .flags = SHF_COMPRESSED,
		.size = sizeof(head),
	};
	struct mw_elf_compression c = { .bytes = 1 };

	ASSERT_OK(mw_elf_compression(&file, &section, &c));
	ASSERT_EQ(MW_ELF_OTHER, c.kind);
	ASSERT_EQ(99, c.type);
	c.bytes = 1;
	section.size--; // by the section
	ASSERT_ERR(MW_E_FORMAT, mw_elf_compression(&file, &section, &c));
	section.size++;
	file.bytes--; // by the file
	ASSERT_ERR(MW_E_FORMAT, mw_elf_compression(&file, &section, &c));
	ASSERT_EQ(1, c.bytes);
	// What has no bytes in the file isn't compressed.
	section.type = SHT_NOBITS;
	ASSERT_OK(mw_elf_compression(&file, &section, &c));
	ASSERT_EQ(MW_ELF_NOT_COMPRESSED, c.kind);
}

TEST(the_older_form_is_told_by_name)
{
	uint8_t raw[] = "ZLIB\0\0\0\0\0\1\2\3";
	struct mw_elf_file file = over(raw, 12);
	struct mw_elf_section section = {
		.name = ".zdebug_info", .type = SHT_PROGBITS, .size = 12,
		.align = 4,
	};
	struct mw_elf_compression c;

	ASSERT_OK(mw_elf_compression(&file, &section, &c));
	ASSERT_EQ(MW_ELF_GNU_ZLIB, c.kind);
	ASSERT_EQ(0x10203, c.bytes);
	ASSERT_EQ(4, c.align);
	ASSERT_EQ(12, c.head_bytes);
	// It may also stand there as it is, and be short.
	for (int i = 0; i < 3; i++) {
		section.size = i == 0 ? 11 : 12;
		section.name = i == 1 ? ".debug_info" : ".zdebug_info";
		raw[0] = i == 2 ? 'z' : 'Z';
		ASSERT_OK(mw_elf_compression(&file, &section, &c));
		ASSERT_EQ(MW_ELF_NOT_COMPRESSED, c.kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(headers_of_both_classes),
		CASE(a_header_that_is_cut_short),
		CASE(the_older_form_is_told_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
