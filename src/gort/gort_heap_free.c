/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_heap.h"

/*
 * Pages without a span are described by pageAlloc: chunks[i >> 13][i & 8191]
 * is a pallocData for 4 MiB, 512 bits "allocated" and then 512 "scavenged".
 *
 *	not allocated, not scavenged	idle: kept by the runtime
 *	not allocated, scavenged	returned to the kernel
 *	allocated, in a P's page cache	idle, or returned, by the P's bits
 *	allocated, but nothing has it	idle: on the way to a span, or to the
 *					kernel
 *	allocated, scavenged		skipped when the heap began at a random
 *					page (1.26); the runtime counts it as
 *					returned
 *	not in pageAlloc.inUse		never used
 */

#define CHUNK_PAGES (GO_CHUNK_BYTES / GO_PAGE_BYTES)
#define CHUNKS_L2_ENTRIES 8192

/** Pages that a P holds ready: allocated in the bitmap, but free. */
static struct mw_error *add_page_cache(struct mw_go *go, uint64_t index,
				       uint64_t p, void *ctx)
{
	uint64_t at = p + go_off(go, GO_p_pcache);
	uint64_t base, cache, scav = 0;

	(void)index;
	(void)ctx;
	if (!go_read(go, at, GO_pageCache_base, &base) ||
	    !go_read(go, at, GO_pageCache_cache, &cache) ||
	    !go_read(go, at, GO_pageCache_scav, &scav))
		return NULL;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t *place;

		if (!(cache >> bit & 1))
			continue;
		place = mw_map64_at(&go->cached_pages,
				    base / GO_PAGE_BYTES + bit);
		if (!place)
			return mw_error_nomem();
		*place = 1 + (scav >> bit & 1);
	}
	return NULL;
}

struct mw_error *go_find_page_caches(struct mw_go *go)
{
	struct go_slice ps;

	if (!go_has(go, GO_p_pcache) || !go_has(go, GO_pageCache_base) ||
	    !go_read_ps(go, &ps))
		return NULL;
	return go_each_pointer(go, ps.ptr, ps.len, add_page_cache, NULL);
}

static struct mw_error *add_grown(struct mw_go *go, uint64_t start,
				  uint64_t end)
{
	struct go_range *range;

	if (start >= end)
		return NULL;
	range = mw_vec_push(&go->grown);
	if (!range)
		return mw_error_nomem();
	*range = (struct go_range){ start, end };
	return NULL;
}

/** Before there was a page allocator, all is in use but for the last arena. */
static struct mw_error *add_grown_regions(struct mw_go *go)
{
	struct mw_error *error = NULL;
	uint64_t base, end;

	if (!go_read(go, go->mheap, GO_mheap_curArena_base, &base) ||
	    !go_read(go, go->mheap, GO_mheap_curArena_end, &end) || base > end)
		base = end = 0;
	for (size_t i = 0; !error && i < go->regions.n; i++) {
		const struct go_region *r = &go->regions.v[i];
		uint64_t from = mw_min(mw_max(base, r->start), r->end);

		error = add_grown(go, r->start, base == end ? r->end : from);
		if (!error && base != end)
			error = add_grown(go, mw_max(from, mw_min(end, r->end)),
					  r->end);
	}
	return error;
}

struct mw_error *go_find_grown(struct mw_go *go)
{
	enum { LIMIT = 1 << 20 };
	struct go_slice slice;
	uint64_t at = go->mheap + go_off(go, GO_mheap_pages) +
		      go_off(go, GO_pageAlloc_inUse);

	go->grown.n = 0;
	if (!go_has(go, GO_pageAlloc_inUse))
		return add_grown_regions(go);
	if (!go_read_slice(go, at, &slice))
		return NULL;
	for (uint64_t i = 0; i < mw_min(slice.len, LIMIT); i++) {
		uint64_t words[2];
		struct mw_error *error;

		if (!mw_target_read(go->target, slice.ptr + i * sizeof(words),
				    words, sizeof(words)) ||
		    words[0] >= words[1])
			break;
		error = add_grown(go, words[0], words[1]);
		if (error)
			return error;
	}
	return NULL;
}

