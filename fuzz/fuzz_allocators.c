/* SPDX-License-Identifier: Apache-2.0 */
#include "../tests/unit/fake_allocators.h"
#include "fuzz_alloc.h"

/*
 * A sound heap of one allocator with words overwritten. The first byte says of
 * which allocator, and, by bit 7, how the walk is asked. Then come words, 11
 * bytes each: bits 0 and 1 of the first tell in which range of the process it
 * is; bits 2 and 3: the word is an address, in range 0, 1 or 2. Two bytes of
 * index and the word follow.
 */
#define BY_RANGE 0x80

static void patch(struct mw_target *target, const uint8_t *bytes)
{
	uint64_t index = mw_u16(bytes + 1), word = mw_u64(bytes + 3);
	uint64_t start, room;

	if (fake_memory_range(target, (bytes[0] >> 2 & 3) - 1u, &start, &room))
		word = start + word % room;
	if (fake_memory_range(target, bytes[0] & 3, &start, &room))
		fake_memory_write(target, start + index * 8, word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_alloc in;

	if (size == 0)
		return 0;
	in = (struct fuzz_alloc){
		.target = fake_allocators[(data[0] & ~BY_RANGE) %
					  fake_allocator_count]
				  .make(),
		.by_range = data[0] & BY_RANGE,
	};
	for (size_t i = 0; i < (size - 1) / FUZZ_PATCH_BYTES &&
			   i < FUZZ_MOST_PATCHES; i++)
		patch(in.target, data + 1 + i * FUZZ_PATCH_BYTES);
	fake_memory_finish(in.target);
	fuzz_starve(data, size, fuzz_run_alloc, &in);
	fake_memory_free(in.target);
	return 0;
}
