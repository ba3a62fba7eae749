/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_MALLOC_H
#define CMD_MALLOC_H

#include "cmd_books.h"

/* What the files of `malloc` share. */

/** A table about native allocators. */
struct malloc_view {
	const struct mw_column *columns;
	size_t column_count;
	/** Fill @table; the target may be read. At most @limit rows, if few. */
	struct mw_error *(*fill)(struct mw_table *table,
				 struct cmd_books *books, uint64_t limit);
};

extern const struct malloc_view malloc_by_class;
extern const struct malloc_view malloc_by_bin;

/** Which percentage of @of bytes @part is; of none, 0. */
uint64_t malloc_percent(uint64_t part, uint64_t of);

#endif
