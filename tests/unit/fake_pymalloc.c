/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_pymalloc.h"

/* Offsets of struct arena_object and struct pool_header: see pymalloc.c. */

static uint64_t halves(uint64_t low, uint64_t high)
{
	return low | high << 32;
}

/**
 * The head of pool @index: @in_use blocks of @units, @carved were handed out at
 * some time; the first ones of these are free again.
 */
static void write_pool(struct fake_pymalloc *py, uint64_t index,
		       uint64_t in_use, uint64_t units, uint64_t carved)
{
	uint64_t va = FAKE_PY_ARENA + FAKE_PY_POOL * index;
	uint64_t size = 16 * units, blocks = va + 48;
	uint64_t count = carved - in_use;

	fake_heap_write(&py->heap, va, in_use);
	fake_heap_write(&py->heap, va + 8, count ? blocks : 0);
	fake_heap_write(&py->heap, va + 32, halves(1, units - 1));
	fake_heap_write(&py->heap, va + 40, halves(48 + size * carved,
						   FAKE_PY_POOL - size));
	for (uint64_t i = 0; i < count; i++)
		fake_heap_write(&py->heap, blocks + size * i,
				i + 1 < count ? blocks + size * (i + 1) : 0);
}

void fake_pymalloc_init(struct fake_pymalloc *py)
{
	uint64_t entry = FAKE_PY_ARRAY + 48;

	fake_heap_init(&py->heap);
	fake_memory_map(py->heap.target, FAKE_PY_ARENA, FAKE_PY_ARENA_BYTES,
			"");
	fake_memory_make_present(py->heap.target, FAKE_PY_ARENA,
				 FAKE_PY_ARENA_BYTES);
	fake_heap_write(&py->heap, FAKE_LIBC + 0x1f00, FAKE_PY_ARRAY);
	fake_heap_write(&py->heap, entry, FAKE_PY_ARENA);
	fake_heap_write(&py->heap, entry + 8, FAKE_PY_ARENA + 4 * FAKE_PY_POOL);
	fake_heap_write(&py->heap, entry + 16, halves(61, 64));
	// What no entry is: the array ends there.
	fake_heap_write(&py->heap, entry + 48, 1);
	write_pool(py, 0, 7, 2, 10);
	write_pool(py, 1, 0, 3, 1);
	write_pool(py, 2, 5, 32, 6);
	write_pool(py, 3, 126, 2, 126);
	fake_memory_finish(py->heap.target);
}

void fake_pymalloc_deinit(struct fake_pymalloc *py)
{
	fake_heap_deinit(&py->heap);
}
