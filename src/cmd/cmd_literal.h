/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_LITERAL_H
#define CMD_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd_code.h"
#include "cmd_names.h"
#include "mw_map64.h"
#include "mw_render.h"
#include "mw_target.h"
#include "mw_vec.h"

/* The search of `syms --literal`: where a text is, and who refers to it. */

struct literal_place {
	uint64_t va;
	bool is_referred;
};

/**
 * A string header of Go among the constants, where an interface's data or an
 * array of strings lies: code refers to it instead.
 */
struct literal_header {
	uint64_t va, text, length;
	size_t place;
};

struct literal_search {
	struct mw_target *memory;
	struct cmd_names *names;
	struct mw_table *table;
	const uint8_t *text;
	size_t bytes;
	MW_VEC(struct literal_place) places; /* ascending */
	MW_VEC(struct literal_header) headers;
	struct mw_map64 by_header; /* address -> 1 + place in headers */
	uint64_t first_header, last_header;
	struct cmd_code code; /* of the function looked at last */
	uint64_t budget;      /* bytes that may yet be read */
	uint8_t *piece;
	bool is_go;  /* the image that is searched */
	bool failed; /* memory was short */
};

/** One piece of memory; @bytes is good until the next one. */
typedef void literal_visit(struct literal_search *s, uint64_t va,
			   const uint8_t *bytes, size_t size);

/**
 * For pieces of data: find pointers to places, and in Go string headers of
 * them; what is constant is noted down in s->headers.
 */
literal_visit literal_find_data;

/** For pieces of code: find instructions with the address of a place. */
literal_visit literal_find_code;

/**
 * A row: what is at @at refers to @va, where the literal begins that has
 * @place in it and is @length bytes long (0: up to its NUL).
 */
void literal_refer(struct literal_search *s, struct literal_place *place,
		   uint64_t va, uint64_t length, uint64_t at, bool is_code);

#endif
