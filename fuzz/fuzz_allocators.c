/* SPDX-License-Identifier: Apache-2.0 */
#include "../tests/unit/fake_allocators.h"
#include "../tests/unit/fake_sink.h"
#include "fuzz.h"
#include "mw_alloc.h"
#include "mw_num.h"

/*
 * A sound heap of one allocator with words overwritten. The first byte says of
 * which allocator, and, by bit 7, how the walk is asked. Then come words, 11
 * bytes each: bits 0 and 1 of the first tell in which range of the process it
 * is; bits 2 and 3: the word is an address, in range 0, 1 or 2. Two bytes of
 * index and the word follow.
 */
#define PATCH_BYTES 11
#define MOST_PATCHES 64
#define BY_RANGE 0x80

struct input {
	struct mw_target *target;
	bool by_range;
};

static void patch(struct mw_target *target, const uint8_t *bytes)
{
	uint64_t index = mw_u16(bytes + 1), word = mw_u64(bytes + 3);
	uint64_t start, room;

	if (fake_memory_range(target, (bytes[0] >> 2 & 3) - 1u, &start, &room))
		word = start + word % room;
	if (fake_memory_range(target, bytes[0] & 3, &start, &room))
		fake_memory_write(target, start + index * 8, word);
}

static uint64_t mapped_bytes(const struct mw_target *target)
{
	uint64_t sum = 0, start, bytes;

	for (size_t i = 0; fake_memory_range(target, i, &start, &bytes); i++)
		sum += bytes;
	return sum;
}

static void check(const struct mw_target *target, const struct mw_alloc *alloc)
{
	uint64_t sum = 0;
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(alloc, &count);

	for (size_t i = 0; i < count; i++) {
		const struct mw_alloc_arena *a = arenas[i];

		CHECK(a->trimmable_bytes <= a->resident_bytes);
		sum += a->in_use_bytes + a->free_bytes + a->cache_bytes +
		       a->top_bytes + a->metadata_bytes + a->reserved_bytes +
		       a->torn_bytes;
	}
	CHECK(sum <= mapped_bytes(target));
}

static void run(void *ctx)
{
	const struct input *in = ctx;
	struct fake_sink sink;
	struct mw_alloc *alloc = NULL;
	struct mw_error *error;

	fake_sink_init(&sink);
	sink.by_range = in->by_range;
	error = mw_alloc_claim(in->target, &sink.sink, &alloc);
	if (!error)
		error = fake_sink_settle(&sink);
	CHECK(!sink.broken);
	if (!error)
		check(in->target, alloc);
	fuzz_check_error(error);
	mw_error_free(error);
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;

	if (size == 0)
		return 0;
	in = (struct input){
		.target = fake_allocators[(data[0] & ~BY_RANGE) %
					  fake_allocator_count]
				  .make(),
		.by_range = data[0] & BY_RANGE,
	};
	for (size_t i = 0;
	     i < (size - 1) / PATCH_BYTES && i < MOST_PATCHES; i++)
		patch(in.target, data + 1 + i * PATCH_BYTES);
	fake_memory_finish(in.target);
	fuzz_starve(data, size, run, &in);
	fake_memory_free(in.target);
	return 0;
}
