/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"
#include "mw_search.h"

/*
 * From a page of the heap to its span (runtime/mheap.go), and the regions that
 * the heap lies in.
 *
 * Since Go 1.11: arenas of 64 MiB anywhere. mheap_.arenas[0] has a pointer for
 * each that there could be, to a heapArena whose `spans` has one for each page.
 *
 * To Go 1.10: one arena, mapped as it grows, with two arrays before it:
 *
 *	spans	a pointer to an mspan for each page, mapped up to its length
 *	bitmap	2 bits a word, grows down from mheap_.bitmap
 *	arena	[arena_start, arena_used)
 *
 * Entries of freed spans stay, so one counts only when the mspan covers the
 * page.
 */

#define MAX_REGIONS 65536
#define MAX_ARENA MW_GIB(512)

bool go_has_index(const struct mw_go *go)
{
	return (go_has(go, GO_mheap_arenas) &&
		go_has(go, GO_heapArena_spans)) ||
	       (go_has(go, GO_mheap_spans) &&
		go_has(go, GO_mheap_arena_start) &&
		go_has(go, GO_mheap_arena_used) &&
		go_has(go, GO_mheap_bitmap) &&
		go_has(go, GO_mheap_bitmap_mapped));
}

bool go_load_index(struct mw_go *go, uint64_t mheap)
{
	if (!go_has(go, GO_mheap_spans))
		return mw_target_read_u64(go->target,
					  mheap + go_off(go, GO_mheap_arenas),
					  &go->l2) &&
		       (go->l2 || go->is_new) &&
		       mw_is_aligned(go->l2, MW_PAGE_BYTES);
	return go_read_slice(go, mheap + go_off(go, GO_mheap_spans),
			     &go->page_spans) &&
	       go->page_spans.ptr &&
	       mw_is_aligned(go->page_spans.ptr, MW_PAGE_BYTES) &&
	       go->page_spans.cap <= MAX_ARENA / GO_PAGE_BYTES &&
	       go_read(go, mheap, GO_mheap_arena_start, &go->arena_start) &&
	       go->arena_start &&
	       mw_is_aligned(go->arena_start, GO_PAGE_BYTES);
}

bool go_index_span(const struct mw_go *go, uint64_t va, uint64_t *ret)
{
	uint64_t page, spans;

	if (go_has(go, GO_mheap_spans)) {
		if (va < go->arena_start)
			return false;
		page = (va - go->arena_start) / GO_PAGE_BYTES;
		spans = go->page_spans.ptr;
		if (page >= go->page_spans.len)
			return false;
	} else {
		uint64_t arena = (va + GO_BASE_OFFSET) / GO_ARENA_BYTES;

		if (arena >= GO_L2_ENTRIES ||
		    !mw_target_copy(go->target, go->l2 + arena * 8, &spans,
				    sizeof(spans)) ||
		    !spans)
			return false;
		page = va / GO_PAGE_BYTES % GO_ARENA_PAGES;
		spans += go_off(go, GO_heapArena_spans);
	}
	return mw_target_copy(go->target, spans + page * 8, ret, sizeof(*ret));
}

/* Regions */

static struct mw_error *add_arena(struct mw_go *go, uint64_t index,
				  uint64_t heap_arena, void *ctx)
{
	uint64_t start = index * GO_ARENA_BYTES - GO_BASE_OFFSET;
	struct go_region *last =
		go->regions.n ? &go->regions.v[go->regions.n - 1] : NULL;
	uint64_t *known = mw_map64_at(&go->heap_arenas, heap_arena);

	(void)ctx;
	if (!known)
		return mw_error_nomem();
	// Two arenas with one heapArena, or none at all, are damage.
	if (*known || !go_is_mapped(go, heap_arena,
				    go_size(go, GO_heapArena)))
		return NULL;
	*known = index + 1;
	if (last && last->end == start) {
		last->end = start + GO_ARENA_BYTES;
		return NULL;
	}
	if (go->regions.n >= MAX_REGIONS)
		return mw_error_at(MW_E_LIMIT, go->l2, "more than %d separate "
				   "heap regions", MAX_REGIONS);
	last = mw_vec_push(&go->regions);
	if (!last)
		return mw_error_nomem();
	*last = (struct go_region){
		.go = go,
		.start = start,
		.end = start + GO_ARENA_BYTES,
	};
	return NULL;
}

/** The one arena of older releases, as far as it was mapped when we looked. */
static struct mw_error *add_only_arena(struct mw_go *go)
{
	const struct mw_mappings *maps = mw_target_mappings(go->target);
	uint64_t start = go->arena_start, end = start, used;
	struct go_region *region;

	if (!go_read(go, go->mheap, GO_mheap_arena_used, &used) ||
	    used < start || used - start > MAX_ARENA)
		return mw_error_at(MW_E_FORMAT, go->mheap,
				   "the heap's bounds are damaged");
	for (size_t i = mw_mappings_after(maps, start); i < maps->list.n; i++) {
		if (end >= used || maps->list.v[i].start > end)
			break;
		end = maps->list.v[i].end;
	}
	end = mw_align_down(mw_min(end, used), GO_PAGE_BYTES);
	if (end <= start)
		return NULL;
	region = mw_vec_push(&go->regions);
	if (!region)
		return mw_error_nomem();
	*region = (struct go_region){ .go = go, .start = start, .end = end };
	return NULL;
}

struct mw_error *go_find_regions(struct mw_go *go)
{
	if (!go_load_index(go, go->mheap) ||
	    !go_read_slice(go, go->mheap + go_off(go, GO_mheap_allspans),
			   &go->allspans))
		return mw_error_at(MW_E_ABSENT, go->mheap,
				   "the heap's description cannot be read");
	go->regions.n = 0;
	mw_map64_free(&go->heap_arenas);
	if (!go_has(go, GO_mheap_spans) && !go->l2)
		return NULL;
	return go_has(go, GO_mheap_spans)
		       ? add_only_arena(go)
		       : go_each_pointer(go, go->l2, GO_L2_ENTRIES, add_arena,
					 NULL);
}

const struct go_region *go_region_of(const struct mw_go *go, uint64_t va)
{
	size_t at = mw_first(i, 0, go->regions.n, go->regions.v[i].end > va);

	return at < go->regions.n && go->regions.v[at].start <= va
		       ? &go->regions.v[at]
		       : NULL;
}

bool go_in_heap(const struct mw_go *go, uint64_t va)
{
	return go_region_of(go, va) != NULL;
}
