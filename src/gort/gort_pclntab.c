/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_funcs_int.h"
#include "mw_num.h"

/*
 * The tables of a module. All numbers are little-endian. The header:
 *
 *	0	u32 magic		4	u8 0, u8 0
 *	6	u8 minLC, 1 on amd64	7	u8 ptrSize, 8
 *	8	u64 nfunc
 *
 * and up to Go 1.15 (magic fb; debug/gosym/pclntab.go of 1.15)
 *	16	ftab: nfunc times {u64 pc, u64 offset of the _func}, u64 pc of
 *		the end, u32 offset of the file table {u32 n, u32 offset of the
 *		name[n - 1]}
 * All offsets count from the header.
 *
 * 1.16 and 1.17 (magic fa), 1.18 and 1.19 (f0), since 1.20 (f1): runtime
 * pcHeader has the offsets of five tables,
 *	24 or 32	funcnametab: names
 *	32 or 40	cutab: u32 offset in filetab, per compilation unit
 *	40 or 48	filetab: names
 *	48 or 56	pctab: pc-value tables
 *	56 or 64	ftab, and the _funcs behind it, whose offsets count
 *			from ftab
 * with the text address at 24 from 1.18 to 1.25. Since 1.18 an ftab entry is
 * {u32 pc, u32 offset}, and pcs count from the text address.
 *
 * Magics are 0xffffff…; garble writes a random one, so the order of the five
 * tables decides then.
 *
 * _func, inlinedCall, PCDATA_InlTreeIndex and FUNCDATA_InlTree are from
 * runtime/runtime2.go, symtab.go (symtabinl.go), funcdata.h of the last patch
 * release of each minor, 1.9 to 1.27.
 */
static const struct go_pcln_format formats[] = {
	{
		.name = "1.2", .magic = 0xfffffffb, .first_minor = 2,
		.last_minor = 11, .ftab_bytes = 16, .func_bytes = 40,
		.funcdata_bytes = 8, .entry = { 0, 8 }, .name_off = { 8, 4 },
		.args = { 12, 4 }, .pcsp = { 20, 4 }, .pcfile = { 24, 4 },
		.pcln = { 28, 4 }, .npcdata = { 32, 4 },
		.nfuncdata = { 36, 4 }, .inline_pcdata = 1,
		.inline_funcdata = 2, .inline_bytes = 16,
		.inline_parent = { 0, 4 }, .inline_file = { 4, 4 },
		.inline_line = { 8, 4 }, .inline_name = { 12, 4 },
	},
	{
		.name = "1.2", .magic = 0xfffffffb, .first_minor = 12,
		.last_minor = 12, .ftab_bytes = 16, .func_bytes = 40,
		.funcdata_bytes = 8, .entry = { 0, 8 }, .name_off = { 8, 4 },
		.args = { 12, 4 }, .deferreturn = { 16, 4 },
		.pcsp = { 20, 4 }, .pcfile = { 24, 4 }, .pcln = { 28, 4 },
		.npcdata = { 32, 4 }, .id = { 36, 1 }, .nfuncdata = { 39, 1 },
		.inline_pcdata = 1, .inline_funcdata = 2, .inline_bytes = 20,
		.inline_id = { 2, 1 }, .inline_name = { 12, 4 },
		.inline_parent_pc = { 16, 4 },
	},
	{
		.name = "1.2", .magic = 0xfffffffb, .first_minor = 13,
		.last_minor = 15, .ftab_bytes = 16, .func_bytes = 40,
		.funcdata_bytes = 8, .entry = { 0, 8 }, .name_off = { 8, 4 },
		.args = { 12, 4 }, .deferreturn = { 16, 4 },
		.pcsp = { 20, 4 }, .pcfile = { 24, 4 }, .pcln = { 28, 4 },
		.npcdata = { 32, 4 }, .id = { 36, 1 }, .nfuncdata = { 39, 1 },
		.inline_pcdata = 2, .inline_funcdata = 4, .inline_bytes = 20,
		.inline_id = { 2, 1 }, .inline_name = { 12, 4 },
		.inline_parent_pc = { 16, 4 },
	},
	{
		// The byte of the flags is padding, 0, in 1.16.
		.name = "1.16", .magic = 0xfffffffa, .first_minor = 16,
		.last_minor = 17, .funcnametab = 24, .cutab = 32,
		.filetab = 40, .pctab = 48, .functab = 56, .ftab_bytes = 16,
		.func_bytes = 44, .funcdata_bytes = 8, .entry = { 0, 8 },
		.name_off = { 8, 4 }, .args = { 12, 4 },
		.deferreturn = { 16, 4 }, .pcsp = { 20, 4 },
		.pcfile = { 24, 4 }, .pcln = { 28, 4 }, .npcdata = { 32, 4 },
		.cu = { 36, 4 }, .id = { 40, 1 }, .flag = { 41, 1 },
		.nfuncdata = { 43, 1 }, .inline_pcdata = 2,
		.inline_funcdata = 3, .inline_bytes = 20,
		.inline_id = { 2, 1 }, .inline_name = { 12, 4 },
		.inline_parent_pc = { 16, 4 },
	},
	{
		.name = "1.18", .magic = 0xfffffff0, .first_minor = 18,
		.last_minor = 19, .text_start = 24, .funcnametab = 32,
		.cutab = 40, .filetab = 48, .pctab = 56, .functab = 64,
		.ftab_bytes = 8, .func_bytes = 40, .funcdata_bytes = 4,
		.entry = { 0, 4 }, .name_off = { 4, 4 }, .args = { 8, 4 },
		.deferreturn = { 12, 4 }, .pcsp = { 16, 4 },
		.pcfile = { 20, 4 }, .pcln = { 24, 4 }, .npcdata = { 28, 4 },
		.cu = { 32, 4 }, .id = { 36, 1 }, .flag = { 37, 1 },
		.nfuncdata = { 39, 1 }, .inline_pcdata = 2,
		.inline_funcdata = 3, .inline_bytes = 20,
		.inline_id = { 2, 1 }, .inline_name = { 12, 4 },
		.inline_parent_pc = { 16, 4 },
	},
	{
		.name = "1.20", .magic = 0xfffffff1, .first_minor = 20,
		.last_minor = 99, .text_start = 24, .funcnametab = 32,
		.cutab = 40, .filetab = 48, .pctab = 56, .functab = 64,
		.ftab_bytes = 8, .func_bytes = 44, .funcdata_bytes = 4,
		.entry = { 0, 4 }, .name_off = { 4, 4 }, .args = { 8, 4 },
		.deferreturn = { 12, 4 }, .pcsp = { 16, 4 },
		.pcfile = { 20, 4 }, .pcln = { 24, 4 }, .npcdata = { 28, 4 },
		.cu = { 32, 4 }, .start_line = { 36, 4 }, .id = { 40, 1 },
		.flag = { 41, 1 }, .nfuncdata = { 43, 1 },
		.inline_pcdata = 2, .inline_funcdata = 3, .inline_bytes = 16,
		.inline_id = { 0, 1 }, .inline_name = { 4, 4 },
		.inline_parent_pc = { 8, 4 },
	},
};

