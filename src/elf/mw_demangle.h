/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_DEMANGLE_H
#define MW_DEMANGLE_H

#include <stdbool.h>

#include "mw_text.h"

/* What compilers make of names in C++ and Rust, turned back. */

enum mw_mangled {
	MW_MANGLED_SYMBOL, /* "_ZN3foo3barEv" */
	MW_MANGLED_TYPE,   /* "N3foo3barE", as std::type_info::name() has it */
};

/**
 * Add to @to, up to its limit, what @mangled is in the source. False, and
 * nothing added, when it is no mangled name. Names may be hostile.
 */
bool mw_demangle(const char *mangled, enum mw_mangled kind,
		 struct mw_text *to);

#endif
