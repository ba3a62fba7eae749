/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mw_parallel.h"
#include "target_snapshot.h"

/*
 * Pages go from the target right into the pieces that are written; what need
 * not be written is overwritten by the next pages, while it is in a cache.
 */

#define CHUNK_BYTES MW_KIB(256)
#define CHUNK_PAGES (CHUNK_BYTES / MW_PAGE_BYTES)
/*
 * What one thread reads after the other. The kernel locks the page table of 2
 * MiB when it looks for pages: threads had better not read in the same one.
 */
#define UNIT_BYTES MW_MIB(4)

/* Notes */

void mw_snapshot_flush(struct mw_snapshot *s)
{
	if (s->piece)
		mw_stream_give(s->stream, s->piece);
	s->piece = NULL;
}

bool mw_snapshot_put(struct mw_snapshot *s, const void *from, size_t bytes)
{
	const uint8_t *at = from;

	while (bytes > 0) {
		size_t take;

		if (s->piece && s->piece->used == STREAM_PIECE_BYTES)
			mw_snapshot_flush(s);
		if (!s->piece)
			s->piece = mw_stream_take(s->stream);
		if (!s->piece)
			return false;
		take = mw_min(STREAM_PIECE_BYTES - s->piece->used, bytes);
		memcpy(s->piece->bytes + s->piece->used, at, take);
		mw_stream_add(s->piece, s->offset, take);
		s->offset += take;
		at += take;
		bytes -= take;
	}
	return true;
}

/* Pages */

/** What all threads share. */
struct copy {
	struct mw_snapshot *s;
	struct mw_target *target;
	pthread_mutex_t lock;
	size_t extent; /* where the next unit begins */
	uint64_t va;
	bool ended; /* memory or the disk is full, or the user wants no more */
	bool nomem;
};

/** Some of the extents, from an address in the first to one in the last. */
struct unit {
	size_t first, last;
	uint64_t start, end;
};

struct copier {
	struct copy *copy;
	struct stream_piece *piece;
	struct mw_remote ranges[CHUNK_PAGES]; /* behind what the piece has */
	uint64_t offsets[CHUNK_PAGES];
	size_t count;
	size_t bytes; /* of all ranges */
	uint64_t memory_bytes;
	size_t hint;
};

static void add_lost(struct copy *copy, uint64_t va)
{
	struct lost *lost;

	pthread_mutex_lock(&copy->lock);
	lost = mw_vec_push(&copy->s->lost);
	if (lost)
		*lost = (struct lost){ va, va + MW_PAGE_BYTES };
	else
		copy->nomem = copy->ended = true;
	pthread_mutex_unlock(&copy->lock);
}

/** Put what is to be written of a page behind what the piece has. */
static void keep_page(struct copier *c, uint64_t va, uint8_t *page,
		      uint64_t offset)
{
	const struct mw_snapshot *s = c->copy->s;
	uint8_t *to = c->piece->bytes + c->piece->used;

	if (c->copy->target->kept)
		mw_kept_mask(c->copy->target, va, page);
	if (!mw_snapshot_differs(c->copy->s, offset, page))
		return;
	if (to != page)
		memcpy(to, page, MW_PAGE_BYTES);
	// Else in a gap may be what is in the file, or another thread's.
	if (s->is_before || !s->before_end)
		mw_stream_add_after_gap(c->piece, offset, MW_PAGE_BYTES);
	else
		mw_stream_add(c->piece, offset, MW_PAGE_BYTES);
}

/**
 * Read the planned ranges. A page that cannot be read ends a transfer: it is
 * noted as lost, and those behind it are read on.
 */
static void read_chunk(struct copier *c)
{
	const struct mw_target *target = c->copy->target;
	const struct target_source *source = target->source;
	size_t done = 0; /* ranges */

	while (done < c->count) {
		const struct mw_remote *ranges = c->ranges + done;
		size_t count = c->count - done;
		size_t got = c->copy->s->is_before
				     ? source->read_still_present(target, ranges,
								  count)
				     : source->read_present(target, ranges, count);

		for (; done < c->count; done++) {
			struct mw_remote *r = &c->ranges[done];
			size_t have = mw_align_down(mw_min(got, r->bytes),
						    MW_PAGE_BYTES);

			for (size_t at = 0; at < have; at += MW_PAGE_BYTES)
				keep_page(c, r->va + at, (uint8_t *)r->to + at,
					  c->offsets[done] + at);
			got -= mw_min(got, r->bytes);
			if (have == r->bytes)
				continue;
			add_lost(c->copy, r->va + have);
			have += MW_PAGE_BYTES;
			r->va += have;
			r->to = (uint8_t *)r->to + have;
			r->bytes -= have;
			c->offsets[done] += have;
			done += r->bytes == 0;
			break;
		}
	}
	c->count = c->bytes = 0;
}

/** Have a piece with room for a chunk. False when writing has failed. */
static bool make_room(struct copier *c)
{
	struct target_stream *stream = c->copy->s->stream;

	if (c->piece && STREAM_PIECE_BYTES - c->piece->used < CHUNK_BYTES) {
		mw_stream_give(stream, c->piece);
		c->piece = NULL;
	}
	if (!c->piece)
		c->piece = mw_stream_take(stream);
	return c->piece;
}

