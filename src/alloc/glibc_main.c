/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "glibc_int.h"

/*
 * Where the main arena's chunks lie: from mp_.sbrk_base to the end of the
 * program break, as a rule. Where the break cannot grow (something is in its
 * way, a limit, glibc.malloc.hugetlb=2), malloc takes anonymous mappings for
 * it, which no list has. Each begins, on a page, with a chunk that has
 * PREV_INUSE, and ends with two fenceposts, or with the top. They are looked
 * for when malloc_state.system_mem says that there is more.
 */
#define MAX_PAGES (1 << 20) /* tried for a first chunk */

struct search {
	struct glibc *glibc;
	struct glibc_arena *arena;
	uint64_t missing; /* bytes of system_mem that are not found yet */
	uint64_t pages;	  /* that may still be tried */
	uint64_t budget;  /* bytes that may still be read */
};

/** End of the mappings that continue @m and are like it. */
static uint64_t run_end(const struct mw_mappings *maps,
			const struct mw_mapping *m)
{
	uint64_t end = m->end;
	const char *path = mw_mapping_path(maps, m);

	for (; m < maps->list.v + maps->list.n && m->start <= end; m++) {
		if (!mw_mapping_is_anonymous(m) || !(m->perms & MW_PERM_W) ||
		    strcmp(path, mw_mapping_path(maps, m)) != 0)
			break;
		end = m->end;
	}
	return end;
}

static bool is_break(const struct mw_mappings *maps,
		     const struct mw_mapping *m)
{
	return m && strcmp(mw_mapping_path(maps, m), "[heap]") == 0;
}

bool glibc_has_break(struct glibc *glibc)
{
	const struct mw_mappings *maps = mw_target_mappings(glibc->target);
	uint64_t top;

	return glibc_word(glibc, glibc->main_arena + glibc->layout->top,
			  &top) &&
	       is_break(maps, mw_mappings_find(maps, top));
}

/**
 * Where the region ends whose first chunk stands at @start: behind the top, or
 * behind two fenceposts. 0: no such region before @limit.
 */
static uint64_t region_end(struct search *s, uint64_t start, uint64_t limit)
{
	uint64_t va = start, end = 0, was_fence = 0;
	const uint8_t *bytes = NULL;

	while (va + CHUNK_HEAD_BYTES <= limit) {
		uint64_t head, size;

		if (!bytes || va >= end) {
			end = mw_min(mw_align_down(va, MW_PAGE_BYTES) +
					     MW_PAGE_BYTES, limit);
			bytes = mw_target_view(s->glibc->target, va, end - va);
			if (!bytes || s->budget < MW_PAGE_BYTES)
				return 0;
			s->budget -= MW_PAGE_BYTES;
			bytes -= va - mw_align_down(va, MW_PAGE_BYTES);
		}
		head = mw_u64(bytes + va % MW_PAGE_BYTES + CHUNK_SIZE);
		mw_target_keep(s->glibc->target, va + CHUNK_SIZE, 8);
		size = head & ~(uint64_t)SIZE_FLAGS;
		if ((head & (IS_MMAPPED | NON_MAIN_ARENA | 8)) ||
		    (va == start && !(head & PREV_INUSE)) ||
		    size > limit - va)
			return 0;
		if (va == s->arena->top)
			return va + size;
		if (size == CHUNK_HEAD_BYTES && was_fence)
			return mw_align_up(va + size, MW_PAGE_BYTES);
		was_fence = size == CHUNK_HEAD_BYTES;
		if (size < CHUNK_MIN && (!was_fence || va == start))
			return 0;
		va += size;
	}
	return 0;
}

static struct mw_error *add(struct search *s, uint64_t start, uint64_t end)
{
	const struct mw_mappings *maps = mw_target_mappings(s->glibc->target);

	s->missing -= mw_min(s->missing, end - start);
	return glibc_add_region(s->glibc, &(struct glibc_region){
		.arena = s->arena,
		.start = start,
		.chunks = mw_align_up(start, CHUNK_ALIGN),
		.end = end,
		.limit = end,
		.is_break = is_break(maps, mw_mappings_find(maps, start)),
	});
}

/** The end of the heap of a thread arena at @va, or @va. */
static uint64_t behind_heaps(const struct glibc *glibc, uint64_t va)
{
	for (size_t i = 0; i < glibc->regions.n; i++) {
		const struct glibc_region *r = glibc->regions.v[i];

		if (va >= r->start && va < r->limit)
			return r->limit;
	}
	return va;
}

static struct mw_error *search_mapping(struct search *s,
				       const struct mw_mapping *m)
{
	const struct mw_pages *pages = mw_target_pages(s->glibc->target);
	struct mw_error *error = NULL;
	uint64_t va = m->start;

	while (!error && va < m->end && s->missing > 0 && s->pages > 0) {
		uint64_t next = behind_heaps(s->glibc, va), end;

		if (next > va) {
			va = mw_align_up(next, MW_PAGE_BYTES);
			continue;
		}
		s->pages--;
		end = mw_pages_state(pages, va) & MW_PAGE_PRESENT
			      ? region_end(s, va, m->end)
			      : 0;
		if (end)
			error = add(s, va, end);
		va = end ? mw_align_up(end, MW_PAGE_BYTES)
			 : va + MW_PAGE_BYTES;
	}
	return error;
}

struct mw_error *glibc_find_main_regions(struct glibc *glibc)
{
	const struct mw_mappings *maps = mw_target_mappings(glibc->target);
	struct glibc_arena *arena = glibc->arenas.v[0];
	const struct mw_mapping *first =
		mw_mappings_find(maps, glibc->params.sbrk_base);
	const struct mw_mapping *last = mw_mappings_find(maps, arena->top);
	struct search s = { .glibc = glibc, .arena = arena,
			    .pages = MAX_PAGES };
	struct mw_error *error = NULL;

	if (!glibc_word(glibc, arena->va + glibc->layout->system_mem,
			&s.missing) || s.missing == 0)
		return NULL;
	s.budget = s.missing + MW_PAGE_BYTES * MAX_PAGES;
	if (is_break(maps, first))
		error = add(&s, glibc->params.sbrk_base, run_end(maps, first));
	else if (is_break(maps, last))
		error = add(&s, last->start, run_end(maps, last));
	for (size_t i = maps->list.n; !error && i > 0 && s.missing > 0; i--) {
		const struct mw_mapping *m = &maps->list.v[i - 1];

		if (glibc_may_hold_blocks(maps, m) && !is_break(maps, m))
			error = search_mapping(&s, m);
	}
	return error;
}
