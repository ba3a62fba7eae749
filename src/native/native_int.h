/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_INT_H
#define NATIVE_INT_H

#include "mw_native.h"
#include "mw_part_list.h"
#include "mw_vec.h"

/** One thread's stack, from the lowest byte of its guard. */
struct native_stack {
	const struct mw_native *native;
	uint64_t start, end;
	uint64_t guard_end;
	uint64_t tls_start;
	uint64_t sp; /* 0: not known */
	uint64_t tcb; /* the thread's descriptor; of the main stack, 0 */
	int32_t tid; /* 0: kept for the next thread */
	char what[40], guard[40]; /* for the claims */
};

struct mw_native {
	struct mw_target *target;
	const struct mw_sink *sink;
	struct mw_part_list *images; /* sections of each image */
	size_t image_count;
	MW_VEC(struct native_stack *) stacks; /* claims point to them */
	struct native_stack main_stack;
	uint64_t environment; /* of the main stack: address of argc */
	uint64_t tls_bytes; /* static TLS of all images, at least */
	/* Accounts */
	mw_account_id main_environment, main_used, main_unused;
	mw_account_id thread_used, thread_unused, thread_guard, thread_tls;
};

MW_MUST_USE struct mw_error *mw_native_claim_mappings(struct mw_native *native);
MW_MUST_USE struct mw_error *mw_native_claim_images(struct mw_native *native);
MW_MUST_USE struct mw_error *mw_native_claim_main_stack(struct mw_native *n);
MW_MUST_USE struct mw_error *mw_native_claim_threads(struct mw_native *native);
MW_MUST_USE struct mw_error *mw_native_claim_loader(struct mw_native *native);

enum native_libc { NATIVE_LIBC_NONE, NATIVE_LIBC_GLIBC, NATIVE_LIBC_MUSL };

/** Whose descriptor of a thread is at @tcb. */
enum native_libc native_libc_of(struct mw_target *target, uint64_t tcb);

static inline bool native_in(uint64_t va, uint64_t start, uint64_t end)
{
	return va >= start && va < end;
}

/** Stack pointer of @thread on the stack [@start, @end); 0 if not known. */
static inline uint64_t native_sp_on(const struct mw_thread *thread,
				    uint64_t start, uint64_t end)
{
	if (thread->has_sp && native_in(thread->sp, start, end))
		return thread->sp;
	return native_in(thread->native_sp, start, end) ? thread->native_sp
							: 0;
}

#endif
