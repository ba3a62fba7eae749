/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_types_int.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * The fields of a struct, 24 bytes each: *name, *type, offset. Up to Go 1.18
 * the offset is shifted by one, and bit 0 tells that the field is embedded
 * (cmd/compile's dtypesym(), reflect.structField).
 */
struct raw_field {
	uint64_t name, type, offset;
};

static bool read_field(const struct mw_go_types *types,
		       const struct go_type_shape *s, uint64_t index,
		       struct raw_field *ret)
{
	return mw_target_read(types->target, s->parts + index * GO_FIELD_BYTES,
			      ret, sizeof(*ret));
}

/** Whether offsets are shifted: some field would leave the struct else. */
static bool is_shifted(struct mw_go_types *types,
		       const struct mw_go_type *type,
		       const struct go_type_shape *s)
{
	struct raw_field field;
	struct mw_go_type of;

	if (types->form == GO_NAMES_TWO_BYTES) // these are older
		return true;
	for (uint64_t i = 0; i < s->part_count; i++)
		if (read_field(types, s, i, &field) &&
		    mw_go_type_at(types, field.type, &of) &&
		    !mw_within(field.offset, of.bytes, 0, type->bytes))
			return true;
	return false;
}

bool mw_go_type_fields(struct mw_go_types *types,
		       const struct mw_go_type *type,
		       bool (*visit)(const struct mw_go_field *field,
				     void *ctx),
		       void *ctx)
{
	struct go_type_shape s;
	struct mw_go_field field;
	struct raw_field raw;
	unsigned shift;

	if (type->kind != MW_GO_STRUCT || !go_type_read_shape(types, type, &s))
		return false;
	shift = is_shifted(types, type, &s);
	for (uint64_t i = 0; i < s.part_count; i++) {
		MW_CLEANUP(mw_freep) char *name = NULL;

		if (!read_field(types, &s, i, &raw) ||
		    !mw_go_type_at(types, raw.type, &field.type))
			return false;
		field.offset = raw.offset >> shift;
		name = go_type_read_name(types, raw.name);
		field.name = name;
		if (!name || !mw_within(field.offset, field.type.bytes, 0,
					type->bytes))
			return false;
		if (!visit(&field, ctx))
			return false;
	}
	return true;
}
