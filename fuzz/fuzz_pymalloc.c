/* SPDX-License-Identifier: Apache-2.0 */
#include "../tests/unit/fake_pymalloc.h"
#include "fuzz_alloc.h"

/*
 * A sound arena of pymalloc with words overwritten. The first byte has bit 0: in
 * the array of arenas, else in the first words of pools; bits 1 and 2: the word
 * is an address (1: in the arena, 2: in the break). Two bytes of index follow:
 * of a word in the array; or of a pool, 3 bits, and a word in it.
 */
static void patch(struct fake_pymalloc *py, const uint8_t *bytes)
{
	uint64_t index = mw_u16(bytes + 1), word = mw_u64(bytes + 3);
	uint64_t at = bytes[0] & 1
			      ? FAKE_PY_ARRAY + index * 8
			      : FAKE_PY_ARENA + FAKE_PY_POOL * (index & 7) +
					(index >> 3) * 8 % FAKE_PY_POOL;

	if (bytes[0] & 2)
		word = FAKE_PY_ARENA + word % FAKE_PY_ARENA_BYTES;
	else if (bytes[0] & 4)
		word = FAKE_BREAK + word % FAKE_BREAK_BYTES;
	fake_heap_write(&py->heap, at, word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_pymalloc py;

	fake_pymalloc_init(&py);
	for (size_t i = 0; i < size / FUZZ_PATCH_BYTES && i < FUZZ_MOST_PATCHES;
	     i++)
		patch(&py, data + i * FUZZ_PATCH_BYTES);
	fuzz_starve(data, size, fuzz_run_alloc,
		    &(struct fuzz_alloc){ py.heap.target, size % 2 });
	fake_pymalloc_deinit(&py);
	return 0;
}
