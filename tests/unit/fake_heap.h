/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_HEAP_H
#define FAKE_HEAP_H

#include "fake_memory.h"
#include "fake_sink.h"
#include "mw_alloc.h"

/*
 * A process made by a test that has glibc's malloc: a main heap in the program
 * break and the data of a C library, with the structures as they lie in glibc
 * 2.36.
 */

#define FAKE_LIBC UINT64_C(0x7f0000200000) /* data: 2 pages */
#define FAKE_LIBC_BYTES UINT64_C(0x2000)
#define FAKE_ARENA (FAKE_LIBC + 0x940)
#define FAKE_PARAMS (FAKE_LIBC + 0x20)
#define FAKE_BREAK UINT64_C(0x555555000000)
#define FAKE_BREAK_BYTES UINT64_C(0x40000)

struct fake_heap {
	struct mw_target *target;
	uint64_t bytes; /* of the program break */
	uint64_t at;   /* where the next chunk goes */
	bool was_used; /* PREV_INUSE of the next chunk */
};

/** A heap of FAKE_BREAK_BYTES. */
void fake_heap_init(struct fake_heap *heap);
void fake_heap_init_bytes(struct fake_heap *heap, uint64_t bytes);
void fake_heap_deinit(struct fake_heap *heap);

/** Append a chunk of @bytes; its address. */
uint64_t fake_heap_chunk(struct fake_heap *heap, uint64_t bytes, bool in_use);
/** Make the rest the top, and set the arena's figures. */
void fake_heap_finish(struct fake_heap *heap);

/** Write a word; addresses outside of the process are left alone. */
void fake_heap_write(struct fake_heap *heap, uint64_t va, uint64_t word);

#endif
