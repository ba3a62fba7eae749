/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_heap.h"

/* The heap: offsets of layouts/glibc.def */

void fake_heap_write(struct fake_heap *heap, uint64_t va, uint64_t word)
{
	fake_memory_write(heap->target, va, word);
}

void fake_heap_init(struct fake_heap *heap)
{
	fake_heap_init_bytes(heap, FAKE_BREAK_BYTES);
}

void fake_heap_init_bytes(struct fake_heap *heap, uint64_t bytes)
{
	struct mw_target *t = fake_memory_new();

	*heap = (struct fake_heap){ .target = t, .bytes = bytes,
				    .at = FAKE_BREAK, .was_used = true };
	fake_memory_map(t, FAKE_BREAK, bytes, "[heap]");
	fake_memory_map_data(t, FAKE_LIBC, FAKE_LIBC_BYTES);
	fake_memory_make_present(t, FAKE_BREAK, bytes);
	fake_memory_make_present(t, FAKE_LIBC, FAKE_LIBC_BYTES);

	for (uint64_t i = 1; i < 128; i++) {
		uint64_t bin = FAKE_ARENA + 0x70 + (i - 1) * 16;

		fake_heap_write(heap, bin, bin - 16);
		fake_heap_write(heap, bin + 8, bin - 16);
	}
	fake_heap_write(heap, FAKE_ARENA + 0x870, FAKE_ARENA);
	// n_mmaps_max, arena_test, tcache_bins, tcache_max_bytes, _count,
	// mmap_threshold, sbrk_base.
	fake_heap_write(heap, FAKE_PARAMS + 64, 65536);
	fake_heap_write(heap, FAKE_PARAMS + 24, 8);
	fake_heap_write(heap, FAKE_PARAMS + 104, 64);
	fake_heap_write(heap, FAKE_PARAMS + 112, 1032);
	fake_heap_write(heap, FAKE_PARAMS + 120, 7);
	fake_heap_write(heap, FAKE_PARAMS + 16, 128 << 10);
	fake_heap_write(heap, FAKE_PARAMS + 96, FAKE_BREAK);
}

void fake_heap_deinit(struct fake_heap *heap)
{
	fake_memory_free(heap->target);
}

uint64_t fake_heap_chunk(struct fake_heap *heap, uint64_t bytes, bool in_use)
{
	uint64_t chunk = heap->at;

	fake_heap_write(heap, chunk + 8, bytes | heap->was_used);
	heap->at += bytes;
	heap->was_used = in_use;
	if (!in_use)
		fake_heap_write(heap, heap->at, bytes);
	return chunk;
}

void fake_heap_finish(struct fake_heap *heap)
{
	uint64_t end = FAKE_BREAK + heap->bytes;

	fake_heap_write(heap, heap->at + 8, (end - heap->at) | heap->was_used);
	fake_heap_write(heap, FAKE_ARENA + 0x60, heap->at);
	fake_heap_write(heap, FAKE_ARENA + 0x888, heap->bytes);
	fake_heap_write(heap, FAKE_ARENA + 0x890, heap->bytes);
	fake_memory_finish(heap->target);
}
