/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_split.h"

#include <dwarf.h>
#include <gelf.h>
#include <string.h>

#include "elf_int.h"
#include "elf_split_package.h"
#include "mw_elf_file.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * Split DWARF (DWARF 5, 7.3.2; GNU's DebugFission for DWARF 4): the program has
 * a skeleton of each unit, with the name and the id of a file that has the
 * rest, a .dwo; or all of them are in one package, a .dwp.
 *
 * libdw opens such files by itself, whatever they are and however large they
 * claim to be. So they are opened here, and handed to it as memory.
 */

/* A unit's own debug information; Chromium's largest has 30 MB. */
#define MOST_FILE MW_MIB(256)
/* Of all that have types which are wanted. */
#define MOST_KEPT MW_GIB(1)

static const char *text_of(Dwarf_Die *die, unsigned code, unsigned gnu)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, code, &attr) ||
			       (gnu && dwarf_attr(die, gnu, &attr))
		       ? dwarf_formstring(&attr)
		       : NULL;
}

/* Addresses */

static Elf_Data *find_addresses(Elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(elf, names, shdr.sh_name);
		// A compressed one has been unpacked by libdw.
		if (name && (strcmp(name, ".debug_addr") == 0 ||
			     strcmp(name, ".zdebug_addr") == 0))
			return elf_rawdata(scn, NULL);
	}
	return NULL;
}

bool split_address(struct mw_vars *vars, Dwarf_Die *skeleton, uint64_t index,
		   uint64_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word base = 0;
	uint64_t at;

	if (!vars->addresses)
		vars->addresses = find_addresses(dwarf_getelf(vars->dw));
	if ((dwarf_attr(skeleton, DW_AT_addr_base, &attr) ||
	     dwarf_attr(skeleton, DW_AT_GNU_addr_base, &attr)) &&
	    dwarf_formudata(&attr, &base) != 0)
		return false;
	if (!vars->addresses || !vars->addresses->d_buf ||
	    __builtin_mul_overflow(index, 8, &at) || !mw_end(base, at, &at) ||
	    !mw_within(at, 8, 0, vars->addresses->d_size))
		return false;
	*ret = mw_u64((uint8_t *)vars->addresses->d_buf + at);
	return true;
}

uint64_t split_tls_place(struct mw_vars *vars, uint64_t value)
{
	Elf *elf = dwarf_getelf(vars->dw);
	size_t count;
	GElf_Phdr p;

	if (elf_getphdrnum(elf, &count) != 0)
		return value;
	for (size_t i = 0; i < count && gelf_getphdr(elf, (int)i, &p); i++)
		if (p.p_type == PT_TLS && value >= p.p_memsz &&
		    value - p.p_vaddr < p.p_memsz)
			return value - p.p_vaddr;
	return value;
}

/* Files */

void split_close(struct vars_split *split)
{
	dwarf_end(split->dw);
	elf_end(split->elf);
	mw_free(split->bytes);
	*split = (struct vars_split){ 0 };
}

/** Have libdw read split->bytes, and find the unit with @id. */
static bool begin(struct vars_split *split, uint64_t id)
{
	Dwarf_CU *unit = NULL;
	uint64_t found;
	uint8_t type;

	split->elf = elf_memory((char *)split->bytes, split->count);
	split->dw = split->elf ? dwarf_begin_elf(split->elf, DWARF_C_READ, NULL)
			       : NULL;
	if (!split->dw)
		return false;
	dwarf_setalt(split->dw, split->dw);
	while (vars_next_unit(split->dw, &unit, &type, &split->unit))
		if (type == DW_UT_split_compile &&
		    dwarf_cu_info(unit, NULL, &type, NULL, NULL, &found, NULL,
				  NULL) == 0 &&
		    found == id)
			return true;
	return false;
}

static bool open_file(int fd, uint64_t id, struct vars_split *ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *file = NULL;
	struct mw_error *error = mw_elf_file_open(fd, &file);

	if (!error && !elf_has_absurd_sections(fd)) {
		ret->count = file->bytes;
		error = mw_elf_file_copy(file, 0, file->bytes, MOST_FILE,
					 "split debug information",
					 &ret->bytes);
	}
	mw_error_free(error); // without it, there are no types
	return ret->bytes && begin(ret, id);
}

static bool open_in_package(struct mw_vars *vars, uint64_t id,
			    struct vars_split *ret)
{
	int fd = -1;

	if (!vars->package_tried) {
		vars->package_tried = true;
		if (vars->files.open(vars->files.ctx, NULL, NULL, 0, &fd) &&
		    fd >= 0)
			vars->package = split_package_open(fd);
		mw_closep(&fd);
	}
	return vars->package &&
	       split_package_unit(vars->package, id, MOST_FILE, ret) &&
	       begin(ret, id);
}

bool split_open(struct mw_vars *vars, Dwarf_Die *skeleton,
		struct vars_split *ret)
{
	const char *name = text_of(skeleton, DW_AT_dwo_name,
				   DW_AT_GNU_dwo_name);
	const char *folder = text_of(skeleton, DW_AT_comp_dir, 0);
	struct vars_split split = { 0 };
	uint64_t id;
	uint8_t type;
	int fd = -1;

	if (!vars->files.open || vars->split_bytes > MOST_KEPT ||
	    dwarf_cu_info(skeleton->cu, NULL, &type, NULL, NULL, &id, NULL,
			  NULL) != 0)
		return false;
	bool found = open_in_package(vars, id, &split);
	for (unsigned n = 0;
	     !found && name &&
	     vars->files.open(vars->files.ctx, folder, name, n, &fd);
	     n++) {
		split_close(&split);
		found = fd >= 0 && open_file(fd, id, &split);
		mw_closep(&fd);
	}
	if (found)
		*ret = split;
	else
		split_close(&split);
	return found;
}
