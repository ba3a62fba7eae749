/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_GO_OPEN_H
#define CMD_GO_OPEN_H

#include "cmd.h"
#include "mw_gort.h"

/** A target with a Go runtime, for commands that need no ledger. */
struct cmd_go {
	struct mw_target *target;
	struct mw_go *go;
	uint64_t begun_ns, stopped_ns, wall_ns;
};

/**
 * Open the target of @call. @ret must be zeroed; close it also after an error.
 * Errors: MW_E_NOT_FOUND when it is no Go program.
 */
MW_MUST_USE struct mw_error *cmd_go_open(const struct cmd_call *call,
					 struct cmd_go *ret);
/** All has been read: let a stopped target run on. */
void cmd_go_release(struct cmd_go *go);
void cmd_go_close(struct cmd_go *go);

#endif
