/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_TARGET_H
#define FAKE_TARGET_H

#include "mw_target.h"

/*
 * Memory that a test or a fuzzer makes up, behind mw_target.h: linked instead
 * of the room that reads processes. It has no threads and no files.
 */
struct mw_target {
	struct mw_mappings maps;
	struct mw_pages pages;
	struct mw_target_info info;
	const struct mw_image *images;
	size_t image_count;
	uint64_t random; /* AT_RANDOM; 0: none */
	size_t workers;	 /* mw_target_workers(); 0: 1 */
	bool keeps;	 /* mw_target_keeps() */
	/* What can be read; everything else is not there. */
	struct {
		uint64_t va;
		void *bytes;
		size_t size;
		bool is_new; /* later than the picture: mw_target_read_now() */
	} areas[8];
	size_t area_count;
};

/** Let the @size bytes at @bytes, which are borrowed, be read at @va. */
void fake_target_add(struct mw_target *target, uint64_t va, void *bytes,
		     size_t size);

/** The same, in a mapping that may be read and written. */
void fake_target_map(struct mw_target *target, uint64_t va, void *bytes,
		     size_t size, const char *path);

/** Where the test has the @bytes bytes at @va; NULL when they are not there. */
void *fake_target_at(const struct mw_target *target, uint64_t va,
		     size_t bytes);

/** Free the mappings and pages. */
void fake_target_deinit(struct mw_target *target);

#endif
