/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"
#include "leaks_model.h"
#include "mw_guard.h"
#include "mw_leaks.h"
#include "mw_test.h"

/* What the search asks of a target */

struct mw_error *mw_target_extents(const struct mw_target *target,
				   uint64_t start, uint64_t end,
				   struct mw_extents *to)
{
	for (size_t i = 0; i < target->area_count; i++) {
		uint64_t area = target->areas[i].va;
		uint64_t from = mw_max(start, area);
		uint64_t until = mw_min(end, area + target->areas[i].size);
		struct mw_extent *extent;

		if (from >= until)
			continue;
		extent = mw_vec_push(&to->list);
		if (!extent)
			return mw_error_nomem();
		*extent = (struct mw_extent){ from, until, MW_BYTES_PRESENT };
	}
	return NULL;
}

void mw_extents_free(struct mw_extents *extents)
{
	mw_vec_free(&extents->list);
}

struct mw_error *mw_target_stream(struct mw_target *target,
				  const struct mw_extent *extents,
				  size_t count, const struct mw_stream *stream)
{
	uint64_t word;

	for (size_t i = 0; i < count; i++)
		for (uint64_t va = extents[i].start; va < extents[i].end;
		     va += sizeof(word)) {
			struct mw_piece piece = {
				.va = va,
				.bytes = sizeof(word),
				.data = (const uint8_t *)&word,
			};

			if (mw_target_copy(target, va, &word, sizeof(word)))
				stream->piece(stream->ctx, &piece);
		}
	return NULL;
}

/* Trying */

/** Add the blocks, those from @first on before the others. */
static struct mw_error *add_blocks(const struct scene *s,
				   struct mw_leaks *leaks, size_t first)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < s->count && !error; i++) {
		const struct block *b = &s->blocks[(first + i) % s->count];

		error = mw_leaks_add(leaks, b->va, b->bytes);
	}
	return error;
}

static struct mw_error *search(struct scene *s, size_t first,
			       struct mw_leaks **ret)
{
	MW_CLEANUP(mw_leaks_freep) struct mw_leaks *leaks = NULL;
	struct mw_leaks_options options = {
		.target = &s->target,
		.is_vtable = leaks_scene_is_vtable,
	};
	struct mw_extent extent = { ROOTS_VA, ROOTS_VA + sizeof(s->roots),
				    MW_BYTES_PRESENT };
	struct mw_extents roots = { { &extent, 1, 1 } }, none = { 0 };
	struct mw_error *error = mw_leaks_new(&options, &leaks);

	if (!error)
		error = add_blocks(s, leaks, first);
	if (!error)
		error = mw_leaks_search(leaks, &roots, &none, s->registers,
					REGISTERS);
	if (!error)
		*ret = mw_steal(leaks);
	return error;
}

static void check(const struct scene *s, const struct mw_leaks *leaks)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct block *b = &s->blocks[i];
		struct mw_leak leak = mw_leaks_of(leaks, b->va);

		ASSERT_EQ(b->kind, leak.kind);
		ASSERT_EQ(b->others, leak.indirect_blocks);
		ASSERT_EQ(b->other_bytes, leak.indirect_bytes);
		// Only its start is a block.
		ASSERT_EQ(MW_LEAK_NONE, mw_leaks_of(leaks, b->va + 1).kind);
	}
}

TEST(finds_what_the_model_finds)
{
	MW_CLEANUP(mw_freep) struct scene *s = mw_alloc(sizeof(*s));
	size_t seen[MW_LEAK_INDIRECT + 1] = { 0 };

	assert_non_null(s);
	for (uint64_t seed = 1; seed <= 500; seed++) {
		MW_CLEANUP(mw_leaks_freep) struct mw_leaks *leaks = NULL;

		leaks_scene_make(s, seed * UINT64_C(0x9e3779b97f4a7c15));
		leaks_scene_solve(s);
		ASSERT_OK(search(s, seed % s->count, &leaks));
		check(s, leaks);
		for (size_t i = 0; i < s->count; i++)
			seen[s->blocks[i].kind]++;
	}
	for (size_t kind = 0; kind <= MW_LEAK_INDIRECT; kind++)
		assert_true(seen[kind] > 500);
}

