/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_funcs_int.h"
#include "mw_num.h"

/** The name of file @number of the function's compilation unit. */
static const char *file_name(struct mw_go_funcs *funcs,
			     const struct mw_go_func *func, int32_t number)
{
	const struct go_pcln *p = go_pcln_of(funcs, func);
	uint32_t off;

	if (number < 0)
		return "?";
	if (!p->cutab) {
		// Of a table for the whole program, whose first word counts.
		if ((uint32_t)number >= p->file_count ||
		    !go_funcs_read(funcs, p->files + 4 * (uint64_t)number,
				   &off, 4))
			return "?";
		return go_string(funcs, p->names + off);
	}
	if (!go_funcs_read(funcs,
			   p->cutab + 4 * ((uint64_t)func->cu_off +
					   (uint32_t)number),
			   &off, 4) ||
	    off == UINT32_MAX)
		return "?";
	return go_string(funcs, p->files + off);
}

static void place(struct mw_go_funcs *funcs, const struct mw_go_func *func,
		  uint64_t pc, struct mw_go_line *line)
{
	int32_t number;

	line->file = go_pc_value(funcs, func, func->pcfile, pc, &number)
			     ? file_name(funcs, func, number)
			     : "?";
	line->line = go_pc_value(funcs, func, func->pcln, pc, &number) &&
				     number > 0
			     ? (uint32_t)number
			     : 0;
}

/** Read inlinedCall @index of the tree at @tree. */
static bool read_call(const struct mw_go_funcs *funcs,
		      const struct go_pcln_format *f, uint64_t tree,
		      int32_t index, uint8_t *to)
{
	return index >= 0 &&
	       go_funcs_read(funcs, tree + (uint64_t)index * f->inline_bytes,
			     to, f->inline_bytes);
}

/** The next outer call: in @line where it stands, in *@pc its instruction. */
static int32_t outer(struct mw_go_funcs *funcs, const struct mw_go_func *func,
		     const uint8_t *call, uint64_t *pc,
		     struct mw_go_line *line)
{
	const struct go_pcln_format *f = go_pcln_of(funcs, func)->format;
	int32_t index = -1;

	if (f->inline_parent.bytes) {
		// Up to Go 1.11 the call itself says where it stands.
		line->file = file_name(funcs, func,
				       (int32_t)go_slot(call, f->inline_file));
		line->line = (uint32_t)go_slot(call, f->inline_line);
		return (int32_t)go_slot(call, f->inline_parent);
	}
	*pc = func->entry + (uint32_t)go_slot(call, f->inline_parent_pc);
	place(funcs, func, *pc, line);
	return go_pc_data(funcs, func, f->inline_pcdata, *pc, &index) ? index
								      : -1;
}

size_t mw_go_lines(struct mw_go_funcs *funcs, const struct mw_go_func *func,
		   uint64_t pc, struct mw_go_line *to, size_t max)
{
	const struct go_pcln *p = go_pcln_of(funcs, func);
	const struct go_pcln_format *f = p->format;
	struct mw_go_line line = { .function = "?" };
	uint8_t call[24];
	uint64_t tree;
	int32_t index;
	size_t n = 0;

	place(funcs, func, pc, &line);
	if (!go_func_data(funcs, func, f->inline_funcdata, &tree) ||
	    !go_pc_data(funcs, func, f->inline_pcdata, pc, &index))
		index = -1;
	// @max bounds it: a hostile tree may lead in a circle.
	while (n + 1 < max && read_call(funcs, f, tree, index, call)) {
		line.function = go_string(
			funcs,
			p->names + (uint32_t)go_slot(call, f->inline_name));
		line.is_inlined = true;
		to[n++] = line;
		index = outer(funcs, func, call, &pc, &line);
	}
	line.function = mw_go_func_name(funcs, func);
	line.is_inlined = false;
	to[n++] = line;
	return n;
}

uint32_t mw_go_func_start_line(struct mw_go_funcs *funcs,
			       const struct mw_go_func *func)
{
	int32_t line;

	if (func->start_line)
		return func->start_line;
	return go_pc_value(funcs, func, func->pcln, func->entry, &line) &&
			       line > 0
		       ? (uint32_t)line
		       : 0;
}
