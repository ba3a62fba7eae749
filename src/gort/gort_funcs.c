/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gort_funcs_int.h"
#include "mw_guard.h"
#include "mw_num.h"

struct mw_error *mw_go_funcs_new(const struct mw_go_reader *reader,
				 struct mw_go_funcs **ret)
{
	struct mw_go_funcs *funcs = mw_calloc(1, sizeof(*funcs));

	if (!funcs)
		return mw_error_nomem();
	funcs->reader = *reader;
	funcs->wrapper_id = -1;
	*ret = funcs;
	return NULL;
}

void mw_go_funcs_close(struct mw_go_funcs *funcs)
{
	if (!funcs)
		return;
	mw_vec_free(&funcs->modules);
	go_strings_free(&funcs->strings);
	mw_free(funcs);
}

struct mw_error *mw_go_funcs_add(struct mw_go_funcs *funcs,
				 const struct mw_go_tables *tables)
{
	struct go_pcln pcln;
	struct mw_error *error = go_pcln_open(funcs, tables, &pcln);
	struct go_pcln *place;

	if (error)
		return error;
	place = mw_vec_push(&funcs->modules);
	if (!place)
		return mw_error_nomem();
	*place = pcln;
	funcs->count += pcln.count;
	return NULL;
}

uint64_t mw_go_funcs_count(const struct mw_go_funcs *funcs)
{
	return funcs->count;
}

bool mw_go_func_at(struct mw_go_funcs *funcs, uint64_t index,
		   struct mw_go_func *ret)
{
	for (size_t i = 0; i < funcs->modules.n; i++) {
		const struct go_pcln *p = &funcs->modules.v[i];

		if (index - p->first >= p->count)
			continue;
		if (!go_pcln_func(funcs, p, index - p->first, ret))
			return false;
		ret->module = (uint32_t)i;
		return true;
	}
	return false;
}

bool mw_go_func_of(struct mw_go_funcs *funcs, uint64_t pc,
		   struct mw_go_func *ret)
{
	for (size_t i = 0; i < funcs->modules.n; i++) {
		const struct go_pcln *p = &funcs->modules.v[i];
		struct mw_go_func func;
		uint64_t at;

		if (!go_pcln_search(funcs, p, pc, &at))
			continue;
		if (!go_pcln_func(funcs, p, at, &func) || pc < func.entry ||
		    pc >= func.end)
			return false;
		func.module = (uint32_t)i;
		*ret = func;
		return true;
	}
	return false;
}

const char *mw_go_func_name(struct mw_go_funcs *funcs,
			    const struct mw_go_func *func)
{
	const char *name = go_string(funcs, go_pcln_of(funcs, func)->names +
						    func->name_off);
	char address[24];

	if (*name)
		return name;
	// garble -tiny has taken it away.
	snprintf(address, sizeof(address), "0x%" PRIx64, func->entry);
	return go_keep_text(funcs, func->record, address);
}

uint64_t mw_go_func_code_end(const struct mw_go_funcs *funcs,
			     const struct mw_go_func *func)
{
	enum { ALIGN = 64, BREAKPOINT = 0xcc, SHORT_JUMP = 0xeb };
	size_t bytes = mw_min(func->end - func->entry, ALIGN), used = bytes;
	uint8_t code[ALIGN]; // no function is aligned more

	if (!go_funcs_read(funcs, func->end - bytes, code, bytes))
		return func->end;
	while (used > 1 && code[used - 1] == BREAKPOINT)
		used--;
	// No other last instruction ends so: a jump by 52 bytes back.
	if (used < bytes && code[used - 1] == SHORT_JUMP)
		used++;
	return func->end - (bytes - used);
}

/** Whether the string at @va is @name, without keeping it. */
static bool is_named(const struct mw_go_funcs *funcs, uint64_t va,
		     const char *name, size_t length)
{
	char piece[128];

	// The terminator is compared too.
	for (length++; length > 0;) {
		size_t take = mw_min(length, sizeof(piece) -
						     (va & (sizeof(piece) - 1)));

		if (!go_funcs_read(funcs, va, piece, take) ||
		    memcmp(piece, name, take) != 0)
			return false;
		va += take;
		name += take;
		length -= take;
	}
	return true;
}

bool mw_go_func_named(struct mw_go_funcs *funcs, const char *name,
		      struct mw_go_func *ret)
{
	size_t length = strlen(name);

	for (uint64_t i = 0; i < funcs->count; i++) {
		struct mw_go_func func;

		if (mw_go_func_at(funcs, i, &func) &&
		    is_named(funcs,
			     go_pcln_of(funcs, &func)->names + func.name_off,
			     name, length)) {
			*ret = func;
			return true;
		}
	}
	return false;
}

/** Compiler-made: "type:.eq.…", "go:…"; up to 1.19 "type..eq.…", "go.…". */
static bool is_generated(const char *name, size_t length)
{
	return strncmp(name, "go:", 3) == 0 || strncmp(name, "type:", 5) == 0 ||
	       strncmp(name, "type..", 6) == 0 ||
	       (strncmp(name, "go.", 3) == 0 && !memchr(name, '/', length));
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/**
 * How many bytes of @name are an import path: up to the first dot of its last
 * element. A method that is not exported, of an interface of another package,
 * has that one's path behind its type, "a.b/c.typeName.d.e/f.m". So the path also
 * ends before what must be a type: what has a dot on both sides and a capital, as
 * no host's name has, "a.b/vendor/c.d.e/f.m".
 */
static size_t path_length(const char *name)
{
	// Type arguments have paths, too: "slices.Sort[…a/b.T…]", "a/b.(*T).c/d.m".
	size_t length = strcspn(name, "[("), at = 0;

	while (at < length) {
		const char *element = name + at;
		size_t bytes = mw_min(strcspn(element, "/"), length - at);
		size_t head = mw_min(strcspn(element, "."), bytes);
		size_t type = head < bytes ? strcspn(element + head + 1, "./")
					   : 0;
		bool is_last = at + bytes == length;
		bool is_type = head + 1 + type < bytes &&
			       (strncmp(name, "main.", 5) == 0 ||
				strcspn(element + head + 1, CAPITALS) < type);

		if (head < bytes && (is_last || is_type))
			return at + head;
		at += bytes + 1;
	}
	return 0;
}

size_t mw_go_package(const char *name, char *to, size_t size)
{
	size_t length = is_generated(name, strcspn(name, "[("))
				? 0
				: path_length(name);
	size_t n = 0;

	// The linker writes a dot in a path's last element as %2e.
	for (size_t i = 0; i < length && n + 1 < size; i++) {
		int hi = name[i] == '%' && i + 2 < length
				 ? hex_digit(name[i + 1])
				 : -1;
		int lo = hi >= 0 ? hex_digit(name[i + 2]) : -1;

		to[n++] = lo >= 0 ? (char)(hi << 4 | lo) : name[i];
		if (lo >= 0)
			i += 2;
	}
	if (size > 0)
		to[n] = '\0';
	return n;
}
