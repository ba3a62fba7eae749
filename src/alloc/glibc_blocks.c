/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_int.h"
#include "mw_guard.h"
#include "mw_search.h"

/* Single blocks, told as the walk through their region meets them. */

static const struct {
	const char *state;
	enum mw_alloc_holder holder;
} kinds[GLIBC_KINDS] = {
	[GLIBC_IN_USE] = { "in-use", MW_ALLOC_IN_USE },
	[GLIBC_FREE] = { "free", MW_ALLOC_FREE },
	[GLIBC_FAST] = { "free", MW_ALLOC_FREE },
	[GLIBC_CACHE] = { "cache", MW_ALLOC_CACHED },
	[GLIBC_TOP] = { "top", MW_ALLOC_NO_BLOCK },
	[GLIBC_METADATA] = { "metadata", MW_ALLOC_NO_BLOCK },
	[GLIBC_RESERVED] = { "reserved", MW_ALLOC_NO_BLOCK },
	[GLIBC_FOREIGN] = { "foreign", MW_ALLOC_NO_BLOCK },
	[GLIBC_TORN] = { "torn", MW_ALLOC_NO_BLOCK },
	[GLIBC_UNREADABLE] = { "unreadable", MW_ALLOC_NO_BLOCK },
};

static void describe(const struct glibc_region *r, enum glibc_kind kind,
		     uint64_t start, uint64_t end, struct mw_alloc_block *ret)
{
	*ret = (struct mw_alloc_block){
		.allocator = "glibc",
		.arena = r->arena->figures,
		.state = kinds[kind].state,
		.holder = kinds[kind].holder,
		.start = start,
		.bytes = end - start,
		.class = glibc_bin_of(end - start),
	};
	// A block may use the next one's first word, which tells the size of
	// free ones only.
	if (ret->holder) {
		ret->user = start + CHUNK_HEAD_BYTES;
		ret->user_bytes = ret->bytes - CHUNK_SIZE;
	}
}

static void describe_mmapped(const struct glibc *glibc,
			     const struct glibc_block *b,
			     struct mw_alloc_block *ret)
{
	*ret = (struct mw_alloc_block){
		.allocator = "glibc",
		.arena = glibc->mmapped_figures,
		.state = "mmapped",
		.holder = MW_ALLOC_IN_USE,
		.start = b->start,
		.bytes = b->bytes,
		.class = alloc_large_class(b->bytes),
		.user = b->chunk + CHUNK_HEAD_BYTES,
		.user_bytes = b->start + b->bytes - b->chunk -
			      CHUNK_HEAD_BYTES - glibc->layout->mmapped_tail,
	};
}

/** The mmapped block that holds @va, or NULL. */
static const struct glibc_block *mmapped_at(const struct glibc *glibc,
					    uint64_t va)
{
	size_t at = mw_first(i, 0, glibc->blocks.n,
			     glibc->blocks.v[i].start +
					     glibc->blocks.v[i].bytes > va);

	return at < glibc->blocks.n && glibc->blocks.v[at].start <= va
		       ? &glibc->blocks.v[at]
		       : NULL;
}

bool glibc_holds(void *state, uint64_t va)
{
	const struct glibc *glibc = state;

	return glibc_region_of(glibc, va) || mmapped_at(glibc, va);
}

/* One block */

struct probe {
	uint64_t va;
	const struct glibc_region *region;
	struct mw_alloc_block *ret;
	bool is_found;
};

static struct mw_error *probe(void *ctx, enum glibc_kind kind, uint64_t start,
			      uint64_t end)
{
	struct probe *p = ctx;

	if (p->va >= start && p->va < end) {
		describe(p->region, kind, start, end, p->ret);
		p->is_found = true;
	}
	return NULL;
}

struct mw_error *glibc_block_at(void *state, uint64_t va,
				struct mw_alloc_block *ret, bool *ret_found)
{
	const struct glibc *glibc = state;
	struct probe p = { .va = va, .ret = ret };
	const struct glibc_block *mmapped;
	struct mw_error *error = NULL;

	for (size_t i = 0; i < glibc->regions.n && !error; i++) {
		struct glibc_region *r = glibc->regions.v[i];

		if (va < r->start || va >= r->limit)
			continue;
		p.region = r;
		error = glibc_visit_region(
			r, &(struct glibc_visitor){ probe, &p });
	}
	mmapped = p.region ? NULL : mmapped_at(glibc, va);
	if (mmapped) {
		describe_mmapped(glibc, mmapped, ret);
		p.is_found = true;
	}
	if (!error)
		*ret_found = p.is_found;
	return error;
}

/* All of them */

struct visit {
	const struct glibc_region *region;
	unsigned holders;
	mw_alloc_visit *visit;
	void *ctx;
};

static struct mw_error *visit(void *ctx, enum glibc_kind kind, uint64_t start,
			      uint64_t end)
{
	const struct visit *v = ctx;
	struct mw_alloc_block block;

	if (!(kinds[kind].holder & v->holders))
		return NULL;
	describe(v->region, kind, start, end, &block);
	return v->visit(v->ctx, &block);
}

static struct mw_error *visit_mmapped(const struct glibc *glibc,
				      unsigned holders, mw_alloc_visit *to,
				      void *ctx)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < glibc->blocks.n && !error &&
			   (holders & MW_ALLOC_IN_USE); i++) {
		struct mw_alloc_block block;

		describe_mmapped(glibc, &glibc->blocks.v[i], &block);
		error = to(ctx, &block);
	}
	return error;
}

size_t glibc_count_parts(const void *state)
{
	const struct glibc *glibc = state;
	size_t count = 1; // mmapped blocks

	for (size_t i = 0; i < glibc->regions.n; i++)
		count += glibc_parts_of(glibc->regions.v[i]);
	return count;
}

struct mw_error *glibc_visit_blocks_of(const void *state, size_t part,
				       unsigned holders, mw_alloc_visit *to,
				       void *ctx)
{
	const struct glibc *glibc = state;
	struct visit v = { .holders = holders, .visit = to, .ctx = ctx };

	for (size_t i = 0; i < glibc->regions.n; i++) {
		v.region = glibc->regions.v[i];
		if (part < glibc_parts_of(v.region))
			return glibc_visit_part(
				v.region, part,
				&(struct glibc_visitor){ visit, &v });
		part -= glibc_parts_of(v.region);
	}
	return visit_mmapped(glibc, holders, to, ctx);
}

struct mw_error *glibc_visit_blocks(void *state, unsigned holders,
				    mw_alloc_visit *to, void *ctx)
{
	size_t count = glibc_count_parts(state);
	struct mw_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		error = glibc_visit_blocks_of(state, i, holders, to, ctx);
	return error;
}
