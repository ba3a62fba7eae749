/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "target_snapshot.h"

/* Pages go from the target right into the pieces that are written. */

#define MOST_RANGES 256
/* Zeros that are written rather than skipped, to write in large pieces. */
#define MOST_ZEROS MW_KIB(64)

struct copier {
	struct mw_snapshot *s;
	struct mw_target *target;
	struct mw_remote ranges[MOST_RANGES]; /* planned, all in s->piece */
	size_t count;
	bool nomem;
};

void mw_snapshot_flush(struct mw_snapshot *s)
{
	if (s->piece && s->piece->used)
		mw_stream_give(s->stream);
	s->piece = NULL;
}

/** Room in a piece for what comes at s->offset; 0 when writing has failed. */
static size_t make_room(struct mw_snapshot *s)
{
	if (s->piece && s->piece->used == STREAM_PIECE_BYTES)
		mw_snapshot_flush(s);
	if (!s->piece) {
		s->piece = mw_stream_take(s->stream);
		if (!s->piece)
			return 0;
		s->piece->used = 0;
		s->piece->offset = s->offset;
	}
	return STREAM_PIECE_BYTES - s->piece->used;
}

bool mw_snapshot_put(struct mw_snapshot *s, const void *from, size_t bytes)
{
	const uint8_t *at = from;

	while (bytes > 0) {
		size_t take = mw_min(make_room(s), bytes);

		if (take == 0)
			return false;
		memcpy(s->piece->bytes + s->piece->used, at, take);
		s->piece->used += take;
		s->offset += take;
		at += take;
		bytes -= take;
	}
	return true;
}

static bool add_lost(struct copier *c, uint64_t va)
{
	struct lost *last = c->s->lost.n ? &c->s->lost.v[c->s->lost.n - 1]
					 : NULL;

	if (last && last->end == va) {
		last->end = va + MW_PAGE_BYTES;
		return true;
	}
	last = mw_vec_push(&c->s->lost);
	if (!last) {
		c->nomem = true;
		return false;
	}
	*last = (struct lost){ va, va + MW_PAGE_BYTES };
	return true;
}

/**
 * Read the planned ranges. A page that cannot be read ends a transfer: it is
 * noted as lost, and those behind it are read on.
 */
static bool read_ranges(struct copier *c, struct mw_remote *range,
			struct mw_remote *end)
{
	while (range < end) {
		size_t got = c->target->source->read_present(
			c->target, range, (size_t)(end - range));

		for (; range < end && got >= range->bytes; range++)
			got -= range->bytes;
		if (range == end)
			break;
		got = mw_align_down(got, MW_PAGE_BYTES);
		memset((uint8_t *)range->to + got, 0, MW_PAGE_BYTES);
		if (!add_lost(c, range->va + got))
			return false;
		got += MW_PAGE_BYTES;
		range->va += got;
		range->to = (uint8_t *)range->to + got;
		range->bytes -= got;
		if (range->bytes == 0)
			range++;
	}
	return true;
}

static bool read_planned(struct copier *c)
{
	struct mw_remote ranges[MOST_RANGES];
	size_t count = c->count;

	c->count = 0;
	memcpy(ranges, c->ranges, count * sizeof(*ranges));
	if (!read_ranges(c, c->ranges, c->ranges + count))
		return false;
	for (size_t i = 0; c->target->kept && i < count; i++)
		for (uint64_t at = 0; at < ranges[i].bytes;
		     at += MW_PAGE_BYTES)
			mw_kept_mask(c->target, ranges[i].va + at,
				     (uint8_t *)ranges[i].to + at);
	return true;
}

/** False when the user wants no more. */
static bool tell_progress(struct mw_snapshot *s)
{
	if (s->options.cancel && *s->options.cancel)
		return false;
	if (s->options.progress)
		s->options.progress(s->offset, s->planned, s->options.ctx);
	return true;
}

/** Put @bytes of the target at @va behind the others. */
static bool copy_range(struct copier *c, uint64_t va, uint64_t bytes)
{
	while (bytes > 0) {
		struct mw_snapshot *s = c->s;
		bool full = s->piece && s->piece->used == STREAM_PIECE_BYTES;
		size_t take;

		if ((full || c->count == MOST_RANGES) && !read_planned(c))
			return false;
		if (full && !tell_progress(s))
			return false;
		take = mw_min(make_room(s), bytes);
		if (take == 0)
			return false;
		c->ranges[c->count++] = (struct mw_remote){
			va, s->piece->bytes + s->piece->used, take,
		};
		s->piece->used += take;
		s->offset += take;
		va += take;
		bytes -= take;
	}
	return true;
}

/** Leave @bytes out: as zeros, or as a hole in the file. */
static bool skip(struct copier *c, uint64_t bytes)
{
	struct mw_snapshot *s = c->s;

	if (s->piece && bytes <= MOST_ZEROS &&
	    bytes <= STREAM_PIECE_BYTES - s->piece->used) {
		memset(s->piece->bytes + s->piece->used, 0, bytes);
		s->piece->used += bytes;
	} else {
		if (!read_planned(c))
			return false;
		mw_snapshot_flush(s);
	}
	s->offset += bytes;
	return true;
}

static bool copy_extent(struct copier *c, const struct extent *extent,
			size_t *hint)
{
	const struct mw_pages *pages = &c->target->pages;
	uint64_t va = extent->start;

	for (*hint = mw_pages_after_hint(pages, va, *hint); va < extent->end;
	     ++*hint) {
		uint64_t run = pages->runs.v[*hint];
		uint64_t from = mw_max(va, mw_run_start(run));
		uint64_t to = mw_min(extent->end, mw_run_end(run));

		if (!mw_snapshot_wants_state(mw_run_state(run)))
			continue;
		if ((from > va && !skip(c, from - va)) ||
		    !copy_range(c, from, to - from))
			return false;
		c->s->memory_bytes += to - from;
		va = to;
		if (to < mw_run_end(run))
			break;
	}
	return true;
}

struct mw_error *mw_snapshot_copy(struct mw_snapshot *s,
				  struct mw_target *target)
{
	struct copier c = { .s = s, .target = target };
	size_t hint = 0;

	if (s->extents.n)
		s->planned = s->extents.v[s->extents.n - 1].offset;
	// Why it ended early is told by whoever ends the stream, or by what
	// made it end.
	for (size_t i = 0; i < s->extents.n && !c.nomem; i++)
		if (!copy_extent(&c, &s->extents.v[i], &hint))
			break;
	if (!read_planned(&c) || c.nomem)
		return mw_error_nomem();
	mw_snapshot_flush(s);
	return NULL;
}
