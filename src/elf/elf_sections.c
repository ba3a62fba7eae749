/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <stddef.h>
#include <unistd.h>

#include "elf_int.h"

static uint64_t number(const uint8_t *at, size_t bytes, bool is_big_endian)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | at[is_big_endian ? i : bytes - 1 - i];
	return value;
}

/*
 * More sections than fit in e_shnum, which is 0 then, are counted by sh_size
 * of the first section header.
 */
bool elf_has_absurd_sections(int fd)
{
	uint8_t head[sizeof(Elf64_Ehdr)], size[sizeof(uint64_t)];

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return false;
	bool is_64 = head[EI_CLASS] == ELFCLASS64;
	bool is_big_endian = head[EI_DATA] == ELFDATA2MSB;
	size_t bytes = is_64 ? sizeof(Elf64_Off) : sizeof(Elf32_Off);
	uint64_t shnum = number(head + (is_64 ? offsetof(Elf64_Ehdr, e_shnum)
					      : offsetof(Elf32_Ehdr, e_shnum)),
				sizeof(Elf64_Half), is_big_endian);
	uint64_t shoff = number(head + (is_64 ? offsetof(Elf64_Ehdr, e_shoff)
					      : offsetof(Elf32_Ehdr, e_shoff)),
				bytes, is_big_endian);
	uint64_t place = shoff + (is_64 ? offsetof(Elf64_Shdr, sh_size)
					: offsetof(Elf32_Shdr, sh_size));

	return shnum == 0 &&
	       pread(fd, size, bytes, (off_t)place) == (ssize_t)bytes &&
	       number(size, bytes, is_big_endian) > MAX_SECTIONS;
}
