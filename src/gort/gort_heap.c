/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gort_int.h"
#include "mw_guard.h"

/*
 * The heap (runtime/mheap.go, mpagealloc.go; Go 1.11 and later).
 *
 * Arenas of 64 MiB; the arena index leads to a heapArena each, whose `spans`
 * has a pointer to an mspan for each page of 8 KiB. Entries of freed spans
 * stay, so one counts only when the mspan is in use and covers the page.
 *
 * Pages without a span are described by pageAlloc: chunks[i >> 13][i & 8191]
 * is a pallocData for 4 MiB, 512 bits "allocated" and then 512 "scavenged".
 *
 *	not allocated, not scavenged	idle: kept by the runtime
 *	not allocated, scavenged	returned to the kernel
 *	allocated, in a P's page cache	idle
 *	allocated, scavenged		skipped when the heap began at a random
 *					page (1.26): never used
 *	in mheap_.curArena, or no chunk	never used
 */

#define MAX_REGIONS 65536
#define CHUNK_PAGES (GO_CHUNK_BYTES / GO_PAGE_BYTES)
#define CHUNK_BITMAP_BYTES 64 /* each of the two */
#define CHUNKS_L2_ENTRIES 8192

/** Room for the largest mspan, and for a word read at its last byte. */
#define SPAN_ROOM 256

bool go_make_span_reader(struct mw_go *go)
{
	struct go_span_reader *r = &go->span_reader;

	if (go_size(go, GO_mspan) + 8 > SPAN_ROOM)
		return false;
#define READER(member, field)                                              \
	do {                                                               \
		uint64_t bytes = go_size(go, field);                       \
		if (bytes == 0 || bytes > 8)                               \
			return false;                                      \
		r->member.offset = (uint32_t)go_off(go, field);            \
		r->member.mask = UINT64_MAX >> (64 - 8 * bytes);           \
	} while (0)
	READER(start, GO_mspan_startAddr);
	READER(pages, GO_mspan_npages);
	READER(state, GO_mspan_state);
	READER(class, GO_mspan_spanclass);
	READER(elem_bytes, GO_mspan_elemsize);
	READER(elems, GO_mspan_nelems);
	READER(free_index, GO_mspan_freeindex);
	READER(allocated, GO_mspan_allocCount);
	READER(alloc_bits, GO_mspan_allocBits);
	READER(gcmark_bits, GO_mspan_gcmarkBits);
	READER(specials, GO_mspan_specials);
#undef READER
	r->is_user_arena.offset = (uint32_t)go_off(go,
						   GO_mspan_isUserArenaChunk);
	r->is_user_arena.mask = go_has(go, GO_mspan_isUserArenaChunk) ? 1 : 0;
	return true;
}

bool go_read_span(const struct mw_go *go, uint64_t va, struct go_span *ret)
{
	const struct go_span_reader *r = &go->span_reader;
	uint64_t size = go_size(go, GO_mspan);
	const uint8_t *bytes = mw_target_view(go->target, va, size + 8);
	uint8_t copy[SPAN_ROOM];
	struct go_span s;
	uint64_t span_bytes, slot_bytes;

	if (!bytes) {
		if (!mw_target_read(go->target, va, copy, size))
			return false;
		bytes = copy;
	}
#define LOAD(member) (mw_u64(bytes + r->member.offset) & r->member.mask)
	s = (struct go_span){
		.start = LOAD(start),
		.pages = LOAD(pages),
		.elem_bytes = LOAD(elem_bytes),
		.elems = LOAD(elems),
		.allocated = LOAD(allocated),
		.free_index = LOAD(free_index),
		.alloc_bits = LOAD(alloc_bits),
		.gcmark_bits = LOAD(gcmark_bits),
		.specials = LOAD(specials),
		.state = (uint8_t)LOAD(state),
		.class = (uint8_t)LOAD(class),
		.is_user_arena = LOAD(is_user_arena),
	};
#undef LOAD

	if (s.state > GO_SPAN_FREE)
		return false;
	if (s.state == GO_SPAN_IN_USE || s.state == GO_SPAN_MANUAL) {
		if (s.pages == 0 || s.pages > UINT64_C(1) << 35 ||
		    !mw_is_aligned(s.start, GO_PAGE_BYTES) ||
		    !mw_end(s.start, s.pages * GO_PAGE_BYTES, &span_bytes))
			return false;
	}
	if (s.state == GO_SPAN_IN_USE &&
	    (s.elem_bytes == 0 || s.elems == 0 || s.allocated > s.elems ||
	     s.free_index > s.elems ||
	     __builtin_mul_overflow(s.elem_bytes, s.elems, &slot_bytes) ||
	     slot_bytes > s.pages * GO_PAGE_BYTES))
		return false;
	*ret = s;
	return true;
}

