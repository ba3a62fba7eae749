/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_lines.h"

#include <elfutils/libdw.h>

#include "elf_int.h"
#include "mw_guard.h"
#include "mw_mem.h"

struct mw_lines {
	Dwarf *dwarf;
	/* The unit found last; its code is asked for again and again. */
	Dwarf_Die unit;
	bool has_unit;
};

struct mw_error *mw_lines_open(int fd, struct mw_lines **ret)
{
	MW_CLEANUP(mw_lines_closep) struct mw_lines *lines =
		mw_calloc(1, sizeof(*lines));

	if (!lines)
		return mw_error_nomem();
	if (elf_has_absurd_sections(fd))
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: "
				    "too many sections");
	lines->dwarf = dwarf_begin(fd, DWARF_C_READ);
	if (!lines->dwarf)
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: %s",
				    dwarf_errmsg(-1));
	// Else libdw opens any path that the target's file names.
	dwarf_setalt(lines->dwarf, lines->dwarf);
	*ret = mw_steal(lines);
	return NULL;
}

void mw_lines_close(struct mw_lines *lines)
{
	if (!lines)
		return;
	dwarf_end(lines->dwarf);
	mw_free(lines);
}

static bool find_unit(struct mw_lines *lines, uint64_t vaddr)
{
	Dwarf_Die die;
	Dwarf_CU *unit = NULL;

	if (lines->has_unit && dwarf_haspc(&lines->unit, vaddr) == 1)
		return true;
	// The table of ranges (.debug_aranges) may be missing.
	lines->has_unit = dwarf_addrdie(lines->dwarf, vaddr, &lines->unit);
	while (!lines->has_unit &&
	       dwarf_get_units(lines->dwarf, unit, &unit, NULL, NULL, &die,
			       NULL) == 0)
		if (dwarf_haspc(&die, vaddr) == 1) {
			lines->unit = die;
			lines->has_unit = true;
		}
	return lines->has_unit;
}

bool mw_lines_at(struct mw_lines *lines, uint64_t vaddr, const char **ret_file,
		 uint32_t *ret_line)
{
	Dwarf_Line *line;
	const char *file;
	int number;

	if (!find_unit(lines, vaddr))
		return false;
	line = dwarf_getsrc_die(&lines->unit, vaddr);
	file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	if (!file || dwarf_lineno(line, &number) != 0)
		return false;
	*ret_file = file;
	*ret_line = (uint32_t)number;
	return true;
}
