/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_walk.h"
#include "mw_guard.h"
#include "mw_parallel.h"

/*
 * The regions of a target that stands still, walked by several threads. A large
 * region is divided into parts. Where the chunks of a part begin only the part
 * before can tell, so it is guessed: a chain of chunks that is found some way
 * before will as a rule have come upon the real one. When all parts have been
 * walked, they are joined in ascending order, and one whose guess was not where
 * the part before has ended is walked again from there. So the result is that
 * of one walk from the start, whatever the guesses were.
 *
 * Threads: a part is one job's alone. All that the jobs share (the target, the
 * region, its marks, the arena) is only read.
 */
#define PART_BYTES MW_MIB(32)
#define RUN_UP MW_KIB(64) /* where the search for a chain begins before */
#define NO_GUESS UINT64_MAX

struct part {
	struct glibc_walk walk;
	struct glibc_region *region;
	struct glibc_region own; /* takes the walk's sums and digest */
	uint64_t start, stop; /* the region's are those of its ends */
	uint64_t first, next; /* the first chunk, and the one behind */
	bool failed;	      /* no memory */
};

struct parts {
	MW_VEC(struct part) list; /* by region, ascending */
};

/** Prepare the walk of @p. False without memory. */
static bool begin(struct part *p)
{
	uint8_t *buffer = mw_alloc(GLIBC_PIECE);

	mw_vec_free(&p->own.digest);
	mw_error_free(p->own.error);
	p->own = *p->region;
	p->own.digest.v = NULL;
	p->own.digest.n = p->own.digest.cap = 0;
	p->own.error = NULL;
	p->failed = !buffer;
	if (buffer)
		glibc_walk_begin(&p->walk, &p->own, buffer);
	return buffer;
}

static void walk_from(struct part *p, uint64_t first)
{
	p->first = first;
	p->next = glibc_walk_to(&p->walk, first, p->stop);
	mw_free(mw_steal(p->walk.buffer));
	p->walk.buffer_start = p->walk.buffer_end = 0;
}

static void walk_part(size_t job, void *ctx)
{
	struct parts *parts = ctx;
	struct part *p = &parts->list.v[job];
	uint64_t first = p->region->chunks;

	if (!begin(p))
		return;
	if (p->start == p->region->start) {
		if (first > p->start)
			glibc_post(&p->walk.post, GLIBC_METADATA, p->start,
				   first);
		walk_from(p, first);
		return;
	}
	// A guess must not cost more than what it spares.
	p->walk.budget = PART_BYTES / CHUNK_ALIGN;
	first = glibc_walk_look(&p->walk, mw_max(first, p->start - RUN_UP),
				p->start);
	p->walk.post.first = first;
	walk_from(p, first);
	if (p->walk.budget == 0)
		p->first = NO_GUESS;
}

/* Joining */

/** Walk @p again from where @last has ended, which goes on in it. */
static void walk_again(struct part *p, struct part *last, uint64_t *budget)
{
	struct glibc_walk *to = &p->walk, *from = &last->walk;

	if (!begin(p))
		return;
	to->budget = *budget;
	to->pending = from->pending;
	to->link = from->link;
	to->fences = from->fences;
	to->post.run = from->post.run;
	from->pending = 0;
	from->post.run = (struct glibc_free_run){ 0 };
	walk_from(p, last->next);
	*budget = to->budget;
}

static void add_sums(struct glibc_sums *to, const struct glibc_sums *from)
{
	for (unsigned k = 0; k < GLIBC_KINDS; k++) {
		to->bytes[k] += from->bytes[k];
		to->blocks[k] += from->blocks[k];
	}
	to->largest_free = mw_max(to->largest_free, from->largest_free);
	to->trimmable += from->trimmable;
	to->unsettled += from->unsettled;
	to->link_check += from->link_check;
	to->link_ends += from->link_ends;
}

/** Give the region what the walk of @p has reported. */
static void hand_over(struct part *p)
{
	struct glibc_region *to = p->region;
	struct mw_error *error = mw_steal(p->own.error);

	add_sums(&to->sums, &p->own.sums);
	for (size_t i = 0; !error && i < p->own.digest.n; i++) {
		uint64_t *word = mw_vec_push(&to->digest);

		if (word)
			*word = p->own.digest.v[i];
		else
			error = mw_error_nomem();
	}
	mw_vec_free(&p->own.digest);
	if (to->error)
		mw_error_free(error);
	else
		to->error = error;
}