#define HEADER_TAIL 0x08010000u
#define HEADER_BYTES 72
#define MAX_FUNCS (UINT64_C(1) << 24)

int64_t go_slot(const uint8_t *bytes, struct go_slot slot)
{
	switch (slot.bytes) {
	case 1:
		return bytes[slot.offset];
	case 2:
		return (int16_t)mw_u16(bytes + slot.offset);
	case 4:
		return (int32_t)mw_u32(bytes + slot.offset);
	case 8:
		return (int64_t)mw_u64(bytes + slot.offset);
	}
	return 0;
}

/** Go 1.2: the tables are the header's neighbours. */
static bool place_old(const struct mw_go_funcs *funcs, uint64_t head,
		      struct go_pcln *p)
{
	uint32_t files, n;

	p->ftab = head + 16;
	p->names = p->pctab = p->funcs = head;
	if (!go_funcs_read(funcs, p->ftab + p->count * 16 + 8, &files, 4) ||
	    !go_funcs_read(funcs, head + files, &n, 4))
		return false;
	p->files = head + files;
	p->file_count = n;
	return true;
}

/** Since 1.16: the header says where they are, in ascending order. */
static bool place_new(const struct go_pcln_format *f, const uint8_t *header,
		      uint64_t head, struct go_pcln *p)
{
	const uint8_t at[] = { f->funcnametab, f->cutab, f->filetab, f->pctab,
			       f->functab };
	uint64_t off[MW_COUNT(at)], before = f->functab + 8;

	for (size_t i = 0; i < MW_COUNT(at); i++) {
		off[i] = mw_u64(header + at[i]);
		if (off[i] < before || off[i] > GO_MAX_TABLE_OFF)
			return false;
		before = off[i];
	}
	p->names = head + off[0];
	p->cutab = head + off[1];
	p->files = head + off[2];
	p->pctab = head + off[3];
	p->ftab = p->funcs = head + off[4];
	if (!p->text && f->text_start)
		p->text = mw_u64(header + f->text_start);
	return true;
}

/**
 * Whether @name, at @off of the names, can be a function's: it has a package. In
 * place of most names garble -tiny has the empty one, the first of all.
 */
static bool is_name(const char *name, uint32_t off)
{
	if (off == 0 && *name == '\0')
		return true;
	if (!strchr(name, '.'))
		return false;
	for (; *name; name++)
		if ((unsigned char)*name <= 0x20)
			return false;
	return true;
}

/** Whether the first call inlined into @func has a name and a place in it. */
static bool is_call(struct mw_go_funcs *funcs, const struct mw_go_func *func,
		    uint64_t tree)
{
	const struct go_pcln *p = go_pcln_of(funcs, func);
	const struct go_pcln_format *f = p->format;
	uint8_t call[24];
	char name[256];
	uint32_t off;

	if (!go_funcs_read(funcs, tree, call, f->inline_bytes))
		return false;
	off = (uint32_t)go_slot(call, f->inline_name);
	if (!go_read_string(funcs, p->names + off, name, sizeof(name)) ||
	    !is_name(name, off))
		return false;
	return !f->inline_parent_pc.bytes ||
	       (uint32_t)go_slot(call, f->inline_parent_pc) <
		       func->end - func->entry;
}

