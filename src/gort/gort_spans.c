/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"
#include "mw_parallel.h"

/*
 * The mspans (runtime/mheap.go), each of which describes a run of pages. They
 * are made one after the other in blocks of 16 KiB and never given back, so
 * reading all of them is a walk through memory; what the heap's walk needs of
 * each is kept in 32 bytes.
 */

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
	// What not every release has reads as 0.
	r->is_user_arena.mask = r->scavenged.mask = r->released.mask = 0;
	if (go_has(go, GO_mspan_isUserArenaChunk)) {
		READER(is_user_arena, GO_mspan_isUserArenaChunk);
	}
	if (go_has(go, GO_mspan_scavenged)) {
		READER(scavenged, GO_mspan_scavenged);
	}
	if (go_has(go, GO_mspan_npreleased)) {
		READER(released, GO_mspan_npreleased);
	}
#undef READER
	return true;
}

static struct go_span load_span(const struct mw_go *go, const uint8_t *bytes)
{
	const struct go_span_reader *r = &go->span_reader;
	struct go_span s;

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
		.released = LOAD(scavenged) ? UINT64_MAX : LOAD(released),
	};
#undef LOAD
	s.released = mw_min(s.released, s.pages);
	return s;
}

/** Whether it is in a state, and has pages if it should. */
static bool has_pages(const struct go_span *s)
{
	uint64_t end;

	return s->state == GO_SPAN_DEAD ||
	       (s->state <= GO_SPAN_FREE && s->pages > 0 &&
		s->pages <= UINT64_C(1) << 35 &&
		mw_is_aligned(s->start, GO_PAGE_BYTES) &&
		mw_end(s->start, s->pages * GO_PAGE_BYTES, &end));
}

static bool has_slots(const struct go_span *s)
{
	uint64_t bytes;

	return s->state != GO_SPAN_IN_USE ||
	       (s->elem_bytes > 0 && s->elems > 0 &&
		s->allocated <= s->elems && s->free_index <= s->elems &&
		!__builtin_mul_overflow(s->elem_bytes, s->elems, &bytes) &&
		bytes <= s->pages * GO_PAGE_BYTES);
}

bool go_parse_span(const struct mw_go *go, const uint8_t *bytes,
		   struct go_span *ret)
{
	struct go_span s = load_span(go, bytes);

	if (!has_pages(&s) || !has_slots(&s))
		return false;
	*ret = s;
	return true;
}

/**
 * The same for a span that is just being set up. To Go 1.13, it is in use
 * before it has slots; in between a large object is cleared, which takes time.
 */
static bool parse_unfinished(const struct mw_go *go, const uint8_t *bytes,
			     struct go_span *ret)
{
	struct go_span s = load_span(go, bytes);
	bool is_large = s.class >> 1 == 0;

	if (!has_pages(&s) || s.state != GO_SPAN_IN_USE || s.elem_bytes == 0 ||
	    s.elem_bytes > s.pages * GO_PAGE_BYTES)
		return false;
	s.elems = is_large ? 1 : s.pages * GO_PAGE_BYTES / s.elem_bytes;
	s.allocated = s.free_index = is_large;
	s.alloc_bits = s.gcmark_bits = s.specials = 0;
	*ret = s;
	return true;
}

bool go_read_span(const struct mw_go *go, uint64_t va, struct go_span *ret)
{
	uint8_t bytes[SPAN_ROOM];

	return mw_target_read(go->target, va, bytes, go_size(go, GO_mspan)) &&
	       go_parse_span(go, bytes, ret);
}

int8_t go_sweep_of(uint64_t sweepgen, uint64_t heap)
{
	int32_t sweep = (int32_t)((uint32_t)sweepgen - (uint32_t)heap);

	// mw_min() and mw_max() are for numbers without a sign.
	return (int8_t)(sweep < INT8_MIN  ? INT8_MIN
			: sweep > INT8_MAX ? INT8_MAX
					   : sweep);
}

struct mw_go_span go_describe_span(const struct go_span *span, uint64_t va)
{
	return (struct mw_go_span){
		.address = span->start,
		.descriptor = va,
		.pages = span->pages,
		.elem_bytes = span->elem_bytes,
		.elems = (uint32_t)span->elems,
		.allocated = (uint32_t)span->allocated,
		.state = span->state,
		.class = span->class >> 1,
		.is_noscan = span->class & 1,
		.is_user_arena = span->is_user_arena,
		.holder = MW_GO_HELD_BY_NONE,
	};
}

/* Digests */

static struct go_digest digest_of(const struct go_span *span)
{
	uint64_t size = span->elem_bytes;

