/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_stats.h"

/*
 * The heap's counters up to Go 1.15 (mstats.go: updatememstats). Sizes are kept
 * in memstats itself. Objects are counted where it was cheapest:
 *
 *	mheap_.central[].nmalloc	slots handed to the Ps, by span class
 *	mheap_.largealloc …		large objects
 *	mheap_.nsmallfree[] …		what was freed, by size class
 *	mcache.local_* …		the same, of which mheap_ does not know yet
 */

#define MAX_CENTRALS 512

bool go_has_old_counters(const struct mw_go *go)
{
	return go_has(go, GO_mcentral_nmalloc) &&
	       go_has(go, GO_mheap_central_elem) &&
	       go_has(go, GO_mheap_nsmallfree) &&
	       go_has(go, GO_mstats_heap_inuse) &&
	       go_has(go, GO_mstats_heap_idle) &&
	       go_has(go, GO_mstats_stacks_inuse);
}

static uint64_t heap(const struct mw_go *go, enum go_field field)
{
	uint64_t value;

	return go_now(go, go->mheap, field, &value) ? value : 0;
}

static bool add_centrals(const struct mw_go *go, struct go_heap_sums *s)
{
	uint64_t stride = go_size(go, GO_mheap_central_elem);
	uint64_t count = go_size(go, GO_mheap_central) / stride;

	for (uint64_t i = 0; i < mw_min(count, MAX_CENTRALS) &&
			     i / 2 < MW_GO_MAX_CLASSES; i++) {
		uint64_t made;

		if (!go_now(go,
			    go->mheap + go_off(go, GO_mheap_central) +
				    i * stride,
			    GO_mcentral_nmalloc, &made))
			return false;
		s->allocs[i / 2] += made;
	}
	return true;
}

bool go_sum_old(const struct mw_go *go, const uint8_t *memstats,
		struct go_heap_sums *ret)
{
	struct go_heap_sums s = { 0 };
	size_t classes = mw_min(go_size(go, GO_mheap_nsmallfree) / 8,
				MW_GO_MAX_CLASSES);

#define GET(field) go_get(go, memstats, field)
	s.in_heap = GET(GO_mstats_heap_inuse);
	s.in_stacks = GET(GO_mstats_stacks_inuse);
	s.released = go_has(go, GO_mstats_heap_released)
			     ? GET(GO_mstats_heap_released) : 0;
	// As it is since 1.16: what is mapped and not given back.
	s.committed = s.in_heap + s.in_stacks + GET(GO_mstats_heap_idle) -
		      s.released;
	if (go_has(go, GO_mstats_tinyallocs))
		s.tiny_allocs = GET(GO_mstats_tinyallocs);
#undef GET
	s.large_alloc = heap(go, GO_mheap_largealloc);
	s.large_alloc_count = heap(go, GO_mheap_nlargealloc);
	s.large_free = heap(go, GO_mheap_largefree);
	s.large_free_count = heap(go, GO_mheap_nlargefree);
	if (!go_read_now(go, go->mheap + go_off(go, GO_mheap_nsmallfree),
			 s.frees, classes * sizeof(*s.frees)) ||
	    !add_centrals(go, &s))
		return false;
	s.frees[0] = 0;
	*ret = s;
	return true;
}

void go_flush_old(const struct mw_go *go, const uint8_t *bytes,
		  struct go_flush *flush)
{
	size_t classes = mw_min(go_size(go, GO_mcache_local_nsmallfree) / 8,
				MW_GO_MAX_CLASSES);

#define GET(field) (go_has(go, field) ? go_get(go, bytes, field) : 0)
	flush->tiny_allocs += GET(GO_mcache_local_tinyallocs);
	flush->large_free += GET(GO_mcache_local_largefree);
	flush->large_free_count += GET(GO_mcache_local_nlargefree);
#undef GET
	for (size_t i = 1; i < classes; i++)
		flush->frees[i] +=
			mw_u64(bytes +
			       go_off(go, GO_mcache_local_nsmallfree) + 8 * i);
}