/**
 * How many calls that were inlined into functions are as the format of @p says;
 * -1 when it does not fit at all. Some of the whole table are tried: with -race
 * it begins with some thousand functions of C's, of which little is told.
 */
static int try_functions(const struct mw_go_funcs *funcs,
			 const struct go_pcln *p)
{
	enum { SAMPLE = 512, MAX_NFUNCDATA = 32 };
	// As if it were the only module.
	struct mw_go_funcs only = { .reader = funcs->reader };
	uint64_t good = 0, with_data = 0, tried = 0;
	uint64_t step = mw_max(p->count / SAMPLE, 1);
	int calls = 0, bad_calls = 0;

	only.modules.v = (struct go_pcln *)p;
	only.modules.n = 1;
	for (; tried < mw_min(p->count, SAMPLE); tried++) {
		struct mw_go_func func;
		uint64_t tree;

		if (!go_pcln_func(funcs, p, tried * step, &func) ||
		    func.funcdata_count > MAX_NFUNCDATA)
			continue;
		good++;
		with_data += func.funcdata_count > 0;
		if (func.pcdata_count <= p->format->inline_pcdata ||
		    !go_func_data(&only, &func, p->format->inline_funcdata,
				  &tree))
			continue;
		calls++;
		bad_calls += !is_call(&only, &func, tree);
	}
	// Read as one byte, the four that Go 1.11 has are 0 in all functions.
	return good * 2 > tried && with_data > 0 && bad_calls * 2 <= calls
		       ? calls - bad_calls
		       : -1;
}

/**
 * Whether an unknown release may have this format. One that is named must;
 * with a magic that is none the newest fits that is in order.
 */
static bool may_be(const struct go_pcln_format *f, uint32_t magic,
		   unsigned minor)
{
	bool is_known = false;

	for (size_t i = 0; i < MW_COUNT(formats); i++)
		is_known = is_known || formats[i].magic == magic;
	if (is_known && f->magic != magic)
		return false;
	return minor == 0 || (is_known && minor > f->last_minor &&
			      f == &formats[MW_COUNT(formats) - 1]) ||
	       (minor >= f->first_minor && minor <= f->last_minor);
}

/** As try_functions(); in *@ret where the tables would be. */
static int try_format(const struct mw_go_funcs *funcs,
		      const struct go_pcln_format *format,
		      const struct mw_go_tables *tables, const uint8_t *header,
		      struct go_pcln *ret)
{
	*ret = (struct go_pcln){
		.format = format,
		.text = tables->text,
		.gofunc = tables->gofunc,
		.count = mw_u64(header + 8),
		.first = funcs->count,
	};
	if (format->functab
		    ? !place_new(format, header, tables->pclntab, ret)
		    : !place_old(funcs, tables->pclntab, ret))
		return -1;
	if (format->entry.bytes == 4)
		ret->entry_key = go_pcln_find_key(funcs, ret);
	return try_functions(funcs, ret);
}

/** The format that fits best, of those that @minor may have. */
static bool choose_format(const struct mw_go_funcs *funcs,
			  const struct mw_go_tables *tables,
			  const uint8_t *header, unsigned minor,
			  struct go_pcln *ret)
{
	int best = -1;

	for (size_t i = MW_COUNT(formats); i-- > 0;) {
		struct go_pcln pcln;
		int fit = may_be(&formats[i], mw_u32(header), minor)
				  ? try_format(funcs, &formats[i], tables,
					       header, &pcln)
				  : -1;

		if (fit > best) {
			best = fit;
			*ret = pcln;
		}
	}
	return best >= 0;
}

struct mw_error *go_pcln_open(const struct mw_go_funcs *funcs,
			      const struct mw_go_tables *tables,
			      struct go_pcln *ret)
{
	uint8_t header[HEADER_BYTES];
	uint64_t head = tables->pclntab;

	if (head > UINT64_MAX - 2 * GO_MAX_TABLE_OFF ||
	    !go_funcs_read(funcs, head, header, sizeof(header)))
		return mw_error_at(MW_E_FORMAT, head,
				   "Go function table: cannot be read");
	if (mw_u32(header + 4) != HEADER_TAIL || mw_u64(header + 8) == 0 ||
	    mw_u64(header + 8) > MAX_FUNCS)
		return mw_error_at(MW_E_FORMAT, head,
				   "Go function table: no header of one");
	// First as the release says, then as the bytes do.
	if (choose_format(funcs, tables, header, tables->minor, ret) ||
	    choose_format(funcs, tables, header, 0, ret))
		return NULL;
	return mw_error_at(MW_E_FORMAT, head,
			   "Go function table: damaged, or of a format that "
			   "this version of memwhy does not know");
}
