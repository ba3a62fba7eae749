/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_int.h"
#include "mw_elf_file.h"
#include "mw_guard.h"
#include "mw_num.h"

/* Bounds that no real program reaches, like MAX_SECTIONS. */
#define MAX_SEGMENTS (UINT64_C(1) << 16)
#define MAX_NAMES MW_MIB(64)
#define MAX_PROBLEMS 100

/** Takes fields one after the other. */
struct cursor {
	const struct mw_elf_file *file;
	const uint8_t *at;
};

static uint64_t take(struct cursor *cursor, unsigned bytes)
{
	uint64_t value = mw_elf_get(cursor->file, cursor->at, bytes);

	cursor->at += bytes;
	return value;
}

static uint64_t take_word(struct cursor *cursor)
{
	return take(cursor, mw_elf_word(cursor->file));
}

void mw_elf_file_problem(struct mw_elf_file *file, struct mw_error *error)
{
	struct mw_error **place = NULL;

	if (file->problems.n < MAX_PROBLEMS) {
		place = mw_vec_push(&file->problems);
		file->lost_problems = file->lost_problems || !place;
	}
	if (place)
		*place = error;
	else
		mw_error_free(error);
}

bool mw_elf_file_read(const struct mw_elf_file *file, uint64_t offset,
		      void *to, uint64_t bytes)
{
	uint8_t *at = to;

	if (!mw_within(offset, bytes, 0, file->bytes))
		return false;
	if (file->image) {
		memcpy(to, file->image + offset, bytes);
		return true;
	}
	// Not mapped into memory: a file that is cut short meanwhile would
	// kill us with SIGBUS.
	while (bytes > 0) {
		ssize_t got = pread(file->fd, at, bytes, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		offset += (uint64_t)got;
		bytes -= (uint64_t)got;
	}
	return true;
}

struct mw_error *mw_elf_file_copy(const struct mw_elf_file *file,
				  uint64_t offset, uint64_t bytes,
				  uint64_t limit, const char *what,
				  uint8_t **ret)
{
	MW_CLEANUP(mw_freep) uint8_t *copy = NULL;

	if (!mw_within(offset, bytes, 0, file->bytes))
		return mw_error_at(MW_E_FORMAT, offset, "%s: %" PRIu64
				   " bytes at offset 0x%" PRIx64
				   " leave the file, which has %" PRIu64
				   " (truncated?)",
				   what, bytes, offset, file->bytes);
	if (bytes > limit)
		return mw_error_at(MW_E_LIMIT, offset, "%s at offset 0x%" PRIx64
				   " has %" PRIu64 " bytes, more than the %"
				   PRIu64 " that make sense",
				   what, offset, bytes, limit);
	copy = mw_alloc(bytes + 1);
	if (!copy)
		return mw_error_nomem();
	if (!mw_elf_file_read(file, offset, copy, bytes))
		return mw_error_at(MW_E_SYSTEM, offset, "%s: %" PRIu64
				   " bytes at offset 0x%" PRIx64
				   " cannot be read", what, bytes, offset);
	copy[bytes] = '\0';
	*ret = mw_steal(copy);
	return NULL;
}

static struct mw_error *read_header(struct mw_elf_file *file)
{
	struct mw_elf_header *h = &file->header;
	uint8_t raw[sizeof(Elf64_Ehdr)] = { 0 };
	struct cursor cursor = { file, raw + EI_NIDENT };

	if (!mw_elf_file_read(file, 0, raw, EI_NIDENT) ||
	    memcmp(raw, ELFMAG, SELFMAG) != 0)
		return elf_not_elf(raw);
	if (raw[EI_CLASS] != ELFCLASS32 && raw[EI_CLASS] != ELFCLASS64)
		return mw_error_at(MW_E_FORMAT, EI_CLASS, "not an ELF file: "
				   "class %u at offset 4", raw[EI_CLASS]);
	if (raw[EI_DATA] != ELFDATA2LSB && raw[EI_DATA] != ELFDATA2MSB)
		return mw_error_at(MW_E_FORMAT, EI_DATA, "not an ELF file: "
				   "byte order %u at offset 5", raw[EI_DATA]);
	file->is_64 = raw[EI_CLASS] == ELFCLASS64;
	file->is_big_endian = raw[EI_DATA] == ELFDATA2MSB;
	if (!mw_elf_file_read(file, 0, raw, file->is_64 ? sizeof(Elf64_Ehdr)
							: sizeof(Elf32_Ehdr)))
		return mw_error_at(MW_E_FORMAT, 0, "not an ELF file: its "
				   "header leaves the file (truncated?)");
	memcpy(h->ident, raw, EI_NIDENT);
	h->type = (uint16_t)take(&cursor, 2);
	h->machine = (uint16_t)take(&cursor, 2);
	h->version = (uint32_t)take(&cursor, 4);
	h->entry = take_word(&cursor);
	h->phoff = take_word(&cursor);
	h->shoff = take_word(&cursor);
	h->flags = (uint32_t)take(&cursor, 4);
	h->ehsize = (uint16_t)take(&cursor, 2);
	h->phentsize = (uint16_t)take(&cursor, 2);
	h->phnum = (uint16_t)take(&cursor, 2);
	h->shentsize = (uint16_t)take(&cursor, 2);
	h->shnum = (uint16_t)take(&cursor, 2);
	h->shstrndx = (uint16_t)take(&cursor, 2);
	h->segments = h->phnum;
	h->sections = h->shnum;
	h->names_section = h->shstrndx;
	return NULL;
}

static struct mw_elf_section decode_section(const struct mw_elf_file *file,
					    const uint8_t *raw,
					    uint32_t *ret_name)
{
	struct cursor cursor = { file, raw };
	struct mw_elf_section s = { .name = "" };

	*ret_name = (uint32_t)take(&cursor, 4);
	s.type = (uint32_t)take(&cursor, 4);
	s.flags = take_word(&cursor);
	s.addr = take_word(&cursor);
	s.offset = take_word(&cursor);
	s.size = take_word(&cursor);
	s.link = (uint32_t)take(&cursor, 4);
	s.info = (uint32_t)take(&cursor, 4);
	s.align = take_word(&cursor);
	s.entry_size = take_word(&cursor);
	return s;
}

static struct mw_elf_segment decode_segment(const struct mw_elf_file *file,
					    const uint8_t *raw)
{
	struct cursor cursor = { file, raw };
	struct mw_elf_segment s = { .type = (uint32_t)take(&cursor, 4) };

	// The flags moved to the front when addresses grew.
	if (file->is_64)
		s.flags = (uint32_t)take(&cursor, 4);
	s.offset = take_word(&cursor);
	s.vaddr = take_word(&cursor);
	s.paddr = take_word(&cursor);
	s.filesz = take_word(&cursor);
	s.memsz = take_word(&cursor);
	if (!file->is_64)
		s.flags = (uint32_t)take(&cursor, 4);
	s.align = take_word(&cursor);
	return s;
}

/** Copy a whole table, after checking that it can be one. */
static struct mw_error *copy_table(const struct mw_elf_file *file,
				   const char *what, uint64_t offset,
				   uint64_t count, uint64_t entry_bytes,
				   uint64_t want_bytes, uint64_t limit,
				   uint8_t **ret)
{
	if (entry_bytes != want_bytes)
		return mw_error_at(MW_E_FORMAT, offset, "%s at offset 0x%" PRIx64
				   ": its entries have %" PRIu64
				   " bytes instead of %" PRIu64,
				   what, offset, entry_bytes, want_bytes);
	if (count > file->bytes / entry_bytes)
		return mw_error_at(MW_E_FORMAT, offset, "%s: %" PRIu64
				   " entries at offset 0x%" PRIx64
				   " leave the file, which has %" PRIu64
				   " bytes (truncated?)",
				   what, count, offset, file->bytes);
	if (count > limit)
		return mw_error_at(MW_E_LIMIT, offset, "%s at offset 0x%" PRIx64
				   ": %" PRIu64 " entries, more than the %" PRIu64
				   " that make sense",
				   what, offset, count, limit);
	return mw_elf_file_copy(file, offset, count * entry_bytes, UINT64_MAX,
				what, ret);
}

/** The first section header holds counts that do not fit in the header. */
static void take_extended_counts(struct mw_elf_file *file)
{
	struct mw_elf_header *h = &file->header;
	uint8_t raw[sizeof(Elf64_Shdr)];
	struct mw_elf_section first;
	uint32_t name;

	if (h->shoff == 0 ||
	    !mw_elf_file_read(file, h->shoff, raw,
			      file->is_64 ? sizeof(Elf64_Shdr)
					  : sizeof(Elf32_Shdr)))
		return;
	first = decode_section(file, raw, &name);
	if (h->shnum == 0)
		h->sections = first.size;
	if (h->shstrndx == SHN_XINDEX)
		h->names_section = first.link;
	if (h->phnum == PN_XNUM && first.info != 0)
		h->segments = first.info;
}

static struct mw_error *read_segments(struct mw_elf_file *file)
{
	const struct mw_elf_header *h = &file->header;
	MW_CLEANUP(mw_freep) uint8_t *raw = NULL;
	struct mw_error *error;

	if (h->segments == 0)
		return NULL;
	error = copy_table(file, "program headers", h->phoff, h->segments,
			   h->phentsize,
			   file->is_64 ? sizeof(Elf64_Phdr)
				       : sizeof(Elf32_Phdr),
			   MAX_SEGMENTS, &raw);
	if (error)
		return error;
	for (uint64_t i = 0; i < h->segments; i++) {
		struct mw_elf_segment *s = mw_vec_push(&file->segments);

		if (!s)
			return mw_error_nomem();
		*s = decode_segment(file, raw + i * h->phentsize);
	}
	return NULL;
}

static struct mw_error *read_names(struct mw_elf_file *file)
{
	const struct mw_elf_section *names;
	struct mw_error *error;
	uint8_t *copy;

	if (file->header.names_section >= file->sections.n)
		return mw_error_at(MW_E_FORMAT, file->header.shoff,
				   "the section names are said to be in section "
				   "%" PRIu64 ", which there is not",
				   file->header.names_section);
	names = &file->sections.v[file->header.names_section];
	if (names->type != SHT_STRTAB)
		return mw_error_at(MW_E_FORMAT, names->offset,
				   "section %" PRIu64 ", which should hold the "
				   "section names, holds no strings",
				   file->header.names_section);
	error = mw_elf_file_copy(file, names->offset, names->size, MAX_NAMES,
				 "the section names", &copy);
	if (error)
		return error;
	file->names = (char *)copy;
	file->names_bytes = names->size;
	return NULL;
}

static struct mw_error *read_sections(struct mw_elf_file *file)
{
	const struct mw_elf_header *h = &file->header;
	MW_CLEANUP(mw_freep) uint8_t *raw = NULL;
	struct mw_error *error;
	uint32_t name;

	if (h->shoff == 0 || h->sections == 0)
		return NULL;
	error = copy_table(file, "section headers", h->shoff, h->sections,
			   h->shentsize,
			   file->is_64 ? sizeof(Elf64_Shdr)
				       : sizeof(Elf32_Shdr),
			   MAX_SECTIONS, &raw);
	if (error)
		return error;
	for (uint64_t i = 0; i < h->sections; i++) {
		struct mw_elf_section *s = mw_vec_push(&file->sections);

		if (!s)
			return mw_error_nomem();
		*s = decode_section(file, raw + i * h->shentsize, &name);
	}
	if (h->names_section == SHN_UNDEF)
		return NULL;
	error = read_names(file);
	for (uint64_t i = 0; !error && i < h->sections; i++) {
		decode_section(file, raw + i * h->shentsize, &name);
		if (name < file->names_bytes)
			file->sections.v[i].name = file->names + name;
	}
	return error;
}

/** Keep @error as a problem, but for one that is ours. */
static struct mw_error *tolerate(struct mw_elf_file *file,
				 struct mw_error *error)
{
	if (error && error->code == MW_E_NOMEM)
		return error;
	if (error)
		mw_elf_file_problem(file, error);
	return NULL;
}

static struct mw_error *open_file(struct mw_elf_file from,
				  struct mw_elf_file **ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file =
		mw_calloc(1, sizeof(*file));
	struct mw_error *error;

	if (!file)
		return mw_error_nomem();
	*file = from;
	error = read_header(file);
	if (error)
		return error;
	if (!file->is_loaded)
		take_extended_counts(file);
	error = tolerate(file, read_segments(file));
	if (!error && !file->is_loaded)
		error = tolerate(file, read_sections(file));
	if (error)
		return error;
	*ret = mw_steal(file);
	return NULL;
}

struct mw_error *mw_elf_file_open(int fd, struct mw_elf_file **ret)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return mw_error_errno(errno, "ELF file");
	if (S_ISDIR(st.st_mode))
		return mw_error_at(MW_E_FORMAT, 0, "a directory, not an ELF "
				   "file");
	return open_file((struct mw_elf_file){ .fd = fd,
					       .bytes = (uint64_t)st.st_size },
			 ret);
}

struct mw_error *mw_elf_file_open_memory(const void *image, uint64_t bytes,
					 struct mw_elf_file **ret)
{
	return open_file((struct mw_elf_file){ .fd = -1,
					       .image = image,
					       .bytes = bytes },
			 ret);
}

struct mw_error *mw_elf_file_open_segments(const void *image, uint64_t bytes,
					   struct mw_elf_file **ret)
{
	return open_file((struct mw_elf_file){ .fd = -1,
					       .image = image,
					       .bytes = bytes,
					       .is_loaded = true },
			 ret);
}

void mw_elf_file_close(struct mw_elf_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->problems.n; i++)
		mw_error_free(file->problems.v[i]);
	mw_vec_free(&file->problems);
	mw_vec_free(&file->segments);
	mw_vec_free(&file->sections);
	mw_free(file->names);
	mw_free(file);
}
