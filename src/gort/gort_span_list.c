/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gort_stats.h"
#include "mw_go_spans.h"

/*
 * Spans with who holds them. An mcache has a pointer to a span for each span
 * class; an mcentral (mcentral.go) two sets of spans with free slots and two
 * without, of which one each, by the parity of sweepgen / 2, is swept; up to
 * 1.14 two lists.
 *
 *	spanSet	{spine, spineLen}: blocks of 512 pointers, nil where popped
 */

#define SPAN_ROOM 256
#define BATCH_SPANS 256
#define MAX_SPANS (1 << 20) /* by which the blocks of sets are bounded */
#define MAX_SETS 4096
#define MAX_LIST (1 << 22)
#define MAX_PS 65536

/** Holders by the descriptor's address: P << 8 | holder. */
struct holders {
	struct mw_go *go;
	struct mw_map64 of;
	uint64_t value; /* that is being given */
	/*
	 * Blocks that sets may yet have: in a sound runtime they hold all spans
	 * but once, and each set has one that is not full.
	 */
	uint64_t blocks_left;
};

static struct mw_error *hold(struct holders *h, uint64_t span, uint64_t value)
{
	uint64_t *place = mw_map64_at(&h->of, span);

	if (!place)
		return mw_error_nomem();
	*place = value;
	return NULL;
}

static struct mw_error *hold_span(struct mw_go *go, uint64_t index,
				  uint64_t span, void *ctx)
{
	struct holders *h = ctx;

	(void)go;
	(void)index;
	return hold(h, span, h->value);
}

static struct mw_error *hold_block(struct mw_go *go, uint64_t index,
				   uint64_t block, void *ctx)
{
	(void)index;
	return go_each_pointer(go, block + go_off(go, GO_spanSetBlock_spans),
			       go_size(go, GO_spanSetBlock_spans) / 8,
			       hold_span, ctx);
}

static struct mw_error *hold_set(struct holders *h, uint64_t set,
				 enum mw_go_holder holder)
{
	uint64_t spine, len;

	if (!go_read(h->go, set, GO_spanSet_spine, &spine) || !spine ||
	    !go_read(h->go, set, GO_spanSet_spineLen, &len) ||
	    len > h->blocks_left)
		return NULL;
	h->blocks_left -= len;
	h->value = holder;
	return go_each_pointer(h->go, spine, len, hold_block, h);
}

static struct mw_error *hold_list(struct holders *h, uint64_t list,
				  enum mw_go_holder holder)
{
	struct mw_error *error = NULL;
	uint64_t span;

	if (!go_read(h->go, list, GO_mSpanList_first, &span))
		return NULL;
	for (int n = 0; span && !error && n < MAX_LIST; n++) {
		if (mw_map64_find(&h->of, span))
			break; // moved from list to list meanwhile, or a cycle
		error = hold(h, span, holder);
		if (!go_read(h->go, span, GO_mspan_next, &span))
			break;
	}
	return error;
}

/** The lists of one mcentral. */
static struct mw_error *hold_central(struct holders *h, uint64_t central,
				     unsigned swept)
{
	const struct mw_go *go = h->go;
	struct mw_error *error = NULL;

	if (go_has(go, GO_mcentral_nonempty)) {
		error = hold_list(h, central + go_off(go, GO_mcentral_nonempty),
				  MW_GO_HELD_NONEMPTY);
		if (!error)
			error = hold_list(h,
					  central + go_off(go,
							   GO_mcentral_empty),
					  MW_GO_HELD_EMPTY);
	}
	// 1.15 has both, and uses these.
	if (error || !go_has(go, GO_mcentral_partial) || !go_has(go, GO_mcentral_full) ||
	    !go_has(go, GO_spanSetBlock_spans))
		return error;
	for (unsigned i = 0; !error && i < 2; i++) {
		uint64_t skip = i * go_size(go, GO_spanSet);

		error = hold_set(h,
				 central + go_off(go, GO_mcentral_partial) +
					 skip,
				 i == swept ? MW_GO_HELD_PARTIAL_SWEPT
					    : MW_GO_HELD_PARTIAL_UNSWEPT);
		if (!error)
			error = hold_set(
				h, central + go_off(go, GO_mcentral_full) + skip,
				i == swept ? MW_GO_HELD_FULL_SWEPT
					   : MW_GO_HELD_FULL_UNSWEPT);
	}
	return error;
}

