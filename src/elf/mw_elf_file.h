/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ELF_FILE_H
#define MW_ELF_FILE_H

#include "mw_elf.h"

/*
 * An ELF file as it stands, of either class and byte order, for any machine:
 * every field of its header, its segments and its sections, and its bytes. What
 * is needed of a loaded image is in mw_elf.h.
 *
 * A table that is damaged is left out or cut short and told as a problem; the
 * rest of the file is read all the same.
 */

/** The fields of the ELF header, as they are. */
struct mw_elf_header {
	uint8_t ident[EI_NIDENT];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	/* The true counts, where the fields above are too small for them. */
	uint64_t segments, sections, names_section;
};

struct mw_elf_file {
	int fd; /* borrowed; -1: all is in memory */
	const uint8_t *image; /* borrowed; NULL: read from the file */
	uint64_t bytes;
	bool is_64, is_big_endian;
	bool is_loaded; /* only what segments load: no sections */
	struct mw_elf_header header;
	MW_VEC(struct mw_elf_segment) segments;
	/*
	 * All sections, the null section first. The names are as in the file:
	 * not empty only where there are names, and with any bytes in them.
	 */
	MW_VEC(struct mw_elf_section) sections;
	char *names; /* what the sections' names point into; ends with NUL */
	uint64_t names_bytes;
	/* What is wrong with the file, in the order in which it was found. */
	MW_VEC(struct mw_error *) problems;
	bool lost_problems; /* for want of memory */
};

/**
 * Read the tables of the file open as @fd, which stays the caller's and open
 * as long as the mw_elf_file is used.
 *
 * Errors: MW_E_FORMAT when it does not begin with an ELF header; MW_E_SYSTEM.
 */
MW_MUST_USE struct mw_error *mw_elf_file_open(int fd,
					      struct mw_elf_file **ret);

/** The same for @bytes at @image, which outlive the mw_elf_file. */
MW_MUST_USE struct mw_error *mw_elf_file_open_memory(const void *image,
						     uint64_t bytes,
						     struct mw_elf_file **ret);
/**
 * The same for bytes that are only what the segments load: section headers lie
 * behind them, and what is there instead is not read as such.
 */
MW_MUST_USE struct mw_error *
mw_elf_file_open_segments(const void *image, uint64_t bytes,
			  struct mw_elf_file **ret);
void mw_elf_file_close(struct mw_elf_file *file);

static inline void mw_elf_file_closep(struct mw_elf_file **file)
{
	mw_elf_file_close(*file);
	*file = NULL;
}

/** Remember @error, which the file owns from now on, as a problem. */
void mw_elf_file_problem(struct mw_elf_file *file, struct mw_error *error);

/** Copy @bytes at @offset. False when they do not all lie in the file. */
bool mw_elf_file_read(const struct mw_elf_file *file, uint64_t offset,
		      void *to, uint64_t bytes);

/**
 * A copy of the @bytes at @offset with a NUL behind them; the caller frees it.
 *
 * Errors: MW_E_FORMAT when they leave the file; MW_E_LIMIT when they are more
 *         than @limit. Both name @what and the offset.
 */
MW_MUST_USE struct mw_error *mw_elf_file_copy(const struct mw_elf_file *file,
					      uint64_t offset, uint64_t bytes,
					      uint64_t limit, const char *what,
					      uint8_t **ret);

/** Whether @section has bytes in the file. */
static inline bool mw_elf_section_in_file(const struct mw_elf_section *section)
{
	return section->type != SHT_NULL && section->type != SHT_NOBITS;
}

/** The first section called @name, or of @type; NULL if there is none. */
const struct mw_elf_section *
mw_elf_file_section(const struct mw_elf_file *file, const char *name);
const struct mw_elf_section *
mw_elf_file_section_of_type(const struct mw_elf_file *file, uint32_t type);
const struct mw_elf_segment *
mw_elf_file_segment_of_type(const struct mw_elf_file *file, uint32_t type);

/** Where the byte at address @va lies in the file, by its PT_LOAD. */
bool mw_elf_file_offset(const struct mw_elf_file *file, uint64_t va,
			uint64_t *ret);

/** Whether @section is mapped by @segment, by the rules that readelf has. */
bool mw_elf_section_in_segment(const struct mw_elf_section *section,
			       const struct mw_elf_segment *segment);

/* Numbers, in the file's byte order */

static inline uint64_t mw_elf_get(const struct mw_elf_file *file,
				  const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i]
			 << 8 * (file->is_big_endian ? bytes - 1 - i : i);
	return value;
}

/** Bytes of an address: 4 or 8. */
static inline unsigned mw_elf_word(const struct mw_elf_file *file)
{
	return file->is_64 ? 8 : 4;
}

/* Compression */

enum mw_elf_compression_kind {
	MW_ELF_NOT_COMPRESSED,
	MW_ELF_ZLIB,
	MW_ELF_ZSTD,
	MW_ELF_GNU_ZLIB, /* .zdebug_…, told by the section's name */
	MW_ELF_OTHER,	 /* ch_type tells */
};

struct mw_elf_compression {
	enum mw_elf_compression_kind kind;
	uint32_t type; /* ch_type, 0 for MW_ELF_GNU_ZLIB */
	uint64_t bytes; /* when uncompressed */
	uint64_t align;
	uint64_t head_bytes; /* in front of the compressed bytes */
};

/**
 * How @section is compressed; MW_ELF_NOT_COMPRESSED when it isn't.
 * Errors: MW_E_FORMAT when the header is cut short.
 */
MW_MUST_USE struct mw_error *
mw_elf_compression(const struct mw_elf_file *file,
		   const struct mw_elf_section *section,
		   struct mw_elf_compression *ret);

#endif
