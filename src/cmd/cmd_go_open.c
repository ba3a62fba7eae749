/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_go_open.h"

#include "mw_kernel.h"

struct mw_error *cmd_go_open(const struct cmd_call *call, struct cmd_go *ret)
{
	struct mw_error *error;

	ret->begun_ns = mw_kernel_now();
	error = cmd_open_target(call, &ret->target);
	if (!error)
		error = mw_go_open(ret->target, &ret->go);
	if (!error && !ret->go)
		error = cmd_no_go(call, ret->target);
	return error;
}

void cmd_go_release(struct cmd_go *go)
{
	go->stopped_ns = mw_target_release(go->target);
	go->wall_ns = mw_kernel_now() - go->begun_ns;
}

void cmd_go_close(struct cmd_go *go)
{
	mw_go_close(go->go);
	mw_target_close(go->target);
}