	if (span->state == GO_SPAN_DEAD)
		return (struct go_digest){ 0 };
	if (span->state == GO_SPAN_IN_USE && span->elems == 1)
		size = span->pages * GO_PAGE_BYTES - span->elem_bytes;
	if (span->pages >= 1u << 29 || size > UINT32_MAX ||
	    span->elems > UINT16_MAX)
		return (struct go_digest){ .is_torn = 1 };
	if (span->state == GO_SPAN_FREE)
		return (struct go_digest){
			.pages = (uint32_t)span->pages,
			.tail_or_elem_bytes = (uint32_t)span->released,
		};
	return (struct go_digest){
		.pages = (uint32_t)span->pages,
		.is_manual = span->state == GO_SPAN_MANUAL,
		.has_specials = span->specials != 0,
		.tail_or_elem_bytes = (uint32_t)size,
		.elems = (uint16_t)span->elems,
		.allocated = (uint16_t)span->allocated,
		.class = span->class,
	};
}

uint64_t go_elem_bytes(const struct go_digest *digest)
{
	return !digest->is_manual && digest->elems == 1
		       ? (uint64_t)digest->pages * GO_PAGE_BYTES -
				 digest->tail_or_elem_bytes
		       : digest->tail_or_elem_bytes;
}

/** One thread's share of the work on all spans. */
struct digest_job {
	const struct mw_go *go;
	const struct go_region *region; /* of the last span */
	size_t index;
	uint64_t va;
};

/** Enter a span in use in the table of its region. */
static void enter_span(struct digest_job *job, const struct go_span *span)
{
	const struct mw_go *go = job->go;
	const struct go_region *region = job->region;
	uint32_t *place, old;
	uint64_t owner;

	if (!region || span->start < region->start ||
	    span->start >= region->end)
		region = job->region = go_region_of(go, span->start);
	if (!region)
		return; // an arena younger than the picture
	place = &region->first_spans[(span->start - region->start) /
				     GO_PAGE_BYTES];
	old = __atomic_exchange_n(place, (uint32_t)job->index + 1,
				  __ATOMIC_RELAXED);
	// Two with one first page: one of them has just been freed.
	if (old && !(go_index_span(go, span->start, &owner) &&
		     owner == job->va))
		__atomic_store_n(place, old, __ATOMIC_RELAXED);
}

/**
 * Digest the mspan whose copy is at @bytes (NULL: it could not be read). One
 * that makes no sense is read again, since the target may just be changing it.
 */
static void digest_span(struct digest_job *job, const uint8_t *bytes)
{
	enum { TRIES = 3 };
	const struct mw_go *go = job->go;
	struct go_digest *digest = &go->digests[job->index];
	uint8_t again[SPAN_ROOM];
	struct go_span span;
	bool good = bytes && go_parse_span(go, bytes, &span);

	for (int i = 0; !good && i < TRIES; i++) {
		bool have = mw_target_copy(go->target, job->va, again,
					   go_size(go, GO_mspan));

		good = have && go_parse_span(go, again, &span);
		if (have && !good && i == TRIES - 1)
			good = parse_unfinished(go, again, &span);
	}
	*digest = good ? digest_of(&span) : (struct go_digest){ .is_torn = 1 };
	if (digest->pages)
		enter_span(job, &span);
}

/** Spans that one thread digests at a time, and bytes that it reads at once. */
#define JOB_SPANS 4096
#define BATCH_BYTES MW_KIB(64)

static void run_job(size_t number, void *ctx)
{
	struct digest_job job = { .go = ctx };
	const struct mw_go *go = ctx;
	uint64_t size = go_size(go, GO_mspan);
	size_t begin = number * JOB_SPANS;
	size_t count = mw_min(JOB_SPANS, go->allspans.len - begin);
	uint8_t bytes[BATCH_BYTES + 8];
	uint64_t vas[JOB_SPANS];

	if (!mw_target_copy(go->target, go->allspans.ptr + begin * 8, vas,
			    count * sizeof(*vas))) {
		for (size_t i = 0; i < count; i++)
			go->digests[begin + i] =
				(struct go_digest){ .is_torn = 1 };
		return;
	}
	for (size_t i = 0; i < count;) {
		size_t n = 1;

		if (!vas[i]) { // its place has just been made
			i++;
			continue;
		}
		while (i + n < count && (n + 1) * size <= BATCH_BYTES &&
		       vas[i + n] == vas[i] + n * size)
			n++;
		bool have = mw_target_copy(go->target, vas[i], bytes,
					   n * size);
		for (size_t k = 0; k < n; k++) {
			job.index = begin + i + k;
			job.va = vas[i + k];
			digest_span(&job, have ? bytes + k * size : NULL);
		}
		i += n;
	}
}

/** Where the mspans lie: most follow the one before. */
static struct mw_error *add_mspan(struct mw_go *go, uint64_t index,
				  uint64_t span, void *ctx)
{
	uint64_t size = go_size(go, GO_mspan);
	struct go_range *last =
		go->mspans.n ? &go->mspans.v[go->mspans.n - 1] : NULL;

	(void)index;
	(void)ctx;
	if (last && last->end == span) {
		last->end += size;
		return NULL;
	}
	last = mw_vec_push(&go->mspans);
	if (!last)
		return mw_error_nomem();
	*last = (struct go_range){ span, span + size };
	return NULL;
}

