/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_guard.h"
#include "target_int.h"

/*
 * Programs without a file: a packer (UPX and the like) unpacks the segments of
 * one to anonymous memory, each to where the kernel would have mapped it, and
 * runs it there. The first begins with the file's header and program headers,
 * as segments of a linked program do. What lies behind the segments, such as
 * the section table, has been left away.
 */

#define UNPACKED "[unpacked]"

/**
 * Whether a part of a program may have been written to @m. The kernel's own
 * mappings have names, such as [vdso], which is an ELF image, too.
 */
static bool may_be_unpacked(const struct mw_target *target,
			    const struct mw_mapping *m)
{
	const char *name = mw_mapping_path(&target->maps, m);

	return (!*name || strcmp(name, "[heap]") == 0 ||
		strncmp(name, "[anon", 5) == 0) &&
	       mw_mapping_is_anonymous(m) && !(m->perms & MW_PERM_SHARED) &&
	       (m->perms & MW_PERM_R) &&
	       !target->image_of[m - target->maps.list.v];
}

/** Whether the linker has noted in the dynamic section that it is a program. */
static bool says_pie(struct mw_target *target,
		     const struct mw_elf_segment *dynamic, uint64_t bias)
{
	enum { MOST = 256 };
	uint64_t entry[2] = { 1, 0 };

	for (uint64_t at = 0; at < mw_min(dynamic->filesz, MOST * 16) &&
			      entry[0] != DT_NULL;
	     at += 16) {
		if (!mw_target_read(target, dynamic->vaddr + bias + at, entry,
				    sizeof(entry)))
			return false;
		if (entry[0] == DT_FLAGS_1)
			return entry[1] & DF_1_PIE;
	}
	return false;
}

/** Whether it is made to be run, not to be loaded by a program. */
static bool is_program(struct mw_target *target,
		       const struct mw_elf *elf, uint64_t bias)
{
	bool is_made_to = elf->type == ET_EXEC;

	for (size_t i = 0; i < elf->segments.n && !is_made_to; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];

		// A static one has neither of the first two.
		is_made_to = s->type == PT_INTERP || s->type == PT_PHDR ||
			     (s->type == PT_DYNAMIC &&
			      says_pie(target, s, bias));
	}
	return elf->is_64 && elf->machine == EM_X86_64 && is_made_to &&
	       (elf->type == ET_EXEC || elf->type == ET_DYN);
}

/** No file that is packed is larger; what it claims to have is searched. */
#define MOST_BYTES MW_GIB(1)

/** Whether what segment @s has of the file can have been unpacked there. */
static bool is_unpacked(const struct mw_target *target,
			const struct mw_elf_segment *s, uint64_t bias)
{
	uint64_t va = s->vaddr + bias, end;

	if (!mw_end(va, s->filesz, &end))
		return false;
	while (va < end) {
		const struct mw_mapping *m =
			mw_mappings_find(&target->maps, va);

		if (!m || !may_be_unpacked(target, m) ||
		    ((s->flags & PF_X) && !(m->perms & MW_PERM_X)))
			return false;
		va = m->end;
	}
	return true;
}

/** Whether each segment lies where it has to. */
static bool is_in_place(const struct mw_target *target,
			const struct mw_elf *elf, uint64_t bias)
{
	uint64_t left = MOST_BYTES;
	unsigned code = 0;

	if (elf->type == ET_EXEC && bias)
		return false;
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];

		if (s->type != PT_LOAD || s->filesz == 0)
			continue;
		if (s->filesz > left || !is_unpacked(target, s, bias))
			return false;
		left -= s->filesz;
		code += (s->flags & PF_X) != 0;
	}
	return code > 0;
}

/** The bias of the program whose header is at @va. */
static bool find_bias(const struct mw_elf *elf, uint64_t va, uint64_t *ret)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];

		if (s->type != PT_LOAD || s->offset != 0 || s->filesz == 0)
			continue;
		*ret = va - s->vaddr;
		return mw_is_aligned(*ret, MW_PAGE_BYTES);
	}
	return false;
}

static bool has_image(const struct mw_target *target, uint64_t start,
		      uint64_t end)
{
	for (size_t i = 0; i < target->images.n; i++)
		if (start < target->images.v[i].end &&
		    end > target->images.v[i].start)
			return true;
	return false;
}

/** Take what begins at @m for a program, if it is one. */
static struct mw_error *try_mapping(struct mw_target *target,
				    const struct mw_mapping *m)
{
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = NULL;
	uint8_t page[MW_PAGE_BYTES];
	struct mw_image image = {
		.kind = MW_IMAGE_EXECUTABLE,
		.from_memory = true,
		.is_unpacked = true,
		.path = UNPACKED,
		.name = UNPACKED,
	};
	struct mw_image *place;
	struct mw_error *error;

	if (!mw_target_peek(target, m->start, page, SELFMAG) ||
	    memcmp(page, ELFMAG, SELFMAG) != 0 ||
	    !mw_target_read(target, m->start, page, sizeof(page)))
		return NULL;
	error = mw_elf_load_memory(page, sizeof(page), &elf);
	if (error && error->code != MW_E_NOMEM) {
		mw_error_free(error);
		return NULL;
	}
	if (error)
		return error;
	if (!find_bias(elf, m->start, &image.bias) ||
	    !is_program(target, elf, image.bias) ||
	    !is_in_place(target, elf, image.bias))
		return NULL;
	mw_target_find_span(elf, image.bias, &image.start, &image.end);
	if (image.start >= image.end ||
	    has_image(target, image.start, image.end))
		return NULL;
	place = mw_vec_push(&target->images);
	if (!place)
		return mw_error_nomem();
	image.elf = mw_steal(elf);
	*place = image;
	return NULL;
}

struct mw_error *mw_target_find_unpacked(struct mw_target *target)
{
	enum { BEFORE = 8, MOST = 16 }; // segments before code; programs
	size_t count = target->images.n + MOST, next = 0;
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < target->maps.list.n; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];

		if (!(m->perms & MW_PERM_X) || !may_be_unpacked(target, m))
			continue;
		// Each mapping is looked at once.
		next = mw_max(next, i - mw_min(i, BEFORE));
		for (; !error && next <= i && target->images.n < count;
		     next++)
			if (may_be_unpacked(target,
					    &target->maps.list.v[next]))
				error = try_mapping(
					target, &target->maps.list.v[next]);
	}
	return error;
}
