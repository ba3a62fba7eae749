/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_heap.h"
#include "fake_target.h"
#include "mw_alloc_classes.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_test.h"

/*
 * A heap that is walked in parts by several threads must give what one walk
 * from its start gives, whatever stands where the parts meet. The walk from the
 * start is had by a target that keeps what is read.
 */
#define PART MW_MIB(32)
#define HEAP_BYTES (5 * PART)
#define SEAM(n) (mw_align_up(FAKE_BREAK, PART) + (n) * PART)

struct result {
	struct mw_alloc_arena arena;
	MW_VEC(struct fake_account) accounts;
	struct mw_alloc_classes classes; /* without the arena's address */
};

static void walk(struct fake_heap *heap, size_t workers, bool by_range,
		 struct result *ret)
{
	const struct mw_alloc_arena *const *arenas;
	struct mw_alloc *alloc = NULL;
	struct fake_sink sink;
	size_t count;

	heap->target->workers = workers;
	heap->target->keeps = workers == 0;
	fake_sink_init(&sink);
	sink.by_range = by_range;
	ASSERT_OK(mw_alloc_claim(heap->target, &sink.sink, &alloc));
	ASSERT_OK(fake_sink_settle(&sink));
	assert_false(sink.broken);
	arenas = mw_alloc_arenas(alloc, &count);
	ASSERT_EQ(1, count);
	ret->arena = *arenas[0];
	for (size_t i = 0; i < sink.accounts.n; i++)
		*mw_vec_push(&ret->accounts) = sink.accounts.v[i];
	ASSERT_OK(mw_alloc_classes(alloc, &ret->classes));
	for (size_t i = 0; i < ret->classes.list.n; i++) {
		assert_ptr_equal(arenas[0], ret->classes.list.v[i].arena);
		ret->classes.list.v[i].arena = NULL;
	}
	mw_alloc_free(alloc);
	fake_sink_deinit(&sink);
}

static void compare(struct fake_heap *heap)
{
	struct result whole = { 0 };

	walk(heap, 0, false, &whole);
	for (size_t workers = 1; workers <= 3; workers += 2) {
		struct result parts = { 0 };

		walk(heap, workers, workers == 3, &parts);
		ASSERT_EQ(whole.accounts.n, parts.accounts.n);
		for (size_t i = 0; i < whole.accounts.n; i++) {
			ASSERT_TEXT(whole.accounts.v[i].name,
				    parts.accounts.v[i].name);
			ASSERT_EQ(whole.accounts.v[i].bytes,
				  parts.accounts.v[i].bytes);
		}
		assert_memory_equal(&whole.arena, &parts.arena,
				    sizeof(whole.arena));
		ASSERT_EQ(whole.classes.list.n, parts.classes.list.n);
		assert_memory_equal(whole.classes.list.v, parts.classes.list.v,
				    whole.classes.list.n *
					    sizeof(*whole.classes.list.v));
		mw_vec_free(&parts.accounts);
		mw_alloc_classes_free(&parts.classes);
	}
	mw_vec_free(&whole.accounts);
	mw_alloc_classes_free(&whole.classes);
}

static uint64_t random_below(uint64_t *state, uint64_t limit)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*state >> 33) % limit;
}

/* What may stand where two parts meet. */
enum seam {
	SEAM_SMALL,	/* small blocks, some of them free */
	SEAM_FAST,	/* neighbours in a fastbin, and a free one */
	SEAM_LARGE,	/* a block that reaches across */
	SEAM_FALSE,	/* data that looks like chunks */
	SEAM_FALSE_FAST, /* the same, and chunks of a fastbin behind */
	SEAM_VERY_LARGE, /* a block across more than a part */
	SEAM_FREE,	/* free chunks from before to behind */
	SEAM_FENCES,	/* what somebody else got of the break */
	SEAMS,
};

/** In a block up to @end, what looks like small blocks in use. */
static void write_false(struct fake_heap *heap, uint64_t chunk, uint64_t end)
{
	for (uint64_t at = chunk + 32; at + 16 <= end; at += 32)
		fake_heap_write(heap, at + 8, 0x21);
}