static struct mw_error *hold_centrals(struct holders *h, uint64_t sweepgen)
{
	const struct mw_go *go = h->go;
	uint64_t stride = go_size(go, GO_mheap_central_elem);
	uint64_t count = stride ? go_size(go, GO_mheap_central) / stride : 0;
	struct mw_error *error = NULL;

	for (uint64_t i = 0; !error && i < mw_min(count, 512); i++)
		error = hold_central(h,
				     go->mheap + go_off(go, GO_mheap_central) +
					     i * stride,
				     (unsigned)(sweepgen / 2 % 2));
	return error;
}

/** Last, since what an mcache holds it has taken from a list. */
static struct mw_error *hold_mcaches(struct holders *h)
{
	const struct mw_go *go = h->go;
	struct mw_error *error = NULL;
	struct go_slice ps;

	if (!go_has(go, GO_mcache_alloc) || !go_read_ps(go, &ps))
		return NULL;
	for (uint64_t i = 0; !error && i < mw_min(ps.len, MAX_PS); i++) {
		uint64_t p, cache;

		if (!mw_target_read_u64(go->target, ps.ptr + 8 * i, &p) ||
		    !go_read(go, p, GO_p_mcache, &cache) || !cache)
			continue;
		h->value = i << 8 | MW_GO_HELD_BY_MCACHE;
		error = go_each_pointer(h->go,
					cache + go_off(go, GO_mcache_alloc),
					go_size(go, GO_mcache_alloc) / 8,
					hold_span, h);
	}
	return error;
}

/* Spans */

struct reader {
	struct mw_go *go;
	uint64_t sweepgen;
	struct mw_go_spans *out;
};

static bool add_span(struct reader *r, uint64_t va, const uint8_t *bytes)
{
	const struct mw_go *go = r->go;
	struct mw_go_span *to;
	struct go_span span;

	if (!bytes || !go_parse_span(go, bytes, &span) ||
	    span.elems > UINT32_MAX) {
		r->out->torn++;
		return true;
	}
	if (span.state == GO_SPAN_DEAD) {
		r->out->dead++;
		return true;
	}
	to = mw_vec_push(&r->out->list);
	if (!to)
		return false;
	*to = go_describe_span(&span, va);
	if (go_has(go, GO_mspan_sweepgen))
		to->sweep = go_sweep_of(go_get(go, bytes, GO_mspan_sweepgen),
					r->sweepgen);
	return true;
}

