/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_SIZES_H
#define MW_GO_SIZES_H

#include "mw_go_funcs.h"
#include "mw_map64.h"

/* What a Go program's parts take in its file and in memory. */

struct mw_go_part {
	const char *name; /* "text", "types", …: as the moduledata has them */
	uint64_t start, end;
};

#define MW_GO_MAX_PARTS 12

/** The moduledata of the program itself. */
struct mw_go_summary {
	uint64_t moduledata, pclntab; /* addresses */
	char version[256]; /* the release whose moduledata this is */
	/* Whether large objects with pointers begin with a word of their type. */
	bool has_headers;
	uint64_t map_type_bytes; /* of the descriptor of a map; 0: not known */
	struct mw_go_part parts[MW_GO_MAX_PARTS];
	size_t part_count;
};

/**
 * Find the moduledata in @image of @target; false when there is none, or it is
 * of no release that is known. The runtime need not have started.
 */
bool mw_go_summary_read(struct mw_target *target, const struct mw_image *image,
			struct mw_go_summary *ret);

/**
 * Bytes of the function table that tell of @func: its entry and record, its
 * name, its tables of values. What functions share counts for the first:
 * @seen, zeroed at first and freed by the caller, has what was counted.
 * False without memory.
 */
bool mw_go_func_table_bytes(const struct mw_go_funcs *funcs,
			    const struct mw_go_func *func,
			    struct mw_map64 *seen, uint64_t *ret);

/** The address of funcdata @which of @func; false if there is none. */
bool mw_go_func_data(const struct mw_go_funcs *funcs,
		     const struct mw_go_func *func, unsigned which,
		     uint64_t *ret);

#endif