/** End of the stretch from @va on that was grown, or was not. */
static uint64_t grown_until(const struct mw_go *go, uint64_t va,
			    bool *ret_grown)
{
	// There are few ranges: a heap grows upwards from one address.
	for (size_t i = 0; i < go->grown.n; i++) {
		const struct go_range *r = &go->grown.v[i];

		if (va < r->end) {
			*ret_grown = va >= r->start;
			return *ret_grown ? r->end : r->start;
		}
	}
	*ret_grown = false;
	return UINT64_MAX;
}

/* Their bits */

static void read_chunk(const struct mw_go *go, uint64_t chunk,
		       struct go_chunk_bits *bits)
{
	uint64_t chunks = go->mheap + go_off(go, GO_mheap_pages) +
			  go_off(go, GO_pageAlloc_chunks);
	uint8_t data[2 * GO_CHUNK_BITMAP_BYTES];
	uint64_t l2;

	bits->chunk = chunk;
	bits->known =
		go_has(go, GO_pageAlloc_chunks) &&
		mw_target_read_u64(go->target,
				   chunks + chunk / CHUNKS_L2_ENTRIES * 8,
				   &l2) &&
		l2 &&
		mw_target_read(go->target,
			       l2 + chunk % CHUNKS_L2_ENTRIES * sizeof(data),
			       data, sizeof(data));
	if (bits->known) {
		memcpy(bits->allocated, data, GO_CHUNK_BITMAP_BYTES);
		memcpy(bits->scavenged, data + GO_CHUNK_BITMAP_BYTES,
		       GO_CHUNK_BITMAP_BYTES);
	}
}

static bool bit(const uint8_t *bits, uint64_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/** Make @bits those of the page at @va; false when there are none. */
static bool at_page(const struct mw_go *go, uint64_t va,
		    struct go_chunk_bits *bits)
{
	uint64_t chunk = (va + GO_BASE_OFFSET) / GO_CHUNK_BYTES;

	if (bits->chunk != chunk)
		read_chunk(go, chunk, bits);
	return bits->known;
}

/**
 * The account of a page on its way: taken from the free ones, for a span that
 * is not set up yet, for a P's page cache, or by the scavenger, which takes what
 * it gives back (since 1.16). Until that is done the runtime counts it as idle,
 * too. Unless it may be that a span has it which could not be made out.
 */
static mw_account_id account_on_its_way(const struct mw_go *go)
{
	return mw_target_info(go->target)->mode != MW_CAPTURE_LIVE &&
			       mw_target_info(go->target)->unhalted == 0 &&
			       go->drift.torn_spans == 0
		       ? go->accounts.idle
		       : go->accounts.torn;
}

/** The account of a page that no span covers. */
static mw_account_id page_account(struct mw_go *go, uint64_t va,
				  struct go_chunk_bits *bits)
{
	const struct go_accounts *a = &go->accounts;
	uint64_t page = va / GO_PAGE_BYTES % CHUNK_PAGES;
	const uint64_t *cached;

	// Without a page allocator every page has a span, but for one that is
	// just being cut in two.
	if (!go_has(go, GO_pageAlloc_chunks))
		return account_on_its_way(go);
	if (!at_page(go, va, bits))
		return a->reserved;
	if (!bit(bits->allocated, page))
		return bit(bits->scavenged, page) ? a->scavenged : a->idle;
	cached = mw_map64_find(&go->cached_pages, va / GO_PAGE_BYTES);
	if (cached)
		return *cached > 1 ? a->scavenged : a->idle;
	if (bit(bits->scavenged, page))
		return a->scavenged;
	return account_on_its_way(go);
}

void go_report_free_pages(struct mw_go *go, uint64_t va, uint64_t end,
			  struct go_chunk_bits *bits, struct mw_parts *parts)
{
	while (va < end) {
		bool grown;
		uint64_t until = mw_min(grown_until(go, va, &grown), end);

		if (!grown) {
			mw_part_range(parts, va, until - va,
				      go->accounts.reserved);
			va = until;
			continue;
		}
		while (va < until) {
			mw_account_id account = page_account(go, va, bits);
			uint64_t start = va;

			do
				va += GO_PAGE_BYTES;
			while (va < until &&
			       page_account(go, va, bits) == account);
			mw_part_range(parts, start, va - start, account);
			if (account == go->accounts.torn)
				go->drift.torn_bytes += va - start;
		}
	}
}
