/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_int.h"

/* The module's four data areas, copied, and the search in them. */

/** The linker sorts symbols by size, so the runtime's come early. */
#define MAX_AREA MW_MIB(8)

/** bss and noptrbss first: most of the runtime's variables lie there. */
static const uint8_t area_order[] = { 2, 3, 0, 1 };

/** Note which words may be pointers. */
static bool note_words(struct mw_go *go)
{
	for (size_t i = 0; i < MW_COUNT(area_order); i++) {
		const struct go_area *a = &go->areas[area_order[i]];

		for (size_t at = 0; at + 8 <= a->size; at += 8) {
			struct go_word *word;

			if (!go_could_be_pointer(mw_u64(a->bytes + at)))
				continue;
			word = mw_vec_push(&go->words);
			if (!word)
				return false;
			*word = (struct go_word){ area_order[i], (uint32_t)at };
		}
	}
	return true;
}

bool go_load_areas(struct mw_go *go)
{
	const struct go_range *ranges[] = {
		&go->module.noptrdata,
		&go->module.data,
		&go->module.bss,
		&go->module.noptrbss,
	};

	for (size_t i = 0; i < MW_COUNT(ranges); i++) {
		struct go_area *area = &go->areas[i];
		uint64_t va = mw_align_up(ranges[i]->start, 8);
		uint64_t size = ranges[i]->end > va ? ranges[i]->end - va : 0;

		area->va = va;
		area->size = mw_min(size, MAX_AREA) & ~UINT64_C(7);
		area->bytes = mw_calloc(area->size, 1);
		if (!area->bytes) {
			area->size = 0;
			return false;
		}
		for (uint64_t at = 0; at < area->size;) {
			uint64_t take = mw_min(
				area->size - at,
				MW_PAGE_BYTES -
					((va + at) & (MW_PAGE_BYTES - 1)));

			// What cannot be read stays zero.
			if (!mw_target_search(go->target, va + at,
					      area->bytes + at, take))
				memset(area->bytes + at, 0, take);
			at += take;
		}
	}
	return note_words(go);
}

void go_free_areas(struct mw_go *go)
{
	for (size_t i = 0; i < MW_COUNT(go->areas); i++) {
		mw_free(go->areas[i].bytes);
		go->areas[i] = (struct go_area){ 0 };
	}
	mw_vec_free(&go->words);
}

uint64_t go_find_word(struct mw_go *go, uint64_t before,
		     bool (*test)(struct mw_go *go, uint64_t va,
				  const uint8_t *bytes, size_t left, void *ctx),
		     void *ctx)
{
	for (size_t i = 0; i < go->words.n; i++) {
		const struct go_area *a = &go->areas[go->words.v[i].area];
		uint64_t at = go->words.v[i].offset;

		if (at < before)
			continue;
		at -= before;
		if (test(go, a->va + at, a->bytes + at, a->size - at, ctx))
			return a->va + at;
	}
	return 0;
}

uint64_t go_find_anywhere(struct mw_go *go,
			  bool (*test)(const struct mw_go *go,
				       const uint8_t *bytes, size_t left))
{
	for (size_t i = 0; i < MW_COUNT(area_order); i++) {
		const struct go_area *a = &go->areas[area_order[i]];

		for (size_t at = 0; at + 8 <= a->size; at += 8)
			if (test(go, a->bytes + at, a->size - at))
				return a->va + at;
	}
	return 0;
}
