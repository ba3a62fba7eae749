/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_core_int.h"
#include "elf_int.h"
#include "mw_guard.h"
#include "mw_search.h"

/*
 * Layouts: System V ABI, "ELF Header", "Program Header"; more than 65,534
 * program headers: section header 0 has their number in sh_info (PN_XNUM).
 */

size_t mw_core_read(int fd, uint64_t offset, void *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t got = pread(fd, (char *)to + done, bytes - done,
				    (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

bool mw_core_has_magic(int fd)
{
	Elf64_Ehdr header;

	// The type has the same place in 32-bit files.
	return mw_core_read(fd, 0, &header, 18) == 18 &&
	       memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
	       header.e_ident[EI_DATA] == ELFDATA2LSB &&
	       header.e_type == ET_CORE;
}

static struct mw_error *check_header(int fd, Elf64_Ehdr *header)
{
	size_t got = mw_core_read(fd, 0, header, sizeof(*header));

	memset((uint8_t *)header + got, 0, sizeof(*header) - got);
	if (got < 18 || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return elf_not_elf(header->e_ident);
	if (header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_type != ET_CORE)
		return mw_error_at(MW_E_FORMAT, offsetof(Elf64_Ehdr, e_type),
				   "not a core file");
	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		return mw_error_at(MW_E_UNSUPPORTED, EI_CLASS, "a core of a "
				   "32-bit process; memwhy reads those of "
				   "64-bit processes");
	if (got < sizeof(*header))
		return mw_error_at(MW_E_FORMAT, got, "the ELF header leaves "
				   "the file (truncated?)");
	if (header->e_machine != EM_X86_64)
		return mw_error_at(MW_E_UNSUPPORTED,
				   offsetof(Elf64_Ehdr, e_machine),
				   "a core of another machine (%u); memwhy "
				   "reads those of x86-64", header->e_machine);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return mw_error_at(MW_E_FORMAT,
				   offsetof(Elf64_Ehdr, e_phentsize),
				   "program headers of %u bytes",
				   header->e_phentsize);
	return NULL;
}

/**
 * How many program headers there are. The kernel writes the section header
 * with the full count last of all: it is missing from a core that was cut
 * short, but then the first segment tells, since the notes follow the headers.
 */
static struct mw_error *count_headers(int fd, const Elf64_Ehdr *header,
				      uint64_t *ret)
{
	Elf64_Shdr section;
	Elf64_Phdr first;

	*ret = header->e_phnum;
	if (header->e_phnum != PN_XNUM)
		return NULL;
	if (header->e_shoff &&
	    mw_core_read(fd, header->e_shoff, &section, sizeof(section)) ==
		    sizeof(section)) {
		*ret = section.sh_info;
		return NULL;
	}
	if (mw_core_read(fd, header->e_phoff, &first, sizeof(first)) ==
		    sizeof(first) &&
	    first.p_offset > header->e_phoff) {
		*ret = (first.p_offset - header->e_phoff) / sizeof(first);
		return NULL;
	}
	return mw_error_at(MW_E_FORMAT, header->e_shoff, "the section header "
			   "with the number of segments leaves the file "
			   "(truncated?)");
}

/** Count what of [@offset, @offset + @bytes) the file does not have. */
static uint64_t clip(struct mw_core *core, uint64_t offset, uint64_t bytes)
{
	uint64_t have = offset < core->bytes
				? mw_min(bytes, core->bytes - offset)
				: 0;

	if (have < bytes) {
		if (core->missing_bytes == 0 ||
		    offset + have < core->missing_offset)
			core->missing_offset = offset + have;
		if (__builtin_add_overflow(core->missing_bytes, bytes - have,
					   &core->missing_bytes))
			core->missing_bytes = UINT64_MAX;
	}
	return have;
}

static struct mw_error *add_segment(struct mw_core *core, const Elf64_Phdr *p,
				    uint64_t where)
{
	struct mw_core_segment *segment;
	uint64_t end, file_end;

	if (p->p_memsz == 0)
		return NULL;
	if (p->p_filesz > p->p_memsz)
		return mw_error_at(MW_E_FORMAT, where, "a segment with more "
				   "bytes in the file than in memory");
	// The last page of all is the only one whose end wraps.
	if (!mw_end(p->p_vaddr, p->p_memsz, &end) ||
	    end > UINT64_MAX - MW_PAGE_BYTES ||
	    !mw_end(p->p_offset, p->p_filesz, &file_end) ||
	    file_end > INT64_MAX)
		return mw_error_at(MW_E_FORMAT, where, "a segment that leaves "
				   "the address space or any file");
	if (!mw_is_aligned(p->p_vaddr, MW_PAGE_BYTES))
		return mw_error_at(MW_E_FORMAT, where, "a segment at %#lx, "
				   "inside a page", (unsigned long)p->p_vaddr);
	segment = mw_vec_push(&core->segments);
	if (!segment)
		return mw_error_nomem();
	*segment = (struct mw_core_segment){
		.start = p->p_vaddr,
		.end = mw_align_up(end, MW_PAGE_BYTES),
		.offset = p->p_offset,
		.file_bytes = clip(core, p->p_offset, p->p_filesz),
		.perms = (uint8_t)((p->p_flags & PF_R ? MW_PERM_R : 0) |
				   (p->p_flags & PF_W ? MW_PERM_W : 0) |
				   (p->p_flags & PF_X ? MW_PERM_X : 0)),
	};
	segment->cut_bytes = p->p_filesz - segment->file_bytes;
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	const struct mw_core_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static struct mw_error *sort_segments(struct mw_core *core, uint64_t phoff)
{
	const struct mw_core_segment *s = core->segments.v;

	if (core->segments.n)
		qsort(core->segments.v, core->segments.n, sizeof(*s), by_start);
	for (size_t i = 1; i < core->segments.n; i++)
		if (s[i].start < s[i - 1].end)
			return mw_error_at(MW_E_FORMAT, phoff, "two segments "
					   "for the memory at %#lx",
					   (unsigned long)s[i].start);
	return NULL;
}

static struct mw_error *load_notes(struct mw_core *core, int fd,
				   const Elf64_Phdr *p, uint64_t where,
				   uint64_t *budget)
{
	uint64_t bytes = clip(core, p->p_offset, p->p_filesz);

	// Otherwise the same notes could be read over and over.
	if (bytes > *budget)
		return mw_error_at(MW_E_FORMAT, where, "notes that overlap");
	*budget -= bytes;
	return mw_core_load_notes(core, fd, p->p_offset, bytes);
}

static struct mw_error *load_segments(struct mw_core *core, int fd,
				      uint64_t phoff, uint64_t count)
{
	uint64_t budget = core->bytes;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t where = phoff + i * sizeof(Elf64_Phdr);
		struct mw_error *error = NULL;
		Elf64_Phdr p;

		if (mw_core_read(fd, where, &p, sizeof(p)) != sizeof(p))
			return mw_error_at(MW_E_FORMAT, where, "the program "
					   "header table leaves the file "
					   "(truncated?)");
		if (p.p_type == PT_LOAD)
			error = add_segment(core, &p, where);
		else if (p.p_type == PT_NOTE && p.p_filesz)
			error = load_notes(core, fd, &p, where, &budget);
		if (error)
			return error;
	}
	return sort_segments(core, phoff);
}

struct mw_error *mw_core_load(int fd, struct mw_core **ret)
{
	MW_CLEANUP(mw_core_freep) struct mw_core *core =
		mw_calloc(1, sizeof(*core));
	Elf64_Ehdr header;
	uint64_t count, table;
	struct stat st;

	if (!core)
		return mw_error_nomem();
	if (fstat(fd, &st) != 0)
		return mw_error_errno(errno, "core");
	core->bytes = (uint64_t)st.st_size;

	struct mw_error *error = check_header(fd, &header);
	if (!error)
		error = count_headers(fd, &header, &count);
	if (error)
		return error;
	if (__builtin_mul_overflow(count, sizeof(Elf64_Phdr), &table) ||
	    !mw_within(header.e_phoff, table, 0, core->bytes))
		return mw_error_at(MW_E_FORMAT, header.e_phoff,
				   "the program header table leaves the file "
				   "(truncated?)");
	error = load_segments(core, fd, header.e_phoff, count);
	if (error)
		return error;
	mw_core_sort_files(core);
	*ret = mw_steal(core);
	return NULL;
}

void mw_core_free(struct mw_core *core)
{
	if (!core)
		return;
	mw_vec_free(&core->segments);
	mw_vec_free(&core->files);
	mw_vec_free(&core->paths);
	mw_vec_free(&core->threads);
	mw_vec_free(&core->notes);
	mw_free(core->auxv);
	mw_free(core);
}

const struct mw_core_segment *mw_core_find(const struct mw_core *core,
					   uint64_t va)
{
	size_t at = mw_first(i, 0, core->segments.n,
			     core->segments.v[i].end > va);

	return at < core->segments.n && core->segments.v[at].start <= va
		       ? &core->segments.v[at]
		       : NULL;
}
