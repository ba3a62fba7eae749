/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"

#define GO_LAYOUT(minor, first, last, source) { minor, first, last, source, {
#define GO_AT(symbol, offset, bytes) [GO_##symbol] = { offset, bytes },
#define GO_LAYOUT_END } },

static const struct go_layout layouts[] = {
#include "layouts/go1_16.def"
#include "layouts/go1_17.def"
#include "layouts/go1_18.def"
#include "layouts/go1_19.def"
#include "layouts/go1_20.def"
#include "layouts/go1_21.def"
#include "layouts/go1_22.def"
#include "layouts/go1_23.def"
#include "layouts/go1_24.def"
#include "layouts/go1_25.def"
#include "layouts/go1_26.def"
#include "layouts/go1_27.def"
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
