/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_OUTPUT_H
#define MW_OUTPUT_H

#include <stdbool.h>

#include "mw_error.h"

/*
 * A file that is written whole or not at all: nothing has its name before
 * mw_output_commit() returns, also when memwhy is killed or the disk is full.
 */
struct mw_output;

/**
 * Begin a file that will be called @path, readable by its owner only. Its
 * folder must exist, and where the file system allows it, the file has no name
 * at all meanwhile.
 *
 * Errors: MW_E_USAGE when something has that name already, unless it is a
 *         regular file (or a link) and @force; those of creating a file.
 */
MW_MUST_USE struct mw_error *mw_output_open(const char *path, bool force,
					    struct mw_output **ret);

/** To write to, at any place. Owned by @output. */
int mw_output_fd(const struct mw_output *output);

/** Bring all that was written to the disk and give the file its name. */
MW_MUST_USE struct mw_error *mw_output_commit(struct mw_output *output);

/** Release; a file that was not committed is removed. NULL is allowed. */
void mw_output_free(struct mw_output *output);

static inline void mw_output_freep(struct mw_output **output)
{
	mw_output_free(*output);
	*output = NULL;
}

#endif
