/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_image.h"

#include <unistd.h>

#include "mw_test.h"

static void init_sections(struct elf_image *image)
{
	static const char names[] = "\0.text\0.dynstr\0.dynamic\0.bss\0"
				    ".shstrtab";

	memcpy(image->names, names, sizeof(names));
	image->sections[IMAGE_TEXT_SECTION] = (Elf64_Shdr){
		.sh_name = 1,
		.sh_type = SHT_PROGBITS,
		.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		.sh_addr = ELF_IMAGE_VA + ELF_IMAGE_OFF(text),
		.sh_offset = ELF_IMAGE_OFF(text),
		.sh_size = sizeof(image->text),
		.sh_addralign = 16,
	};
	image->sections[IMAGE_DYNSTR_SECTION] = (Elf64_Shdr){
		.sh_name = 7,
		.sh_type = SHT_STRTAB,
		.sh_flags = SHF_ALLOC,
		.sh_addr = ELF_IMAGE_VA + ELF_IMAGE_OFF(dynstr),
		.sh_offset = ELF_IMAGE_OFF(dynstr),
		.sh_size = sizeof(image->dynstr),
		.sh_addralign = 1,
	};
	image->sections[IMAGE_DYNAMIC_SECTION] = (Elf64_Shdr){
		.sh_name = 15,
		.sh_type = SHT_DYNAMIC,
		.sh_flags = SHF_ALLOC | SHF_WRITE,
		.sh_addr = ELF_IMAGE_VA + ELF_IMAGE_OFF(dynamic),
		.sh_offset = ELF_IMAGE_OFF(dynamic),
		.sh_size = sizeof(image->dynamic),
		.sh_link = IMAGE_DYNSTR_SECTION,
		.sh_addralign = 8,
		.sh_entsize = sizeof(Elf64_Dyn),
	};
	image->sections[IMAGE_BSS_SECTION] = (Elf64_Shdr){
		.sh_name = 24,
		.sh_type = SHT_NOBITS,
		.sh_flags = SHF_ALLOC | SHF_WRITE,
		.sh_addr = ELF_IMAGE_VA + sizeof(*image),
		.sh_offset = sizeof(*image),
		.sh_size = UINT64_C(1) << 40, // needs no room in the file
		.sh_info = 7,
		.sh_addralign = 32,
	};
	image->sections[IMAGE_NAMES_SECTION] = (Elf64_Shdr){
		.sh_name = 29,
		.sh_type = SHT_STRTAB,
		.sh_offset = ELF_IMAGE_OFF(names),
		.sh_size = sizeof(image->names),
		.sh_addralign = 1,
	};
}

void elf_image_init(struct elf_image *image)
{
	*image = (struct elf_image){
		.ehdr = {
			ELF_IMAGE_HEADER(ET_DYN),
			.e_entry = ELF_IMAGE_VA + ELF_IMAGE_OFF(text),
			.e_phoff = ELF_IMAGE_OFF(segments),
			.e_shoff = ELF_IMAGE_OFF(sections),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = IMAGE_SEGMENTS,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = IMAGE_SECTIONS,
			.e_shstrndx = IMAGE_NAMES_SECTION,
		},
		.segments = {
			[IMAGE_LOAD] = {
				.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_vaddr = ELF_IMAGE_VA,
				.p_filesz = ELF_IMAGE_OFF(sections),
				.p_memsz = ELF_IMAGE_OFF(sections) + 5,
				.p_align = 4096,
			},
			[IMAGE_DYNAMIC] = {
				.p_type = PT_DYNAMIC,
				.p_flags = PF_R | PF_W,
				.p_offset = ELF_IMAGE_OFF(dynamic),
				.p_vaddr = ELF_IMAGE_VA +
					   ELF_IMAGE_OFF(dynamic),
				.p_filesz = sizeof(image->dynamic),
				.p_memsz = sizeof(image->dynamic),
				.p_align = 8,
			},
			[IMAGE_NOTE] = {
				.p_type = PT_NOTE,
				.p_flags = PF_R,
				.p_offset = ELF_IMAGE_OFF(note),
				.p_vaddr = ELF_IMAGE_VA + ELF_IMAGE_OFF(note),
				.p_filesz = 16 + 20,
				.p_memsz = 16 + 20,
				.p_align = 4,
			},
		},
		.dynamic = {
			{ DT_STRTAB,
			  { ELF_IMAGE_VA + ELF_IMAGE_OFF(dynstr) } },
			{ DT_SONAME, { 1 } },
		},
		.dynstr = "\0libtest.so.1",
		.note = {
			.head = { 4, 20, NT_GNU_BUILD_ID },
			.name = "GNU",
		},
	};
	for (size_t i = 0; i < sizeof(image->note.desc); i++)
		image->note.desc[i] = (uint8_t)i;
	init_sections(image);
}

int elf_image_file(const void *from, size_t bytes)
{
	char path[] = "/tmp/mw_test_XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_true(write(fd, from, bytes) == (ssize_t)bytes);
	return fd;
}
