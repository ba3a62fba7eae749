/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_NAMES_H
#define MW_ELF_NAMES_H

#include "mw_elf_file.h"

/*
 * The names of ELF constants, spelt as readelf spells them. The tables are made
 * by tools/elf_names.py; what they lack is a number by readelf's rules.
 */

/** Room for any name that is made up of a number. */
#define MW_ELF_NAME_BYTES 64

/* Each returns a constant, or @text with the name written into it. */
const char *mw_elf_class_name(const struct mw_elf_file *file);
const char *mw_elf_data_name(const struct mw_elf_file *file);
/** @is_pie: DT_FLAGS_1 has DF_1_PIE. */
const char *mw_elf_type_name(const struct mw_elf_file *file, bool is_pie,
			     char text[static MW_ELF_NAME_BYTES]);
const char *mw_elf_machine_name(uint16_t machine,
				char text[static MW_ELF_NAME_BYTES]);
const char *mw_elf_osabi_name(const struct mw_elf_file *file,
			      char text[static MW_ELF_NAME_BYTES]);
const char *mw_elf_section_type_name(const struct mw_elf_file *file,
				     uint32_t type,
				     char text[static MW_ELF_NAME_BYTES]);
/** The letters of readelf's column Flg. */
const char *mw_elf_section_flags(const struct mw_elf_file *file,
				 uint64_t flags,
				 char text[static MW_ELF_NAME_BYTES]);
const char *mw_elf_segment_type_name(const struct mw_elf_file *file,
				     uint32_t type,
				     char text[static MW_ELF_NAME_BYTES]);
/** "R", "RW", "R E", as readelf's, without blanks at its end. */
const char *mw_elf_segment_flags(uint32_t flags,
				 char text[static MW_ELF_NAME_BYTES]);
const char *mw_elf_tag_name(const struct mw_elf_file *file, int64_t tag,
			    char text[static MW_ELF_NAME_BYTES]);
/** What the value of @tag means, spelt out ("NOW PIE"); NULL: a number. */
const char *mw_elf_tag_value(int64_t tag, uint64_t value,
			     char text[static 512]);
const char *mw_elf_note_name(const struct mw_elf_file *file,
			     const char *owner, uint32_t type,
			     char text[static MW_ELF_NAME_BYTES]);
/** Of x86-64: "R_X86_64_PLT32". */
const char *mw_elf_relocation_name(uint32_t type,
				   char text[static MW_ELF_NAME_BYTES]);

/** The flags as words: "write, alloc, exec". */
const char *mw_elf_section_flag_words(const struct mw_elf_file *file,
				      uint64_t flags, char text[static 512]);

#endif
