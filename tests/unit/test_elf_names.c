/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_elf_names.h"
#include "mw_num.h"
#include "mw_test.h"

/* Names and flags, as readelf of binutils 2.40 spells them. */

static struct mw_elf_file of(uint16_t type, uint16_t machine)
{
	return (struct mw_elf_file){
		.is_64 = true,
		.header = { .type = type, .machine = machine,
			    .ident = { [EI_CLASS] = ELFCLASS64,
				       [EI_DATA] = ELFDATA2LSB } },
	};
}

TEST(types_and_machines)
{
	struct mw_elf_file file = of(ET_DYN, EM_X86_64);
	char text[MW_ELF_NAME_BYTES];

	ASSERT_TEXT("ELF64", mw_elf_class_name(&file));
	ASSERT_TEXT("2's complement, little endian", mw_elf_data_name(&file));
	ASSERT_TEXT("DYN (Shared object file)",
		    mw_elf_type_name(&file, false, text));
	ASSERT_TEXT("DYN (Position-Independent Executable file)",
		    mw_elf_type_name(&file, true, text));
	ASSERT_TEXT("Advanced Micro Devices X86-64",
		    mw_elf_machine_name(EM_X86_64, text));
	ASSERT_TEXT("<unknown>: 0xfffe", mw_elf_machine_name(0xfffe, text));
	file.header.type = ET_LOPROC + 1;
	ASSERT_TEXT("Processor Specific: (ff01)",
		    mw_elf_type_name(&file, false, text));
}

TEST(a_number_has_the_name_that_its_machine_gives_it)
{
	struct mw_elf_file amd64 = of(ET_REL, EM_X86_64);
	struct mw_elf_file arm = of(ET_REL, EM_ARM);
	char text[MW_ELF_NAME_BYTES];

	ASSERT_TEXT("X86_64_UNWIND",
		    mw_elf_section_type_name(&amd64, 0x70000001, text));
	ASSERT_TEXT("ARM_EXIDX",
		    mw_elf_section_type_name(&arm, 0x70000001, text));
	ASSERT_TEXT("EXIDX", mw_elf_segment_type_name(&arm, 0x70000001, text));
	ASSERT_TEXT("GNU_STACK",
		    mw_elf_segment_type_name(&amd64, PT_GNU_STACK, text));
	ASSERT_TEXT("LOOS+0x1",
		    mw_elf_segment_type_name(&amd64, PT_LOOS + 1, text));
}

TEST(tags_and_their_values)
{
	struct mw_elf_file file = of(ET_DYN, EM_X86_64);
	char text[MW_ELF_NAME_BYTES], value[512];

	ASSERT_TEXT("NULL", mw_elf_tag_name(&file, DT_NULL, text));
	ASSERT_TEXT("GNU_HASH", mw_elf_tag_name(&file, DT_GNU_HASH, text));
	ASSERT_TEXT("<unknown>: ffffffffffffffff",
		    mw_elf_tag_name(&file, -1, text));
	file.is_64 = false;
	ASSERT_TEXT("<unknown>: ffffffff", mw_elf_tag_name(&file, -1, text));
	ASSERT_TEXT("NOW PIE",
		    mw_elf_tag_value(DT_FLAGS_1, DF_1_NOW | DF_1_PIE, value));
	ASSERT_TEXT("None", mw_elf_tag_value(DT_FLAGS_1, 0, value));
	ASSERT_TEXT("BIND_NOW unknown unknown",
		    mw_elf_tag_value(DT_FLAGS, DF_BIND_NOW | 0x300, value));
	ASSERT_TEXT("RELA", mw_elf_tag_value(DT_PLTREL, DT_RELA, value));
	assert_null(mw_elf_tag_value(DT_NEEDED, 1, value));
	// Every bit at once has room.
	assert_true(strlen(mw_elf_tag_value(DT_FLAGS_1, UINT64_MAX, value)) <
		    sizeof(value));
	assert_true(strlen(mw_elf_tag_value(DT_FLAGS, UINT64_MAX, value)) <
		    sizeof(value));
}

TEST(flags_of_sections)
{
	struct mw_elf_file file = of(ET_REL, EM_X86_64);
	char letters[MW_ELF_NAME_BYTES], words[512];
	const struct {
		uint64_t flags;
		const char *letters, *words;
	} pairs[] = {
		{ 0, "", "" },
		{ SHF_ALLOC | SHF_WRITE, "WA", "write, alloc" },
		{ SHF_ALLOC | SHF_TLS | SHF_COMPRESSED, "ATC",
		  "alloc, TLS, compressed" },
		{ 0x10000000, "l", "large" },
		// What only the range is known of is told once.
		{ 0x0ee00000, "o", "OS specific" },
		{ SHF_ALLOC | UINT64_C(0x60000000), "Ap",
		  "alloc, processor specific" },
		{ 8, "x", "unknown" },
	};

	for (size_t i = 0; i < MW_COUNT(pairs); i++) {
		ASSERT_TEXT(pairs[i].letters,
			    mw_elf_section_flags(&file, pairs[i].flags,
						 letters));
		ASSERT_TEXT(pairs[i].words,
			    mw_elf_section_flag_words(&file, pairs[i].flags,
						      words));
	}
	// SHF_GNU_RETAIN is GNU's, and "large" x86-64's.
	ASSERT_TEXT("o", mw_elf_section_flags(&file, 0x200000, letters));
	file.header.ident[EI_OSABI] = ELFOSABI_GNU;
	ASSERT_TEXT("R", mw_elf_section_flags(&file, 0x200000, letters));
	file.header.machine = EM_RISCV;
	ASSERT_TEXT("p", mw_elf_section_flags(&file, 0x10000000, letters));
}

TEST(flags_of_segments)
{
	char text[MW_ELF_NAME_BYTES];

	ASSERT_TEXT("", mw_elf_segment_flags(0, text));
	ASSERT_TEXT("RW", mw_elf_segment_flags(PF_R | PF_W, text));
	ASSERT_TEXT("R E", mw_elf_segment_flags(PF_R | PF_X, text));
	ASSERT_TEXT(" W", mw_elf_segment_flags(PF_W, text));
}

TEST(types_of_notes_are_their_owners)
{
	struct mw_elf_file file = of(ET_EXEC, EM_X86_64);
	char text[MW_ELF_NAME_BYTES];

	ASSERT_TEXT("NT_GNU_BUILD_ID (unique build ID bitstring)",
		    mw_elf_note_name(&file, "GNU", NT_GNU_BUILD_ID, text));
	ASSERT_TEXT("Unknown note type: (0x00000099)",
		    mw_elf_note_name(&file, "GNU", 0x99, text));
	file.header.type = ET_CORE;
	ASSERT_TEXT("NT_PRSTATUS (prstatus structure)",
		    mw_elf_note_name(&file, "CORE", NT_PRSTATUS, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(types_and_machines),
		CASE(a_number_has_the_name_that_its_machine_gives_it),
		CASE(tags_and_their_values),
		CASE(flags_of_sections),
		CASE(flags_of_segments),
		CASE(types_of_notes_are_their_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
