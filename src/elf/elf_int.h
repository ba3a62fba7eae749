/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ELF_INT_H
#define ELF_INT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Chromium with debug information has about 50 sections, an object file built
 * with -ffunction-sections a few hundred thousand.
 */
#define MAX_SECTIONS (UINT64_C(1) << 20)

/**
 * Whether the header of the file open as @fd claims more than MAX_SECTIONS.
 * libelf and libdw allocate, and write to, 200 bytes for each of them while
 * they open a file; a hole in it is room for any number.
 */
bool elf_has_absurd_sections(int fd);

#define ELF_MAGIC_BYTES 8

/**
 * The error for a file that begins with @head, zeros behind its end, and not as
 * an ELF file: what it is instead, where that is known.
 */
struct mw_error *elf_not_elf(const uint8_t head[ELF_MAGIC_BYTES]);

#endif