bool go_in_heap(const struct mw_go *go, uint64_t va)
{
	for (size_t i = 0; i < go->regions.n; i++)
		if (va >= go->regions.v[i].start && va < go->regions.v[i].end)
			return true;
	return false;
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
	*last = (struct go_region){ go, start, start + GO_ARENA_BYTES };
	return NULL;
}

/** Pages that a P holds ready: allocated in the bitmap, but free. */
static struct mw_error *add_page_cache(struct mw_go *go, uint64_t index,
				       uint64_t p, void *ctx)
{
	uint64_t at = p + go_off(go, GO_p_pcache);
	uint64_t base, cache;

	(void)index;
	(void)ctx;
	if (!go_read(go, at, GO_pageCache_base, &base) ||
	    !go_read(go, at, GO_pageCache_cache, &cache))
		return NULL;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t *place;

		if (!(cache >> bit & 1))
			continue;
		place = mw_map64_at(&go->cached_pages,
				    base / GO_PAGE_BYTES + bit);
		if (!place)
			return mw_error_nomem();
		*place = 1;
	}
	return NULL;
}

struct mw_error *go_find_regions(struct mw_go *go)
{
	struct mw_error *error;

	if (!go_read_slice(go, go->mheap + go_off(go, GO_mheap_allspans),
			   &go->allspans) ||
	    !mw_target_read_u64(go->target,
				go->mheap + go_off(go, GO_mheap_arenas),
				&go->l2))
		return mw_error_at(MW_E_ABSENT, go->mheap,
				   "the heap's description cannot be read");
	go_read(go, go->mheap, GO_mheap_curArena_base, &go->cur_arena);
	go_read(go, go->mheap, GO_mheap_curArena_end, &go->cur_arena_end);
	go->regions.n = 0;
	mw_map64_free(&go->heap_arenas);
	error = go_each_pointer(go, go->l2, GO_L2_ENTRIES, add_arena, NULL);
	if (!error && go->allp && go_has(go, GO_p_pcache) &&
	    go_has(go, GO_pageCache_base)) {
		struct go_slice allp;

		if (go_read_slice(go, go->allp, &allp))
			error = go_each_pointer(go, allp.ptr, allp.len,
						add_page_cache, NULL);
	}
	return error;
}

/* One arena's pages */

/** The page allocator's bits for one chunk of heap. */
struct chunk_bits {
	uint64_t chunk; /* index; UINT64_MAX: none read yet */
	bool known;
	uint8_t allocated[CHUNK_BITMAP_BYTES];
	uint8_t scavenged[CHUNK_BITMAP_BYTES];
};

static void read_chunk(const struct mw_go *go, uint64_t chunk,
		       struct chunk_bits *bits)
{
	uint64_t chunks = go->mheap + go_off(go, GO_mheap_pages) +
			  go_off(go, GO_pageAlloc_chunks);
	uint8_t data[2 * CHUNK_BITMAP_BYTES];
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
		memcpy(bits->allocated, data, CHUNK_BITMAP_BYTES);
		memcpy(bits->scavenged, data + CHUNK_BITMAP_BYTES,
		       CHUNK_BITMAP_BYTES);
	}
}