/** The descriptors at @vas, those side by side at once. */
static bool add_batch(struct reader *r, const uint64_t *vas, size_t count)
{
	uint64_t size = go_size(r->go, GO_mspan);
	uint8_t bytes[64 * SPAN_ROOM + 8];

	for (size_t i = 0; i < count;) {
		size_t n = 1;

		while (i + n < count && n < 64 && vas[i + n] == vas[i] + n * size)
			n++;
		bool have = go_read_now(r->go, vas[i], bytes, n * size);
		for (size_t k = 0; k < n; k++)
			if (!add_span(r, vas[i + k],
				      have ? bytes + k * size : NULL))
				return false;
		i += n;
	}
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct mw_go_span *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static struct mw_error *read_all(struct reader *r)
{
	const struct go_slice *all = &r->go->allspans;
	uint64_t vas[BATCH_SPANS];

	for (uint64_t i = 0; i < all->len; i += BATCH_SPANS) {
		size_t count = mw_min(BATCH_SPANS, all->len - i);

		if (!go_read_now(r->go, all->ptr + 8 * i, vas, 8 * count))
			r->out->torn += count;
		else if (!add_batch(r, vas, count))
			return mw_error_nomem();
	}
	if (r->out->list.n > 0)
		qsort(r->out->list.v, r->out->list.n,
		      sizeof(*r->out->list.v), by_address);
	return NULL;
}

/** Leave out what overlaps the span before: caught in a change. */
static void tidy(struct mw_go_spans *spans)
{
	uint64_t end = 0;
	size_t kept = 0;

	for (size_t i = 0; i < spans->list.n; i++) {
		const struct mw_go_span *s = &spans->list.v[i];

		if (s->address < end) {
			spans->torn++;
			continue;
		}
		end = s->address + mw_go_span_bytes(s);
		spans->list.v[kept++] = *s;
	}
	spans->list.n = kept;
}

struct mw_error *mw_go_spans_read(struct mw_go *go, struct mw_go_spans *ret)
{
	struct mw_go_spans out = { 0 };
	struct reader r = { .go = go, .out = &out };
	struct mw_error *error;

	go_read(go, go->mheap, GO_mheap_sweepgen, &r.sweepgen);
	error = read_all(&r);
	if (error) {
		mw_go_spans_free(&out);
		return error;
	}
	tidy(&out);
	*ret = out;
	return NULL;
}

/** The spans in use that begin in @region. */
static struct mw_error *add_known(const struct mw_go *go,
				  const struct go_region *region,
				  struct mw_go_spans *out)
{
	uint64_t pages = (region->end - region->start) / GO_PAGE_BYTES;

	for (uint64_t page = 0; page < pages; page++) {
		uint32_t number = region->first_spans[page];
		const struct go_digest *d =
			number ? &go->digests[number - 1] : NULL;
		struct mw_go_span *to;

		if (!d || go_is_free(d) || d->pages > pages - page)
			continue;
		to = mw_vec_push(&out->list);
		if (!to)
			return mw_error_nomem();
		*to = (struct mw_go_span){
			.address = region->start + page * GO_PAGE_BYTES,
			.pages = d->pages,
			.elem_bytes = go_elem_bytes(d),
			.elems = d->elems,
			.allocated = d->allocated,
			.state = d->is_manual ? MW_GO_SPAN_MANUAL
					      : MW_GO_SPAN_IN_USE,
			.class = d->class >> 1,
			.is_noscan = d->class & 1,
		};
		page += d->pages - 1;
	}
	return NULL;
}

struct mw_error *mw_go_spans_known(struct mw_go *go, struct mw_go_spans *ret)
{
	struct mw_go_spans out = { 0 };
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < go->regions.n; i++)
		error = add_known(go, &go->regions.v[i], &out);
	if (error) {
		mw_go_spans_free(&out);
		return error;
	}
	*ret = out;
	return NULL;
}

struct mw_error *mw_go_spans_find_holders(struct mw_go *go,
					  struct mw_go_spans *spans)
{
	struct holders holders = {
		.go = go,
		.blocks_left = mw_min(go->allspans.len, MAX_SPANS) + MAX_SETS,
	};
	uint64_t sweepgen = 0;
	struct mw_error *error;

	go_read(go, go->mheap, GO_mheap_sweepgen, &sweepgen);
	error = hold_centrals(&holders, sweepgen);
	if (!error)
		error = hold_mcaches(&holders);
	for (size_t i = 0; !error && i < spans->list.n; i++) {
		struct mw_go_span *s = &spans->list.v[i];
		const uint64_t *holder = mw_map64_find(&holders.of,
						       s->descriptor);

		if (!holder)
			continue;
		s->holder = (uint8_t)*holder;
		s->p = (uint32_t)(*holder >> 8);
	}
	mw_map64_free(&holders.of);
	return error;
}

void mw_go_spans_free(struct mw_go_spans *spans)
{
	mw_vec_free(&spans->list);
}
