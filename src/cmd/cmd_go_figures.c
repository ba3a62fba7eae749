/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_go_figures.h"

static const char *unit_name(enum mw_go_unit unit)
{
	static const char *const names[] = {
		[MW_GO_UNIT_BYTES] = "bytes", [MW_GO_UNIT_COUNT] = "count",
		[MW_GO_UNIT_NS] = "ns",	      [MW_GO_UNIT_REAL] = "real",
		[MW_GO_UNIT_BOOL] = "bool",   [MW_GO_UNIT_TEXT] = "text",
	};

	return names[unit];
}

static bool fill_value(struct mw_cell *cell, const struct mw_go_figure *f)
{
	uint64_t value = f->value;

	switch (f->unit) {
	case MW_GO_UNIT_TEXT:
		mw_cell_number(cell, MW_NUMBER_TEXT, MW_UNIT_TEXT, 0);
		return mw_cell_text(cell, f->text);
	case MW_GO_UNIT_REAL:
		memcpy(&value, &f->real, sizeof(value));
		mw_cell_number(cell, MW_NUMBER_REAL, MW_UNIT_COUNT, value);
		return true;
	case MW_GO_UNIT_BOOL:
		mw_cell_number(cell, MW_NUMBER_BOOL, MW_UNIT_COUNT, value);
		return true;
	case MW_GO_UNIT_BYTES:
		mw_cell_number(cell, MW_NUMBER_INTEGER, MW_UNIT_BYTES, value);
		return true;
	case MW_GO_UNIT_NS:
		mw_cell_number(cell, MW_NUMBER_INTEGER, MW_UNIT_NS, value);
		return true;
	case MW_GO_UNIT_COUNT:
		break;
	}
	mw_cell_number(cell, MW_NUMBER_INTEGER, MW_UNIT_COUNT, value);
	return true;
}

bool cmd_add_figure(struct mw_table *table, const struct mw_go_figure *f)
{
	struct mw_cell *cells = mw_table_add(table);

	return cells && (!f->is_known ||
			 fill_value(&cells[FIGURE_VALUE], f)) &&
	       mw_cell_text(&cells[FIGURE_FIELD], f->name) &&
	       mw_cell_text(&cells[FIGURE_UNIT], unit_name(f->unit)) &&
	       (!f->note || mw_cell_text(&cells[FIGURE_NOTE], f->note));
}
