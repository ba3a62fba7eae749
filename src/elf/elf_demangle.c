/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_demangle.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

/*
 * With libiberty, which bounds its recursion but not its output: a name of a
 * few hundred characters can stand for gigabytes, as parts of it are repeated
 * by parts that are repeated. So its printing is left in the middle when there
 * is enough. It has no memory of its own then: the functions with a callback
 * keep all they have on the stack, but for Rust's punycode.
 */

struct output {
	struct mw_text *to;
	jmp_buf enough;
};

static void take(const char *piece, size_t bytes, void *ctx)
{
	enum { STEP = 100 };
	struct output *out = ctx;

	for (; bytes > 0; piece += STEP) {
		int step = bytes < STEP ? (int)bytes : STEP;

		mw_text_add(out->to, "%.*s", step, piece);
		if (out->to->is_full || out->to->failed)
			longjmp(out->enough, 1);
		bytes -= (size_t)step;
	}
}

/** Whether a name of Rust may have a part in punycode: u, and its length. */
static bool may_have_punycode(const char *name)
{
	for (; (name = strchr(name, 'u')); name++)
		if (isdigit((unsigned char)name[1]))
			return true;
	return false;
}

static bool print(const char *name, enum mw_mangled kind, struct output *out)
{
	if (setjmp(out->enough))
		return true;
	if (kind == MW_MANGLED_TYPE)
		return cplus_demangle_v3_callback(
			name, DMGL_PARAMS | DMGL_ANSI | DMGL_TYPES, take, out);
	if (strncmp(name, "_R", 2) == 0 && may_have_punycode(name))
		return false;
	return rust_demangle_callback(name, DMGL_PARAMS, take, out) ||
	       cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, take,
					  out);
}

bool mw_demangle(const char *mangled, enum mw_mangled kind, struct mw_text *to)
{
	struct output out = { .to = to };
	size_t before = to->n;

	// A name that no other object has begins with a star.
	if (kind == MW_MANGLED_TYPE && *mangled == '*')
		mangled++;
	if (print(mangled, kind, &out) && to->n > before)
		return true;
	to->n = before;
	if (to->v)
		to->v[before] = '\0';
	return false;
}