/** Put @bytes of the target at @va to @offset. */
static bool copy_range(struct copier *c, uint64_t va, uint64_t bytes,
		       uint64_t offset)
{
	c->memory_bytes += bytes;
	while (bytes > 0) {
		size_t take;

		if (c->bytes == CHUNK_BYTES)
			read_chunk(c);
		if (c->bytes == 0 && !make_room(c))
			return false;
		take = mw_min(CHUNK_BYTES - c->bytes, bytes);
		c->offsets[c->count] = offset;
		c->ranges[c->count++] = (struct mw_remote){
			va, c->piece->bytes + c->piece->used + c->bytes, take,
		};
		c->bytes += take;
		va += take;
		offset += take;
		bytes -= take;
	}
	return true;
}

/** Copy the present pages of @extent in [@start, @end). */
static bool copy_extent(struct copier *c, const struct extent *extent,
			uint64_t start, uint64_t end)
{
	const struct mw_pages *pages = &c->copy->target->pages;

	for (c->hint = mw_pages_after_hint(pages, start, c->hint);
	     c->hint < pages->runs.n; c->hint++) {
		uint64_t run = pages->runs.v[c->hint];
		uint64_t from = mw_max(start, mw_run_start(run));
		uint64_t to = mw_min(end, mw_run_end(run));

		if (from >= end)
			break;
		if (mw_snapshot_wants_state(mw_run_state(run)) &&
		    !copy_range(c, from, to - from,
				extent->offset + (from - extent->start)))
			return false;
		if (to < mw_run_end(run))
			break;
	}
	return true;
}

/** Called with the lock held. False when the user wants no more. */
static bool tell_progress(struct mw_snapshot *s)
{
	if (s->options.cancel && *s->options.cancel)
		return false;
	if (s->options.progress)
		s->options.progress(s->done, s->total, s->options.ctx);
	return true;
}

/** The next unit. False when there is none, or all is to end. */
static bool take_unit(struct copy *copy, struct unit *unit)
{
	struct mw_snapshot *s = copy->s;
	uint64_t left = UNIT_BYTES;

	pthread_mutex_lock(&copy->lock);
	if (!tell_progress(s))
		copy->ended = true;
	if (copy->ended || copy->extent == s->extents.n) {
		pthread_mutex_unlock(&copy->lock);
		return false;
	}
	*unit = (struct unit){
		.first = copy->extent,
		.start = mw_max(copy->va, s->extents.v[copy->extent].start),
	};
	while (left > 0 && copy->extent < s->extents.n) {
		const struct extent *e = &s->extents.v[copy->extent];
		uint64_t from = mw_max(copy->va, e->start);
		uint64_t take = mw_min(left, e->end - from);

		left -= take;
		unit->last = copy->extent;
		unit->end = copy->va = from + take;
		copy->extent += copy->va == e->end;
	}
	s->done += UNIT_BYTES - left;
	pthread_mutex_unlock(&copy->lock);
	return true;
}

static bool copy_unit(struct copier *c, const struct unit *unit)
{
	for (size_t i = unit->first; i <= unit->last; i++) {
		const struct extent *e = &c->copy->s->extents.v[i];

		if (!copy_extent(c, e, i == unit->first ? unit->start : e->start,
				 i == unit->last ? unit->end : e->end))
			return false;
	}
	return true;
}

static void copy_units(size_t job, void *ctx)
{
	struct copy *copy = ctx;
	struct copier c = { .copy = copy };
	struct unit unit = { 0 };
	bool good = true;

	(void)job;
	while (good && take_unit(copy, &unit))
		good = copy_unit(&c, &unit);
	if (good)
		read_chunk(&c);
	if (c.piece)
		mw_stream_give(copy->s->stream, c.piece);
	pthread_mutex_lock(&copy->lock);
	copy->ended |= !good;
	copy->s->memory_bytes += c.memory_bytes;
	pthread_mutex_unlock(&copy->lock);
}

static int compare_lost(const void *a, const void *b)
{
	const struct lost *first = a, *second = b;

	return first->start < second->start ? -1 : first->start > second->start;
}

/** Threads find them in any order; make runs of them, in order. */
static void sort_lost(struct mw_snapshot *s)
{
	struct lost *v = s->lost.v;
	size_t n = 0;

	if (s->lost.n)
		qsort(v, s->lost.n, sizeof(*v), compare_lost);
	for (size_t i = 0; i < s->lost.n; i++)
		if (n && v[n - 1].end == v[i].start)
			v[n - 1].end = v[i].end;
		else
			v[n++] = v[i];
	s->lost.n = n;
}

struct mw_error *mw_snapshot_copy(struct mw_snapshot *s,
				  struct mw_target *target)
{
	struct copy copy = { .s = s, .target = target };
	uint64_t bytes = 0;
	size_t threads;

	for (size_t i = 0; i < s->extents.n; i++)
		bytes += s->extents.v[i].end - s->extents.v[i].start;
	s->total = mw_max(s->total, s->done + bytes);
	// While the target runs, it has the other processors.
	threads = s->is_before ? 1
			       : mw_min(mw_parallel_workers(true),
					bytes / UNIT_BYTES + 1);
	pthread_mutex_init(&copy.lock, NULL);
	mw_parallel(threads, threads, copy_units, &copy);
	pthread_mutex_destroy(&copy.lock);
	sort_lost(s);
	// Why it ended early is told by whoever ends the stream, or by the user.
	return copy.nomem ? mw_error_nomem() : NULL;
}
