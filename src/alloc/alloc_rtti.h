/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALLOC_RTTI_H
#define ALLOC_RTTI_H

#include "mw_target.h"

/** The loaded segment of an ELF image that has @va, or NULL. */
const struct mw_elf_segment *alloc_segment_at(const struct mw_target *target,
					      uint64_t va);

/** Whether @va is the address point of the vtable of a class with RTTI. */
bool alloc_is_vtable(struct mw_target *target, uint64_t va);

#endif
