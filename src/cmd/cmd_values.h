/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_VALUES_H
#define CMD_VALUES_H

#include "cmd_names.h"
#include "mw_go_types.h"
#include "mw_vars.h"

/** What the values of a target's variables are told with. */
struct cmd_values {
	struct mw_target *memory;
	struct cmd_names *names;
	struct mw_go_types *types; /* NULL: none */
};

/** @ret is zeroed; close it also after an error. */
MW_MUST_USE struct mw_error *cmd_values_open(struct mw_target *memory,
					     struct cmd_values *ret);
void cmd_values_close(struct cmd_values *values);

/** For mw_vars_value() and mw_locals_visit(). */
struct mw_vars_memory cmd_values_memory(struct cmd_values *values);

/** Two of its functions: @ctx is the struct cmd_values. */
bool cmd_values_name(void *ctx, uint64_t va, struct mw_text *to);
/** cmd_values_go.c: the type and the value of an interface with @data. */
bool cmd_values_dynamic(void *ctx, uint64_t type, uint64_t data,
			struct mw_text *to);

#endif
