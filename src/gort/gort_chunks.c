/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gort_int.h"
#include "mw_search.h"

/*
 * Persistent chunks (runtime/malloc.go): pieces of 256 KiB, each its own mmap,
 * which are filled from their beginning and never given back.
 *
 * Since Go 1.12 all of them hang in a list. Before, the runtime only knows
 * those that are being filled: p.palloc and globalAlloc, {base, off}. The rest
 * are told from what lies in them. The kernel puts one mapping right below
 * another and joins them, so a mapping of the runtime consists of chunks and of
 * the pieces that are mapped one by one, whose bounds are known; what is left
 * between those is chunks as far as known blocks lie there. The rest is what
 * the program has mapped.
 */

/** Anything smaller is cut from a chunk (persistentalloc, maxBlock). */
#define MIN_OWN_MAPPING MW_KIB(64)

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void go_sort_chunks(struct mw_go *go)
{
	size_t kept = 0;

	if (go->chunks.n > 0)
		qsort(go->chunks.v, go->chunks.n, sizeof(*go->chunks.v),
		      by_value);
	// Two that overlap are damage.
	for (size_t i = 0; i < go->chunks.n; i++)
		if (kept == 0 || go->chunks.v[i] - go->chunks.v[kept - 1] >=
					 GO_PERSISTENT_CHUNK)
			go->chunks.v[kept++] = go->chunks.v[i];
	go->chunks.n = kept;
}

/** How many chunks begin at or below @va. */
static size_t chunks_up_to(const struct mw_go *go, uint64_t va)
{
	return mw_first(i, 0, go->chunks.n, go->chunks.v[i] > va);
}

/** Whether the runtime may have mapped @m, or a part of it, for itself. */
static bool is_own_mapping(const struct mw_mapping *m)
{
	return mw_mapping_is_anonymous(m) && (m->perms & MW_PERM_W);
}

bool go_in_chunk(const struct mw_go *go, uint64_t va)
{
	const struct mw_mapping *m;
	size_t n;

	if (go->has_chunks) {
		n = chunks_up_to(go, va);
		return n > 0 && va - go->chunks.v[n - 1] < GO_PERSISTENT_CHUNK;
	}
	m = mw_mappings_find(mw_target_mappings(go->target), va);
	return m && is_own_mapping(m) && !go_in_heap(go, va);
}

bool go_is_chunk(const struct mw_go *go, uint64_t va)
{
	size_t n = chunks_up_to(go, va);

	return n > 0 && go->chunks.v[n - 1] == va;
}

struct mw_error *go_note_current_chunk(struct mw_go *go, uint64_t base,
				       uint64_t off)
{
	if (off > GO_PERSISTENT_CHUNK || !mw_is_aligned(base, MW_PAGE_BYTES) ||
	    !go_in_chunk(go, base) ||
	    !go_is_mapped(go, base, GO_PERSISTENT_CHUNK))
		return NULL;
	if (!go->has_chunks) {
		uint64_t *place = mw_vec_push(&go->chunks);

		if (!place)
			return mw_error_nomem();
		*place = base;
	}
	return mw_part_list_add(&go->parts, base + off,
				GO_PERSISTENT_CHUNK - off,
				go->accounts.persistent_free);
}

/* Where chunks must be */

struct placing {
	struct mw_go *go;
	MW_VEC(struct go_range) taken; /* ascending */
	MW_VEC(uint64_t) found;
};

/** A stretch of a mapping between pieces, and the parts in it. */
struct gap {
	uint64_t start, end;
	size_t first, last; /* of go->parts; last is not in it */
};

static int by_start(const void *a, const void *b)
{
	const struct go_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static struct mw_error *take(struct placing *p, uint64_t start, uint64_t end)
{
	struct go_range *range = mw_vec_push(&p->taken);

	if (!range)
		return mw_error_nomem();
	*range = (struct go_range){ start, mw_align_up(end, MW_PAGE_BYTES) };
	return NULL;
}

/**
 * What is no room for chunks any more: the heap, other pieces, and the chunks
 * that are known. Small pieces become parts.
 */
static struct mw_error *find_taken(struct placing *p)
{
	struct mw_go *go = p->go;
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < go->regions.n; i++)
		error = take(p, go->regions.v[i].start, go->regions.v[i].end);
	for (size_t i = 0; !error && i < go->chunks.n; i++)
		error = take(p, go->chunks.v[i],
			     go->chunks.v[i] + GO_PERSISTENT_CHUNK);
	for (size_t i = 0; !error && i < go->pieces.n; i++) {
		const struct go_piece *piece = &go->pieces.v[i];

		error = piece->bytes >= MIN_OWN_MAPPING
				? take(p, piece->start,
				       piece->start + piece->bytes)
				: mw_part_list_add(&go->parts, piece->start,
						   piece->bytes,
						   piece->account);
	}
	if (p->taken.n > 0)
		qsort(p->taken.v, p->taken.n, sizeof(*p->taken.v), by_start);
	return error;
}

