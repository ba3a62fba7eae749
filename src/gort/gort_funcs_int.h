/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_FUNCS_INT_H
#define GORT_FUNCS_INT_H

#include "mw_go_funcs.h"
#include "mw_map64.h"
#include "mw_vec.h"

/* Formats */

/** A member of a _func or inlinedCall; bytes is 0 when there is none. */
struct go_slot {
	uint8_t offset, bytes;
};

/** What differs between releases. gort_pclntab.c has the table. */
struct go_pcln_format {
	const char *name; /* of the magic: "1.2", … */
	uint32_t magic;
	unsigned first_minor, last_minor;
	/* Where the header has the offsets of the tables; 0: as in Go 1.2. */
	uint8_t text_start, funcnametab, cutab, filetab, pctab, functab;
	uint8_t ftab_bytes; /* of an entry: 16 absolute, 8 relative to text */
	uint8_t func_bytes; /* of a _func, behind it the pcdata offsets */
	uint8_t funcdata_bytes; /* 8 pointers, 4 offsets from go:func.* */
	struct go_slot entry, name_off, args, deferreturn, pcsp, pcfile, pcln,
		npcdata, cu, start_line, id, flag, nfuncdata;
	/* Inlining: which table, which funcdata, and an inlinedCall. */
	uint8_t inline_pcdata, inline_funcdata, inline_bytes;
	struct go_slot inline_parent, inline_file, inline_line, inline_name,
		inline_parent_pc, inline_id;
};

/** Where the tables of a module lie at most, from their head. */
#define GO_MAX_TABLE_OFF MW_GIB(4)

/** The tables of a module. */
struct go_pcln {
	const struct go_pcln_format *format;
	uint64_t text, gofunc;
	uint64_t count; /* of functions */
	uint64_t first; /* number of the first among all modules' */
	uint64_t ftab, funcs; /* entries; what their offsets count from */
	uint64_t names, cutab, files, pctab;
	uint64_t file_count; /* up to 1.15, of the file table */
	uint32_t entry_key; /* garble's; 0 without it */
};

/** Strings of the target that were asked for, each kept once. */
struct go_strings {
	struct mw_map64 at; /* address -> place in list + 1 */
	MW_VEC(const char *) list;
	MW_VEC(char *) blocks;
	size_t used, bytes;
};

struct mw_go_funcs {
	struct mw_go_reader reader;
	MW_VEC(struct go_pcln) modules;
	uint64_t count;
	struct go_strings strings;
	/* funcID of compiler-made callers; 0: none found, -1: not looked */
	int wrapper_id;
};

static inline bool go_funcs_read(const struct mw_go_funcs *funcs, uint64_t va,
				 void *to, size_t bytes)
{
	return va <= UINT64_MAX - bytes &&
	       funcs->reader.read(funcs->reader.ctx, va, to, bytes);
}

/** Recognise the table at @tables->pclntab. */
MW_MUST_USE struct mw_error *go_pcln_open(const struct mw_go_funcs *funcs,
					  const struct mw_go_tables *tables,
					  struct go_pcln *ret);

/** The function with number @at of a module, but for what names it. */
bool go_pcln_func(const struct mw_go_funcs *funcs, const struct go_pcln *pcln,
		  uint64_t at, struct mw_go_func *ret);
/** The number of the function that holds @pc. */
bool go_pcln_search(const struct mw_go_funcs *funcs,
		    const struct go_pcln *pcln, uint64_t pc, uint64_t *ret);

/**
 * The key by which garble has hidden where functions begin, by one function
 * whose name's offset has an inverse; 0 when they are not hidden.
 */
uint32_t go_pcln_find_key(const struct mw_go_funcs *funcs,
			  const struct go_pcln *pcln);

/** A little-endian member of a copied record, signed ones extended. */
int64_t go_slot(const uint8_t *bytes, struct go_slot slot);

static inline const struct go_pcln *
go_pcln_of(const struct mw_go_funcs *funcs, const struct mw_go_func *func)
{
	return &funcs->modules.v[func->module];
}

/**
 * The value that a pc-value table has at @pc. @table is an offset in pctab;
 * false when it is 0, damaged, or does not reach as far.
 */
bool go_pc_value(const struct mw_go_funcs *funcs,
		 const struct mw_go_func *func, uint32_t table, uint64_t pc,
		 int32_t *ret);
/** Bytes of a pc-value table with its end; 0 when it is damaged. */
uint64_t go_pc_table_bytes(const struct mw_go_funcs *funcs,
			   const struct mw_go_func *func, uint32_t table);
/** The same as go_pc_value() for the table of pcdata @which. */
bool go_pc_data(const struct mw_go_funcs *funcs,
		const struct mw_go_func *func, unsigned which, uint64_t pc,
		int32_t *ret);
/** The address of funcdata @which; false if there is none. */
bool go_func_data(const struct mw_go_funcs *funcs,
		  const struct mw_go_func *func, unsigned which,
		  uint64_t *ret);

/** Read a NUL-terminated string, cut to @size, into @to; false if unreadable. */
bool go_read_string(const struct mw_go_funcs *funcs, uint64_t va, char *to,
		    size_t size);
/** The same, kept; "?" when it cannot be read or kept. */
const char *go_string(struct mw_go_funcs *funcs, uint64_t va);
/** Keep @text, made printable, as what lies at @key; or what is there. */
const char *go_keep_text(struct mw_go_funcs *funcs, uint64_t key, char *text);
void go_strings_free(struct go_strings *strings);

#endif
