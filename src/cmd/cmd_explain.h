/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_EXPLAIN_H
#define CMD_EXPLAIN_H

#include "cmd_books.h"
#include "cmd_levels.h"
#include "cmd_names.h"

/* What the files of `explain` share. */

/** One address on its way from the outside to the inside. */
struct explain {
	const struct cmd_call *call;
	struct cmd_books books;
	struct cmd_names *names;
	struct cmd_levels levels;
	uint64_t va;
	mw_account_id account; /* CMD_NO_ACCOUNT: none */
};

/** Its mapping and page; false when it is not mapped. */
bool explain_mapping(struct explain *e);
void explain_account(struct explain *e);
/** Where it lies in the ELF file that was loaded there, if any. */
void explain_image(struct explain *e);
void explain_thread_stack(struct explain *e);
/** The block of a native allocator (cmd_explain_block.c). */
MW_MUST_USE struct mw_error *explain_malloc(struct explain *e);
/** What Go has there. */
MW_MUST_USE struct mw_error *explain_go(struct explain *e);

/** What an allocation of @bytes takes, in each allocator (cmd_explain_size.c). */
MW_MUST_USE struct mw_error *explain_size(const struct cmd_call *call,
					  uint64_t bytes);

#endif
