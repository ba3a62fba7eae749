/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_gc_rows.h"

struct mw_go_figure *go_add(struct go_gc_rows *b, const char *name,
			    enum mw_go_unit unit, uint64_t value)
{
	static struct mw_go_figure nowhere;
	struct mw_go_figure *f = mw_vec_push(&b->out->figures);

	if (!f) {
		b->short_of_memory = true;
		return &nowhere;
	}
	*f = (struct mw_go_figure){
		.name = name,
		.unit = unit,
		.is_known = true,
		.value = value,
	};
	return f;
}

void go_add_unknown(struct go_gc_rows *b, const char *name,
		    enum mw_go_unit unit, const char *why)
{
	struct mw_go_figure *f = go_add(b, name, unit, 0);

	f->is_known = false;
	f->note = why;
}

void go_add_text(struct go_gc_rows *b, const char *name, const char *text)
{
	go_add(b, name, MW_GO_UNIT_TEXT, 0)->text = text;
}

void go_add_real(struct go_gc_rows *b, const char *name, uint64_t bits)
{
	struct mw_go_figure *f = go_add(b, name, MW_GO_UNIT_REAL, bits);

	memcpy(&f->real, &bits, sizeof(f->real));
}

uint64_t go_whole(double value)
{
	const double most = (double)(UINT64_C(1) << 62);

	return value > 0 ? (uint64_t)(value < most ? value : most) : 0;
}

void go_add_pacer(struct go_gc_rows *b, const char *name, enum mw_go_unit unit,
		  enum go_field field)
{
	if (!go_has(b->go, field))
		return;
	if (!b->c->controller)
		go_add_unknown(b, name, unit, "gcController was not found");
	else if (unit == MW_GO_UNIT_REAL)
		go_add_real(b, name, go_controller(b->go, b->c, field));
	else
		go_add(b, name, unit, go_controller(b->go, b->c, field));
}

bool go_work(const struct go_gc_rows *b, enum go_field field, uint64_t *ret)
{
	return b->go->stat_vars.work &&
	       go_now(b->go, b->go->stat_vars.work, field, ret);
}
