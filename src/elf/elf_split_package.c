/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_split_package.h"

#include <fcntl.h>
#include <string.h>

#include "elf_split.h"
#include "mw_elf_file.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * .debug_cu_index (DWARF 5, 7.3.5.3; version 2 is GNU's for DWARF 4):
 *
 *	version u16 or u32, columns u32, units u32, slots u32 (at 4, 8, 12)
 *	slots of a hash table: id u64; then for each, its row u32, 0: empty
 *	columns: which section, u32
 *	rows: offset in each section, u32; then rows: bytes of it, u32
 *
 * Sections in the package are those of all units, one behind the other, but
 * for the strings, which are shared.
 */
#define HEAD 16
#define MOST_COLUMNS 16
#define MOST_INDEX MW_MIB(512)
#define MOST_STRINGS MW_GIB(1)

/* What is needed for variables and types, and its number in the index. */
enum piece { INFO, ABBREV, STR_OFFSETS, STR, PIECES };

static const struct {
	const char *name;
	uint32_t column; /* 0: not divided */
} pieces[PIECES] = {
	[INFO] = { ".debug_info.dwo", 1 },
	[ABBREV] = { ".debug_abbrev.dwo", 3 },
	[STR_OFFSETS] = { ".debug_str_offsets.dwo", 6 },
	[STR] = { ".debug_str.dwo", 0 },
};

struct split_package {
	int fd;
	struct mw_elf_file *file;
	const struct mw_elf_section *sections[PIECES]; /* NULL: none */
	uint8_t *index;
	uint64_t columns, units, slots;
	uint64_t rows_at, columns_at, offsets_at, sizes_at;
	uint8_t *strings;
};

void split_package_close(struct split_package *package)
{
	if (!package)
		return;
	mw_free(package->strings);
	mw_free(package->index);
	mw_elf_file_close(package->file);
	mw_closep(&package->fd);
	mw_free(package);
}

static void split_package_closep(struct split_package **package)
{
	split_package_close(*package);
	*package = NULL;
}

/** The section, unless it is compressed; dwp writes none that is. */
static const struct mw_elf_section *section(const struct mw_elf_file *file,
					    const char *name)
{
	const struct mw_elf_section *s = mw_elf_file_section(file, name);

	return s && mw_elf_section_in_file(s) && !(s->flags & SHF_COMPRESSED)
		       ? s
		       : NULL;
}

/** Whether the tables are as large as the index says. */
static bool measure(struct split_package *p, uint64_t bytes)
{
	uint64_t version = mw_u32(p->index) & 0xffff;

	p->columns = mw_u32(p->index + 4);
	p->units = mw_u32(p->index + 8);
	p->slots = mw_u32(p->index + 12);
	if ((version != 2 && version != 5) || p->columns == 0 ||
	    p->columns > MOST_COLUMNS || p->slots == 0 ||
	    (p->slots & (p->slots - 1)) != 0)
		return false;
	// 32 bits each, by at most 16: none overflows.
	p->rows_at = HEAD + 8 * p->slots;
	p->columns_at = p->rows_at + 4 * p->slots;
	p->offsets_at = p->columns_at + 4 * p->columns;
	p->sizes_at = p->offsets_at + 4 * p->columns * p->units;
	return p->sizes_at + 4 * p->columns * p->units <= bytes;
}

struct split_package *split_package_open(int fd)
{
	MW_CLEANUP(split_package_closep) struct split_package *p =
		mw_calloc(1, sizeof(*p));
	const struct mw_elf_section *index;
	struct mw_error *error;

	if (!p)
		return NULL;
	p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	error = mw_elf_file_open(p->fd, &p->file);
	if (!error) {
		for (int i = 0; i < PIECES; i++)
			p->sections[i] = section(p->file, pieces[i].name);
		index = section(p->file, ".debug_cu_index");
		if (!index || index->size < HEAD || !p->sections[INFO] ||
		    !p->sections[ABBREV] || p->file->is_big_endian)
			return NULL;
		error = mw_elf_file_copy(p->file, index->offset, index->size,
					 MOST_INDEX, index->name, &p->index);
	}
	if (!error && p->sections[STR])
		error = mw_elf_file_copy(p->file, p->sections[STR]->offset,
					 p->sections[STR]->size, MOST_STRINGS,
					 pieces[STR].name, &p->strings);
	if (error || !measure(p, index->size)) {
		mw_error_free(error);
		return NULL;
	}
	return mw_steal(p);
}

/** The row of the unit with @id, counted from 0. */
static bool find_row(const struct split_package *p, uint64_t id, uint64_t *ret)
{
	uint64_t mask = p->slots - 1, at = id & mask;
	uint64_t step = (id >> 32 & mask) | 1;
	uint32_t row;

	for (uint64_t n = 0; n < p->slots; n++, at = (at + step) & mask) {
		row = mw_u32(p->index + p->rows_at + 4 * at);
		if (row == 0 || row > p->units)
			return false;
		if (mw_u64(p->index + HEAD + 8 * at) == id) {
			*ret = row - 1;
			return true;
		}
	}
	return false;
}

