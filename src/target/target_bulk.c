/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "mw_guard.h"
#include "mw_target_bulk.h"
#include "target_int.h"

/* As many ranges as one system call takes. */
#define BATCH 256

/** A stream on its way. */
struct reader {
	struct mw_target *target;
	const struct mw_stream *stream;
	uint8_t *data; /* MW_STREAM_BYTES, before_bytes in front of them */
	struct mw_remote plan[BATCH]; /* what is to be copied, one by one */
	size_t planned, planned_bytes;
	/* The bytes handed out last that adjoin, and where they end. */
	uint64_t run_end;
	uint64_t run_bytes;
	const uint8_t *run_data_end;
	bool enough;
};

static void hand_out(struct reader *r, const struct mw_piece *piece)
{
	if (!r->enough && piece->bytes > 0)
		r->enough = !r->stream->piece(r->stream->ctx, piece);
}

static void hand_out_data(struct reader *r, uint64_t va, const uint8_t *data,
			  uint64_t bytes, enum mw_bytes_kind kind)
{
	if (va != r->run_end)
		r->run_bytes = 0;

	struct mw_piece piece = {
		.va = va,
		.bytes = bytes,
		.kind = kind,
		.data = data,
		.before = mw_min(r->run_bytes, r->stream->before_bytes),
	};

	if (bytes == 0)
		return;
	hand_out(r, &piece);
	r->run_end = va + bytes;
	r->run_bytes += bytes;
	r->run_data_end = data + bytes;
}

static void hand_out_nothing(struct reader *r, uint64_t va, uint64_t bytes,
			     enum mw_bytes_kind kind)
{
	struct mw_piece piece = { .va = va, .bytes = bytes, .kind = kind };

	r->run_bytes = 0;
	hand_out(r, &piece);
}

/** Before the room is used again, keep the last bytes in front of it. */
static void keep_tail(struct reader *r)
{
	size_t keep = mw_min(r->run_bytes, r->stream->before_bytes);

	if (keep > 0)
		memmove(r->data - keep, r->run_data_end - keep, keep);
}

/** Try each page of what did not arrive of @range, from byte @at on. */
static void copy_rest(struct reader *r, const struct mw_remote *range,
		      size_t at)
{
	while (at < range->bytes && !r->enough) {
		uint64_t va = range->va + at;
		struct mw_remote page = {
			va,
			(uint8_t *)range->to + at,
			mw_min(range->bytes - at,
			       MW_PAGE_BYTES - va % MW_PAGE_BYTES),
		};

		if (r->target->source->read_present(r->target, &page, 1) ==
		    page.bytes)
			hand_out_data(r, va, page.to, page.bytes,
				      MW_BYTES_PRESENT);
		else
			hand_out_nothing(r, va, page.bytes, MW_BYTES_GONE);
		at += page.bytes;
	}
}

/** Copy what is planned, and hand it out. */
static void flush(struct reader *r)
{
	size_t got;

	if (r->planned == 0 || r->enough)
		return;
	keep_tail(r);
	got = r->target->source->read_present(r->target, r->plan, r->planned);
	for (size_t i = 0; i < r->planned; i++) {
		const struct mw_remote *range = &r->plan[i];
		size_t have = mw_min(got, range->bytes);

		hand_out_data(r, range->va, range->to, have,
			      MW_BYTES_PRESENT);
		got -= have;
		copy_rest(r, range, have);
	}
	r->planned = r->planned_bytes = 0;
}

static void plan(struct reader *r, const struct mw_extent *extent)
{
	for (uint64_t va = extent->start; va < extent->end && !r->enough;) {
		uint64_t take = mw_min(extent->end - va,
				       MW_STREAM_BYTES - r->planned_bytes);

		r->plan[r->planned++] = (struct mw_remote){
			va,
			r->data + r->planned_bytes,
			take,
		};
		r->planned_bytes += take;
		va += take;
		if (r->planned == BATCH || r->planned_bytes == MW_STREAM_BYTES)
			flush(r);
	}
}

/** The page at @va from its file, into @to. */
static bool read_file_page(struct reader *r, uint64_t va, uint8_t *to)
{
	const struct mw_mapping *m = mw_mappings_find(&r->target->maps, va);
	bool good;

	// Files that are kept open are kept for all threads.
	pthread_mutex_lock(&r->target->files_lock);
	good = m && r->target->source->read_absent(r->target, m, va, to);
	pthread_mutex_unlock(&r->target->files_lock);
	return good;
}

static void read_file(struct reader *r, const struct mw_extent *extent)
{
	uint64_t va = extent->start;

	flush(r);
	while (va < extent->end && !r->enough) {
		uint64_t page = mw_align_down(va, MW_PAGE_BYTES);
		uint64_t first = va;
		size_t used = 0;
		bool good = true;

		keep_tail(r);
		while (va < extent->end &&
		       used + MW_PAGE_BYTES <= MW_STREAM_BYTES) {
			good = read_file_page(r, page, r->data + used);
			if (!good)
				break;
			used += MW_PAGE_BYTES;
			page += MW_PAGE_BYTES;
			va = mw_min(page, extent->end);
		}
		// The bytes kept of the run stand in front of the page: one
		// that continues it begins where a page does.
		uint64_t skip = first % MW_PAGE_BYTES;
		if (skip && va > first)
			memmove(r->data, r->data + skip, used - skip);
		hand_out_data(r, first, r->data, va - first, extent->kind);
		if (!good) {
			uint64_t until = mw_min(page + MW_PAGE_BYTES,
						extent->end);

			hand_out_nothing(r, va, until - va, extent->kind);
			va = until;
		}
	}
}

struct mw_error *mw_target_stream(struct mw_target *target,
				  const struct mw_extent *extents,
				  size_t count, const struct mw_stream *stream)
{
	MW_CLEANUP(mw_freep) struct reader *r = mw_alloc(sizeof(*r));
	MW_CLEANUP(mw_freep) uint8_t *room =
		mw_alloc(stream->before_bytes + MW_STREAM_BYTES);

	if (!r || !room)
		return mw_error_nomem();
	r->target = target;
	r->stream = stream;
	r->data = room + stream->before_bytes;
	r->planned = r->planned_bytes = 0;
	r->run_bytes = r->run_end = 0;
	r->run_data_end = NULL;
	r->enough = false;
	for (size_t i = 0; i < count && !r->enough; i++) {
		const struct mw_extent *e = &extents[i];

		assert(e->start < e->end);
		if (e->kind == MW_BYTES_PRESENT) {
			plan(r, e);
			continue;
		}
		flush(r);
		if (e->kind == MW_BYTES_FILE && stream->from_files)
			read_file(r, e);
		else
			hand_out_nothing(r, e->start, e->end - e->start,
					 e->kind);
	}
	flush(r);
	return NULL;
}
