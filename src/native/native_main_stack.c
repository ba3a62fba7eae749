/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "native_int.h"

static struct mw_error *refine_main(void *ctx, const struct mw_claim *claim,
				    struct mw_parts *parts)
{
	const struct mw_native *native = ctx;
	uint64_t end = claim->start + claim->bytes;
	uint64_t environment = native->environment;
	// Without a stack pointer all of it may be live.
	uint64_t sp = native->main_stack.sp ? native->main_stack.sp
					    : claim->start;

	mw_part_range(parts, claim->start, sp - claim->start,
		      native->main_unused);
	mw_part_range(parts, sp, environment - sp, native->main_used);
	mw_part_range(parts, environment, end - environment,
		      native->main_environment);
	return NULL;
}

struct mw_error *mw_native_claim_main_stack(struct mw_native *native)
{
	const struct mw_mappings *maps = mw_target_mappings(native->target);
	const struct mw_start_info *start = mw_target_start(native->target);
	const struct mw_mapping *stack =
		mw_mappings_find(maps, start->start_stack);
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(native->target, &count);

	// Without start_stack (an ancient kernel, prctl), by its name.
	for (size_t i = 0; !stack && i < maps->list.n; i++)
		if (strcmp(mw_mapping_path(maps, &maps->list.v[i]),
			   "[stack]") == 0)
			stack = &maps->list.v[i];
	if (!stack || !mw_mapping_is_anonymous(stack))
		return NULL;

	native->environment = native_in(start->start_stack, stack->start, stack->end)
				      ? start->start_stack
				      : stack->end;
	for (size_t i = 0; i < count; i++)
		if (threads[i].tid == mw_target_info(native->target)->pid)
			native->main_stack.sp =
				native_sp_on(&threads[i], stack->start, stack->end);
	if (native->main_stack.sp > native->environment)
		native->main_stack.sp = native->environment;
	native->main_stack.start = native->main_stack.guard_end = stack->start;
	native->main_stack.end = stack->end;
	native->main_stack.tls_start = native->environment;
	native->main_stack.tid = mw_target_info(native->target)->pid;
	return mw_sink_claim(native->sink, &(struct mw_claim){
		.start = stack->start,
		.bytes = mw_mapping_bytes(stack),
		.layer = MW_LAYER_OWNER,
		.account = native->main_unused,
		.walker = "stacks",
		.what = "main stack",
		.refine = refine_main,
		.ctx = native,
	});
}
