/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_LEDGER_WORDS_H
#define CMD_LEDGER_WORDS_H

#include "cmd_books.h"

/* What `ledger` says in words of this one process. */

/**
 * A few words on account @path that are true of this process only, such as
 * which threads use an arena; NULL when there are none. Caller frees.
 */
char *cmd_live_gloss(const struct cmd_books *books, const char *path);

/** VSZ by whether it costs anything: reserved, untouched, resident, swapped. */
void cmd_address_space_print(const struct cmd_books *books,
			     const struct mw_style *style);
void cmd_address_space_json(struct mw_json *json,
			    const struct cmd_books *books);

#endif
