/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_IMAGE_H
#define ELF_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An ELF file as a C structure, laid out as in the file: a test changes what
 * it likes and hands its bytes on. Everything but the section table is mapped
 * by one PT_LOAD at ELF_IMAGE_VA.
 */

#define ELF_IMAGE_VA UINT64_C(0x400000)

/* Place of a member in the file. */
#define ELF_IMAGE_OFF(member) offsetof(struct elf_image, member)

/* What every header for x86-64 begins with. */
#define ELF_IMAGE_HEADER(kind) \
	.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, \
		     ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, \
	.e_type = (kind), \
	.e_machine = EM_X86_64, \
	.e_version = EV_CURRENT, \
	.e_ehsize = sizeof(Elf64_Ehdr)

enum { IMAGE_LOAD, IMAGE_DYNAMIC, IMAGE_NOTE, IMAGE_SEGMENTS };

enum {
	IMAGE_NULL,
	IMAGE_TEXT_SECTION,
	IMAGE_DYNSTR_SECTION,
	IMAGE_DYNAMIC_SECTION,
	IMAGE_BSS_SECTION,
	IMAGE_NAMES_SECTION,
	IMAGE_SECTIONS,
};

struct elf_image {
	Elf64_Ehdr ehdr;
	Elf64_Phdr segments[IMAGE_SEGMENTS];
	Elf64_Dyn dynamic[4]; /* DT_STRTAB, DT_SONAME, DT_NULL, unused */
	char dynstr[320]; /* the soname is at 1 */
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint8_t desc[100];
	} note;
	char text[24];
	char names[400];
	Elf64_Shdr sections[IMAGE_SECTIONS];
};

/** A sound shared library: libtest.so.1, build-id 00 01 … 13. */
void elf_image_init(struct elf_image *image);

/** An unlinked temporary file with the @bytes at @from. */
int elf_image_file(const void *from, size_t bytes);

#endif
