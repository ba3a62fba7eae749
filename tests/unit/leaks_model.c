/* SPDX-License-Identifier: Apache-2.0 */
#include "leaks_model.h"
#include "mw_test.h"

bool leaks_scene_is_vtable(void *ctx, uint64_t va)
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

void leaks_scene_make(struct scene *s, uint64_t seed)
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
		has_other |= i > 0 && i < 4096 &&
			     leaks_scene_is_vtable(NULL, words[i]);
	}
	return leaks_scene_is_vtable(NULL, words[0]) && has_other;
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

void leaks_scene_solve(struct scene *s)
{
	find_reached(s);
	for (size_t i = 0; i < s->count; i++)
		if (s->blocks[i].has_inner)
			spread_possible(s, &s->blocks[i]);
	find_lost(s);
}
