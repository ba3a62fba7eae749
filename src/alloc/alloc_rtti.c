/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "alloc_rtti.h"
#include "mw_alloc_contents.h"
#include "mw_num.h"

/*
 * C++'s objects with virtual functions, by the Itanium ABI (2.5.2, 2.9.5). The
 * first word of one is the address point of a vtable:
 *
 *	-16	i64 offset to top: 0 in the vtable of a whole object
 *	-8	*type_info; 0 without RTTI
 *	0	the first virtual function
 *
 * and a type_info (a virtual class itself) is
 *
 *	0	the address point of its own class's vtable
 *	8	*name, mangled, NUL-terminated; stripping leaves it
 */
#define NAME_BYTES 1024

const struct mw_elf_segment *alloc_segment_at(const struct mw_target *target,
					      uint64_t va)
{
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++) {
		if (va < images[i].start || va >= images[i].end)
			continue;
		for (size_t s = 0; s < images[i].elf->segments.n; s++) {
			const struct mw_elf_segment *seg =
				&images[i].elf->segments.v[s];

			if (seg->type == PT_LOAD &&
			    va - images[i].bias - seg->vaddr < seg->memsz)
				return seg;
		}
	}
	return NULL;
}

/** Whether a type's name begins with @c: one of a class, whole or a member. */
static bool may_begin_name(char c)
{
	return (c >= '1' && c <= '9') || (c && strchr("NSZU*", c));
}

static bool is_name_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '_' || c == '.' || c == '$' ||
	       c >= 0x80;
}

/** The name at @va; its length, 0 when it is no class's. */
static size_t read_name(struct mw_target *target, uint64_t va,
			char name[NAME_BYTES])
{
	size_t n = 0;

	for (; n < NAME_BYTES; n++) {
		if (!mw_target_search(target, va + n, &name[n], 1))
			return 0;
		if (name[n] == '\0')
			break;
		if (n == 0 ? !may_begin_name(name[0])
			   : !is_name_char((unsigned char)name[n]))
			return 0;
	}
	return n < NAME_BYTES ? n : 0;
}

/** Read the name of the class whose vtable is at @va; its length, or 0. */
static size_t class_name(struct mw_target *target, uint64_t va,
			 char name[NAME_BYTES])
{
	const struct mw_elf_segment *seg = alloc_segment_at(target, va - 16);
	uint64_t head[2], info[2];

	if (!mw_is_aligned(va, 8) || !seg || (seg->flags & PF_X) ||
	    !mw_target_search(target, va - 16, head, sizeof(head)) ||
	    head[0] != 0 || !mw_is_aligned(head[1], 8) ||
	    !alloc_segment_at(target, head[1]) ||
	    !mw_target_search(target, head[1], info, sizeof(info)) ||
	    !alloc_segment_at(target, info[0]) ||
	    !alloc_segment_at(target, info[1]))
		return 0;
	return read_name(target, info[1], name);
}

bool alloc_is_vtable(struct mw_target *target, uint64_t va)
{
	char name[NAME_BYTES];

	return class_name(target, va, name) > 0;
}

char *mw_alloc_class_name(struct mw_target *target, uint64_t pointer)
{
	char name[NAME_BYTES];
	size_t n = class_name(target, pointer, name);

	return n ? mw_strndup(name, n) : NULL;
}