static struct mw_error *make_tables(struct mw_go *go)
{
	size_t pages = 0;

	for (size_t i = 0; i < go->regions.n; i++)
		pages += (go->regions.v[i].end - go->regions.v[i].start) /
			 GO_PAGE_BYTES;
	// Each span in use has a page, and dead ones are fewer than there
	// were pages once. More is damage.
	if (go->allspans.len > 4 * pages + MW_MIB(1) ||
	    go->allspans.len >= UINT32_MAX)
		return mw_error_at(MW_E_LIMIT, go->mheap,
				   "%lu spans in a heap of %zu pages: the list "
				   "of spans is damaged", go->allspans.len,
				   pages);
	go->first_spans_bytes = pages * sizeof(*go->first_spans);
	go->first_spans = mw_map(go->first_spans_bytes);
	go->digests = mw_map(go->allspans.len * sizeof(*go->digests));
	if (!go->first_spans || !go->digests)
		return mw_error_nomem();

	uint32_t *next = go->first_spans;
	for (size_t i = 0; i < go->regions.n; i++) {
		struct go_region *region = &go->regions.v[i];

		region->first_spans = next;
		next += (region->end - region->start) / GO_PAGE_BYTES;
	}
	return NULL;
}

struct mw_error *go_digest_spans(struct mw_go *go)
{
	struct mw_error *error;

	go_free_digests(go);
	error = make_tables(go);
	go->mspans.n = 0;
	if (!error)
		error = go_each_pointer(go, go->allspans.ptr,
					go->allspans.len, add_mspan, NULL);
	if (error)
		return error;
	mw_parallel(mw_target_workers(go->target),
		    (go->allspans.len + JOB_SPANS - 1) / JOB_SPANS, run_job,
		    go);
	for (size_t i = 0; i < go->allspans.len; i++)
		go->drift.torn_spans += go->digests[i].is_torn;
	return NULL;
}

void go_free_digests(struct mw_go *go)
{
	mw_unmap(go->digests, go->allspans.len * sizeof(*go->digests));
	mw_unmap(go->first_spans, go->first_spans_bytes);
	go->digests = NULL;
	go->first_spans = NULL;
}

const struct go_digest *go_span_of(const struct mw_go *go, uint64_t va,
				   uint64_t *ret_start)
{
	enum { FURTHEST = 1 << 12 }; // pages back to a span's first one
	const struct go_region *region = go_region_of(go, va);

	if (!region || !region->first_spans)
		return NULL;

	uint64_t page = (va - region->start) / GO_PAGE_BYTES;
	for (uint64_t i = page, n = 0; n < FURTHEST; i--, n++) {
		uint32_t digest = region->first_spans[i];

		if (digest) {
			const struct go_digest *d = &go->digests[digest - 1];

			*ret_start = region->start + i * GO_PAGE_BYTES;
			return page - i < d->pages && !go_is_free(d) ? d
								      : NULL;
		}
		if (i == 0)
			break;
	}
	return NULL;
}

bool go_reread_span(const struct mw_go *go, size_t index, uint64_t start,
		    struct go_span *ret)
{
	struct go_span span;
	uint64_t va;

	if (!mw_target_read_u64(go->target, go->allspans.ptr + index * 8,
				&va) ||
	    !go_read_span(go, va, &span) || span.start != start)
		return false;
	*ret = span;
	return true;
}

/* Specials */

/** The specials of a span, from @special on. */
static struct mw_error *
visit_specials(struct mw_go *go, uint64_t special,
	       struct mw_error *(*visit)(struct mw_go *go, uint64_t special,
					 uint8_t kind, void *ctx),
	       void *ctx)
{
	enum { LIMIT = 1 << 20 };
	uint64_t last = 0;

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
		struct mw_error *error = visit(go, special, (uint8_t)kind, ctx);
		if (error)
			return error;
		special = next;
	}
	return NULL;
}

struct mw_error *
go_each_special(struct mw_go *go,
		struct mw_error *(*visit)(struct mw_go *go, uint64_t special,
					  uint8_t kind, void *ctx),
		void *ctx)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < go->allspans.len; i++) {
		struct go_span span;
		uint64_t va;

		if (go->digests[i].has_specials &&
		    mw_target_read_u64(go->target, go->allspans.ptr + i * 8,
				       &va) &&
		    go_read_span(go, va, &span))
			error = visit_specials(go, span.specials, visit, ctx);
	}
	return error;
}

static struct mw_error *note_special(struct mw_go *go, uint64_t special,
				     uint8_t kind, void *ctx)
{
	(void)kind;
	(void)ctx;
	return mw_part_list_add(&go->parts, special, go_size(go, GO_special),
				go->accounts.specials);
}

struct mw_error *go_find_specials(struct mw_go *go)
{
	return go_each_special(go, note_special, NULL);
}
