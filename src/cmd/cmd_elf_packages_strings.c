/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_elf_packages.h"
#include "mw_guard.h"
#include "mw_num.h"

/*
 * Whose the strings are. The linker keeps each once and without a symbol, in a
 * place of their own behind or before what it makes itself; code refers to one
 * with "lea" and its displacement, data with a pointer. One that only one
 * package refers to is its own; the others stay with their section.
 *
 * All that refers to a string is looked at, so each reaches to the next one.
 * The place is where most of the addresses lie that code loads and that are no
 * types and no funcdata. All addresses here are those of the file.
 */

#define PIECE MW_MIB(1)
#define NOBODY (SIZE_MAX - 1) /* no package, or several */

struct reference {
	uint64_t va;
	size_t package; /* place in the list, or NOBODY */
};

struct strings {
	struct packages *p;
	struct mw_target *target; /* the file, as if it was loaded */
	const struct mw_elf *elf;
	uint64_t text_start, text_end;
	uint64_t start, end; /* of their place, what find_place() has found */
	uint64_t budget; /* bytes still to be read */
	MW_VEC(struct reference) list;
	uint8_t *piece;
	bool is_short_of_memory;
};

static bool add_reference(struct strings *s, uint64_t va, size_t package)
{
	struct reference *r = mw_vec_push(&s->list);

	if (r)
		*r = (struct reference){ va, package };
	else
		s->is_short_of_memory = true;
	return r;
}

static int by_va(const void *a, const void *b)
{
	const struct reference *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static void sort(struct strings *s)
{
	if (s->list.n)
		qsort(s->list.v, s->list.n, sizeof(*s->list.v), by_va);
}

/* Code */

/** lea DISPLACEMENT(%rip), REGISTER: REX.W, 8d, a register and 101. */
static void scan_code(struct strings *s, uint64_t va, size_t bytes,
		      size_t package)
{
	const uint8_t *code = s->piece, *end = code + bytes, *at = code + 1;

	for (; end - at >= 6 && (at = memchr(at, 0x8d, (size_t)(end - at - 5)));
	     at++) {
		uint64_t next = va + (uint64_t)(at + 6 - code);
		uint64_t to = next + (uint64_t)(int64_t)(int32_t)mw_u32(at + 2);

		if ((at[-1] & 0xfb) == 0x48 && (at[1] & 0xc7) == 0x05 &&
		    to - s->text_start >= s->text_end - s->text_start &&
		    !add_reference(s, to, package))
			return;
	}
}

static bool in_image(const struct packages *p, const struct mw_go_func *func)
{
	return func->entry >= p->image->start && func->end <= p->image->end;
}

static void add_code(struct strings *s)
{
	struct packages *p = s->p;
	uint64_t bias = p->image->bias, done = 0;
	struct mw_go_func func;

	for (uint64_t i = 0; i < mw_go_funcs_count(p->funcs); i++)
		if (mw_go_func_at(p->funcs, i, &func) && in_image(p, &func)) {
			s->text_start = mw_min(s->text_start,
					       func.entry - bias);
			s->text_end = mw_max(s->text_end, func.end - bias);
		}
	for (uint64_t i = 0; i < mw_go_funcs_count(p->funcs); i++) {
		struct package *package;

		if (!mw_go_func_at(p->funcs, i, &func) || !in_image(p, &func) ||
		    func.entry < done || func.end <= func.entry ||
		    func.end - func.entry > PIECE ||
		    !mw_target_read(s->target, func.entry - bias, s->piece,
				    func.end - func.entry))
			continue;
		done = func.end;
		package = packages_of_function(p, &func);
		if (!package)
			s->is_short_of_memory = true;
		if (s->is_short_of_memory)
			return;
		scan_code(s, func.entry - bias, func.end - func.entry,
			  (size_t)(package - p->list.v));
	}
}

/* Where they are */

/** Whether the file has @va where the program cannot write to it. */
static bool is_constant(const struct mw_elf *elf, uint64_t va)
{
	for (size_t i = 0; i < elf->segments.n; i++)
		if (elf->segments.v[i].type == PT_LOAD &&
		    va - elf->segments.v[i].vaddr < elf->segments.v[i].filesz)
			return !(elf->segments.v[i].flags & PF_W);
	return false;
}

/** The stretch without types and funcdata that most references lead to. */
static void find_place(struct strings *s)
{
	const struct package_funcdata *fences = s->p->funcdata.v;
	uint64_t bias = s->p->image->bias;
	size_t count = s->p->funcdata.n, best = 0, next;

	for (size_t i = 0, f = 0; i < s->list.n; i = next) {
		uint64_t start = s->list.v[i].va, end;
		size_t distinct = 1;

		while (f < count && fences[f].va - bias < start)
			f++;
		if (f == count)
			return; // nothing tells where it would end
		end = fences[f].va - bias;
		for (next = i + 1; next < s->list.n && s->list.v[next].va < end;
		     next++)
			distinct += s->list.v[next].va != s->list.v[next - 1].va;
		if (start < end && distinct > best &&
		    is_constant(s->elf, start) &&
		    packages_piece(s->p, start + bias) ==
			    packages_piece(s->p, end - 1 + bias)) {
			best = distinct;
			s->start = start;
			s->end = end;
		}
	}
}

/** Keep only references to their place. */
static void keep_place(struct strings *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->list.n; i++)
		if (s->list.v[i].va - s->start < s->end - s->start)
			s->list.v[n++] = s->list.v[i];
	s->list.n = n;
}

