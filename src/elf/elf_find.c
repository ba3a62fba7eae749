/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_elf_file.h"
#include "mw_num.h"

/* Ranges that GNU and others keep to themselves; elf.h has no names for them. */
#define PT_GNU_SFRAME_ UINT32_C(0x6474e554)
#define PT_GNU_MBIND_LO_ UINT32_C(0x6474e555)
#define PT_GNU_MBIND_HI_ (PT_GNU_MBIND_LO_ + 4096 - 1)

const struct mw_elf_section *
mw_elf_file_section(const struct mw_elf_file *file, const char *name)
{
	for (size_t i = 1; i < file->sections.n; i++)
		if (strcmp(file->sections.v[i].name, name) == 0)
			return &file->sections.v[i];
	return NULL;
}

const struct mw_elf_section *
mw_elf_file_section_of_type(const struct mw_elf_file *file, uint32_t type)
{
	for (size_t i = 1; i < file->sections.n; i++)
		if (file->sections.v[i].type == type)
			return &file->sections.v[i];
	return NULL;
}

const struct mw_elf_segment *
mw_elf_file_segment_of_type(const struct mw_elf_file *file, uint32_t type)
{
	for (size_t i = 0; i < file->segments.n; i++)
		if (file->segments.v[i].type == type)
			return &file->segments.v[i];
	return NULL;
}

bool mw_elf_file_offset(const struct mw_elf_file *file, uint64_t va,
			uint64_t *ret)
{
	for (size_t i = 0; i < file->segments.n; i++) {
		const struct mw_elf_segment *s = &file->segments.v[i];

		if (s->type == PT_LOAD && va >= s->vaddr &&
		    va - s->vaddr < s->filesz)
			return mw_end(va - s->vaddr, s->offset, ret);
	}
	return false;
}

static bool is_only_for_alloc(const struct mw_elf_segment *segment)
{
	switch (segment->type) {
	case PT_LOAD:
	case PT_DYNAMIC:
	case PT_GNU_EH_FRAME:
	case PT_GNU_STACK:
	case PT_GNU_RELRO:
	case PT_GNU_SFRAME_:
		return true;
	}
	return segment->type >= PT_GNU_MBIND_LO_ &&
	       segment->type <= PT_GNU_MBIND_HI_;
}

/** Whether the kinds of the two go together at all. */
static bool kinds_fit(const struct mw_elf_section *section,
		      const struct mw_elf_segment *segment)
{
	bool is_tls = section->flags & SHF_TLS;

	// Thread-local variables without initial values take no room but in
	// the template for threads.
	if (is_tls && section->type == SHT_NOBITS && segment->type != PT_TLS)
		return false;
	if (is_tls ? segment->type != PT_TLS && segment->type != PT_GNU_RELRO &&
			     segment->type != PT_LOAD
		   : segment->type == PT_TLS || segment->type == PT_PHDR)
		return false;
	return (section->flags & SHF_ALLOC) || !is_only_for_alloc(segment);
}

/** Whether it begins in the range, not at its end, and does not leave it. */
static bool lies_in(uint64_t at, uint64_t bytes, uint64_t start, uint64_t room)
{
	// What an empty range holds is what readelf lets it hold.
	return at >= start && at - start <= room - 1 &&
	       at - start + bytes <= room;
}

bool mw_elf_section_in_segment(const struct mw_elf_section *section,
			       const struct mw_elf_segment *segment)
{
	bool in_file = section->type != SHT_NOBITS;
	bool in_memory = section->flags & SHF_ALLOC;

	if (!kinds_fit(section, segment))
		return false;
	if (in_file && !lies_in(section->offset, section->size,
				segment->offset, segment->filesz))
		return false;
	if (in_memory && !lies_in(section->addr, section->size, segment->vaddr,
				  segment->memsz))
		return false;
	// An empty section at either end of one of these is a neighbour.
	if ((segment->type != PT_DYNAMIC && segment->type != PT_NOTE) ||
	    section->size != 0 || segment->memsz == 0)
		return true;
	return (!in_file || (section->offset > segment->offset &&
			     section->offset - segment->offset <
				     segment->filesz)) &&
	       (!in_memory ||
		(section->addr > segment->vaddr &&
		 section->addr - segment->vaddr < segment->memsz));
}
