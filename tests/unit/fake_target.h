/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_TARGET_H
#define FAKE_TARGET_H

#include "mw_target.h"

/*
 * Memory that a test makes up, behind the reading half of mw_target.h: linked
 * instead of the room that reads processes.
 */
struct mw_target {
	struct mw_mappings maps;
	struct mw_pages pages;
	/* What can be read; everything else is not there. */
	struct {
		uint64_t va;
		const void *bytes;
		size_t size;
	} areas[4];
	size_t area_count;
};

/** Let the @size bytes at @bytes, which are borrowed, be read at @va. */
void fake_target_add(struct mw_target *target, uint64_t va, const void *bytes,
		     size_t size);

#endif
