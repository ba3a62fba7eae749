/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_types_int.h"
#include "mw_guard.h"

/*
 * abi.Type (internal/abi/type.go; runtime._type before 1.21), the same since
 * Go 1.9 in all that is read here:
 *	0	u64 size		8	u64 bytes up to the last pointer
 *	16	u32 hash		20	u8 tflag, 2: name has a '*' extra
 *	21	u8 align		22	u8 align in a struct
 *	23	u8 kind, low 5 bits	40	i32 name, from moduledata.types
 * array: 48 *elem, 64 length; chan, pointer, slice: 48 *elem; map: 48 *key,
 * 56 *elem
 * name: u8 flags, length as LEB128 (to 1.16 two bytes, high one first), text;
 *	flag 2: a tag, the same again without flags; 4: i32 name of a package
 */
#define WHOLE_BYTES 72 /* with what is read behind it */
#define TFLAG_EXTRA_STAR 2
#define MOST_NAME 4096

struct mw_error *mw_go_types_new(struct mw_target *target,
				 struct mw_go_types **ret)
{
	struct mw_go_types *types = mw_calloc(1, sizeof(*types));

	if (!types)
		return mw_error_nomem();
	types->target = target;
	*ret = types;
	return NULL;
}

struct mw_error *mw_go_types_add(struct mw_go_types *types, uint64_t start,
				 uint64_t end, uint64_t map_bytes)
{
	struct go_types_module *module = mw_vec_push(&types->modules);

	if (!module)
		return mw_error_nomem();
	*module = (struct go_types_module){ start, end, map_bytes };
	return NULL;
}

void mw_go_types_close(struct mw_go_types *types)
{
	if (!types)
		return;
	for (size_t i = 0; i < types->list.n; i++)
		mw_free((char *)(uintptr_t)types->list.v[i].name);
	for (size_t i = 0; i < types->paths.n; i++)
		mw_free(types->paths.v[i]);
	mw_vec_free(&types->paths);
	mw_map64_free(&types->by_name);
	mw_map64_free(&types->packages);
	mw_vec_free(&types->list);
	mw_vec_free(&types->modules);
	mw_map64_free(&types->by_address);
	mw_free(types);
}

const struct go_types_module *
go_types_module_of(const struct mw_go_types *types, uint64_t va)
{
	for (size_t i = 0; i < types->modules.n; i++)
		if (va >= types->modules.v[i].start &&
		    va < types->modules.v[i].end)
			return &types->modules.v[i];
	return NULL;
}

bool mw_go_types_has(const struct mw_go_types *types, uint64_t va)
{
	return mw_is_aligned(va, 8) && go_types_module_of(types, va);
}

/* Names */

/** A copy of the text; NULL when it is none. */
static char *read_text(const struct mw_go_types *types, uint64_t va,
		       uint64_t bytes)
{
	uint64_t take = mw_min(bytes, MOST_NAME);
	MW_CLEANUP(mw_freep) char *text = mw_alloc(take + 1);

	if (!text || take == 0 || !mw_target_read(types->target, va, text, take))
		return NULL;
	text[take] = '\0';
	for (uint64_t i = 0; i < take; i++)
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			return NULL;
	return mw_steal(text);
}

static char *read_leb128(const struct mw_go_types *types, uint64_t va)
{
	uint64_t length = 0;
	uint8_t byte = 0x80;

	for (unsigned i = 0; i < 3 && (byte & 0x80); i++) {
		if (!mw_target_read(types->target, ++va, &byte, 1))
			return NULL;
		length |= (uint64_t)(byte & 0x7f) << 7 * i;
	}
	return byte & 0x80 ? NULL : read_text(types, va + 1, length);
}

static char *read_two_bytes(const struct mw_go_types *types, uint64_t va)
{
	uint8_t head[3];

	if (!mw_target_read(types->target, va, head, sizeof(head)))
		return NULL;
	return read_text(types, va + 3, (uint64_t)head[1] << 8 | head[2]);
}

/** All names of a program have one form; the first that is clear tells it. */
char *go_type_read_name(struct mw_go_types *types, uint64_t va)
{
	uint8_t head[2];
	char *name;

	if (types->form == GO_NAMES_LEB128)
		return read_leb128(types, va);
	if (types->form == GO_NAMES_TWO_BYTES)
		return read_two_bytes(types, va);
	if (!mw_target_read(types->target, va, head, sizeof(head)))
		return NULL;
	// No name is empty, so a 0 is a high byte; and one of 256 or more
	// bytes can only be read as text when that is its form.
	name = read_two_bytes(types, va);
	if (name) {
		types->form = GO_NAMES_TWO_BYTES;
		return name;
	}
	name = read_leb128(types, va);
	if (name)
		types->form = GO_NAMES_LEB128;
	return name;
}