/** Where piece @i of the unit in @row lies in the file. */
static bool find_piece(const struct split_package *p, uint64_t row, int i,
		       uint64_t *ret_at, uint64_t *ret_bytes)
{
	const struct mw_elf_section *s = p->sections[i];
	uint64_t offset, bytes;

	for (uint64_t c = 0; s && c < p->columns; c++) {
		uint64_t cell = 4 * (row * p->columns + c);

		if (mw_u32(p->index + p->columns_at + 4 * c) !=
		    pieces[i].column)
			continue;
		offset = mw_u32(p->index + p->offsets_at + cell);
		bytes = mw_u32(p->index + p->sizes_at + cell);
		if (!mw_within(offset, bytes, 0, s->size))
			return false;
		*ret_at = s->offset + offset;
		*ret_bytes = bytes;
		return true;
	}
	return false;
}

/* The smallest file with these sections, which come behind it. */
struct frame {
	Elf64_Ehdr ehdr;
	Elf64_Shdr sections[PIECES + 2]; /* the null section, them, names */
	char names[128];
};

static void fill_frame(const uint64_t bytes[static PIECES], struct frame *f)
{
	uint64_t at = sizeof(*f);
	size_t name = 1;

	*f = (struct frame){
		.ehdr = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				     ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_REL,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_shoff = offsetof(struct frame, sections),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = PIECES + 2,
			.e_shstrndx = PIECES + 1,
		},
		.sections[PIECES + 1] = {
			.sh_type = SHT_STRTAB,
			.sh_offset = offsetof(struct frame, names),
			.sh_size = sizeof(f->names),
			.sh_addralign = 1,
		},
	};
	_Static_assert(sizeof(".debug_info.dwo.debug_abbrev.dwo"
			      ".debug_str_offsets.dwo.debug_str.dwo") +
				       PIECES < sizeof(f->names), "names");
	for (int i = 0; i < PIECES; i++) {
		f->sections[i + 1] = (Elf64_Shdr){
			.sh_name = (Elf64_Word)name,
			.sh_type = SHT_PROGBITS,
			.sh_offset = at,
			.sh_size = bytes[i],
			.sh_addralign = 1,
		};
		strcpy(f->names + name, pieces[i].name);
		name += strlen(pieces[i].name) + 1;
		at += bytes[i];
	}
}

/**
 * Where the first of the @bytes of offsets of strings at @table is: DWARF 5 has
 * a header of length, version and padding.
 */
static uint64_t first_offset(const uint8_t *table, uint64_t bytes)
{
	return bytes >= 8 && mw_u32(table) == bytes - 4 &&
			       mw_u16(table + 4) == 5
		       ? 8
		       : 0;
}

/**
 * Copy the strings that the @bytes of offsets at @table lead to, and make these
 * lead to the copies; without @to, only count. The bytes of all of them, more
 * than @most when they are too many.
 */
static uint64_t copy_strings(const struct split_package *p, uint8_t *table,
			     uint64_t bytes, uint64_t most, char *to)
{
	uint64_t size = p->strings ? p->sections[STR]->size : 0, used = 1;

	if (to)
		to[0] = '\0'; // for those that lead nowhere
	// As many as make sense: all may lead to the same long one.
	for (uint64_t at = first_offset(table, bytes);
	     at + 4 <= bytes && used <= most; at += 4) {
		uint64_t from = mw_u32(table + at), length;
		uint32_t place = 0;

		if (from < size) {
			// A NUL is behind all of them.
			length = strlen((char *)p->strings + from) + 1;
			if (to)
				memcpy(to + used, p->strings + from, length);
			place = (uint32_t)used;
			used += length;
		}
		if (to)
			memcpy(table + at, &place, sizeof(place));
	}
	return used;
}

/** Read the pieces of @row, one behind the other. */
static bool read_pieces(const struct split_package *p, uint64_t row,
			uint64_t most, uint64_t bytes[static PIECES],
			uint8_t **ret)
{
	uint64_t at[STR], total = sizeof(struct frame), used = total;
	MW_CLEANUP(mw_freep) uint8_t *all = NULL;

	for (int i = 0; i < STR; i++) {
		// Without names, there are none of them.
		at[i] = bytes[i] = 0;
		if (!find_piece(p, row, i, &at[i], &bytes[i]) &&
		    i != STR_OFFSETS)
			return false;
		total += bytes[i];
	}
	all = total <= most ? mw_alloc(total) : NULL;
	for (int i = 0; all && i < STR; i++) {
		if (!mw_elf_file_read(p->file, at[i], all + used, bytes[i]))
			return false;
		used += bytes[i];
	}
	*ret = mw_steal(all);
	return *ret != NULL;
}

bool split_package_unit(struct split_package *p, uint64_t id, uint64_t most,
			struct vars_split *ret)
{
	uint64_t row, bytes[PIECES], offsets, strings;
	uint8_t *grown;

	if (!find_row(p, id, &row) ||
	    !read_pieces(p, row, most, bytes, &ret->bytes))
		return false;
	offsets = sizeof(struct frame) + bytes[INFO] + bytes[ABBREV];
	strings = offsets + bytes[STR_OFFSETS];
	bytes[STR] = copy_strings(p, ret->bytes + offsets, bytes[STR_OFFSETS],
				  most, NULL);
	if (bytes[STR] > most)
		return false;
	grown = mw_realloc(ret->bytes, strings + bytes[STR], 1);
	if (!grown)
		return false;
	ret->bytes = grown;
	ret->count = strings + bytes[STR];
	copy_strings(p, grown + offsets, bytes[STR_OFFSETS], most,
		     (char *)grown + strings);
	fill_frame(bytes, (struct frame *)grown);
	return true;
}
