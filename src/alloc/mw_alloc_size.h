/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_ALLOC_SIZE_H
#define MW_ALLOC_SIZE_H

#include <stdint.h>

/* What malloc() of a size takes in allocators that one may compare. */

struct mw_alloc_size {
	const char *path; /* "small", "large", "mmap", …; static */
	const char *steps; /* where it looks, in order; static */
	uint32_t class;	  /* 0: none */
	uint64_t block_bytes; /* taken, with what is needed for itself */
	uint64_t head_bytes; /* of it, in front of the object */
	uint64_t span_bytes; /* got at once; 0: no such thing */
	uint64_t objects; /* in these */
};

/** In TCMalloc, as gperftools 2.10 has it, with pages of 8 KiB. */
struct mw_alloc_size mw_tcmalloc_size(uint64_t bytes);
/** In glibc, 2.26 to 2.41, x86-64, with its defaults. */
struct mw_alloc_size mw_glibc_size(uint64_t bytes);

#endif
