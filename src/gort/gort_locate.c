/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_locate.h"

/*
 * Objects (runtime/malloc.go, mbitmap.go; Go 1.22 and later):
 *
 *	no pointers		no header
 *	up to 512 bytes		no header; pointer bits at the span's end
 *	up to 32 KiB		8 bytes of header: *_type
 *	larger			no header; mspan.largeType
 *
 * Before, and where the member largeType is not there, nothing keeps types.
 *
 * Marks of spans whose objects are small stand in them, in the last 128 bytes
 * of their only page (mgcmark_greenteagc.go: spanInlineMarkBits; Go 1.26):
 *	0	63 bytes: scans		63	u8 owned
 *	64	63 bytes: marks		127	u8 class
 */
#define HEADER_BYTES 8
#define HEADER_ABOVE 512
#define HEADER_UP_TO MW_KIB(32)
#define TINY_BYTES 16
#define INLINE_BYTES 128
#define INLINE_MARKS 64

static bool read_bit(const struct mw_go *go, uint64_t bits, uint64_t i)
{
	uint8_t byte;

	return bits && mw_target_read(go->target, bits + i / 8, &byte, 1) &&
	       (byte >> (i % 8) & 1);
}

/** The heapArena that describes the arena of @va; 0 when there is none. */
static uint64_t heap_arena_of(const struct mw_go *go, uint64_t va)
{
	uint64_t index = (va + GO_BASE_OFFSET) / GO_ARENA_BYTES, arena;

	return !go_has(go, GO_mheap_spans) && index < GO_L2_ENTRIES &&
			       mw_target_peek(go->target, go->l2 + index * 8,
					      &arena, sizeof(arena))
		       ? arena
		       : 0;
}

/** Whether the marks of the objects on the page at @va stand in the span. */
static bool has_inline_marks(const struct mw_go *go, uint64_t heap_arena,
			     uint64_t va)
{
	return heap_arena && go_has(go, GO_heapArena_pageUseSpanInlineMarkBits) &&
	       read_bit(go,
			heap_arena +
				go_off(go,
				       GO_heapArena_pageUseSpanInlineMarkBits),
			va / GO_PAGE_BYTES % GO_ARENA_PAGES);
}

static void read_type(const struct mw_go *go, const struct go_span *span,
		      uint64_t mspan, struct mw_go_slot *slot)
{
	uint64_t type = 0;

	if (!go_has(go, GO_mspan_largeType) || (span->class & 1) ||
	    span->is_user_arena || span->elem_bytes <= HEADER_ABOVE)
		return;
	if (span->class >> 1 == 0) {
		if (!go_read(go, mspan, GO_mspan_largeType, &type))
			return;
	} else if (span->elem_bytes <= HEADER_UP_TO) {
		slot->header_bytes = HEADER_BYTES;
		// What is free has the header of what was there before.
		if (!slot->is_allocated ||
		    !mw_target_read_u64(go->target, slot->start, &type))
			return;
	}
	if (mw_go_type_name(go, type, slot->type_name,
			    sizeof(slot->type_name), &slot->type_bytes))
		slot->type = type;
}

static void find_slot(const struct mw_go *go, const struct go_span *span,
		      uint64_t mspan, uint64_t va, struct mw_go_place *ret)
{
	struct mw_go_slot *slot = &ret->slot;
	uint64_t i = (va - span->start) / span->elem_bytes;

	if (i >= span->elems)
		return;
	ret->has_slot = true;
	*slot = (struct mw_go_slot){
		.index = i,
		.start = span->start + i * span->elem_bytes,
		.bytes = span->elem_bytes,
		.has_survived = read_bit(go, span->alloc_bits, i),
		.is_marked = read_bit(go, span->gcmark_bits, i),
	};
	// Slots below freeindex are taken, whatever their bits say.
	slot->is_allocated = i < span->free_index || slot->has_survived;
	if (!slot->is_marked && i / 8 < INLINE_BYTES - 1 - INLINE_MARKS &&
	    has_inline_marks(go, ret->heap_arena, va))
		slot->is_marked = read_bit(go,
					   span->start + GO_PAGE_BYTES -
						   INLINE_BYTES + INLINE_MARKS,
					   i);
	slot->is_tiny_block = (span->class & 1) &&
			      span->elem_bytes == TINY_BYTES;
	read_type(go, span, mspan, slot);
}

static void find_span(const struct mw_go *go, uint64_t va,
		      struct mw_go_place *ret)
{
	struct go_span span;
	uint64_t mspan, sweepgen, heap;

	if (!go_index_span(go, va, &mspan) || !mspan ||
	    !go_read_span(go, mspan, &span) || span.state == GO_SPAN_DEAD ||
	    !mw_within(va, 1, span.start,
		       span.start + span.pages * GO_PAGE_BYTES))
		return;
	ret->has_span = true;
	ret->span = go_describe_span(&span, mspan);
	if (go_read(go, mspan, GO_mspan_sweepgen, &sweepgen) &&
	    go_read(go, go->mheap, GO_mheap_sweepgen, &heap))
		ret->span.sweep = go_sweep_of(sweepgen, heap);
	if (span.state == GO_SPAN_IN_USE)
		find_slot(go, &span, mspan, va, ret);
}

static void find_stack(struct mw_go *go, uint64_t va, struct mw_go_place *ret)
{
	const struct go_stack *s = go_find_stack(go, va);
	uint64_t m;

	if (!s)
		return;
	ret->has_stack = true;
	ret->stack = (struct mw_go_stack_place){
		.g = s->g,
		.lo = s->lo,
		.hi = s->hi,
		.sp = s->sp,
		.is_thread = !s->runs_user_g,
	};
	m = s->m;
	if (!m && !go_read(go, s->g, GO_g_m, &m))
		m = 0;
	if (m)
		go_read(go, m, GO_m_procid, &ret->stack.thread);
}

void mw_go_locate(struct mw_go *go, uint64_t va, struct mw_go_place *ret)
{
	const struct go_region *region = go_region_of(go, va);

	*ret = (struct mw_go_place){ 0 };
	if (region) {
		ret->in_heap = true;
		ret->heap_arena = heap_arena_of(go, va);
		ret->arena_start = region->start;
		ret->arena_end = region->end;
		if (ret->heap_arena) {
			ret->arena_start = mw_align_down(va, GO_ARENA_BYTES);
			ret->arena_end = ret->arena_start + GO_ARENA_BYTES;
		}
		find_span(go, va, ret);
	}
	// The first thread's stack and, with cgo, others lie elsewhere.
	find_stack(go, va, ret);
	go_find_structure(go, va, ret);
}
