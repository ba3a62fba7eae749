/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAKS_MODEL_H
#define LEAKS_MODEL_H

#include "fake_target.h"
#include "mw_leaks.h"

/*
 * Random blocks with random pointers, and a model of the search that takes the
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

/** Where vtables would be, as the search asks for them. */
bool leaks_scene_is_vtable(void *ctx, uint64_t va);
/** Make random blocks, roots and registers with pointers to them. */
void leaks_scene_make(struct scene *s, uint64_t seed);
/** What is lost of them, and how. */
void leaks_scene_solve(struct scene *s);

#endif
