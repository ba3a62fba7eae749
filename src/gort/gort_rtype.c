/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_int.h"
#include "mw_go_locate.h"

/*
 * The program's types hold full descriptors of some of the runtime's own
 * structs, whatever was stripped: they put right a table of a near release.
 *
 * abi.Type (internal/abi/type.go; runtime._type before 1.21), 48 bytes:
 *	0	u64 size		20	u8 tflag, 2: name has a '*' extra
 *	23	u8 kind, low 5 bits	40	i32 name, from moduledata.types
 * struct type, kind 25: 56 slice of fields, 24 bytes each:
 *	0	*name	8	*type	16	offset; to Go 1.18 offset << 1 | embedded
 * array type, kind 17: 48 *elem; pointer type, kind 22: 48 *elem
 * name: u8 flags, length as LEB128 (to 1.16 two bytes, high one first), text
 */
#define KIND_ARRAY 17
#define KIND_POINTER 22
#define KIND_STRUCT 25
#define TFLAG_EXTRA_STAR 2
#define FIELD_BYTES 24
#define MAX_FIELDS 1000
#define MAX_NAME 64

/** Where the text of the name at @va begins, and how long it is. */
static bool find_name(const struct mw_go *go, uint64_t va, uint64_t *ret_va,
		      size_t *ret_bytes)
{
	uint8_t head[3];

	if (!mw_target_read(go->target, va, head, sizeof(head)))
		return false;
	// No name is empty, so a 0 is the high byte of the older form.
	if (head[1] == 0) {
		*ret_bytes = head[2];
		*ret_va = va + 3;
	} else if (head[1] & 0x80) {
		*ret_bytes = (head[1] & 0x7f) | (size_t)head[2] << 7;
		*ret_va = va + 3;
	} else {
		*ret_bytes = head[1];
		*ret_va = va + 2;
	}
	return *ret_bytes > 0;
}

/** The name of a member: one that is longer is none that is asked for. */
static bool read_name(const struct mw_go *go, uint64_t va,
		      char name[static MAX_NAME])
{
	size_t bytes;

	if (!find_name(go, va, &va, &bytes) || bytes >= MAX_NAME ||
	    !mw_target_read(go->target, va, name, bytes))
		return false;
	name[bytes] = '\0';
	return true;
}

/** The name of the type of which the beginning is given, cut to @size. */
static bool type_name(const struct mw_go *go, const uint8_t *type, char *name,
		      size_t size)
{
	int32_t offset = (int32_t)mw_u32(type + 40);
	bool has_star = type[20] & TFLAG_EXTRA_STAR;
	size_t bytes;
	uint64_t va;
	char star;

	if (offset <= 0 ||
	    !find_name(go, go->module.types.start + (uint32_t)offset, &va,
		       &bytes) ||
	    !mw_target_read(go->target, va, &star, 1))
		return false;
	if (has_star && star == '*') {
		va++;
		bytes--;
	}
	bytes = mw_min(bytes, size - 1);
	if (!mw_target_read(go->target, va, name, bytes))
		return false;
	name[bytes] = '\0';
	return true;
}

bool mw_go_type_name(const struct mw_go *go, uint64_t type, char *to,
		     size_t size, uint64_t *ret_bytes)
{
	uint8_t head[48];

	// Types that reflect makes are objects, with names in no table.
	if (!mw_is_aligned(type, 8) || type < go->module.types.start ||
	    type >= go->module.types.end ||
	    !mw_target_read(go->target, type, head, sizeof(head)) ||
	    !type_name(go, head, to, size))
		return false;
	*ret_bytes = mw_u64(head);
	return true;
}

struct descriptor {
	char name[MAX_NAME];
	uint64_t va;
};

