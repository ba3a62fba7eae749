/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_int.h"
#include "kernel_parse.h"

static struct mw_error *parse(const char *text, size_t bytes, void *ctx)
{
	return mw_parse_smaps(text, bytes, ctx);
}

struct mw_error *mw_process_smaps(struct mw_process *process,
				  struct mw_smaps_list *ret)
{
	struct mw_smaps_list smaps = { 0 };
	struct mw_error *error = mw_kernel_lines(process->proc_fd, "smaps",
						 "/proc/PID/smaps", parse,
						 &smaps);
	if (error) {
		mw_smaps_free(&smaps);
		return error;
	}
	*ret = smaps;
	return NULL;
}

void mw_smaps_free(struct mw_smaps_list *smaps)
{
	mw_vec_free(&smaps->list);
}
