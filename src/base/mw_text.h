/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_TEXT_H
#define MW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text that grows up to a limit; what is more is left out and an ellipsis put
 * at its end. A zeroed struct but for the limit is empty text.
 */
struct mw_text {
	char *v; /* NUL-terminated; NULL: nothing was added */
	size_t n, cap;
	size_t limit; /* bytes; not counting the ellipsis */
	bool is_full;
	bool failed; /* memory was short */
};

void mw_text_add(struct mw_text *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * Add @bytes in quotation marks: what is not printable UTF-8 as \n, \t or \xNN;
 * "…" behind it when @is_cut.
 */
void mw_text_quote(struct mw_text *text, const void *bytes, size_t count,
		   bool is_cut);

/** Bytes of the UTF-8 character at @at, of at most @left; 0 if it is none. */
size_t mw_utf8_bytes(const uint8_t *at, size_t left);

void mw_text_free(struct mw_text *text);

#endif
