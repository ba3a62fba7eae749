/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_heap.h"
#include "fake_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_process {
	struct mw_target target; /* first: what the heap's target points to */
	struct mw_elf elf;
	struct mw_elf_segment segment;
	struct mw_image image;
	uint8_t libc[FAKE_LIBC_BYTES];
	uint8_t heap[FAKE_BREAK_BYTES];
};

/* The heap: offsets of layouts/glibc.def */

void fake_heap_write(struct fake_heap *heap, uint64_t va, uint64_t word)
{
	void *at = fake_target_at(heap->target, va, sizeof(word));

	if (at)
		memcpy(at, &word, sizeof(word));
}

void fake_heap_init(struct fake_heap *heap)
{
	struct fake_process *p = calloc(1, sizeof(*p));
	struct mw_target *t;

	if (!p)
		abort();
	t = &p->target;
	*heap = (struct fake_heap){ .target = t, .at = FAKE_BREAK,
				    .was_used = true };
	fake_target_map(t, FAKE_BREAK, p->heap, sizeof(p->heap), "[heap]");
	fake_target_map(t, FAKE_LIBC, p->libc, sizeof(p->libc), "");
	t->info = (struct mw_target_info){
		.is_64 = true,
		.can_read = true,
		.mode = MW_CAPTURE_STOP,
	};
	p->segment = (struct mw_elf_segment){
		.type = PT_LOAD,
		.flags = PF_R | PF_W,
		.vaddr = FAKE_LIBC,
		.memsz = FAKE_LIBC_BYTES,
	};
	p->elf.segments.v = &p->segment;
	p->elf.segments.n = 1;
	p->image = (struct mw_image){
		.start = FAKE_LIBC,
		.end = FAKE_LIBC + FAKE_LIBC_BYTES,
		.elf = &p->elf,
	};
	t->images = &p->image;
	t->image_count = 1;

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
	fake_target_deinit(heap->target);
	free(heap->target);
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
	uint64_t end = FAKE_BREAK + FAKE_BREAK_BYTES;

	fake_heap_write(heap, heap->at + 8, (end - heap->at) | heap->was_used);
	fake_heap_write(heap, FAKE_ARENA + 0x60, heap->at);
	fake_heap_write(heap, FAKE_ARENA + 0x888, FAKE_BREAK_BYTES);
	fake_heap_write(heap, FAKE_ARENA + 0x890, FAKE_BREAK_BYTES);
}

/* The sink */

static struct mw_error *account(void *ctx, const char *parent,
				const char *leaf, const char *evidence,
				mw_account_id *ret)
{
	struct fake_sink *sink = ctx;
	char name[96] = { 0 };
	struct fake_account *a;

	(void)evidence;
	snprintf(name, sizeof(name), "%s/%s", parent, leaf);
	for (size_t i = 0; i < sink->accounts.n; i++)
		if (strcmp(sink->accounts.v[i].name, name) == 0) {
			*ret = (mw_account_id)i;
			return NULL;
		}
	a = mw_vec_push(&sink->accounts);
	if (!a)
		return mw_error_nomem();
	*a = (struct fake_account){ 0 };
	memcpy(a->name, name, sizeof(name));
	*ret = (mw_account_id)(sink->accounts.n - 1);
	return NULL;
}

static struct mw_error *claim(void *ctx, const struct mw_claim *claim)
{
	struct fake_sink *sink = ctx;
	struct mw_claim *place = mw_vec_push(&sink->claims);

	if (!place)
		return mw_error_nomem();
	*place = *claim;
	return NULL;
}

static uint64_t uniform_until(void *ctx, uint64_t va)
{
	struct fake_sink *sink = ctx;

	return sink->by_range ? va : sink->limit;
}

/** Parts ascend, and stay within their claim. */
static void take(struct fake_sink *sink, uint64_t start, uint64_t end)
{
	if (start < sink->end || end < start || end > sink->limit)
		sink->broken = true;
	sink->end = end;
}

static void add(struct fake_sink *sink, mw_account_id account, uint64_t bytes)
{
	if (account >= sink->accounts.n)
		sink->broken = true;
	else
		sink->accounts.v[account].bytes += bytes;
}

static void sums(void *ctx, uint64_t start, uint64_t end,
		 const struct mw_sum *sums, size_t count)
{
	struct fake_sink *sink = ctx;
	uint64_t left = end - start;

	take(sink, start, end);
	for (size_t i = 0; i < count; i++) {
		if (sums[i].bytes > left)
			sink->broken = true;
		left -= sums[i].bytes;
		add(sink, sums[i].account, sums[i].bytes);
	}
}

static void range(void *ctx, uint64_t start, uint64_t bytes,
		  mw_account_id account)
{
	struct fake_sink *sink = ctx;

	take(sink, start, start + bytes);
	add(sink, account, bytes);
}

static const struct mw_sink_ops sink_ops = { account, claim };
static const struct mw_part_ops part_ops = {
	.uniform_until = uniform_until,
	.sums = sums,
	.range = range,
};

void fake_sink_init(struct fake_sink *sink)
{
	*sink = (struct fake_sink){ .sink = { &sink_ops, sink } };
}

void fake_sink_deinit(struct fake_sink *sink)
{
	mw_vec_free(&sink->accounts);
	mw_vec_free(&sink->claims);
}

struct mw_error *fake_sink_settle(struct fake_sink *sink)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < sink->claims.n; i++) {
		const struct mw_claim *c = &sink->claims.v[i];
		struct mw_parts parts = { &part_ops, sink };

		sink->end = c->start;
		sink->limit = c->start + c->bytes;
		if (c->refine)
			error = c->refine(c->ctx, c, &parts);
	}
	return error;
}

uint64_t fake_sink_bytes(const struct fake_sink *sink, const char *name)
{
	for (size_t i = 0; i < sink->accounts.n; i++)
		if (strcmp(sink->accounts.v[i].name, name) == 0)
			return sink->accounts.v[i].bytes;
	return 0;
}