/** Enough of them that windows are read whole, and the queue is too short. */
TEST(long_lists_and_wide_fans)
{
	enum { NODES = WORDS / 2 - 8 };
	MW_CLEANUP(mw_freep) struct scene *s = mw_calloc(1, sizeof(*s));

	assert_non_null(s);
	fake_target_add(&s->target, START, s->words, sizeof(s->words));
	// Node i is two words at 2 i: a heap's tree, and a list in a random
	// order that begins in the middle.
	for (int is_list = 0; is_list < 2; is_list++) {
		MW_CLEANUP(mw_leaks_freep) struct mw_leaks *leaks = NULL;
		struct mw_extents none = { 0 };
		struct mw_leaks_options options = { .target = &s->target };
		uint64_t first = START + (is_list ? NODES / 2 * 16 : 0);

		ASSERT_OK(mw_leaks_new(&options, &leaks));
		for (uint64_t i = 0; i < NODES; i++) {
			uint64_t next = (i + 7919) % NODES;

			s->words[2 * i] = is_list ? START + 16 * next
					  : 2 * i + 1 < NODES
						  ? START + 16 * (2 * i + 1)
						  : 0;
			s->words[2 * i + 1] =
				!is_list && 2 * i + 2 < NODES
					? START + 16 * (2 * i + 2)
					: 0;
			ASSERT_OK(mw_leaks_add(leaks, START + 16 * i, 16));
		}
		// Two that nothing leads to.
		ASSERT_OK(mw_leaks_add(leaks, START + 16 * NODES, 16));
		ASSERT_OK(mw_leaks_add(leaks, START + 16 * NODES + 16, 24));
		ASSERT_OK(mw_leaks_search(leaks, &none, &none, &first,
					  1));
		for (uint64_t i = 0; i < NODES + 2; i++)
			ASSERT_EQ(i < NODES ? MW_LEAK_NONE : MW_LEAK_DEFINITE,
				  mw_leaks_of(leaks, START + 16 * i).kind);
	}
}

TEST(strange_blocks_are_never_lost)
{
	struct mw_target target = { 0 };
	struct mw_leaks_options options = { .target = &target };
	struct mw_extents none = { 0 };
	MW_CLEANUP(mw_leaks_freep) struct mw_leaks *leaks = NULL;
	static const struct {
		uint64_t va, bytes;
		enum mw_leak_kind kind;
	} blocks[] = {
		{ 0x1000, 16, MW_LEAK_DEFINITE },
		{ 0x1008, 16, MW_LEAK_NONE }, // overlaps
		{ 0x1000, 16, MW_LEAK_DEFINITE }, // twice
		{ 0x1014, 8, MW_LEAK_NONE }, // not aligned
		{ 0x1018, 0, MW_LEAK_DEFINITE },
		{ UINT64_C(1) << 47, 8, MW_LEAK_NONE },
		{ (UINT64_C(1) << 47) - 8, 16, MW_LEAK_NONE },
		{ UINT64_MAX - 7, 8, MW_LEAK_NONE },
		{ 0x2000, UINT64_MAX, MW_LEAK_NONE },
		{ 0x3000, UINT64_C(1) << 46, MW_LEAK_DEFINITE },
		{ UINT64_C(1) << 45, 8, MW_LEAK_NONE }, // in the one before
	};

	ASSERT_OK(mw_leaks_new(&options, &leaks));
	for (size_t i = 0; i < MW_COUNT(blocks); i++)
		ASSERT_OK(mw_leaks_add(leaks, blocks[i].va, blocks[i].bytes));
	ASSERT_OK(mw_leaks_search(leaks, &none, &none, NULL, 0));
	for (size_t i = 0; i < MW_COUNT(blocks); i++)
		ASSERT_EQ(blocks[i].kind,
			  mw_leaks_of(leaks, blocks[i].va).kind);
}

static struct mw_error *search_and_check(void *ctx)
{
	MW_CLEANUP(mw_leaks_freep) struct mw_leaks *leaks = NULL;
	struct scene *s = ctx;
	struct mw_error *error = search(s, 3, &leaks);

	if (!error)
		check(s, leaks);
	return error;
}

TEST(without_memory)
{
	MW_CLEANUP(mw_freep) struct scene *s = mw_alloc(sizeof(*s));

	assert_non_null(s);
	leaks_scene_make(s, 12345);
	leaks_scene_solve(s);
	OUT_OF_MEMORY(search_and_check, s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(finds_what_the_model_finds),
		CASE(long_lists_and_wide_fans),
		CASE(strange_blocks_are_never_lost),
		CASE(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
