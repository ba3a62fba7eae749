/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_stats.h"
#include "mw_go_size.h"

/*
 * runtime/malloc.go, mbitmap.go: up to 16 bytes without pointers, the tiny
 * allocator; up to 32 KiB (since Go 1.22 less 8 bytes) a slot of a size class;
 * above, whole pages. Since 1.22 objects with pointers of more than 512 bytes
 * have a header of 8 bytes.
 *
 * Pages of a span are in a table of the runtime's (class_to_allocnpages; since
 * 1.25 SizeClassToNPages). In them may stand, at the end, since 1.22 a bit
 * for each word of objects with pointers of up to 512 bytes, and since 1.26
 * (mgcmark_greenteagc.go) 128 bytes of marks for those of 16 to 512 bytes.
 */
#define TINY 16
#define HEADER 8
#define HEADER_ABOVE 512
#define MARKS 128

/** The smallest class for @bytes; 0 when it is too large. */
static uint8_t class_for(const struct go_stat_vars *vars, uint64_t bytes)
{
	for (size_t i = 1; i < vars->classes; i++)
		if (vars->class_bytes[i] >= bytes)
			return (uint8_t)i;
	return 0;
}

/** What a span of the class is like when there is none to be seen. */
static void work_out_span(const struct mw_go *go, bool has_pointers,
			  struct mw_go_size *s)
{
	uint64_t bytes = go->stat_vars.class_pages[s->class] * GO_PAGE_BYTES;
	uint64_t used;

	while (bytes == 0 || bytes % s->slot_bytes > bytes / 8)
		bytes += GO_PAGE_BYTES;
	used = bytes;
	if (go_has(go, GO_mspan_largeType) && has_pointers &&
	    s->slot_bytes <= HEADER_ABOVE)
		used -= bytes / 64;
	if (go_has(go, GO_heapArena_pageUseSpanInlineMarkBits) &&
	    s->slot_bytes <= HEADER_ABOVE && s->slot_bytes >= TINY)
		used -= MARKS;
	s->pages = bytes / GO_PAGE_BYTES;
	s->objects = used / s->slot_bytes;
}

static void count_span(const struct mw_go_span *span, struct mw_go_size *s)
{
	uint64_t left = span->elems - span->allocated;

	// What a span that there is has is the truth.
	s->pages = span->pages;
	s->objects = span->elems;
	s->spans++;
	s->slots += span->elems;
	s->allocated += span->allocated;
	switch (span->holder) {
	case MW_GO_HELD_BY_MCACHE:
		s->cached_spans++;
		s->cached_free += left;
		break;
	case MW_GO_HELD_PARTIAL_SWEPT:
	case MW_GO_HELD_NONEMPTY:
		s->partial_spans++;
		s->partial_free += left;
		break;
	case MW_GO_HELD_PARTIAL_UNSWEPT:
	case MW_GO_HELD_FULL_UNSWEPT:
		s->unswept_spans++;
		break;
	}
}

static void follow_large(uint64_t bytes, bool has_pointers,
			 const struct mw_go_spans *spans, struct mw_go_size *s)
{
	s->path = MW_GO_SIZE_LARGE;
	s->slot_bytes = mw_align_up(bytes, GO_PAGE_BYTES);
	for (size_t i = 0; i < spans->list.n; i++) {
		const struct mw_go_span *span = &spans->list.v[i];

		if (span->state != MW_GO_SPAN_IN_USE || span->class != 0 ||
		    span->is_noscan == has_pointers)
			continue;
		s->spans++;
		s->slots++;
		s->allocated += span->allocated;
	}
	s->pages = s->slot_bytes / GO_PAGE_BYTES;
	s->objects = 1;
}

struct mw_error *mw_go_size(struct mw_go *go, uint64_t bytes,
			    bool has_pointers, const struct mw_go_spans *spans,
			    struct mw_go_size *ret)
{
	const struct go_stat_vars *vars = &go->stat_vars;
	bool headers = go_has(go, GO_mspan_largeType);
	struct mw_go_size s = { .path = MW_GO_SIZE_SMALL };
	uint64_t largest;

	if (!go_find_stat_vars(go) || vars->classes == 0)
		return mw_error_new(MW_E_UNSUPPORTED, "the size classes of "
				    "this Go runtime were not found");
	if (bytes == 0) {
		*ret = (struct mw_go_size){ .path = MW_GO_SIZE_ZERO };
		return NULL;
	}
	largest = vars->class_bytes[vars->classes - 1] - (headers ? HEADER : 0);
	if (bytes > largest) {
		if (bytes > UINT64_C(1) << 47)
			return mw_error_new(MW_E_LIMIT, "no program can "
					    "allocate so much");
		follow_large(bytes, has_pointers, spans, &s);
		*ret = s;
		return NULL;
	}
	if (!has_pointers && bytes < TINY) {
		s.path = MW_GO_SIZE_TINY;
		s.slot_bytes = TINY;
	}
	if (headers && has_pointers && bytes > HEADER_ABOVE)
		s.header_bytes = HEADER;
	s.class = class_for(vars, mw_max(bytes + s.header_bytes,
					 s.slot_bytes));
	s.slot_bytes = vars->class_bytes[s.class];
	work_out_span(go, has_pointers, &s);
	for (size_t i = 0; i < spans->list.n; i++) {
		const struct mw_go_span *span = &spans->list.v[i];

		if (span->state == MW_GO_SPAN_IN_USE && !span->is_user_arena &&
		    span->class == s.class && span->is_noscan != has_pointers)
			count_span(span, &s);
	}
	s.tail_bytes = s.pages * GO_PAGE_BYTES - s.objects * s.slot_bytes;
	*ret = s;
	return NULL;
}
