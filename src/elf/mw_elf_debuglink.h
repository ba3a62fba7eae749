/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_DEBUGLINK_H
#define MW_ELF_DEBUGLINK_H

#include "mw_elf_file.h"

/*
 * Debug information that was put into a file of its own (objcopy
 * --only-keep-debug, debuginfo packages): how a stripped file names it, and
 * whether a file is it.
 */

struct mw_elf_debuglink {
	uint8_t build_id[64];
	size_t build_id_bytes; /* 0: none */
	/* Of .gnu_debuglink: a file name without folders; "": none. */
	char name[256];
	uint32_t crc; /* of that file */
};

/**
 * What the file open as @fd says of its debug file; zeros when nothing.
 *
 * Errors: as of mw_elf_load().
 */
MW_MUST_USE struct mw_error *mw_elf_debuglink_read(int fd,
						   struct mw_elf_debuglink *ret);

/**
 * Whether the file open as @fd is the one that @link tells of: by build id, or
 * where there is none by the checksum.
 *
 * Cost: without a build id, all of the file is read.
 */
bool mw_elf_debuglink_is(const struct mw_elf_debuglink *link, int fd);

/**
 * Whether @debug numbers the sections that are in memory as @file does, so that
 * its symbols can be told with the sections of @file.
 */
bool mw_elf_same_sections(const struct mw_elf_file *file,
			  const struct mw_elf_file *debug);

#endif
