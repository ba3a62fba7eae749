/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_int.h"
#include "mw_guard.h"

/*
 * Free chunks by the lists that have them. Which list that is follows from a
 * chunk's size, as the walk finds it; but a chunk that was freed lately may
 * still be in the unsorted one, which is followed and marked before.
 */
#define MAX_UNSORTED (1u << 22) /* followed in one arena */

/* Bins (malloc/malloc.c: largebin_index_64(), smallbin_index()) */

uint32_t glibc_bin_of(uint64_t bytes)
{
	static const struct {
		unsigned shift, most, base;
	} large[] = {
		{ 6, 48, 48 }, { 9, 20, 91 }, { 12, 10, 110 },
		{ 15, 4, 119 }, { 18, 2, 124 },
	};

	if (bytes < GLIBC_LARGE_BYTES)
		return (uint32_t)(bytes / CHUNK_ALIGN);
	for (size_t i = 0; i < MW_COUNT(large); i++)
		if (bytes >> large[i].shift <= large[i].most)
			return large[i].base +
			       (uint32_t)(bytes >> large[i].shift);
	return GLIBC_BINS - 1;
}

/** What the lists of one arena have. */
struct arena_bins {
	const struct glibc_arena *arena;
	struct mw_alloc_bin fast[GLIBC_FASTBINS];
	struct mw_alloc_bin bins[GLIBC_BINS]; /* by glibc_bin_of() */
	struct mw_alloc_bin unsorted;
	const struct glibc_region *region;
};

static void count(struct mw_alloc_bin *bin, uint64_t bytes, uint64_t blocks)
{
	if (bin->count.blocks == 0)
		bin->least_bytes = bytes;
	bin->least_bytes = mw_min(bin->least_bytes, bytes);
	bin->most_bytes = mw_max(bin->most_bytes, bytes);
	bin->count.blocks += blocks;
	bin->count.bytes += blocks * bytes;
}

static struct mw_error *take(void *ctx, enum glibc_kind kind, uint64_t start,
			     uint64_t end)
{
	struct arena_bins *b = ctx;
	uint64_t bytes = end - start;

	if (kind == GLIBC_FAST)
		count(&b->fast[mw_min((bytes - CHUNK_MIN) / CHUNK_ALIGN,
				      GLIBC_FASTBINS - 1)], bytes, 1);
	else if (kind == GLIBC_FREE &&
		 glibc_mark_at(b->region, start) == GLIBC_MARK_UNSORTED)
		count(&b->unsorted, bytes, 1);
	else if (kind == GLIBC_FREE)
		count(&b->bins[glibc_bin_of(bytes)], bytes, 1);
	return NULL;
}

/** Whether the chunk behind @chunk says, as the walk will see, that it is free. */
static bool is_free(struct glibc *glibc, uint64_t chunk)
{
	uint64_t size, next;

	return glibc_word(glibc, chunk + CHUNK_SIZE, &size) &&
	       glibc_word(glibc,
			  chunk + (size & ~(uint64_t)SIZE_FLAGS) + CHUNK_SIZE,
			  &next) &&
	       !(next & PREV_INUSE);
}

/** Mark what the first of the bins, a ring through its head, has. */
static struct mw_error *mark_unsorted(struct glibc *glibc,
				      const struct glibc_arena *arena)
{
	uint64_t first = arena->va + glibc->layout->bins, node;
	struct mw_error *error = NULL;
	bool is_new = true;

	// The head is where a chunk would begin whose fd is the bin's.
	if (!glibc_word(glibc, first, &node))
		return NULL;
	for (unsigned n = 0; n < MAX_UNSORTED && node != first - CHUNK_FD;
	     n++) {
		// A damaged list may lead to what is in use.
		if (!is_free(glibc, node))
			break;
		error = glibc_mark(glibc, node, GLIBC_MARK_UNSORTED, &is_new);
		if (error || !is_new ||
		    !mw_target_peek(glibc->target, node + CHUNK_FD, &node,
				    sizeof(node)))
			break;
	}
	return error;
}

static struct mw_error *add(struct mw_alloc_bins *to,
			    const struct mw_alloc_bin *bin,
			    const struct glibc_arena *arena, const char *kind,
			    uint32_t number)
{
	struct mw_alloc_bin *place;

	if (bin->count.blocks == 0)
		return NULL;
	place = mw_vec_push(&to->list);
	if (!place)
		return mw_error_nomem();
	*place = *bin;
	place->arena = arena->figures;
	place->kind = kind;
	place->number = number;
	return NULL;
}

static struct mw_error *add_arena(const struct arena_bins *b,
				  struct mw_alloc_bins *to)
{
	struct mw_error *error = NULL;

	for (uint32_t i = 0; i < GLIBC_FASTBINS && !error; i++)
		error = add(to, &b->fast[i], b->arena, "fast", i);
	if (!error)
		error = add(to, &b->unsorted, b->arena, "unsorted", 1);
	for (uint32_t i = 0; i < GLIBC_BINS && !error; i++)
		error = add(to, &b->bins[i], b->arena,
			    i < glibc_bin_of(GLIBC_LARGE_BYTES) ? "small"
								: "large", i);
	return error;
}

static struct mw_error *walk_arena(struct glibc *glibc, struct arena_bins *b)
{
	struct mw_error *error = mark_unsorted(glibc, b->arena);

	for (size_t i = 0; i < glibc->regions.n && !error; i++) {
		b->region = glibc->regions.v[i];
		if (b->region->arena == b->arena)
			error = glibc_visit_region(
				glibc->regions.v[i],
				&(struct glibc_visitor){ take, b });
	}
	return error;
}

/* Thread caches */

struct tcaches {
	struct mw_alloc_bin bins[GLIBC_TCACHE_BINS];
};

static void take_cached(void *ctx, uint32_t bin, uint64_t bytes,
			uint64_t blocks)
{
	struct tcaches *t = ctx;

	count(&t->bins[bin], bytes, blocks);
}

static struct mw_error *add_tcache(struct glibc *glibc,
				   const struct glibc_tcache *tcache,
				   struct mw_alloc_bins *to)
{
	const struct glibc_region *r = glibc_region_of(glibc, tcache->va);
	struct mw_error *error = NULL;
	struct tcaches t = { 0 };

	if (!r)
		return NULL;
	glibc_count_tcache(glibc, tcache->va, take_cached, &t);
	for (uint32_t i = 0; i < GLIBC_TCACHE_BINS && !error; i++) {
		t.bins[i].tid = tcache->tid;
		error = add(to, &t.bins[i], r->arena, "tcache", i);
	}
	return error;
}

struct mw_error *glibc_bins(void *state, struct mw_alloc_bins *to)
{
	struct glibc *glibc = state;
	struct mw_error *error = NULL;

	for (size_t i = 0; i < glibc->tcaches.n && !error; i++)
		error = add_tcache(glibc, &glibc->tcaches.v[i], to);
	for (size_t i = 0; i < glibc->arenas.n && !error; i++) {
		struct arena_bins b = { .arena = glibc->arenas.v[i] };

		error = walk_arena(glibc, &b);
		if (!error)
			error = add_arena(&b, to);
	}
	return error;
}