/**
 * The fewest chunks that hold all parts of @gap: each begins with the first
 * part that none before it holds, for a chunk is filled from its beginning.
 */
static struct mw_error *place_by_parts(struct placing *p,
				       const struct gap *gap)
{
	const struct mw_list_part *parts = p->go->parts.parts.v;
	uint64_t end = gap->start;

	for (size_t i = gap->first; i < gap->last;) {
		uint64_t start = mw_max(parts[i].start, end);
		uint64_t *place;

		// The end of a part may lie behind the chunk it began in.
		if (parts[i].end <= end) {
			i++;
			continue;
		}
		start = mw_align_down(start, MW_PAGE_BYTES);
		start = mw_max(mw_min(start, gap->end - GO_PERSISTENT_CHUNK),
			       end);
		if (gap->end - start < GO_PERSISTENT_CHUNK)
			break;
		place = mw_vec_push(&p->found);
		if (!place)
			return mw_error_nomem();
		*place = start;
		end = start + GO_PERSISTENT_CHUNK;
	}
	return NULL;
}

/**
 * Where there is nothing but chunks, one behind the other, a chunk's first
 * block need not be known. They are to be as few as by their parts: more would
 * mean that the step is wrong.
 */
static struct mw_error *place_in_step(struct placing *p, const struct gap *gap,
				      size_t first_found)
{
	const struct mw_list_part *parts = p->go->parts.parts.v;
	MW_VEC(uint64_t) chunks = { 0 };
	struct mw_error *error = NULL;
	bool fits = (gap->end - gap->start) % GO_PERSISTENT_CHUNK == 0;

	for (size_t i = gap->first; fits && !error && i < gap->last; i++) {
		uint64_t at = (parts[i].start - gap->start) /
				      GO_PERSISTENT_CHUNK *
				      GO_PERSISTENT_CHUNK +
			      gap->start;
		uint64_t *place;

		fits = parts[i].end - at <= GO_PERSISTENT_CHUNK;
		if (chunks.n > 0 && chunks.v[chunks.n - 1] == at)
			continue;
		place = mw_vec_push(&chunks);
		if (!place)
			error = mw_error_nomem();
		else
			*place = at;
	}
	if (fits && !error && chunks.n == p->found.n - first_found)
		memcpy(p->found.v + first_found, chunks.v,
		       chunks.n * sizeof(*chunks.v));
	mw_vec_free(&chunks);
	return error;
}

static struct mw_error *place_in_gap(struct placing *p, const struct gap *gap)
{
	size_t first_found = p->found.n;
	struct mw_error *error;

	if (gap->end - gap->start < GO_PERSISTENT_CHUNK ||
	    gap->first == gap->last)
		return NULL;
	error = place_by_parts(p, gap);
	return error ? error : place_in_step(p, gap, first_found);
}

/** First part that ends above @va, from @from on. */
static size_t parts_after(const struct mw_go *go, size_t from, uint64_t va)
{
	while (from < go->parts.parts.n &&
	       go->parts.parts.v[from].start < va)
		from++;
	return from;
}

/** Look at all gaps of one mapping; @taken and @part only move on. */
static struct mw_error *place_in_mapping(struct placing *p,
					 const struct mw_mapping *m,
					 size_t *taken, size_t *part)
{
	struct mw_error *error = NULL;
	uint64_t at = m->start;

	while (*taken < p->taken.n && p->taken.v[*taken].end <= at)
		++*taken;
	while (!error && at < m->end) {
		struct gap gap = { .start = at, .end = m->end };

		if (*taken < p->taken.n)
			gap.end = mw_min(m->end,
					 mw_max(at,
						p->taken.v[*taken].start));
		gap.first = parts_after(p->go, *part, gap.start);
		gap.last = parts_after(p->go, gap.first, gap.end);
		*part = gap.last;
		error = place_in_gap(p, &gap);
		if (gap.end == m->end)
			break;
		at = mw_max(at, p->taken.v[*taken].end);
		if (at >= m->end)
			break;
		++*taken;
	}
	return error;
}

struct mw_error *go_place_chunks(struct mw_go *go)
{
	const struct mw_mappings *maps = mw_target_mappings(go->target);
	struct placing p = { .go = go };
	size_t taken = 0, part = 0;
	struct mw_error *error;

	if (go->has_chunks)
		return NULL;
	go_sort_chunks(go);
	error = find_taken(&p);
	mw_part_list_tidy(&go->parts);
	for (size_t i = 0; !error && i < maps->list.n; i++)
		if (is_own_mapping(&maps->list.v[i]))
			error = place_in_mapping(&p, &maps->list.v[i], &taken,
						 &part);
	for (size_t i = 0; !error && i < p.found.n; i++) {
		uint64_t *place = mw_vec_push(&go->chunks);

		if (!place)
			error = mw_error_nomem();
		else
			*place = p.found.v[i];
	}
	go_sort_chunks(go);
	go->has_chunks = true;
	mw_vec_free(&p.taken);
	mw_vec_free(&p.found);
	return error;
}
