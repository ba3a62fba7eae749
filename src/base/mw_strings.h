/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_STRINGS_H
#define MW_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_vec.h"

/*
 * Runs of printable characters in memory, by the rules of strings(1) of GNU
 * binutils: a tab is printable, line ends are not; a character of several
 * bytes may begin at any byte and counts when it is below 256 and printable.
 */

enum mw_text_encoding {
	MW_TEXT_7BIT,
	MW_TEXT_8BIT, /* bytes above 127 are printable, too */
	MW_TEXT_16LE,
	MW_TEXT_16BE,
	MW_TEXT_32LE,
	MW_TEXT_32BE,
};

/** Bytes of a character. */
size_t mw_text_bytes(enum mw_text_encoding encoding);

/** A search for strings; to be zeroed but for the first members. */
struct mw_strings {
	enum mw_text_encoding encoding;
	size_t least; /* characters of the shortest string, not 0 */
	/**
	 * @text has a byte for each of @count characters, and no NUL behind.
	 * False: no more is wanted.
	 */
	bool (*found)(void *ctx, uint64_t va, const char *text, size_t count);
	void *ctx;
	/* Own */
	uint64_t next; /* address of the first byte not used up */
	uint64_t seen; /* address behind the last byte that was given */
	uint64_t start; /* of the run that is open */
	MW_VEC(char) run; /* its characters so far */
	bool enough, no_memory;
};

/**
 * Look for strings in @bytes bytes at @data, those of address @va. Where they
 * adjoin the ones given before, strings continue; then @before bytes in front
 * of @data are those in front of @va (bytes of a character - 1, if there are as
 * many). False when no more is wanted, or without memory.
 *
 * Cost: a string that crosses calls is kept in memory.
 */
bool mw_strings_feed(struct mw_strings *strings, uint64_t va,
		     const uint8_t *data, size_t bytes, size_t before);

/** No more bytes: the last string ends. False as above. */
bool mw_strings_end(struct mw_strings *strings);

void mw_strings_free(struct mw_strings *strings);

#endif
