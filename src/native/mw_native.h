/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_NATIVE_H
#define MW_NATIVE_H

#include "mw_elf_file.h"
#include "mw_error.h"
#include "mw_facts.h"
#include "mw_target.h"

/*
 * What every native process has, whatever language it is written in: mappings
 * with their kernel names, ELF images, the dynamic loader's own memory, the
 * main stack, thread stacks with their guards and TLS.
 */
struct mw_native;

/**
 * Claim all of it. Runtimes that know where threads left their native stacks
 * say so (mw_target_set_native_sp()) before.
 *
 * The result backs the claims: free it after the ledger.
 */
MW_MUST_USE struct mw_error *mw_native_claim(struct mw_target *target,
					     const struct mw_sink *sink,
					     struct mw_native **ret);
void mw_native_free(struct mw_native *native);

/** A thread's stack, from the lowest byte of its guard. */
struct mw_native_stack {
	int32_t tid; /* 0: kept for the next thread */
	uint64_t start, end;
	uint64_t guard_end; /* @start when there is none that it knows */
	/* Behind the frames: TLS; of the main stack, the environment. */
	uint64_t frames_end;
	uint64_t sp; /* 0: not known */
	uint64_t tcb; /* the thread's descriptor, behind its TLS; or 0 */
	bool is_main;
};

/** The stack that holds @va. False when it is none that was recognised. */
bool mw_native_stack_at(const struct mw_native *native, uint64_t va,
			struct mw_native_stack *ret);

/** The stack of another thread than the first: number @i. False behind them. */
bool mw_native_thread_stack(const struct mw_native *native, size_t i,
			    struct mw_native_stack *ret);

/**
 * The descriptor of a thread as glibc or musl have it, which is what its TLS
 * hangs on; 0 when not known.
 */
uint64_t mw_native_tcb(struct mw_target *target,
		       const struct mw_thread *thread);

/**
 * Where @thread has the thread-local variables of @image, whose file is @file.
 * When that is not known, 0, and *@ret_why has the reason: half a sentence.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *mw_native_tls(struct mw_target *target,
					   const struct mw_image *image,
					   struct mw_elf_file *file,
					   const struct mw_thread *thread,
					   uint64_t *ret,
					   const char **ret_why);

static inline void mw_native_freep(struct mw_native **native)
{
	mw_native_free(*native);
	*native = NULL;
}

#endif
