/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_TLS_INT_H
#define NATIVE_TLS_INT_H

#include "mw_elf_symbols.h"
#include "mw_native.h"

/* Where the thread-local variables of a shared object are: two sources. */

/** What the loader wrote where relocations of the object have it write. */
struct native_tls_words {
	bool has_id, has_offset;
	bool has_descriptors; /* R_X86_64_TLSDESC, which are not read */
	bool has_unread;      /* words that cannot be read */
	bool differ;	      /* the same is not told everywhere */
	uint64_t id;	      /* index in each thread's vector */
	uint64_t offset;      /* of the block from the thread pointer */
};

/** What the list of glibc's loader has. */
struct native_tls_record {
	bool is_known;
	uint64_t id, generation;
	bool has_offset; /* otherwise allocated when it is used */
	uint64_t offset; /* of the block from the thread pointer */
};

/** Errors: MW_E_NOMEM. */
MW_MUST_USE struct mw_error *native_tls_words(struct mw_target *target,
					      const struct mw_image *image,
					      struct mw_elf_file *file,
					      struct native_tls_words *ret);
MW_MUST_USE struct mw_error *native_tls_record(struct mw_target *target,
					       const struct mw_image *image,
					       struct native_tls_record *ret);

/**
 * The symbols of @image in @tables (enum mw_elf_symbol_table); none when its
 * file cannot be had.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *native_symbols(struct mw_target *target,
					    const struct mw_image *image,
					    unsigned tables,
					    struct mw_elf_symbols *ret);

/** The segment of its TLS that @image has, or NULL. */
static inline const struct mw_elf_segment *
native_tls_segment(const struct mw_image *image)
{
	for (size_t i = 0; i < image->elf->segments.n; i++)
		if (image->elf->segments.v[i].type == PT_TLS)
			return &image->elf->segments.v[i];
	return NULL;
}

#endif