struct maker {
	struct fake_heap heap;
	uint64_t seed, fast; /* the last chunk of the fastbin */
};

/** A chunk of 0x30 bytes, in the second fastbin. */
static void add_fast(struct maker *m)
{
	uint64_t chunk = fake_heap_chunk(&m->heap, 0x30, true);

	fake_heap_write(&m->heap, chunk + 16, m->fast ^ (chunk + 16) >> 12);
	m->fast = chunk;
}

static void add_seam(struct maker *m, uint64_t at, enum seam seam)
{
	struct fake_heap *h = &m->heap;
	uint64_t chunk, bytes;

	switch (seam) {
	case SEAM_SMALL:
		while (h->at < at + MW_KIB(8))
			fake_heap_chunk(h, 32 + 16 * random_below(&m->seed, 9),
					!h->was_used ||
						random_below(&m->seed, 3) > 0);
		break;
	case SEAM_FAST:
		while (h->at < at + MW_KIB(8)) {
			uint64_t what = random_below(&m->seed, 8);

			if (what == 0)
				fake_heap_chunk(h, 0x60, true);
			else if (what == 1 && h->was_used)
				fake_heap_chunk(h, 0x1000, false);
			else
				add_fast(m);
		}
		break;
	case SEAM_LARGE:
	case SEAM_FALSE:
	case SEAM_VERY_LARGE:
		bytes = at - h->at + 16 * random_below(&m->seed, 4000) +
			(seam == SEAM_VERY_LARGE ? PART + MW_KIB(40) : 16);
		chunk = fake_heap_chunk(h, bytes, true);
		if (seam == SEAM_FALSE)
			write_false(h, chunk, chunk + bytes);
		break;
	case SEAM_FALSE_FAST:
		// The guess goes wrong before chunks of a fastbin.
		chunk = fake_heap_chunk(h, at - h->at - 0x20 -
					16 * random_below(&m->seed, 4), true);
		write_false(h, chunk, h->at);
		while (h->at < at + 0x100)
			add_fast(m);
		break;
	case SEAM_FREE:
		// Only those in fastbins have free neighbours.
		if (h->was_used)
			fake_heap_chunk(h, at - h->at - 0x30 *
						random_below(&m->seed, 3),
					false);
		while (h->at < at + 0x300)
			add_fast(m);
		break;
	case SEAM_FENCES:
		// The second fencepost may be the first thing behind.
		chunk = at - 48 + 16 * random_below(&m->seed, 4);
		fake_heap_chunk(h, chunk - h->at, true);
		for (int i = 0; i < 2; i++)
			fake_heap_chunk(h, 16, true);
		h->at += MW_KIB(8);
		break;
	case SEAMS:
		break;
	}
}

static void make(struct maker *m, uint64_t seed)
{
	struct fake_heap *h = &m->heap;

	*m = (struct maker){ .seed = seed };
	fake_heap_init_bytes(h, HEAP_BYTES);
	while (h->at < FAKE_BREAK + HEAP_BYTES - MW_MIB(1)) {
		uint64_t seam = mw_align_down(h->at, PART) + PART;
		uint64_t limit = mw_min(seam, FAKE_BREAK + HEAP_BYTES);

		while (h->at + MW_KIB(132) < limit)
			fake_heap_chunk(
				h, MW_KIB(32) + 16 * random_below(&m->seed,
								  2000),
				!h->was_used || random_below(&m->seed, 3) > 0);
		if (seam + 2 * PART > FAKE_BREAK + HEAP_BYTES)
			break;
		fake_heap_chunk(h, 0x40, true);
		add_seam(m, seam, random_below(&m->seed, SEAMS));
		fake_heap_chunk(h, 0x40, true);
	}
	fake_heap_finish(h);
	fake_heap_write(h, FAKE_ARENA + 0x18, m->fast);
}

TEST(parts_are_joined_to_the_whole)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct maker m;

		make(&m, seed);
		compare(&m.heap);
		fake_heap_deinit(&m.heap);
	}
}

