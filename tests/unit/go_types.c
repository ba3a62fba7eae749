/* SPDX-License-Identifier: Apache-2.0 */
#include "go_types.h"

#include "mw_num.h"
#include "mw_test.h"

enum {
	KIND_UINTPTR = 12,
	KIND_ARRAY = 17,
	KIND_POINTER = 22,
	KIND_STRUCT = 25,
};
enum { TYPE_BYTES = 80, UNCOMMON_BYTES = 16, FIELD_BYTES = 24 };
enum { UNCOMMON = 1, EXTRA_STAR = 2 };

static void put(struct go_types *types, size_t at, uint64_t value,
		size_t bytes)
{
	memcpy(&types->bytes[at], &value, bytes);
}

/** The place of @bytes new bytes, aligned for words. */
static size_t take(struct go_types *types, size_t bytes)
{
	size_t at = mw_align_up(types->used, 8);

	assert_true(at + bytes <= sizeof(types->bytes));
	types->used = at + bytes;
	return at;
}

static size_t put_name(struct go_types *types, const char *name)
{
	size_t len = strlen(name), head = types->old_names ? 3 : 2;
	size_t at = take(types, head + len);

	assert_true(len < 0x80);
	types->bytes[at + head - 1] = (uint8_t)len;
	memcpy(&types->bytes[at + head], name, len);
	return at;
}

static size_t put_type(struct go_types *types, const char *name,
		       uint64_t bytes, uint8_t kind)
{
	size_t text = put_name(types, name), at;

	at = take(types, TYPE_BYTES + UNCOMMON_BYTES);

	put(types, at, bytes, 8);
	put(types, at + 8, bytes, 8); // all of it may hold pointers
	types->bytes[at + 20] = name[0] == '*' ? EXTRA_STAR : 0;
	types->bytes[at + 21] = types->bytes[at + 22] = bytes & 7 ? 1 : 8;
	types->bytes[at + 23] = kind;
	put(types, at + 40, text, 4);
	return at;
}

void go_types_init(struct go_types *types)
{
	*types = (struct go_types){ .used = 8 }; // no name at 0
}

uint64_t go_types_word(struct go_types *types, const char *name,
		       uint64_t bytes)
{
	return GO_TYPES_VA + put_type(types, name, bytes, KIND_UINTPTR);
}

static uint64_t put_elem(struct go_types *types, uint64_t elem,
			 uint64_t bytes, uint8_t kind)
{
	size_t at = put_type(types, "x", bytes, kind);

	put(types, at + 48, elem, 8);
	return GO_TYPES_VA + at;
}

uint64_t go_types_array(struct go_types *types, uint64_t elem, uint64_t bytes)
{
	return put_elem(types, elem, bytes, KIND_ARRAY);
}

uint64_t go_types_pointer(struct go_types *types, uint64_t elem)
{
	return put_elem(types, elem, 8, KIND_POINTER);
}

uint64_t go_types_struct(struct go_types *types, const char *name,
			 uint64_t bytes, const struct go_types_field *fields,
			 size_t count)
{
	size_t at = put_type(types, name, bytes, KIND_STRUCT);
	size_t list = take(types, count * FIELD_BYTES);

	put(types, at + 56, GO_TYPES_VA + list, 8);
	put(types, at + 64, count, 8);
	put(types, at + 72, count, 8);
	for (size_t i = 0; i < count; i++) {
		size_t field = list + i * FIELD_BYTES;
		uint64_t offset = fields[i].offset;

		put(types, field,
		    GO_TYPES_VA + put_name(types, fields[i].name), 8);
		put(types, field + 8, fields[i].type, 8);
		put(types, field + 16,
		    types->old_offsets ? offset << 1 | (i & 1) : offset, 8);
	}
	return GO_TYPES_VA + at;
}

void go_types_set_package(struct go_types *types, uint64_t type,
			  const char *path)
{
	size_t at = type - GO_TYPES_VA;
	size_t name = put_name(types, path), uncommon = at + TYPE_BYTES;

	types->bytes[at + 20] |= UNCOMMON;
	put(types, uncommon, name, 4);
	put(types, uncommon + 8, UNCOMMON_BYTES, 4);
}
