/* SPDX-License-Identifier: Apache-2.0 */
#include "native_int.h"

#include "mw_guard.h"

/** At least the bytes of static TLS below each thread's TCB. */
static uint64_t tls_bytes(const struct mw_target *target)
{
	uint64_t sum = 0;
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++)
		for (size_t s = 0; s < images[i].elf->segments.n; s++) {
			const struct mw_elf_segment *seg =
				&images[i].elf->segments.v[s];
			bool sane = seg->memsz < MW_MIB(1) &&
				    seg->align <= MW_PAGE_BYTES &&
				    (seg->align & (seg->align - 1)) == 0;

			if (seg->type == PT_TLS && sane)
				sum = mw_align_up(sum + seg->memsz,
						  mw_max(seg->align, 1));
		}
	return mw_align_up(sum, 64);
}

static struct mw_error *make_accounts(struct mw_native *native)
{
	const struct {
		const char *parent, *leaf, *evidence;
		mw_account_id *id;
	} accounts[] = {
		{ "stack/main", "environment",
		  "[stack] from start_stack of /proc/PID/stat: argc, argv, "
		  "envp, auxv, strings", &native->main_environment },
		{ "stack/main", "used",
		  "[stack] from the main thread's stack pointer up",
		  &native->main_used },
		{ "stack/main", "unused",
		  "[stack] below the main thread's stack pointer",
		  &native->main_unused },
		{ "stack/threads", "used",
		  "thread descriptor's stack bounds, from the stack pointer "
		  "up", &native->thread_used },
		{ "stack/threads", "unused",
		  "thread descriptor's stack bounds, below the stack pointer",
		  &native->thread_unused },
		{ "stack/threads", "guard",
		  "guard at the low end of a thread's stack",
		  &native->thread_guard },
		{ "stack/threads", "tls",
		  "thread descriptor and static TLS, by the self pointer of "
		  "the TCB and PT_TLS", &native->thread_tls },
	};

	for (size_t i = 0; i < MW_COUNT(accounts); i++) {
		struct mw_error *error = mw_sink_account(
			native->sink, accounts[i].parent, accounts[i].leaf,
			accounts[i].evidence, accounts[i].id);
		if (error)
			return error;
	}
	return NULL;
}

struct mw_error *mw_native_claim(struct mw_target *target,
				 const struct mw_sink *sink,
				 struct mw_native **ret)
{
	MW_CLEANUP(mw_native_freep) struct mw_native *native =
		mw_calloc(1, sizeof(*native));
	struct mw_error *error;

	if (!native)
		return mw_error_nomem();
	native->target = target;
	native->sink = sink;
	native->tls_bytes = tls_bytes(target);
	error = make_accounts(native);
	if (!error)
		error = mw_native_claim_mappings(native);
	if (!error)
		error = mw_native_claim_images(native);
	if (!error)
		error = mw_native_claim_main_stack(native);
	// Threads and the loader are known by what stands in memory.
	if (!error && mw_target_info(target)->can_read &&
	    mw_target_info(target)->is_64) {
		error = mw_native_claim_threads(native);
		if (!error)
			error = mw_native_claim_loader(native);
	}
	if (error)
		return error;
	*ret = mw_steal(native);
	return NULL;
}

void mw_native_free(struct mw_native *native)
{
	if (!native)
		return;
	for (size_t i = 0; i < native->image_count; i++)
		mw_part_list_free(&native->images[i]);
	mw_free(native->images);
	for (size_t i = 0; i < native->stacks.n; i++)
		mw_free(native->stacks.v[i]);
	mw_vec_free(&native->stacks);
	mw_free(native);
}
