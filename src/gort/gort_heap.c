/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "gort_heap.h"
#include "mw_search.h"

/*
 * The heap (runtime/mheap.go, mpagealloc.go; Go 1.11 and later).
 *
 * Arenas of 64 MiB; the arena index leads to a heapArena each, whose `spans`
 * has a pointer to an mspan for each page of 8 KiB. Entries of freed spans
 * stay, so one counts only when the mspan is in use and covers the page. For
 * pages without a span see gort_heap_free.c.
 */

/** A span in use, as it is met on the walk. */
struct heap_span {
	uint64_t start, end;
	size_t index; /* in allspans */
	const struct go_digest *digest;
};

/** Load the bits of @span's slots: what mw_slots.load asks for. */
struct slot_bits {
	const struct mw_go *go;
	const struct heap_span *span;
};

static bool load_bits(void *ctx, uint8_t *bits)
{
	const struct slot_bits *b = ctx;
	struct go_span full;
	const struct go_span *span = &full;

	if (!go_reread_span(b->go, b->span->index, b->span->start, &full) ||
	    full.elems != b->span->digest->elems)
		return false;
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
			  const struct heap_span *span, struct mw_parts *parts)
{
	const struct go_digest *d = span->digest;
	uint64_t end = span->end, elem_bytes = go_elem_bytes(d);

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
	w->objects += d->allocated * elem_bytes;
	w->free_slots += (uint64_t)(d->elems - d->allocated) * elem_bytes;
	w->at = end;
	return true;
}

static void report_objects(struct mw_go *go, const struct heap_span *span,
			   struct mw_parts *parts)
{
	const struct go_digest *d = span->digest;
	uint64_t used = go_elem_bytes(d) * d->elems;
	struct slot_bits bits = { go, span };
	struct mw_slots slots = {
		.start = span->start,
		.slot_bytes = go_elem_bytes(d),
		.count = d->elems,
		.used_count = d->allocated,
		.used = go->accounts.objects,
		.unused = go->accounts.free_slots,
		.load = load_bits,
		.load_ctx = &bits,
		.unknown = go->accounts.torn,
	};

	mw_part_slots(parts, &slots);
	mw_part_range(parts, span->start + used,
		      span->end - span->start - used, go->accounts.span_tail);
}

/** First stack that ends above @va. */
static size_t stack_after(const struct mw_go *go, uint64_t va)
{
	return mw_first(i, 0, go->stacks.n, go->stacks.v[i].hi > va);
}

/** A span of stacks: those in use, and what lies between them. */
static void report_stacks(struct mw_go *go, const struct heap_span *span,
			  struct mw_parts *parts)
{
	const struct go_accounts *a = &go->accounts;
	uint64_t at = span->start, end = span->end;

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

/** Of a free span, of which only some pages were given back. */
struct free_pages {
	struct mw_go *go;
	struct mw_parts *parts;
	uint64_t at; /* reported so far */
	uint64_t resident;
	uint64_t idle_resident, idle_absent; /* bytes left to be reported */
};

/** Round a resident piece outwards to the runtime's pages. */
static bool next_pages(struct free_pages *f, uint64_t *start, uint64_t *end)
{
	*start = mw_max(mw_align_down(*start, GO_PAGE_BYTES), f->at);
	*end = mw_align_up(*end, GO_PAGE_BYTES);
	return *start < *end;
}

static void count_resident(uint64_t start, uint64_t bytes, void *ctx)
{
	struct free_pages *f = ctx;
	uint64_t end = start + bytes;

	if (next_pages(f, &start, &end)) {
		f->resident += end - start;
		f->at = end;
	}
}

static void report_free_until(struct free_pages *f, uint64_t end,
			      uint64_t *idle_left)
{
	const struct go_accounts *a = &f->go->accounts;
	uint64_t idle = mw_min(end - f->at, *idle_left);

	mw_part_range(f->parts, f->at, idle, a->idle);
	mw_part_range(f->parts, f->at + idle, end - f->at - idle,
		      a->scavenged);
	*idle_left -= idle;
	f->at = end;
}

static void report_resident(uint64_t start, uint64_t bytes, void *ctx)
{
	struct free_pages *f = ctx;
	uint64_t end = start + bytes;

	if (!next_pages(f, &start, &end))
		return;
	report_free_until(f, start, &f->idle_absent);
	report_free_until(f, end, &f->idle_resident);
}

/**
 * A span of free pages. The runtime counts how many of them were given back,
 * but (to Go 1.11) does not note which; they are the absent ones.
 */
static void report_free_span(struct mw_go *go, const struct heap_span *span,
			     struct mw_parts *parts)
{
	uint64_t bytes = span->end - span->start;
	uint64_t idle = bytes - span->digest->tail_or_elem_bytes *
					GO_PAGE_BYTES;
	struct free_pages f = { .go = go, .parts = parts, .at = span->start };

	assert(idle <= bytes);
	if (idle == 0 || idle == bytes) {
		mw_part_range(parts, span->start, bytes,
			      idle ? go->accounts.idle
				   : go->accounts.scavenged);
		return;
	}
	go_each_resident(go, span->start, bytes, count_resident, &f);
	f.at = span->start;
	f.idle_resident = mw_min(idle, f.resident);
	f.idle_absent = idle - f.idle_resident;
	go_each_resident(go, span->start, bytes, report_resident, &f);
	report_free_until(&f, span->end, &f.idle_absent);
}

static void report_span(struct mw_go *go, const struct heap_span *span,
			struct window *window, struct mw_parts *parts)
{
	if (go_is_free(span->digest)) {
		flush(go, window, parts);
		report_free_span(go, span, parts);
		return;
	}
	if (!span->digest->is_manual) {
		if (!add_to_window(go, window, span, parts))
			report_objects(go, span, parts);
		return;
	}
	flush(go, window, parts);
	// Stack spans have the stack's size as element size, work buffers
	// and (to 1.23) unrolled GC programs none.
	if (span->digest->tail_or_elem_bytes)
		report_stacks(go, span, parts);
	else
		mw_part_range(parts, span->start, span->end - span->start,
			      go->accounts.gc_work);
}

static struct mw_error *refine_region(void *ctx, const struct mw_claim *claim,
				      struct mw_parts *parts)
{
	struct go_region *region = ctx;
	struct mw_go *go = region->go;
	struct go_chunk_bits bits = { .chunk = UINT64_MAX };
	struct window window = { 0 };
	uint64_t pages = (region->end - region->start) / GO_PAGE_BYTES;
	uint64_t free_from = 0; // the first page that is not reported yet

	(void)claim;
	for (uint64_t page = 0; page < pages;) {
		uint32_t number = region->first_spans[page];
		const struct go_digest *digest =
			number ? &go->digests[number - 1] : NULL;

		if (!digest || digest->pages > pages - page) {
			page++;
			continue;
		}
		if (free_from < page) {
			flush(go, &window, parts);
			go_report_free_pages(
				go, region->start + free_from * GO_PAGE_BYTES,
				region->start + page * GO_PAGE_BYTES, &bits,
				parts);
		}
		uint64_t start = region->start + page * GO_PAGE_BYTES;
		struct heap_span span = {
			.start = start,
			.end = start + digest->pages * GO_PAGE_BYTES,
			.index = number - 1,
			.digest = digest,
		};

		report_span(go, &span, &window, parts);
		// What begins inside a span was caught in a change.
		page += digest->pages;
		free_from = page;
	}
	flush(go, &window, parts);
	go_report_free_pages(go, region->start + free_from * GO_PAGE_BYTES,
			     region->end, &bits, parts);
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