static bool bit(const uint8_t *bits, uint64_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/** The account of a page that no span covers. */
static mw_account_id page_account(struct mw_go *go, uint64_t va,
				  struct chunk_bits *bits)
{
	const struct go_accounts *a = &go->accounts;
	uint64_t chunk = (va + GO_BASE_OFFSET) / GO_CHUNK_BYTES;
	uint64_t page = va / GO_PAGE_BYTES % CHUNK_PAGES;

	if (va >= go->cur_arena && va < go->cur_arena_end)
		return a->reserved;
	if (bits->chunk != chunk)
		read_chunk(go, chunk, bits);
	if (!bits->known)
		return a->reserved;
	if (!bit(bits->allocated, page))
		return bit(bits->scavenged, page) ? a->scavenged : a->idle;
	if (mw_map64_find(&go->cached_pages, va / GO_PAGE_BYTES))
		return a->idle;
	if (bit(bits->scavenged, page))
		return a->reserved;
	// Allocated, but not a span yet: just now being made.
	return a->torn;
}

/** Load the bits of @span's slots: what mw_slots.load asks for. */
struct slot_bits {
	const struct mw_go *go;
	const struct go_span *span;
};

static bool load_bits(void *ctx, uint8_t *bits)
{
	const struct slot_bits *b = ctx;
	const struct go_span *span = b->span;

	if (span->free_index < span->elems && span->alloc_bits &&
	    !mw_target_read(b->go->target, span->alloc_bits, bits,
			    (span->elems + 7) / 8))
		return false;
	// Slots below freeindex are all taken, whatever their bits say; those
	// behind the last one are none.
	memset(bits, 0xff, span->free_index / 8);
	if (span->free_index % 8)
		bits[span->free_index / 8] |=
			(uint8_t)((1u << span->free_index % 8) - 1);
	if (span->elems % 8)
		bits[span->elems / 8] &=
			(uint8_t)((1u << span->elems % 8) - 1);
	return true;
}

/**
 * Sums of adjoining spans in a stretch of pages in one state, which need not
 * be reported one by one.
 */
struct window {
	uint64_t start, at; /* summed up so far: [start, at) */
	uint64_t end;	    /* of the uniform stretch */
	uint64_t objects, free_slots;
};

static void flush(struct mw_go *go, struct window *w, struct mw_parts *parts)
{
	const struct mw_sum sums[] = {
		{ go->accounts.objects, w->objects },
		{ go->accounts.free_slots, w->free_slots },
		{ go->accounts.span_tail,
		  w->at - w->start - w->objects - w->free_slots },
	};

	if (w->at > w->start)
		mw_part_sums(parts, w->start, w->at, sums, MW_COUNT(sums));
	*w = (struct window){ 0 };
}

/** Add a span of objects to the window; false when it does not fit in. */
static bool add_to_window(struct mw_go *go, struct window *w,
			  const struct go_span *span, struct mw_parts *parts)
{
	uint64_t end = span->start + span->pages * GO_PAGE_BYTES;

	if (w->at != span->start || end > w->end) {
		uint64_t until = w->at == span->start ? w->end : 0;

		flush(go, w, parts);
		if (end > until)
			until = mw_part_uniform_until(parts, span->start);
		if (end > until)
			return false;
		*w = (struct window){
			.start = span->start,
			.at = span->start,
			.end = until,
		};
	}
	w->objects += span->allocated * span->elem_bytes;
	w->free_slots += (span->elems - span->allocated) * span->elem_bytes;
	w->at = end;
	return true;
}

static void report_objects(struct mw_go *go, const struct go_span *span,
			   struct mw_parts *parts)
{
	uint64_t used = span->elem_bytes * span->elems;
	struct slot_bits bits = { go, span };
	struct mw_slots slots = {
		.start = span->start,
		.slot_bytes = span->elem_bytes,
		.count = span->elems,
		.used_count = span->allocated,
		.used = go->accounts.objects,
		.unused = go->accounts.free_slots,
		.load = load_bits,
		.load_ctx = &bits,
		.unknown = go->accounts.torn,
	};

	mw_part_slots(parts, &slots);
	mw_part_range(parts, span->start + used,
		      span->pages * GO_PAGE_BYTES - used,
		      go->accounts.span_tail);
}

/** First stack that ends above @va. */
static size_t stack_after(const struct mw_go *go, uint64_t va)
{
	size_t lo = 0, hi = go->stacks.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (go->stacks.v[mid].hi > va)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/** A span of stacks: those in use, and what lies between them. */
static void report_stacks(struct mw_go *go, const struct go_span *span,
			  struct mw_parts *parts)
{
	const struct go_accounts *a = &go->accounts;
	uint64_t at = span->start;
	uint64_t end = span->start + span->pages * GO_PAGE_BYTES;

	for (size_t i = stack_after(go, at); i < go->stacks.n && at < end;
	     i++) {
		const struct go_stack *s = &go->stacks.v[i];
		uint64_t lo = mw_max(s->lo, at), hi = mw_min(s->hi, end);
		uint64_t sp = mw_min(mw_max(s->sp ? s->sp : lo, lo), hi);

		if (lo >= end)
			break;
		mw_part_range(parts, at, lo - at, a->stack_cached);
		mw_part_range(parts, lo, sp - lo, a->stack_unused);
		mw_part_range(parts, sp, hi - sp, a->stack_used);
		at = hi;
	}
	mw_part_range(parts, at, end - at, a->stack_cached);
}

static struct mw_error *note_specials(struct mw_go *go,
				      const struct go_span *span)
{
	enum { LIMIT = 1 << 20 };
	uint64_t size = go_has(go, GO_specialfinalizer)
				? go_size(go, GO_special)
				: 0;
	uint64_t last = 0, special = span->specials;

	// Sorted by offset and kind, which ends any cycle.
	for (int n = 0; special && n < LIMIT; n++) {
		uint64_t offset, kind, next;

		if (!go_read(go, special, GO_special_offset, &offset) ||
		    !go_read(go, special, GO_special_kind, &kind) ||
		    !go_read(go, special, GO_special_next, &next))
			break;
		uint64_t key = offset << 8 | (kind & 0xff);
		if (n > 0 && key <= last)
			break;
		last = key;
		struct mw_error *error = mw_part_list_add(
			&go->parts, special, size, go->accounts.specials);
		if (error)
			return error;
		special = next;
	}
	return NULL;
}

static struct mw_error *report_span(struct mw_go *go,
				    const struct go_span *span,
				    struct window *window,
				    struct mw_parts *parts)
{
	if (span->state == GO_SPAN_IN_USE) {
		if (!add_to_window(go, window, span, parts))
			report_objects(go, span, parts);
		return span->specials ? note_specials(go, span) : NULL;
	}
	flush(go, window, parts);
	// Stack spans have the stack's size as element size, work buffers
	// and (to 1.23) unrolled GC programs none.
	if (span->elem_bytes)
		report_stacks(go, span, parts);
	else
		mw_part_range(parts, span->start, span->pages * GO_PAGE_BYTES,
			      go->accounts.gc_work);
	return NULL;
}

static bool covers(const struct go_span *span, uint64_t va)
{
	return (span->state == GO_SPAN_IN_USE ||
		span->state == GO_SPAN_MANUAL) &&
	       va >= span->start &&
	       va < span->start + span->pages * GO_PAGE_BYTES;
}

/**
 * Read the span that @span_va should be for the page @va. One that makes no
 * sense while the target runs is read again; what makes none then is torn.
 */
static bool read_span_for(struct mw_go *go, uint64_t span_va, uint64_t va,
			  struct go_span *ret)
{
	enum { TRIES = 3 };

	for (int i = 0; i < TRIES; i++) {
		if (go_read_span(go, span_va, ret))
			return covers(ret, va);
		mw_target_forget(go->target, span_va,
				 go_size(go, GO_mspan));
		go->drift.reread++;
	}
	go->drift.torn_spans++;
	return false;
}

/** Report the pages of [@va, @end) that have no span, joined by account. */
static void report_free(struct mw_go *go, uint64_t va, uint64_t end,
			struct chunk_bits *bits, struct mw_parts *parts)
{
	while (va < end) {
		mw_account_id account = page_account(go, va, bits);
		uint64_t start = va;

		do
			va += GO_PAGE_BYTES;
		while (va < end && page_account(go, va, bits) == account);
		mw_part_range(parts, start, va - start, account);
		if (account == go->accounts.torn)
			go->drift.torn_bytes += va - start;
	}
}

static struct mw_error *refine_region(void *ctx, const struct mw_claim *claim,
				      struct mw_parts *parts)
{
	struct go_region *region = ctx;
	struct mw_go *go = region->go;
	MW_CLEANUP(mw_freep) uint64_t *spans =
		mw_calloc(GO_ARENA_PAGES, sizeof(*spans));
	struct chunk_bits bits = { .chunk = UINT64_MAX };
	struct window window = { 0 };
	uint64_t at = region->start; // reported up to here
	uint64_t free_from = at;

	(void)claim;
	if (!spans)
		return mw_error_nomem();
	for (uint64_t arena = region->start; arena < region->end;
	     arena += GO_ARENA_BYTES) {
		uint64_t index = (arena + GO_BASE_OFFSET) / GO_ARENA_BYTES;
		uint64_t heap_arena;

		if (!mw_target_read_u64(go->target, go->l2 + index * 8,
					&heap_arena) ||
		    !mw_target_read(go->target,
				    heap_arena + go_off(go, GO_heapArena_spans),
				    spans, GO_ARENA_PAGES * sizeof(*spans)))
			continue; // reported as free pages
		// A large span may reach into this arena from the one before.
		at = mw_max(at, arena);
		for (uint64_t page = (at - arena) / GO_PAGE_BYTES;
		     page < GO_ARENA_PAGES;) {
			uint64_t va = arena + page * GO_PAGE_BYTES;
			struct go_span span;

			if (!spans[page] ||
			    !read_span_for(go, spans[page], va, &span) ||
			    span.start != va ||
			    span.start + span.pages * GO_PAGE_BYTES >
				    region->end) {
				page++;
				continue;
			}
			if (free_from < va) {
				flush(go, &window, parts);
				report_free(go, free_from, va, &bits, parts);
			}
			struct mw_error *error =
				report_span(go, &span, &window, parts);
			if (error)
				return error;
			page += span.pages;
			at = free_from = va + span.pages * GO_PAGE_BYTES;
		}
	}
	flush(go, &window, parts);
	report_free(go, free_from, region->end, &bits, parts);
	return NULL;
}

struct mw_error *go_claim_heap(struct mw_go *go)
{
	for (size_t i = 0; i < go->regions.n; i++) {
		struct go_region *region = &go->regions.v[i];
		struct mw_error *error = mw_sink_claim(
			go->sink, &(struct mw_claim){
			.start = region->start,
			.bytes = region->end - region->start,
			.layer = MW_LAYER_OWNER,
			.account = go->accounts.torn,
			.walker = "Go heap",
			.what = "Go heap arena",
			.refine = refine_region,
			.ctx = region,
		});
		if (error)
			return error;
	}
	return NULL;
}
