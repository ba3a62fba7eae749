/* SPDX-License-Identifier: Apache-2.0 */
#include "../tests/unit/fake_heap.h"
#include "fuzz_alloc.h"

/*
 * A sound heap of glibc with words overwritten. The first byte has bit 0: in
 * libc's data instead of the heap; bits 1 and 2: the word is an address there
 * (1: in the heap, 2: in libc's data). Two bytes of index follow.
 */

static void make(struct fake_heap *heap)
{
	uint64_t fast[3];

	fake_heap_init(heap);
	fake_heap_chunk(heap, 0x290, true);
	fake_heap_chunk(heap, 0x5000, false);
	for (int i = 0; i < 40; i++)
		fake_heap_chunk(heap, 0x20 + 0x10 * (uint64_t)i, i % 4 != 1);
	for (int i = 0; i < 3; i++)
		fast[i] = fake_heap_chunk(heap, 0x30, true);
	fake_heap_chunk(heap, 0x1000, true);
	fake_heap_finish(heap);
	fake_heap_write(heap, FAKE_ARENA + 0x18, fast[0]);
	for (int i = 0; i < 3; i++)
		fake_heap_write(heap, fast[i] + 16,
				(i < 2 ? fast[i + 1] : 0) ^
					(fast[i] + 16) >> 12);
}

static void patch(struct fake_heap *heap, const uint8_t *bytes)
{
	uint64_t index = mw_u16(bytes + 1), word = mw_u64(bytes + 3);
	uint64_t at = bytes[0] & 1 ? FAKE_LIBC : FAKE_BREAK;

	if (bytes[0] & 2)
		word = FAKE_BREAK + word % FAKE_BREAK_BYTES;
	else if (bytes[0] & 4)
		word = FAKE_LIBC + word % FAKE_LIBC_BYTES;
	fake_heap_write(heap, at + index * 8, word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_heap heap;

	make(&heap);
	for (size_t i = 0; i < size / FUZZ_PATCH_BYTES && i < FUZZ_MOST_PATCHES;
	     i++)
		patch(&heap, data + i * FUZZ_PATCH_BYTES);
	fuzz_starve(data, size, fuzz_run_alloc,
		    &(struct fuzz_alloc){ heap.target, size % 2 });
	fake_heap_deinit(&heap);
	return 0;
}