/**
 * Settle what @p has left for the chunk at @first behind it, and note that one
 * may visit the region from there, if nothing else is left. False without
 * memory.
 */
static bool add_seam(struct part *p, uint64_t first)
{
	uint64_t *seam;

	glibc_walk_settle(&p->walk, first);
	if (p->walk.pending || p->walk.fences)
		return true;
	seam = mw_vec_push(&p->region->seams);
	if (seam)
		*seam = first;
	return seam;
}

/** Join the @count parts of a region. */
static struct mw_error *join(struct part *parts, size_t count)
{
	uint64_t budget = parts->walk.budget;
	struct part *last = parts;

	if (last->failed)
		return mw_error_nomem();
	for (size_t i = 1; i < count; i++) {
		struct part *p = &parts[i];
		bool fits;

		// A chunk may lead past all of a part.
		if (last->next >= p->stop)
			continue;
		if (p->failed)
			return mw_error_nomem();
		fits = p->first == last->next && p->first != p->walk.top;
		if (fits && !add_seam(last, p->first))
			return mw_error_nomem();
		if (!fits ||
		    !glibc_post_join(&last->walk.post, &p->walk.post))
			walk_again(p, last, &budget);
		if (p->failed)
			return mw_error_nomem();
		glibc_post_finish(&last->walk.post);
		hand_over(last);
		last = p;
	}
	glibc_walk_end(&last->walk);
	hand_over(last);
	return NULL;
}

static bool add_parts(struct parts *parts, struct glibc_region *r)
{
	uint64_t end = mw_align_down(r->end, CHUNK_ALIGN);
	uint64_t start = r->start, stop;

	for (bool more = true; more; start = stop) {
		struct part *p = mw_vec_push(&parts->list);

		if (!p)
			return false;
		stop = mw_align_down(mw_max(start, r->chunks), PART_BYTES) +
		       PART_BYTES;
		// A small rest is no part of its own.
		more = stop < end && end - stop > PART_BYTES / 2;
		*p = (struct part){ .region = r, .start = start,
				    .stop = more ? stop : end };
	}
	return true;
}

static void free_parts(struct parts *parts)
{
	for (size_t i = 0; i < parts->list.n; i++) {
		mw_vec_free(&parts->list.v[i].own.digest);
		mw_error_free(parts->list.v[i].own.error);
	}
	mw_vec_free(&parts->list);
}

struct mw_error *glibc_walk_parts(struct glibc *glibc)
{
	MW_CLEANUP(free_parts) struct parts parts = { 0 };
	struct mw_error *error = NULL;

	for (size_t i = 0; i < glibc->regions.n; i++)
		if (!add_parts(&parts, glibc->regions.v[i]))
			return mw_error_nomem();
	mw_parallel(mw_target_workers(glibc->target), parts.list.n, walk_part,
		    &parts);
	for (size_t i = 0, n; !error && i < parts.list.n; i += n) {
		for (n = 1; i + n < parts.list.n &&
			    parts.list.v[i + n].region ==
				    parts.list.v[i].region; n++)
			;
		error = join(&parts.list.v[i], n);
	}
	return error;
}

/* Visiting */

struct mw_error *glibc_visit_part(const struct glibc_region *region,
				  size_t part,
				  const struct glibc_visitor *visitor)
{
	MW_CLEANUP(mw_freep) uint8_t *buffer = mw_alloc(GLIBC_PIECE);
	const uint64_t *seams = region->seams.v;
	bool is_last = part == region->seams.n;
	uint64_t first = part ? seams[part - 1] : region->chunks, stop;
	struct glibc_region own = *region; // for an error of its own
	struct glibc_walk w;

	if (!buffer)
		return mw_error_nomem();
	own.error = NULL;
	glibc_walk_begin(&w, &own, buffer);
	stop = is_last ? w.end : seams[part];
	w.budget = (stop - mw_min(first, stop)) / CHUNK_ALIGN * 2;
	w.post.visitor = visitor;
	if (part == 0 && first > region->start)
		glibc_post(&w.post, GLIBC_METADATA, region->start, first);
	glibc_walk_to(&w, first, stop);
	if (is_last) {
		glibc_walk_end(&w);
	} else {
		glibc_walk_settle(&w, stop);
		glibc_post_finish(&w.post);
	}
	return mw_steal(own.error);
}

struct mw_error *glibc_visit_region(const struct glibc_region *region,
				    const struct glibc_visitor *visitor)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < glibc_parts_of(region) && !error; i++)
		error = glibc_visit_part(region, i, visitor);
	return error;
}
