/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ALLOC_H
#define MW_ALLOC_H

#include "mw_error.h"
#include "mw_facts.h"
#include "mw_target.h"

/*
 * Native allocators. For now only the extents of glibc's thread arenas are
 * found; what is in them is not told apart.
 */

/** Claim what native allocators own. */
MW_MUST_USE struct mw_error *mw_alloc_claim(struct mw_target *target,
					    const struct mw_sink *sink);

#endif