/** A length of @types' form; *@va is moved behind it. */
static bool read_length(const struct mw_go_types *types, uint64_t *va,
			uint64_t *ret)
{
	uint8_t bytes[3];
	uint64_t length = 0;

	if (types->form == GO_NAMES_TWO_BYTES) {
		if (!mw_target_read(types->target, *va, bytes, 2))
			return false;
		*va += 2;
		*ret = (uint64_t)bytes[0] << 8 | bytes[1];
		return true;
	}
	for (unsigned i = 0; i < sizeof(bytes); i++) {
		if (!mw_target_read(types->target, (*va)++, &bytes[i], 1))
			return false;
		length |= (uint64_t)(bytes[i] & 0x7f) << 7 * i;
		*ret = length;
		if (bytes[i] < 0x80)
			return true;
	}
	return false;
}

uint64_t go_type_name_bytes(const struct mw_go_types *types, uint64_t va)
{
	enum { TAG = 2, PACKAGE = 4 };
	uint64_t at = va + 1, length;
	uint8_t flags;

	if (types->form == GO_NAMES_UNKNOWN ||
	    !mw_target_read(types->target, va, &flags, 1) ||
	    !read_length(types, &at, &length))
		return 0;
	at += length;
	if ((flags & TAG) && read_length(types, &at, &length))
		at += length;
	return at - va + (flags & PACKAGE ? 4 : 0);
}

/* Descriptors */

bool go_type_is_plausible(const struct go_types_module *module,
			  const uint8_t raw[static GO_TYPE_BYTES])
{
	unsigned kind = raw[GO_TYPE_KIND] & 31, align = raw[21];
	int32_t name = (int32_t)mw_u32(raw + GO_TYPE_NAME);

	return kind > 0 && kind < MW_GO_KINDS && align > 0 && align <= 64 &&
	       (align & (align - 1)) == 0 && raw[22] <= 64 &&
	       mw_u64(raw) < UINT64_C(1) << 47 &&
	       mw_u64(raw) % align == 0 && mw_u64(raw + 8) <= mw_u64(raw) &&
	       name > 0 && (uint64_t)name < module->end - module->start;
}

static void read_more(const uint8_t *raw, struct mw_go_type *type)
{
	switch (type->kind) {
	case MW_GO_ARRAY:
		type->length = mw_u64(raw + 64);
		type->elem = mw_u64(raw + 48);
		break;
	case MW_GO_CHAN:
	case MW_GO_POINTER:
	case MW_GO_SLICE:
		type->elem = mw_u64(raw + 48);
		break;
	case MW_GO_MAP:
		type->key = mw_u64(raw + 48);
		type->elem = mw_u64(raw + 56);
		break;
	default:
		break;
	}
}

static bool read_type(struct mw_go_types *types, uint64_t va,
		      struct mw_go_type *ret)
{
	const struct go_types_module *module = go_types_module_of(types, va);
	uint8_t raw[WHOLE_BYTES] = { 0 };
	char *name;

	// The last one may end before what only some kinds have.
	if (!module || !mw_is_aligned(va, 8) ||
	    (!mw_target_read(types->target, va, raw, sizeof(raw)) &&
	     !mw_target_read(types->target, va, raw, GO_TYPE_BYTES)) ||
	    !go_type_is_plausible(module, raw))
		return false;
	name = go_type_read_name(types, module->start +
						mw_u32(raw + GO_TYPE_NAME));
	if (!name)
		return false;
	if ((raw[GO_TYPE_TFLAG] & TFLAG_EXTRA_STAR) && name[0] == '*')
		memmove(name, name + 1, strlen(name));
	*ret = (struct mw_go_type){
		.address = va,
		.name = name,
		.bytes = mw_u64(raw),
		.pointer_bytes = mw_u64(raw + 8),
		.kind = raw[GO_TYPE_KIND] & 31,
	};
	read_more(raw, ret);
	return true;
}

bool mw_go_type_at(struct mw_go_types *types, uint64_t va,
		   struct mw_go_type *ret)
{
	const uint64_t *known = mw_map64_find(&types->by_address, va);
	struct mw_go_type type, *place;
	uint64_t *entry;

	if (known) {
		if (*known)
			*ret = types->list.v[*known - 1];
		return *known != 0;
	}
	if (!mw_go_types_has(types, va))
		return false;
	entry = mw_map64_at(&types->by_address, va);
	if (!entry || !read_type(types, va, &type))
		return false;
	place = mw_vec_push(&types->list);
	if (!place) {
		mw_free((char *)(uintptr_t)type.name);
		return false;
	}
	*place = type;
	*entry = types->list.n;
	*ret = type;
	return true;
}

bool mw_go_type_is_direct(struct mw_go_types *types,
			  const struct mw_go_type *type)
{
	switch (type->kind) {
	case MW_GO_CHAN:
	case MW_GO_FUNC:
	case MW_GO_MAP:
	case MW_GO_POINTER:
	case MW_GO_UNSAFE_POINTER:
		return true;
	case MW_GO_ARRAY: {
		struct mw_go_type elem;

		return type->length == 1 &&
		       mw_go_type_at(types, type->elem, &elem) &&
		       elem.kind != MW_GO_ARRAY &&
		       mw_go_type_is_direct(types, &elem);
	}
	default:
		// Of a struct with one pointer, too.
		return type->kind == MW_GO_STRUCT && type->bytes == 8 &&
		       type->pointer_bytes == 8;
	}
}
