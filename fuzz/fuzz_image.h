/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include "fuzz.h"

/*
 * An input that is an ELF file with debug information, and the program's
 * memory, too: at any address that is not a multiple of 7, bytes of the file.
 */
struct fuzz_image {
	const uint8_t *bytes;
	size_t size;
	int fd; /* of a file with these bytes */
};

/** For struct mw_vars_memory; @ctx is the image. */
static inline bool fuzz_image_read(void *ctx, uint64_t va, void *to,
				   size_t bytes)
{
	const struct fuzz_image *image = ctx;

	if (va % 7 == 0 || image->size < bytes)
		return false;
	memcpy(to, image->bytes + va % (image->size - bytes + 1), bytes);
	return true;
}

#endif
