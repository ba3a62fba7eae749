/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_FIND_H
#define MW_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"

/*
 * Finding bytes in memory: text, patterns with wildcards, aligned words whose
 * value lies in a range. At the speed of memory where the processor has AVX2.
 */
struct mw_needle;

/** The longest needle. */
#define MW_NEEDLE_BYTES 4096

/**
 * @bytes bytes at @text, or with @ignore_case those that differ in the case of
 * ASCII letters only.
 *
 * Errors: MW_E_USAGE when there are none, or more than MW_NEEDLE_BYTES.
 */
MW_MUST_USE struct mw_error *mw_needle_text(const void *text, size_t bytes,
					    bool ignore_case,
					    struct mw_needle **ret);

/**
 * Bytes in hexadecimal, two digits each, with blanks between bytes where one
 * likes; ? stands for any digit.
 *
 * Errors: MW_E_USAGE when it is not that, or all of it is wildcards.
 */
MW_MUST_USE struct mw_error *mw_needle_hex(const char *text,
					   struct mw_needle **ret);

/** 64-bit words at multiples of 8 with a value in [@first, @last]. */
MW_MUST_USE struct mw_error *mw_needle_words(uint64_t first, uint64_t last,
					     struct mw_needle **ret);

void mw_needle_free(struct mw_needle *needle);

static inline void mw_needle_freep(struct mw_needle **needle)
{
	mw_needle_free(*needle);
	*needle = NULL;
}

/** How long a match is. */
size_t mw_needle_bytes(const struct mw_needle *needle);

/**
 * Offset of the first match that begins at @from or behind it and lies in the
 * @bytes bytes at @data, which stand for address @va; SIZE_MAX if there is
 * none. Matches may overlap: continue one behind the last one.
 *
 * Any number of threads may search with one needle.
 */
size_t mw_needle_find(const struct mw_needle *needle, const uint8_t *data,
		      size_t bytes, uint64_t va, size_t from);

/**
 * The same for up to @room matches at once, which is quicker where there are
 * many. Their offsets are put into @ret in order, and *@from is moved to where
 * to go on. 0 when there are none left, and only then.
 */
size_t mw_needle_find_some(const struct mw_needle *needle, const uint8_t *data,
			   size_t bytes, uint64_t va, size_t *from,
			   size_t *ret, size_t room);

/** How many matches there are in the @bytes bytes at @data, for address @va. */
uint64_t mw_needle_count(const struct mw_needle *needle, const uint8_t *data,
			 size_t bytes, uint64_t va);

#endif