TEST(a_damaged_heap_is_told_the_same)
{
	for (uint64_t seed = 100; seed < 108; seed++) {
		struct maker m;

		make(&m, seed);
		for (int i = 0; i < 12; i++) {
			uint64_t at = SEAM(random_below(&m.seed, 4)) +
				      8 * random_below(&m.seed, 1 << 14);

			fake_heap_write(&m.heap, at - MW_KIB(64),
					random_below(&m.seed, 1000));
		}
		compare(&m.heap);
		fake_heap_deinit(&m.heap);
	}
}

TEST(the_top_may_be_where_parts_meet)
{
	for (uint64_t top = SEAM(1) - 32; top <= SEAM(1) + 0xb0; top += 16) {
		struct maker m = { 0 };
		struct fake_heap *h = &m.heap;

		// With chunks of a fastbin before it, which the top takes.
		fake_heap_init_bytes(h, HEAP_BYTES);
		while (h->at < top - MW_KIB(64))
			fake_heap_chunk(h, MW_KIB(16), true);
		fake_heap_chunk(h, top - h->at - 0x90, true);
		for (int i = 0; i < 3; i++)
			add_fast(&m);
		fake_heap_finish(h);
		fake_heap_write(h, FAKE_ARENA + 0x18, m.fast);
		compare(h);
		fake_heap_deinit(h);
	}
}

/** A block whose first word is a link to @next, or nearly. */
static void add_false_link(struct maker *m, uint64_t next)
{
	uint64_t chunk = fake_heap_chunk(&m->heap, 0x30, true);

	fake_heap_write(&m->heap, chunk + 16, next ^ (chunk + 16) >> 12);
}

/** Small chunks of all kinds, some in runs, up to @end. */
static void add_small(struct maker *m, uint64_t end, bool only_fast)
{
	struct fake_heap *h = &m->heap;
	uint64_t run = 0, what = 0;

	while (h->at < end) {
		if (run-- == 0) {
			what = random_below(&m->seed, 8);
			run = random_below(&m->seed, 3) ? 0
				: random_below(&m->seed, 200);
		}
		if (what < 3)
			add_fast(m);
		else if (what == 3 && h->was_used && !only_fast)
			fake_heap_chunk(h, 32 + 16 * random_below(&m->seed, 99),
					false);
		else if (what == 4) // to no chunk, or to nothing
			add_false_link(m, random_below(&m->seed, 2)
						  ? h->at + 8
						  : FAKE_LIBC);
		else
			fake_heap_chunk(h, 32 + 16 * random_below(&m->seed, 30),
					true);
	}
}

TEST(small_chunks_are_told_together_as_one_by_one)
{
	for (uint64_t seed = 200; seed < 240; seed++) {
		struct maker m = { .seed = seed };
		struct fake_heap *h = &m.heap;

		fake_heap_init_bytes(h, MW_MIB(2));
		add_small(&m, FAKE_BREAK + MW_MIB(1), seed % 3 == 0);
		for (int i = seed % 4 ? 0 : 20; i > 0; i--)
			fake_heap_write(h, FAKE_BREAK +
						8 * random_below(&m.seed, 1 << 17),
					random_below(&m.seed, 1000));
		fake_heap_finish(h);
		fake_heap_write(h, FAKE_ARENA + 0x18, m.fast);
		compare(h);
		fake_heap_deinit(h);
	}
}

static struct mw_error *walk_once(void *ctx)
{
	MW_CLEANUP(mw_alloc_freep) struct mw_alloc *alloc = NULL;
	struct fake_heap *heap = ctx;
	struct mw_error *error;
	struct fake_sink sink;

	fake_sink_init(&sink);
	error = mw_alloc_claim(heap->target, &sink.sink, &alloc);
	if (!error)
		error = fake_sink_settle(&sink);
	fake_sink_deinit(&sink);
	return error;
}

TEST(short_memory_is_told)
{
	struct maker m;

	make(&m, 7);
	m.heap.target->workers = 1; // so that the order is known
	OUT_OF_MEMORY(walk_once, &m.heap);
	fake_heap_deinit(&m.heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(parts_are_joined_to_the_whole),
		CASE(a_damaged_heap_is_told_the_same),
		CASE(the_top_may_be_where_parts_meet),
		CASE(small_chunks_are_told_together_as_one_by_one),
		CASE(short_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
