/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_elf_debuglink.h"

#include <lzma.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"
#include "mw_num.h"

/*
 * .gnu_debuglink (GDB manual, "Separate Debug Files"):
 *
 *	name, NUL, zeros up to the next multiple of 4
 *	CRC-32 of the file, 4 bytes in the byte order of the file
 */
static void read_link(const struct mw_elf_file *file,
		      struct mw_elf_debuglink *link)
{
	const struct mw_elf_section *s =
		mw_elf_file_section(file, ".gnu_debuglink");
	uint8_t bytes[sizeof(link->name) + 8] = { 0 };
	size_t length, place;

	if (!s || s->size > sizeof(bytes) ||
	    !mw_elf_file_read(file, s->offset, bytes, s->size))
		return;
	length = strnlen((char *)bytes, s->size);
	place = mw_align_up(length + 1, 4);
	// A name that leads elsewhere is none.
	if (length == 0 || length >= sizeof(link->name) ||
	    place + 4 > s->size || memchr(bytes, '/', length))
		return;
	memcpy(link->name, bytes, length + 1);
	link->crc = (uint32_t)mw_elf_get(file, bytes + place, 4);
}

static struct mw_error *read_build_id(int fd, struct mw_elf_debuglink *link)
{
	struct mw_elf *elf;
	struct mw_error *error = mw_elf_load(fd, &elf);

	if (error)
		return error;
	link->build_id_bytes = elf->build_id_bytes;
	memcpy(link->build_id, elf->build_id, elf->build_id_bytes);
	mw_elf_free(elf);
	return NULL;
}

struct mw_error *mw_elf_debuglink_read(int fd, struct mw_elf_debuglink *ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct mw_elf_debuglink link = { 0 };
	struct mw_error *error = mw_elf_file_open(fd, &file);

	if (!error)
		error = read_build_id(fd, &link);
	if (error)
		return error;
	read_link(file, &link);
	*ret = link;
	return NULL;
}

/** The CRC-32 of all of the file. False when it cannot be read. */
static bool checksum(int fd, uint32_t *ret)
{
	uint8_t block[65536];
	uint32_t crc = 0;
	off_t at = 0;
	ssize_t got;

	while ((got = pread(fd, block, sizeof(block), at)) > 0) {
		crc = lzma_crc32(block, (size_t)got, crc);
		at += got;
	}
	*ret = crc;
	return got == 0;
}

bool mw_elf_debuglink_is(const struct mw_elf_debuglink *link, int fd)
{
	struct mw_elf_debuglink other = { 0 };
	uint32_t crc;

	if (link->build_id_bytes == 0)
		return link->name[0] && checksum(fd, &crc) && crc == link->crc;
	mw_error_free(read_build_id(fd, &other));
	return other.build_id_bytes == link->build_id_bytes &&
	       memcmp(other.build_id, link->build_id,
		      link->build_id_bytes) == 0;
}

bool mw_elf_same_sections(const struct mw_elf_file *file,
			  const struct mw_elf_file *debug)
{
	for (size_t i = 0; i < file->sections.n; i++) {
		const struct mw_elf_section *a = &file->sections.v[i], *b;

		if (!(a->flags & SHF_ALLOC))
			continue;
		if (i >= debug->sections.n)
			return false;
		b = &debug->sections.v[i];
		if (a->addr != b->addr || a->size != b->size ||
		    strcmp(a->name, b->name) != 0)
			return false;
	}
	return true;
}
