/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_HEAP_H
#define FAKE_HEAP_H

#include "mw_alloc.h"
#include "mw_vec.h"

/*
 * A process made by a test that has glibc's malloc: a main heap in the program
 * break and the data of a C library, with the structures as they lie in glibc
 * 2.36. Its target is a made-up one (fake_target.h).
 */

#define FAKE_LIBC UINT64_C(0x7f0000200000) /* data: 2 pages */
#define FAKE_LIBC_BYTES UINT64_C(0x2000)
#define FAKE_ARENA (FAKE_LIBC + 0x940)
#define FAKE_PARAMS (FAKE_LIBC + 0x20)
#define FAKE_BREAK UINT64_C(0x555555000000)
#define FAKE_BREAK_BYTES UINT64_C(0x40000)

struct fake_heap {
	struct mw_target *target;
	uint64_t at;   /* where the next chunk goes */
	bool was_used; /* PREV_INUSE of the next chunk */
};

void fake_heap_init(struct fake_heap *heap);
void fake_heap_deinit(struct fake_heap *heap);

/** Append a chunk of @bytes; its address. */
uint64_t fake_heap_chunk(struct fake_heap *heap, uint64_t bytes, bool in_use);
/** Make the rest the top, and set the arena's figures. */
void fake_heap_finish(struct fake_heap *heap);

/** Write a word; addresses outside of the process are left alone. */
void fake_heap_write(struct fake_heap *heap, uint64_t va, uint64_t word);

/** What an account got of the walk. */
struct fake_account {
	char name[96];
	uint64_t bytes;
};

/** A sink that checks what it is told, and adds it up. */
struct fake_sink {
	struct mw_sink sink;
	MW_VEC(struct fake_account) accounts;
	MW_VEC(struct mw_claim) claims;
	bool by_range; /* no stretch is uniform */
	bool broken;   /* a promise of mw_facts.h was */
	/* Of the claim that is being refined */
	uint64_t end, limit;
};

void fake_sink_init(struct fake_sink *sink);
void fake_sink_deinit(struct fake_sink *sink);
/** Ask all claims for their parts. */
MW_MUST_USE struct mw_error *fake_sink_settle(struct fake_sink *sink);
/** Bytes of the account called @name. */
uint64_t fake_sink_bytes(const struct fake_sink *sink, const char *name);

#endif
