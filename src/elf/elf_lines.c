/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_lines.h"

#include <elfutils/libdw.h>
#include <unistd.h>

#include "elf_int.h"
#include "elf_lines_int.h"
#include "elf_unpacked.h"
#include "elf_vars_int.h"
#include "mw_guard.h"
#include "mw_mem.h"

struct mw_lines {
	Dwarf *dwarf;
	struct lines_object object; /* zeros: the file is none */
	/* The unit found last; its code is asked for again and again. */
	Dwarf_Die unit;
	bool has_unit;
};

static bool is_object(int fd)
{
	Elf64_Ehdr head;

	return pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	       head.e_ident[EI_CLASS] == ELFCLASS64 &&
	       head.e_type == ET_REL && head.e_machine == EM_X86_64;
}

static struct mw_error *open_dwarf(struct mw_lines *lines, int fd)
{
	struct mw_error *error = NULL;

	if (is_object(fd)) {
		elf_version(EV_CURRENT);
		error = lines_object_open(fd, &lines->object);
		lines->dwarf = error ? NULL
				     : dwarf_begin_elf(lines->object.elf,
						       DWARF_C_READ, NULL);
	} else {
		lines->dwarf = dwarf_begin(fd, DWARF_C_READ);
		error = elf_check_unpacked(fd, lines->dwarf, true);
	}
	if (!error && !lines->dwarf)
		error = mw_error_new(MW_E_NOT_FOUND, "no debug information: %s",
				     dwarf_errmsg(-1));
	return error;
}

struct mw_error *mw_lines_open(int fd, struct mw_lines **ret)
{
	MW_CLEANUP(mw_lines_closep) struct mw_lines *lines =
		mw_calloc(1, sizeof(*lines));
	struct mw_error *error;

	if (!lines)
		return mw_error_nomem();
	if (elf_has_absurd_sections(fd))
		return mw_error_new(MW_E_NOT_FOUND, "no debug information: "
				    "too many sections");
	error = open_dwarf(lines, fd);
	if (error)
		return error;
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
	lines_object_close(&lines->object);
	mw_free(lines);
}

uint64_t mw_lines_section(const struct mw_lines *lines, uint32_t index)
{
	return mw_elf_place(&lines->object.places, index);
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
	       vars_next_unit(lines->dwarf, &unit, NULL, &die))
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
