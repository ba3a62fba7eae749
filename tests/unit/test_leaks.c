/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"
#include "mw_guard.h"
#include "mw_leaks.h"
#include "mw_test.h"

/*
 * Random blocks with random pointers, held against a model that takes the
 * definitions by their word: who reaches whom, pair by pair.
 */

#define START UINT64_C(0x7f00000f8000) /* so that blocks cross a window */
#define VTABLES UINT64_C(0x550000001000)

enum { MAX_BLOCKS = 120, WORDS = 1 << 18, ROOTS = 12, REGISTERS = 2 };

struct block {
	uint64_t va, bytes;
	/* The model's */
	bool is_reached, is_possible, has_inner, has_near, has_aligned;
	enum mw_leak_kind kind;
	uint64_t others, other_bytes; /* lost with it */
};

struct scene {
	uint64_t words[WORDS]; /* of memory from START on */
	uint64_t roots[ROOTS], registers[REGISTERS];
	struct block blocks[MAX_BLOCKS];
	size_t count;
	bool leads[MAX_BLOCKS][MAX_BLOCKS]; /* of lost ones */
	struct mw_target target;
};

#define ROOTS_VA UINT64_C(0x600000000000)

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

static bool is_vtable(void *ctx, uint64_t va)
{
	(void)ctx;
	return va >= VTABLES && va < VTABLES + 64;
}

/* Making */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/** A word that leads into a block, or to what looks like it. */
static uint64_t random_pointer(const struct scene *s, uint64_t *seed)
{
	const struct block *b = &s->blocks[next_random(seed) % s->count];

	switch (next_random(seed) % 8) {
	case 0:
		return b->va + next_random(seed) % (b->bytes + 16);
	case 1:
		return b->va + next_random(seed) % 4 * 8;
	case 2:
		return b->va + next_random(seed) % 12;
	case 3:
		return b->va - 8;
	default:
		return b->va;
	}
}

static uint64_t random_bytes(uint64_t *seed)
{
	switch (next_random(seed) % 12) {
	case 0:
		return next_random(seed) % 60000;
	case 1:
		return next_random(seed) % 200;
	case 2:
		return 0;
	default:
		return 8 + next_random(seed) % 20 * 8;
	}
}

static void fill_block(struct scene *s, const struct block *b, uint64_t *seed)
{
	uint64_t *words = &s->words[(b->va - START) / 8];

	for (size_t i = 0; i < b->bytes / 8; i++)
		if (next_random(seed) % (b->bytes / 8) < 2)
			words[i] = random_pointer(s, seed);
	if (b->bytes >= 32 && next_random(seed) % 6 == 0)
		words[next_random(seed) % 2] = next_random(seed) % b->bytes;
	if (b->bytes >= 32 && next_random(seed) % 6 == 0) {
		words[0] = VTABLES;
		words[b->bytes / 8 - 1] = VTABLES + 8;
	}
}

static void make(struct scene *s, uint64_t seed)
{
	uint64_t va = START, end = START + sizeof(s->words);
	uint64_t most = 2 + next_random(&seed) % (MAX_BLOCKS - 2);

	memset(s, 0, sizeof(*s));
	for (; s->count < most; s->count++) {
		struct block *b = &s->blocks[s->count];

		b->va = va + next_random(&seed) % 3 * 8;
		b->bytes = random_bytes(&seed);
		if (b->va + b->bytes + 64 > end)
			break;
		va = mw_align_up(b->va + mw_max(b->bytes, 1), 8);
	}
	for (size_t i = 0; i < s->count; i++)
		fill_block(s, &s->blocks[i], &seed);
	for (size_t i = 0; i < ROOTS; i++)
		if (next_random(&seed) % 3 == 0)
			s->roots[i] = random_pointer(s, &seed);
	for (size_t i = 0; i < REGISTERS; i++)
		s->registers[i] = random_pointer(s, &seed);
	fake_target_add(&s->target, START, s->words, sizeof(s->words));
	fake_target_add(&s->target, ROOTS_VA, s->roots, sizeof(s->roots));
}

/* The model */

static struct block *block_at(struct scene *s, uint64_t va)
{
	for (size_t i = 0; i < s->count; i++) {
		struct block *b = &s->blocks[i];

		if (va - b->va < mw_max(b->bytes, 1))
			return b;
	}
	return NULL;
}

static const uint64_t *words_of(const struct scene *s, const struct block *b)
{
	return &s->words[(b->va - START) / 8];
}

static void meet(struct scene *s, uint64_t word)
{
	struct block *b = block_at(s, word);

	if (!b)
		return;
	if (word - b->va < 8) {
		b->is_reached = true;
		return;
	}
	b->has_inner = true;
	b->has_near |= word - b->va <= 24;
	b->has_aligned |= word % 8 == 0;
}