/* Data */

/** The package of the variable at @va, by its symbol. */
static size_t owner_of(struct strings *s, uint64_t va)
{
	const struct mw_elf_symbol *symbol =
		s->p->symbols.by_address
			? mw_elf_symbols_at(&s->p->symbols, va)
			: NULL;
	struct package *package = NULL;
	char path[1024];

	if (!symbol ||
	    mw_go_package(mw_elf_symbol_name(&s->p->symbols, symbol), path,
			  sizeof(path)) == 0)
		return NOBODY;
	package = packages_find(s->p, path);
	s->is_short_of_memory |= !package;
	return package ? (size_t)(package - s->p->list.v) : NOBODY;
}

/** Pointers with a length behind them: other words may look like addresses. */
static void scan_data(struct strings *s, uint64_t va, size_t bytes)
{
	uint64_t first = s->start, span = s->end - s->start;

	for (size_t i = (size_t)(-va & 7); i + 16 <= bytes; i += 8) {
		uint64_t at = mw_u64(s->piece + i) - first;
		uint64_t length = mw_u64(s->piece + i + 8);

		if (at < span && length > 0 && length <= span - at &&
		    !add_reference(s, first + at, owner_of(s, va + i)))
			return;
	}
}

static void add_data(struct strings *s)
{
	for (size_t i = 0; i < s->elf->segments.n; i++) {
		const struct mw_elf_segment *seg = &s->elf->segments.v[i];
		uint64_t at = seg->vaddr, end, take;

		if (seg->type != PT_LOAD || (seg->flags & PF_X) ||
		    !mw_end(at, seg->filesz, &end))
			continue;
		// Segments of a damaged file may be of any size, and overlap.
		for (; at < end && s->budget > 0; at += take) {
			// What begins in one piece may end in the next.
			take = mw_min(end - at, PIECE);
			s->budget -= mw_min(s->budget, take);
			if (mw_target_read(s->target, at, s->piece, take))
				scan_data(s, at, take);
			if (s->is_short_of_memory)
				return;
			take -= take == PIECE ? 8 : 0;
		}
	}
}

/* All of it */

static bool is_function_value(struct strings *s, uint64_t va)
{
	uint64_t word;

	return va % 8 == 0 && mw_target_read_u64(s->target, va, &word) &&
	       word - s->text_start < s->text_end - s->text_start;
}

/**
 * Leave out what Go 1.26 has behind them, go:funcdesc: addresses of functions
 * as values; and what aligns that which comes behind the last string.
 */
static void cut_end(struct strings *s)
{
	enum { MOST = 32 };
	uint8_t last[MOST];

	for (size_t i = 0; i < s->list.n; i++)
		if (is_function_value(s, s->list.v[i].va)) {
			s->end = s->list.v[i].va;
			s->list.n = i;
		}
	while (s->list.n > 0 && s->list.v[s->list.n - 1].va + 8 < s->end &&
	       is_function_value(s, s->end - 8))
		s->end -= 8;
	if (s->end - s->start < MOST ||
	    !mw_target_read(s->target, s->end - MOST, last, MOST))
		return;
	for (size_t i = MOST; i > 1 && last[i - 1] == 0; i--)
		s->end--;
}

static void count(struct strings *s)
{
	const struct reference *v = s->list.v;
	struct packages *p = s->p;

	for (size_t i = 0, next; i < s->list.n; i = next) {
		size_t package = v[i].package;
		uint64_t end, taken;

		for (next = i + 1; next < s->list.n && v[next].va == v[i].va;
		     next++)
			if (v[next].package != package)
				package = NOBODY;
		if (package == NOBODY)
			continue;
		end = next < s->list.n ? v[next].va : s->end;
		taken = packages_take(p, packages_piece(p, v[i].va +
							p->image->bias),
				      end - v[i].va);
		p->list.v[package].rodata += taken;
		p->list.v[package].strings += taken;
	}
}

static struct mw_error *add_strings(struct strings *s)
{
	size_t images;
	const struct mw_image *image = mw_target_images(s->target, &images);

	s->piece = mw_alloc(PIECE);
	if (!s->piece)
		return mw_error_nomem();
	if (images == 0 || !image->elf)
		return NULL;
	s->elf = image->elf;
	s->budget = s->elf->file_bytes + MW_MIB(16);
	add_code(s);
	sort(s);
	find_place(s);
	keep_place(s);
	if (s->list.n > 0 && !s->is_short_of_memory) {
		cut_end(s);
		add_data(s);
	}
	sort(s);
	if (!s->is_short_of_memory)
		count(s);
	return s->is_short_of_memory ? mw_error_nomem() : NULL;
}

struct mw_error *packages_add_strings(struct packages *p)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *opened = NULL;
	struct strings s = { .p = p, .text_start = UINT64_MAX,
			     .target = p->elf->go_target };
	struct mw_error *error = NULL;

	// Of a process its file is read, since variables have changed.
	if (!s.target && p->elf->fd >= 0) {
		MW_CLEANUP(mw_freep) char *path =
			mw_format("/proc/self/fd/%d", p->elf->fd);

		error = path ? mw_target_open_file(path, &opened)
			     : mw_error_nomem();
		s.target = opened;
	}
	if (!error && s.target)
		error = add_strings(&s);
	mw_vec_free(&s.list);
	mw_free(s.piece);
	if (error && error->code != MW_E_NOMEM) {
		mw_error_free(error); // as it would be without strings
		error = NULL;
	}
	return error;
}
