/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_int.h"

#define GO_LAYOUT(minor, first, last, source) { minor, first, last, source, {
#define GO_AT(symbol, offset, bytes) [GO_##symbol] = { offset, bytes },
#define GO_LAYOUT_END } },

static const struct go_layout layouts[] = {
#include "layouts/tables.def"
};

const struct go_layout *go_layouts(size_t *ret_count)
{
	*ret_count = MW_COUNT(layouts);
	return layouts;
}

const struct go_field_name go_field_names[GO_FIELDS] = {
#define GO_MEMBER(symbol, structure, path) [GO_##symbol] = { structure, path },
#include "layouts/fields.def"
#undef GO_MEMBER
};

/** The size of the struct called @name; false when fields.def has none. */
static bool size_of(const struct go_layout *layout, const char *name,
		    uint64_t *ret)
{
	for (size_t i = 0; i < GO_FIELDS; i++)
		if (!*go_field_names[i].path &&
		    strcmp(go_field_names[i].structure, name) == 0) {
			*ret = layout->at[i].bytes;
			return true;
		}
	return false;
}

void go_drop_outside(struct go_layout *layout)
{
	for (size_t i = 0; i < GO_FIELDS; i++) {
		const struct go_field_name *name = &go_field_names[i];
		struct go_member *m = &layout->at[i];
		uint64_t size;

		// Behind a pointer lies another struct.
		if (!strchr(name->path, '*') &&
		    size_of(layout, name->structure, &size) &&
		    (uint64_t)m->offset + m->bytes > size)
			*m = (struct go_member){ 0 };
	}
}
