/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_types_int.h"
#include "mw_guard.h"

/*
 * What describes the types of a program, and what it takes. Behind the head
 * (gort_types.c) each kind has more, in this order:
 *	array	48 *elem, *slice, length	chan	48 *elem, direction
 *	func	48 u16 parameters, u16 results, high bit: variadic
 *	interface	48 *name of the package, slice of methods
 *	map	48 *key, *elem, …, another length in some releases
 *	pointer, slice	48 *elem
 *	struct	48 *name of the package, slice of fields
 * where tflag has 1 the uncommontype:
 *	0	i32 name of the package, 0: none
 *	4	u16 methods	6	u16 exported	8	u32 where they are
 * then those of a func, *type each; an interface's methods, i32 name, i32 type;
 * a struct's fields, *name, *type, offset; and last the methods, 16 bytes each
 * that begin with an i32 name.
 */
#define TFLAG_UNCOMMON 1
#define POINTER_BYTES 56
#define STRUCT_BYTES 80
#define FUNC_BYTES 56
#define UNCOMMON_BYTES 16
#define MOST 65536 /* methods, fields, parameters */

static uint64_t kind_bytes(const struct go_types_module *module,
			   enum mw_go_kind kind)
{
	switch (kind) {
	case MW_GO_ARRAY:
		return 72;
	case MW_GO_CHAN:
		return 64;
	case MW_GO_FUNC:
		return FUNC_BYTES;
	case MW_GO_MAP:
		return module->map_bytes;
	case MW_GO_POINTER:
	case MW_GO_SLICE:
		return POINTER_BYTES;
	case MW_GO_INTERFACE:
	case MW_GO_STRUCT:
		return STRUCT_BYTES;
	default:
		return GO_TYPE_BYTES;
	}
}

uint64_t go_type_name_at(const struct go_types_module *module, uint32_t offset)
{
	return offset && offset < module->end - module->start
		       ? module->start + offset
		       : 0;
}

/** The slice that interfaces and structs have, and the package's name. */
static bool read_slice(const struct mw_go_types *types, uint64_t va,
		       struct go_type_shape *s)
{
	uint64_t words[3]; // *name, slice

	if (!mw_target_read(types->target, va + GO_TYPE_BYTES, words,
			    sizeof(words)) ||
	    words[2] >= MOST)
		return false;
	if (go_types_module_of(types, words[0]))
		s->package = words[0];
	s->parts = words[1];
	s->part_count = words[2];
	return true;
}

static bool read_parts(const struct mw_go_types *types,
		       const struct mw_go_type *type, struct go_type_shape *s)
{
	uint16_t counts[2];

	switch (type->kind) {
	case MW_GO_INTERFACE:
		if (!read_slice(types, type->address, s))
			return false;
		s->bytes += s->part_count * GO_IMETHOD_BYTES;
		return true;
	case MW_GO_STRUCT:
		if (!read_slice(types, type->address, s))
			return false;
		s->bytes += s->part_count * GO_FIELD_BYTES;
		return true;
	case MW_GO_FUNC:
		if (!mw_target_read(types->target,
				    type->address + GO_TYPE_BYTES, counts,
				    sizeof(counts)))
			return false;
		s->part_count = counts[0] + (counts[1] & 0x7fffu);
		s->bytes += s->part_count * 8;
		s->parts = type->address + FUNC_BYTES;
		return true;
	default:
		return true;
	}
}

/** Add the uncommontype at @va; false when there is none. */
static bool read_uncommon(const struct mw_go_types *types, uint64_t va,
			  struct go_type_shape *s)
{
	uint8_t raw[UNCOMMON_BYTES];
	uint64_t methods, count, name;

	if (!mw_target_read(types->target, va, raw, sizeof(raw)))
		return false;
	name = mw_u32(raw);
	count = mw_u16(raw + 4);
	methods = mw_u32(raw + 8);
	if (methods < UNCOMMON_BYTES || methods > MOST * GO_FIELD_BYTES ||
	    (name && !go_type_name_at(s->module, (uint32_t)name)))
		return false;
	// Go's own named types, as error, have no package.
	s->package = go_type_name_at(s->module, (uint32_t)name);
	s->bytes += UNCOMMON_BYTES + count * GO_METHOD_BYTES;
	s->methods = va + methods;
	s->method_count = count;
	return true;
}

bool go_type_read_shape(const struct mw_go_types *types,
			const struct mw_go_type *type, struct go_type_shape *s)
{
	uint64_t bytes, most;

	*s = (struct go_type_shape){
		.module = go_types_module_of(types, type->address),
	};
	if (!s->module || !mw_target_read(types->target, type->address,
					  s->head, sizeof(s->head)))
		return false;
	bytes = kind_bytes(s->module, type->kind);
	if (!read_parts(types, type, s))
		return false;
	if ((s->head[GO_TYPE_TFLAG] & TFLAG_UNCOMMON) && bytes > 0 &&
	    read_uncommon(types, type->address + bytes, s) &&
	    type->kind == MW_GO_FUNC)
		s->parts += UNCOMMON_BYTES;
	s->bytes += mw_max(bytes, GO_TYPE_BYTES);
	most = s->module->end - type->address;
	s->bytes = mw_min(s->bytes, most);
	return true;
}

/* All descriptors */

