/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_links.h"
#include "mw_parallel.h"

/*
 * All regions: walked before the ledger settles, and reported when it does.
 */

static void walk_job(size_t job, void *ctx)
{
	struct glibc *glibc = ctx;

	glibc_walk_region(glibc->regions.v[job], NULL);
}

static struct mw_error *walk_regions(struct glibc *glibc)
{
	// Where what is kept is marked, the threads would wait for each other.
	if (mw_target_info(glibc->target)->mode != MW_CAPTURE_LIVE &&
	    !mw_target_keeps(glibc->target))
		return glibc_walk_parts(glibc);
	mw_parallel(mw_target_workers(glibc->target), glibc->regions.n,
		    walk_job, glibc);
	return NULL;
}

/** Forget what was walked of an arena. */
static void reset_arena(struct glibc *glibc, const struct glibc_arena *arena)
{
	for (size_t i = 0; i < glibc->regions.n; i++) {
		struct glibc_region *r = glibc->regions.v[i];

		if (r->arena != arena)
			continue;
		r->digest.n = 0;
		r->sums = (struct glibc_sums){ 0 };
	}
}

/** Whether the links that were met are those of the fastbins; and no other. */
static bool are_links_sound(const struct glibc *glibc,
			    const struct glibc_arena *arena)
{
	uint64_t check = 0, ends = 0;

	for (size_t i = 0; i < glibc->regions.n; i++) {
		const struct glibc_region *r = glibc->regions.v[i];

		if (r->arena == arena) {
			check += r->sums.link_check;
			ends += r->sums.link_ends;
		}
	}
	for (uint64_t i = 0; i < GLIBC_FASTBINS; i++) {
		uint64_t head = arena->fastbins[i];

		if (head) {
			check += glibc_link_hash(head, CHUNK_MIN +
							       CHUNK_ALIGN * i);
			ends--;
		}
	}
	return check == 0 && ends == 0;
}

/** Walk the regions of @arena once more, with the fastbins marked. */
static struct mw_error *walk_marked(struct glibc *glibc,
				    struct glibc_arena *arena)
{
	struct mw_error *error = glibc_mark_fastbins(glibc, arena);

	if (error)
		return error;
	reset_arena(glibc, arena);
	for (size_t i = 0; i < glibc->regions.n; i++)
		if (glibc->regions.v[i]->arena == arena)
			glibc_walk_region(glibc->regions.v[i], NULL);
	return NULL;
}

static void add_figures(struct glibc *glibc, struct glibc_region *region,
			size_t *hint)
{
	struct mw_alloc_arena *f = region->arena->figures;
	const uint64_t *bytes = region->sums.bytes;
	const uint64_t *blocks = region->sums.blocks;
	struct mw_tally tally = { 0 };

	mw_pages_tally(mw_target_pages(glibc->target), hint, region->start,
		       region->limit, &tally);
	f->in_use_bytes += bytes[GLIBC_IN_USE];
	f->in_use_blocks += blocks[GLIBC_IN_USE];
	f->free_bytes += bytes[GLIBC_FREE] + bytes[GLIBC_FAST];
	f->free_blocks += blocks[GLIBC_FREE] + blocks[GLIBC_FAST];
	f->largest_free_bytes = mw_max(f->largest_free_bytes,
				       region->sums.largest_free);
	f->cache_bytes += bytes[GLIBC_CACHE];
	f->cache_blocks += blocks[GLIBC_CACHE];
	f->top_bytes += bytes[GLIBC_TOP];
	f->metadata_bytes += bytes[GLIBC_METADATA];
	f->foreign_bytes += bytes[GLIBC_FOREIGN];
	f->reserved_bytes += bytes[GLIBC_RESERVED];
	f->torn_bytes += bytes[GLIBC_TORN] + bytes[GLIBC_UNREADABLE];
	f->trimmable_bytes += region->sums.trimmable;
	f->unsettled += region->sums.unsettled;
	f->resident_bytes += tally.rss_bytes;
}

struct mw_error *glibc_walk(struct glibc *glibc)
{
	struct mw_error *error = NULL;
	size_t hint = 0;

	for (size_t i = 0; !error && i < glibc->arenas.n; i++)
		// Where links are plain, too much else looks like one.
		if (glibc->arenas.v[i]->linked_max &&
		    !glibc_has_safe_links(glibc))
			error = glibc_mark_fastbins(glibc,
						    glibc->arenas.v[i]);
	if (error)
		return error;
	error = walk_regions(glibc);
	for (size_t i = 0; !error && i < glibc->arenas.n; i++)
		if (glibc->arenas.v[i]->linked_max &&
		    !are_links_sound(glibc, glibc->arenas.v[i]))
			error = walk_marked(glibc, glibc->arenas.v[i]);
	for (size_t i = 0; !error && i < glibc->regions.n; i++) {
		add_figures(glibc, glibc->regions.v[i], &hint);
		error = glibc->regions.v[i]->error;
		glibc->regions.v[i]->error = NULL;
	}
	return error;
}

/* Reporting */

/** One stretch of a digest. */
struct stretch {
	uint64_t start, end;
	struct mw_sum sums[GLIBC_KINDS];
	size_t count;
};

/** The stretch at word *@at of the digest, which begins at @start. */
static void take_stretch(const struct glibc_region *r, size_t *at,
			 uint64_t start, struct stretch *ret)
{
	const uint64_t mask = (UINT64_C(1) << GLIBC_DIGEST_SHIFT) - 1;

	ret->start = start;
	ret->end = start + (r->digest.v[(*at)++] & mask);
	for (ret->count = 0; *at < r->digest.n; ret->count++, (*at)++) {
		uint64_t word = r->digest.v[*at];

		if (word >> GLIBC_DIGEST_SHIFT == GLIBC_STRETCH)
			break;
		ret->sums[ret->count] = (struct mw_sum){
			r->arena->accounts[word >> GLIBC_DIGEST_SHIFT],
			word & mask,
		};
	}
}

/** Whether the ledger, too, holds each stretch for uniform. */
static bool is_uniform(const struct glibc_region *r, struct mw_parts *parts)
{
	struct stretch s = { .end = r->start };

	for (size_t at = 0; at < r->digest.n;) {
		take_stretch(r, &at, s.end, &s);
		if (mw_part_uniform_until(parts, s.start) < s.end)
			return false;
	}
	return true;
}

struct mw_error *glibc_refine(void *ctx, const struct mw_claim *claim,
			      struct mw_parts *parts)
{
	struct glibc_region *r = ctx;
	struct stretch s = { .end = r->start };

	(void)claim;
	if (!is_uniform(r, parts)) {
		glibc_walk_region(r, parts);
		struct mw_error *error = r->error;
		r->error = NULL;
		return error;
	}
	for (size_t at = 0; at < r->digest.n;) {
		take_stretch(r, &at, s.end, &s);
		mw_part_sums(parts, s.start, s.end, s.sums, s.count);
	}
	return NULL;
}
