/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RENDER_INT_H
#define RENDER_INT_H

#include "mw_render.h"

/** Length of the UTF-8 sequence at @c, 0 when it is not valid. */
unsigned mw_utf8_len(const uint8_t *c);

/** Whether the valid sequence at @c is a control character: of C0, DEL, C1. */
bool mw_utf8_is_control(const uint8_t *c);

/**
 * Write the @bytes bytes at @text, whole characters, as mw_print_escaped()
 * does, but no more than fits in @room columns. Returns the columns written. A
 * character counts as one column. @out may be NULL, to measure only.
 */
size_t mw_put_text(FILE *out, const char *text, size_t bytes, size_t room);

/** Columns of the whole of @text. */
size_t mw_text_width(const char *text);

#endif
