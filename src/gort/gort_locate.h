/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_LOCATE_H
#define GORT_LOCATE_H

#include "gort_int.h"
#include "mw_go_locate.h"

/** Set @ret->structure when @va lies in one of the runtime's structures. */
void go_find_structure(struct mw_go *go, uint64_t va, struct mw_go_place *ret);

#endif