/** What every type of a kind has: bytes of a value, up to its last pointer. */
static const struct {
	uint8_t bytes, pointer_bytes;
} kind_sizes[MW_GO_KINDS] = {
	[MW_GO_BOOL] = { 1, 0 },	[MW_GO_INT] = { 8, 0 },
	[MW_GO_INT8] = { 1, 0 },	[MW_GO_INT16] = { 2, 0 },
	[MW_GO_INT32] = { 4, 0 },	[MW_GO_INT64] = { 8, 0 },
	[MW_GO_UINT] = { 8, 0 },	[MW_GO_UINT8] = { 1, 0 },
	[MW_GO_UINT16] = { 2, 0 },	[MW_GO_UINT32] = { 4, 0 },
	[MW_GO_UINT64] = { 8, 0 },	[MW_GO_UINTPTR] = { 8, 0 },
	[MW_GO_FLOAT32] = { 4, 0 },	[MW_GO_FLOAT64] = { 8, 0 },
	[MW_GO_COMPLEX64] = { 8, 0 },	[MW_GO_COMPLEX128] = { 16, 0 },
	[MW_GO_CHAN] = { 8, 8 },	[MW_GO_FUNC] = { 8, 8 },
	[MW_GO_INTERFACE] = { 16, 16 }, [MW_GO_MAP] = { 8, 8 },
	[MW_GO_POINTER] = { 8, 8 },	[MW_GO_SLICE] = { 24, 8 },
	[MW_GO_STRING] = { 16, 8 },	[MW_GO_UNSAFE_POINTER] = { 8, 8 },
};

/** Whether it is one in all that can be told: nothing has led to it. */
static bool is_sure(const struct mw_go_types *types,
		    const struct mw_go_type *type,
		    const struct go_type_shape *s)
{
	switch (type->kind) {
	case MW_GO_ARRAY:
		return mw_go_types_has(types, type->elem);
	case MW_GO_STRUCT:
		return s->part_count == 0 ||
		       go_types_module_of(types, s->parts);
	case MW_GO_CHAN:
	case MW_GO_MAP:
	case MW_GO_POINTER:
	case MW_GO_SLICE:
		if (!mw_go_types_has(types, type->elem))
			return false;
		break;
	default:
		break;
	}
	// Some of those that are not in the heap count as without pointers.
	return type->bytes == kind_sizes[type->kind].bytes &&
	       (type->pointer_bytes == kind_sizes[type->kind].pointer_bytes ||
		type->pointer_bytes == 0);
}

/** Whether the name at @va can be read in @form. */
static bool has_form(struct mw_go_types *types, uint64_t va,
		     enum go_name_form form)
{
	char *name;
	bool has;

	types->form = form;
	name = go_type_read_name(types, va);
	has = name != NULL;
	mw_free(name);
	return has;
}

/**
 * What names look like, by the most of the first that seem to be some: what
 * lies before the first descriptor may look like one.
 */
static enum go_name_form find_form(struct mw_go_types *types,
				   const struct go_types_module *module)
{
	enum { ENOUGH = 64 };
	unsigned two_bytes = 0, leb128 = 0;
	uint8_t head[GO_TYPE_BYTES];

	for (uint64_t va = mw_align_up(module->start, 8);
	     va < module->end && two_bytes + leb128 < ENOUGH; va += 8) {
		uint64_t name;

		if (!mw_target_read(types->target, va, head, sizeof(head))) {
			va = mw_align_up(va + 8, MW_PAGE_BYTES) - 8;
			continue;
		}
		if (!go_type_is_plausible(module, head))
			continue;
		name = module->start + mw_u32(head + GO_TYPE_NAME);
		two_bytes += has_form(types, name, GO_NAMES_TWO_BYTES);
		leb128 += has_form(types, name, GO_NAMES_LEB128);
	}
	return two_bytes + leb128 == 0 ? GO_NAMES_UNKNOWN
	       : two_bytes > leb128    ? GO_NAMES_TWO_BYTES
				       : GO_NAMES_LEB128;
}

bool mw_go_types_next(struct mw_go_types *types, uint64_t *at,
		      struct mw_go_type *ret)
{
	uint8_t head[GO_TYPE_BYTES];
	uint64_t va = mw_align_up(*at, 8);

	for (size_t i = 0; i < types->modules.n && !types->form; i++)
		types->form = find_form(types, &types->modules.v[i]);
	for (;;) {
		const struct go_types_module *module =
			go_types_module_of(types, va);
		struct go_type_shape shape;

		if (!module) {
			// The next one begins where it does.
			uint64_t next = UINT64_MAX;

			for (size_t i = 0; i < types->modules.n; i++)
				if (types->modules.v[i].start > va)
					next = mw_min(
						next,
						types->modules.v[i].start);
			if (next == UINT64_MAX || next > UINT64_MAX - 8)
				return false;
			va = mw_align_up(next, 8);
			continue;
		}
		if (!mw_target_read(types->target, va, head, sizeof(head))) {
			va = mw_align_up(va + 8, MW_PAGE_BYTES);
			continue;
		}
		if (go_type_is_plausible(module, head) &&
		    mw_go_type_at(types, va, ret) &&
		    go_type_read_shape(types, ret, &shape) &&
		    is_sure(types, ret, &shape)) {
			*at = va + shape.bytes;
			return true;
		}
		va += 8;
	}
}
