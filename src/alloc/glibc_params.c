/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "glibc_int.h"

/*
 * mp_, the parameters of malloc: where the main heap begins, and how many
 * blocks came from mmap. It stands some hundred bytes from the main arena; what
 * is known of its members tells it from its neighbours.
 */
#define AROUND MW_KIB(16)
#define LARGEST 144
#define LEAST_SCORE 6

struct look {
	struct glibc *glibc;
	const struct glibc_params_layout *layout;
	const uint8_t *at;
};

static uint64_t u64_at(const struct look *l, uint32_t offset)
{
	return offset == GLIBC_NONE ? 0 : mw_u64(l->at + offset);
}

static uint64_t u32_at(const struct look *l, uint32_t offset)
{
	return mw_u32(l->at + offset);
}

/** Whether @bytes is 0 or the size of a huge page. */
static bool is_huge_or_none(uint64_t bytes)
{
	return bytes == 0 || (bytes >= MW_KIB(64) && bytes <= MW_GIB(16) &&
			      (bytes & (bytes - 1)) == 0);
}

/**
 * Whether @n mmapped blocks may be said to have @mem bytes: whole pages, and
 * perhaps tails that were counted twice (see glibc_mmapped.c).
 */
static bool is_sum_of_blocks(const struct glibc_arena_layout *layout,
			     uint64_t n, uint64_t mem)
{
	if (layout->mmapped_tail)
		return mem % layout->mmapped_tail == 0 && (n == 0 || mem > 0);
	return mw_is_aligned(mem, MW_PAGE_BYTES) && (n == 0) == (mem == 0);
}

/** How much speaks for an mp_; 0 when it cannot be one. */
static unsigned rate(const struct look *l)
{
	const struct glibc_params_layout *p = l->layout;
	uint64_t n = u32_at(l, p->n_mmaps), most = u32_at(l, p->max_n_mmaps);
	uint64_t mem = u64_at(l, p->mmapped_mem);
	uint64_t most_mem = u64_at(l, p->max_mmapped_mem);
	uint64_t base = u64_at(l, p->sbrk_base);
	uint64_t bins = u64_at(l, p->tcache_bins);
	uint64_t count = u64_at(l, p->tcache_count);
	unsigned score = 0;

	if (n > most || mem > most_mem ||
	    !is_sum_of_blocks(l->glibc->layout, n, mem) ||
	    !is_huge_or_none(u64_at(l, p->thp_pagesize)) ||
	    !is_huge_or_none(u64_at(l, p->hp_pagesize)) || bins > 128 ||
	    count > UINT16_MAX)
		return 0;
	// The break can be anywhere: up to 2.33 the loader itself moves it by
	// the length of GLIBC_TUNABLES.
	if (base != 0 &&
	    mw_mappings_find(mw_target_mappings(l->glibc->target), base))
		score += 2;
	// What M_MMAP_MAX, M_ARENA_TEST and the tunables are without a wish.
	score += u32_at(l, p->n_mmaps_max) == 65536;
	score += u64_at(l, p->arena_test) == 8;
	score += bins == 64;
	score += count == 7 || count == 16;
	score += u64_at(l, p->tcache_max_bytes) >= 1032 &&
		 u64_at(l, p->tcache_max_bytes) <= 1041;
	score += u64_at(l, p->mmap_threshold) >= MW_KIB(128) &&
		 u64_at(l, p->mmap_threshold) <= MW_MIB(32) + MW_PAGE_BYTES;
	// Four words that agree: enough where M_MMAP_MAX and others were set and
	// nothing is in the break.
	if (n > 0 && mem / n >= MW_PAGE_BYTES &&
	    is_sum_of_blocks(l->glibc->layout, most, most_mem))
		score += 2;
	return score;
}

static void take(struct glibc *glibc, const struct look *l, uint64_t va)
{
	const struct glibc_params_layout *p = l->layout;

	glibc->params = (struct glibc_params){
		.va = va,
		.n_mmaps = u32_at(l, p->n_mmaps),
		.mmapped_mem = u64_at(l, p->mmapped_mem),
		.sbrk_base = u64_at(l, p->sbrk_base),
		.thp_pagesize = u64_at(l, p->thp_pagesize),
		.hp_pagesize = u64_at(l, p->hp_pagesize),
	};
}

void glibc_find_params(struct glibc *glibc)
{
	static uint8_t empty[LARGEST];
	uint8_t page[MW_PAGE_BYTES + LARGEST];
	uint64_t start = mw_align_down(glibc->main_arena - AROUND,
				       MW_PAGE_BYTES);
	size_t count;
	const struct glibc_params_layout *layouts =
		glibc_params_layouts(&count);
	unsigned best = LEAST_SCORE - 1;
	struct look l = { .glibc = glibc };

	for (uint64_t va = start; va < start + 2 * AROUND;
	     va += MW_PAGE_BYTES) {
		// The tail is the head of the next page, if there is one.
		if (!mw_target_search(glibc->target, va, page, MW_PAGE_BYTES))
			continue;
		if (!mw_target_search(glibc->target, va + MW_PAGE_BYTES,
				      page + MW_PAGE_BYTES, LARGEST))
			memcpy(page + MW_PAGE_BYTES, empty, LARGEST);
		for (size_t at = 0; at < MW_PAGE_BYTES; at += 8)
			for (size_t i = 0; i < count; i++) {
				unsigned score;

				l.at = page + at;
				l.layout = &layouts[i];
				score = rate(&l);
				if (score <= best)
					continue;
				best = score;
				take(glibc, &l, va + at);
				mw_target_keep(glibc->target, va + at, LARGEST);
			}
	}
}
