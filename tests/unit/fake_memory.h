/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include "mw_target.h"

/*
 * A process made by a test: some ranges of anonymous memory, and the data of
 * one image. It stands in for the room target, of which it implements what
 * walkers of allocators ask. Pages are present once they have been written to.
 */

struct mw_target *fake_memory_new(void);
void fake_memory_free(struct mw_target *target);

/** Map a range, page aligned, above all that are mapped; absent and zero. */
void fake_memory_map(struct mw_target *target, uint64_t start, uint64_t bytes,
		     const char *path);
/** The same, mapped after the picture was taken. */
void fake_memory_map_new(struct mw_target *target, uint64_t start,
			 uint64_t bytes);
/** The same as fake_memory_map() for the image's data. */
void fake_memory_map_data(struct mw_target *target, uint64_t start,
			  uint64_t bytes);
/** Range @i; false when there are fewer. */
bool fake_memory_range(const struct mw_target *target, size_t i,
		       uint64_t *ret_start, uint64_t *ret_bytes);

/** Write a word; addresses outside of the process are left alone. */
void fake_memory_write(struct mw_target *target, uint64_t va, uint64_t word);
void fake_memory_write_u32(struct mw_target *target, uint64_t va,
			   uint32_t word);
void fake_memory_write_u16(struct mw_target *target, uint64_t va,
			   uint16_t word);
void fake_memory_make_present(struct mw_target *target, uint64_t start,
			      uint64_t bytes);

/** Give AT_RANDOM this value. */
void fake_memory_set_random(struct mw_target *target, uint64_t va);

/** Call when all is written, before a walk. */
void fake_memory_finish(struct mw_target *target);

#endif
