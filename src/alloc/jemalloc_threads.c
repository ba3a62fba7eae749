/* SPDX-License-Identifier: Apache-2.0 */
#include "jemalloc_int.h"

/*
 * Which arena a thread allocates from: its variables have pointers to the
 * arena's structure (tsd_s: iarena, arena, and the cache's), which lies in the
 * arena's own memory, as do the descriptors of its extents. By these the
 * arena's number is known, and so the global array of arenas: where pointers of
 * different arenas stand as far from each other as their numbers are.
 */
#define UNIT MW_MIB(2) /* of jemalloc's own memory: one arena's */
#define MAX_UNITS 1024
#define MAX_POINTERS 65536
#define MAX_OF_THREAD 256

void jemalloc_note_unit(struct jemalloc *je, const struct jemalloc_extent *x)
{
	uint64_t va = mw_align_down(x->va, UNIT);
	struct jemalloc_unit *unit;

	for (size_t i = je->units.n; i > 0; i--)
		if (je->units.v[i - 1].va == va)
			return;
	if (je->units.n >= MAX_UNITS)
		return;
	unit = mw_vec_push(&je->units);
	if (unit)
		*unit = (struct jemalloc_unit){ va, x->arena };
	else
		je->book.failed = true;
}

/** The arena in whose memory @va is; JEMALLOC_ARENAS when in none's. */
static unsigned arena_at(const struct jemalloc *je, uint64_t va)
{
	uint64_t unit = mw_align_down(va, UNIT);

	for (size_t i = 0; i < je->units.n; i++)
		if (je->units.v[i].va == unit)
			return je->units.v[i].arena;
	return JEMALLOC_ARENAS;
}

void jemalloc_note_thread(struct jemalloc *je, uint64_t va,
			  const uint8_t *window, uint64_t bytes)
{
	unsigned n = 0;

	for (uint64_t at = 0; at + 8 <= bytes && n < MAX_OF_THREAD; at += 8) {
		uint64_t to = mw_u64(window + at);
		unsigned arena = to && mw_is_aligned(to, 64)
					 ? arena_at(je, to)
					 : JEMALLOC_ARENAS;
		struct jemalloc_pointer *p;

		if (arena == JEMALLOC_ARENAS || je->pointers.n >= MAX_POINTERS)
			continue;
		p = mw_vec_push(&je->pointers);
		if (!p) {
			je->book.failed = true;
			return;
		}
		*p = (struct jemalloc_pointer){ to, arena, je->threads };
		mw_target_keep(je->target, va + at, 8);
		n++;
	}
	je->threads++;
}

/* The array of arenas */

struct array {
	uint64_t va;
	unsigned found; /* arenas that stand in their place there */
};

struct scan {
	const struct jemalloc *je;
	MW_VEC(struct array) arrays;
};

static bool is_pointer(const struct jemalloc *je, uint64_t va)
{
	for (size_t i = 0; i < je->pointers.n; i++)
		if (je->pointers.v[i].va == va)
			return true;
	return false;
}

static struct mw_error *scan_arrays(void *ctx, uint64_t va,
				    const uint64_t *words, size_t count)
{
	struct scan *s = ctx;

	for (size_t i = 0; i < count; i++) {
		struct array *a = NULL;
		uint64_t start;
		unsigned arena = words[i] && mw_is_aligned(words[i], 64)
					 ? arena_at(s->je, words[i])
					 : JEMALLOC_ARENAS;

		if (arena == JEMALLOC_ARENAS || !is_pointer(s->je, words[i]))
			continue;
		start = va + 8 * i - 8 * (uint64_t)arena;
		for (size_t k = 0; k < s->arrays.n && !a; k++)
			if (s->arrays.v[k].va == start)
				a = &s->arrays.v[k];
		if (!a) {
			a = mw_vec_push(&s->arrays);
			if (!a)
				return mw_error_nomem();
			*a = (struct array){ .va = start };
		}
		a->found++;
	}
	return NULL;
}

static uint64_t best_array(const struct scan *s)
{
	const struct array *best = NULL;

	for (size_t i = 0; i < s->arrays.n; i++)
		if (!best || s->arrays.v[i].found > best->found)
			best = &s->arrays.v[i];
	return best ? best->va : 0;
}

/** How many of a thread's pointers, from @first on, lead to the same. */
static unsigned count_same(const struct jemalloc *je, size_t first)
{
	const struct jemalloc_pointer *v = je->pointers.v;
	unsigned n = 0;

	for (size_t i = first;
	     i < je->pointers.n && v[i].thread == v[first].thread; i++)
		n += v[i].va == v[first].va;
	return n;
}

struct mw_error *jemalloc_count_threads(struct jemalloc *je)
{
	struct scan s = { .je = je };
	struct mw_error *error = alloc_scan_data(je->target, scan_arrays, &s);
	uint64_t array = best_array(&s);
	const struct jemalloc_pointer *v = je->pointers.v;

	mw_vec_free(&s.arrays);
	for (size_t i = 0, next; !error && array && i < je->pointers.n;
	     i = next) {
		unsigned most = 0, arena = 0;

		for (next = i; next < je->pointers.n &&
			       v[next].thread == v[i].thread;
		     next++) {
			unsigned n = count_same(je, next);
			uint64_t va;

			if (n > most &&
			    mw_target_read_u64(je->target,
					       array + 8 * v[next].arena,
					       &va) &&
			    va == v[next].va) {
				most = n;
				arena = v[next].arena;
			}
		}
		if (most > 0 && je->arenas[arena] > 0)
			je->book.arenas.v[je->arenas[arena] - 1]
				->figures->threads++;
	}
	return error;
}
