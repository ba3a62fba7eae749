/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_MALLOC_H
#define CMD_MALLOC_H

#include "cmd_books.h"
#include "cmd_names.h"
#include "mw_alloc_contents.h"

/* What the files of `malloc` share. */

/** A table about native allocators. */
struct malloc_view {
	const struct mw_column *columns;
	size_t column_count;
	/**
	 * Fill @table; the target may be read, and may be released when that
	 * is done. @limit is how many rows are wanted, where that matters.
	 */
	struct mw_error *(*fill)(struct mw_table *table,
				 struct cmd_books *books, uint64_t limit);
	uint64_t limit; /* when none is given; 0: all */
	/** Instead of @fill: take the books and print, too. */
	struct mw_error *(*run)(const struct cmd_call *call, uint64_t limit);
	const char *help; /* what is to be known of it; or NULL */
};

extern const struct malloc_view malloc_by_class;
extern const struct malloc_view malloc_by_bin;
extern const struct malloc_view malloc_by_size;
extern const struct malloc_view malloc_by_content;
extern const struct malloc_view malloc_by_leak;

/* What blocks hold (cmd_malloc_contents.c) */

const char *malloc_content_name(enum mw_content content);

/**
 * What the first word of a block leads to: the class of a C++ object, or a
 * symbol or place of an image; *@ret is NULL for what has no name. Only classes
 * are read from the target, and only others need @names. Caller frees.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *malloc_name_type(struct mw_target *target,
					      struct cmd_names *names,
					      enum mw_content content,
					      uint64_t pointer, char **ret);

/** Which percentage of @of bytes @part is; of none, 0. */
uint64_t malloc_percent(uint64_t part, uint64_t of);

#endif
