/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fuzz.h"
#include "mw_demangle.h"
#include "mw_guard.h"
#include "mw_mem.h"

/* The input is a name, first taken for a symbol's and then for a type's. */

enum { LIMIT = 500 };

static void check(const char *name, enum mw_mangled kind)
{
	struct mw_text text = { .limit = LIMIT };

	mw_text_add(&text, "before");
	if (mw_demangle(name, kind, &text))
		CHECK(text.n > strlen("before") && text.v[text.n] == '\0');
	else
		CHECK(strcmp(text.v, "before") == 0);
	// With the ellipsis.
	CHECK(text.n <= LIMIT + 3);
	mw_text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MW_CLEANUP(mw_freep) char *name =
		mw_strndup((const char *)data, size);

	CHECK(name);
	check(name, MW_MANGLED_SYMBOL);
	check(name, MW_MANGLED_TYPE);
	return 0;
}