static bool is_small(uint64_t word, const struct block *b)
{
	return word > 0 && word <= b->bytes;
}

/** What a pointer to the inside is as good for as one to the start. */
static bool excuses_inner(const struct scene *s, const struct block *b)
{
	const uint64_t *words = words_of(s, b);
	bool has_other = false;

	if (b->has_near && b->bytes > 24 &&
	    (is_small(words[0], b) || is_small((uint32_t)words[0], b) ||
	     is_small(words[1], b)))
		return true;
	if (!b->has_aligned)
		return false;
	for (size_t i = 0; i < b->bytes / 8; i++) {
		if (i < 16 && words[i] == b->va)
			return true;
		has_other |= i > 0 && i < 4096 && is_vtable(NULL, words[i]);
	}
	return is_vtable(NULL, words[0]) && has_other;
}

static void find_reached(struct scene *s)
{
	bool more = true;

	for (size_t i = 0; i < ROOTS; i++)
		meet(s, s->roots[i]);
	for (size_t i = 0; i < REGISTERS; i++)
		meet(s, s->registers[i]);
	for (size_t rounds = 0; more; rounds++) {
		more = false;
		assert_true(rounds <= MAX_BLOCKS);
		for (size_t i = 0; i < s->count; i++) {
			struct block *b = &s->blocks[i];

			if (b->has_inner && excuses_inner(s, b))
				b->is_reached = true;
			// Done with, also counts as not new.
			if (!b->is_reached || b->kind == MW_LEAK_INDIRECT)
				continue;
			b->kind = MW_LEAK_INDIRECT;
			more = true;
			for (size_t w = 0; w < b->bytes / 8; w++)
				meet(s, words_of(s, b)[w]);
		}
	}
	for (size_t i = 0; i < s->count; i++)
		s->blocks[i].kind = MW_LEAK_NONE;
}

static void spread_possible(struct scene *s, struct block *b)
{
	if (b->is_reached || b->is_possible)
		return;
	b->is_possible = true;
	b->kind = MW_LEAK_POSSIBLE;
	for (size_t w = 0; w < b->bytes / 8; w++) {
		struct block *other = block_at(s, words_of(s, b)[w]);

		if (other)
			spread_possible(s, other);
	}
}

static bool is_lost(const struct block *b)
{
	return !b->is_reached && !b->is_possible;
}

/** Which lost block leads to which, over any number of others. */
static void find_ways(struct scene *s)
{
	for (size_t i = 0; i < s->count; i++)
		for (size_t w = 0; w < s->blocks[i].bytes / 8; w++) {
			struct block *to = block_at(
				s, words_of(s, &s->blocks[i])[w]);

			if (to && is_lost(to) && is_lost(&s->blocks[i]))
				s->leads[i][to - s->blocks] = true;
		}
	for (size_t via = 0; via < s->count; via++)
		for (size_t i = 0; i < s->count; i++)
			for (size_t j = 0; s->leads[i][via] && j < s->count;
			     j++)
				s->leads[i][j] |= s->leads[via][j];
}

/** Whether another lost block leads to @i: of a ring, one below it. */
static bool is_below_another(const struct scene *s, size_t i)
{
	for (size_t j = 0; j < s->count; j++)
		if (j != i && s->leads[j][i] && (!s->leads[i][j] || j < i))
			return true;
	return false;
}

static void find_lost(struct scene *s)
{
	bool is_counted[MAX_BLOCKS] = { false };

	find_ways(s);
	for (size_t i = 0; i < s->count; i++)
		if (is_lost(&s->blocks[i]))
			s->blocks[i].kind = is_below_another(s, i)
						    ? MW_LEAK_INDIRECT
						    : MW_LEAK_DEFINITE;
	for (size_t i = s->count; i-- > 0;) {
		struct block *b = &s->blocks[i];

		for (size_t j = 0; j < s->count; j++) {
			if (b->kind != MW_LEAK_DEFINITE || j == i ||
			    !s->leads[i][j] || is_counted[j])
				continue;
			is_counted[j] = true;
			b->others++;
			b->other_bytes += s->blocks[j].bytes;
		}
	}
}

static void model(struct scene *s)
{
	find_reached(s);
	for (size_t i = 0; i < s->count; i++)
		if (s->blocks[i].has_inner)
			spread_possible(s, &s->blocks[i]);
	find_lost(s);
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
		.is_vtable = is_vtable,
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

		make(s, seed * UINT64_C(0x9e3779b97f4a7c15));
		model(s);
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
	make(s, 12345);
	model(s);
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
