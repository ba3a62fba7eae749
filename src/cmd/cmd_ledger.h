/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_LEDGER_H
#define CMD_LEDGER_H

#include "cmd_figures.h"
#include "cmd_findings.h"

/* What the files of `ledger` share. */

/** A core without the kernel's figures: its own stand for them. */
bool cmd_ledger_is_foreign_core(const struct cmd_books *books);

/** All that is known, as JSON. @baseline may be NULL. */
void cmd_ledger_print_json(const struct cmd_books *books,
			   const struct cmd_findings *findings,
			   const struct cmd_baseline *baseline, bool with_pss,
			   const struct cmd_call *call);

#endif