/** Follow @path from the type at @va; offsets are shifted by @shift. */
static bool follow(const struct mw_go *go, unsigned shift, uint64_t va,
		   const char *path, uint64_t *ret_offset,
		   uint64_t *ret_bytes)
{
	uint64_t offset = 0;
	uint8_t type[80];

	for (int depth = 0; depth < 16; depth++) {
		size_t len = strcspn(path, ".[*");
		struct go_slice fields;
		bool found = false;

		if (!mw_target_read(go->target, va, type, sizeof(type)))
			return false;
		if (*path == '\0') {
			*ret_offset = offset;
			*ret_bytes = mw_u64(type);
			return true;
		}
		if (strncmp(path, "[]", 2) == 0 || *path == '*') {
			bool is_array = *path == '[';

			if ((type[23] & 31) !=
			    (is_array ? KIND_ARRAY : KIND_POINTER))
				return false;
			if (!is_array)
				offset = 0;
			va = mw_u64(type + 48);
			path += is_array ? 2 : 1;
			path += *path == '.';
			continue;
		}
		fields = (struct go_slice){ mw_u64(type + 56),
					    mw_u64(type + 64),
					    mw_u64(type + 72) };
		if ((type[23] & 31) != KIND_STRUCT || fields.len > MAX_FIELDS)
			return false;
		for (uint64_t i = 0; !found && i < fields.len; i++) {
			uint64_t field[3];
			char name[MAX_NAME];

			if (!mw_target_read(go->target,
					    fields.ptr + i * FIELD_BYTES,
					    field, sizeof(field)) ||
			    !read_name(go, field[0], name) ||
			    strlen(name) != len ||
			    memcmp(name, path, len) != 0)
				continue;
			offset += field[2] >> shift;
			va = field[1];
			found = true;
		}
		if (!found)
			return false;
		path += len;
		path += *path == '.';
	}
	return false;
}

/** Whether a field's offset, as it stands, would leave the struct at @va. */
static bool has_shifted_offset(const struct mw_go *go, uint64_t va)
{
	uint64_t size, slice[2];

	if (!mw_target_read_u64(go->target, va, &size) ||
	    !mw_target_read(go->target, va + 56, slice, sizeof(slice)) ||
	    slice[1] > MAX_FIELDS)
		return false;
	for (uint64_t i = 0; i < slice[1]; i++) {
		uint64_t offset;

		if (mw_target_read_u64(go->target,
				       slice[0] + i * FIELD_BYTES + 16,
				       &offset) &&
		    offset > size)
			return true;
	}
	return false;
}

/** Take over what the descriptor @d says of the members of its struct. */
static bool apply(struct mw_go *go, unsigned shift, const struct descriptor *d)
{
	bool any = false;

	for (size_t i = 0; i < GO_FIELDS; i++) {
		struct go_member *m = &go->layout.at[i];
		uint64_t offset, bytes;

		if (strcmp(go_field_names[i].structure, d->name) != 0)
			continue;
		*m = (struct go_member){ 0 };
		if (follow(go, shift, d->va, go_field_names[i].path, &offset,
			   &bytes) &&
		    offset <= UINT32_MAX && bytes <= UINT32_MAX)
			*m = (struct go_member){ (uint32_t)offset,
						 (uint32_t)bytes };
		any = true;
	}
	return any;
}

unsigned go_apply_rtypes(struct mw_go *go)
{
	enum { LIMIT = 256 };
	MW_VEC(struct descriptor) found = { 0 };
	uint64_t end = go->module.types.end;
	unsigned applied = 0;

	for (uint64_t va = mw_align_up(go->module.types.start, 8);
	     va + 56 <= end && found.n < LIMIT; va += 8) {
		struct descriptor d = { .va = va };
		struct descriptor *place;
		uint8_t type[48];

		if (!mw_target_read(go->target, va, type, sizeof(type))) {
			va = mw_align_up(va + 8, MW_PAGE_BYTES) - 8;
			continue;
		}
		if ((type[23] & 31) != KIND_STRUCT ||
		    mw_u64(type) > MW_MIB(16) ||
		    mw_u64(type + 8) > mw_u64(type) ||
		    !type_name(go, type, d.name, sizeof(d.name)) ||
		    strncmp(d.name, "runtime.", 8) != 0)
			continue;
		place = mw_vec_push(&found);
		if (!place)
			break;
		*place = d;
	}
	// The first release with plain offsets cannot be told by a single
	// struct, but all of them agree.
	unsigned shift = 0;
	for (size_t i = 0; i < found.n; i++)
		if (has_shifted_offset(go, found.v[i].va))
			shift = 1;
	for (size_t i = 0; i < found.n; i++)
		applied += apply(go, shift, &found.v[i]);
	mw_vec_free(&found);
	go_drop_outside(&go->layout);
	return applied;
}
