/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_PYMALLOC_H
#define FAKE_PYMALLOC_H

#include "fake_heap.h"

/*
 * A process made by a test that has CPython's allocator of small objects, as
 * it lies in 3.7 to 3.9: the array of arenas stands in the program break, and a
 * variable of the only image leads to it. Of the first arena, which is the
 * array's second entry, four pools were handed out: blocks of 32 bytes, free,
 * blocks of 512 bytes, blocks of 32 bytes of which all were handed out once.
 */
#define FAKE_PY_ARENA UINT64_C(0x7f1000000000)
#define FAKE_PY_ARENA_BYTES (UINT64_C(256) << 10)
#define FAKE_PY_POOL UINT64_C(4096)
#define FAKE_PY_ARRAY (FAKE_BREAK + 0x100)

struct fake_pymalloc {
	struct fake_heap heap; /* for its target, and to write words */
};

void fake_pymalloc_init(struct fake_pymalloc *py);
void fake_pymalloc_deinit(struct fake_pymalloc *py);

#endif
