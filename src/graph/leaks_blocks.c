/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "leaks_int.h"
#include "mw_search.h"

/* All blocks, and which of them holds an address. */

uint64_t leaks_bytes(const struct mw_leaks *l, const struct leaks_ref *ref)
{
	uint32_t size = leaks_entry(ref) >> LEAKS_SIZE_SHIFT &
			LEAKS_SIZE_APART;
	const uint64_t *apart;

	if (size != LEAKS_SIZE_APART)
		return (uint64_t)size * LEAKS_UNIT;
	apart = mw_map64_find(&l->sizes, leaks_va(ref));
	assert(apart);
	return *apart;
}

/* Adding */

static struct leaks_window *window_numbered(const struct mw_leaks *l,
					    uint64_t number)
{
	const uint64_t *at = mw_map64_find(&l->by_number, number);

	return at ? l->windows.v[*at - 1] : NULL;
}

/** The window of the run's blocks, made if new; NULL without memory. */
static struct leaks_window *window_of_run(struct mw_leaks *l)
{
	uint64_t *at = mw_map64_at(&l->by_number, l->run_number);
	struct leaks_window **place, *window;

	if (!at || *at)
		return at ? l->windows.v[*at - 1] : NULL;
	window = mw_calloc(1, sizeof(*window));
	place = window ? mw_vec_push(&l->windows) : NULL;
	if (!place) {
		mw_free(window);
		return NULL;
	}
	*place = window;
	*at = l->windows.n;
	window->start = l->run_number * LEAKS_WINDOW_BYTES;
	return window;
}

/** Put the blocks of the run into their window: exactly the room they need. */
static struct mw_error *end_run(struct mw_leaks *l)
{
	struct leaks_window *w;
	uint32_t *grown;

	if (l->run.n == 0)
		return NULL;
	w = window_of_run(l);
	if (!w || l->run.n > UINT32_MAX - w->count)
		return mw_error_nomem();
	grown = mw_realloc(w->blocks, w->count + l->run.n, sizeof(*grown));
	if (!grown)
		return mw_error_nomem();
	w->blocks = grown;
	memcpy(grown + w->count, l->run.v, l->run.n * sizeof(*grown));
	for (size_t i = w->count; i < w->count + l->run.n; i++)
		if (i > 0 && grown[i] <= grown[i - 1])
			w->is_unsorted = true;
	w->count += (uint32_t)l->run.n;
	l->run.n = 0;
	return NULL;
}

struct mw_error *mw_leaks_add(struct mw_leaks *l, uint64_t va, uint64_t bytes)
{
	uint64_t number = va / LEAKS_WINDOW_BYTES, size = bytes / LEAKS_UNIT;
	struct mw_error *error = NULL;
	uint32_t *entry;

	if (!mw_is_aligned(va, LEAKS_UNIT) || va >= LEAKS_MAX_VA ||
	    bytes > LEAKS_MAX_VA - va)
		return NULL;
	if (number != l->run_number)
		error = end_run(l);
	if (error)
		return error;
	l->run_number = number;
	if (size >= LEAKS_SIZE_APART || size * LEAKS_UNIT != bytes) {
		uint64_t *apart = mw_map64_at(&l->sizes, va);

		if (!apart)
			return mw_error_nomem();
		*apart = bytes;
		size = LEAKS_SIZE_APART;
	}
	entry = mw_vec_push(&l->run);
	if (!entry)
		return mw_error_nomem();
	*entry = (uint32_t)(va % LEAKS_WINDOW_BYTES / LEAKS_UNIT)
			 << LEAKS_AT_SHIFT |
		 (uint32_t)size << LEAKS_SIZE_SHIFT;
	return NULL;
}

/* Sealing */

static int by_entry(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int by_start(const void *a, const void *b)
{
	const struct leaks_window *const *x = a, *const *y = b;

	return (*x)->start < (*y)->start ? -1 : (*x)->start > (*y)->start;
}

/**
 * Sort the blocks of @w, take out those that begin before *@end, where the
 * block before ends, and move that on.
 */
static struct mw_error *seal_window(struct mw_leaks *l, struct leaks_window *w,
				    uint64_t *end)
{
	struct leaks_ref ref = { w, 0 };
	uint32_t kept = 0, page = 0;

	if (w->is_unsorted)
		qsort(w->blocks, w->count, sizeof(*w->blocks), by_entry);
	for (; ref.index < w->count; ref.index++) {
		uint64_t va = leaks_va(&ref);

		if (va < *end)
			continue;
		// One without bytes has its address all the same.
		*end = va + mw_max(leaks_bytes(l, &ref), 1);
		for (; page <= (va - w->start) / MW_PAGE_BYTES; page++)
			w->below[page] = kept;
		w->blocks[kept++] = w->blocks[ref.index];
	}
	for (; page <= LEAKS_PAGES; page++)
		w->below[page] = kept;
	w->count = kept;
	if (kept > 0 && *end > w->start + LEAKS_WINDOW_BYTES) {
		struct leaks_ref *last = mw_vec_push(&l->crossing);

		if (!last)
			return mw_error_nomem();
		*last = (struct leaks_ref){ w, kept - 1 };
	}
	return NULL;
}

struct mw_error *leaks_seal(struct mw_leaks *l)
{
	struct mw_error *error = end_run(l);
	uint64_t end = 0;

	mw_vec_free(&l->run);
	if (error || l->windows.n == 0)
		return error;
	qsort(l->windows.v, l->windows.n, sizeof(*l->windows.v), by_start);
	for (size_t i = 0; !error && i < l->windows.n; i++) {
		struct leaks_window *w = l->windows.v[i];
		uint64_t *at = mw_map64_find(&l->by_number,
					     w->start / LEAKS_WINDOW_BYTES);

		assert(at);
		*at = i + 1;
		error = seal_window(l, w, &end);
	}
	l->lowest = l->windows.v[0]->start;
	l->span = end - l->lowest;
	return error;
}

/* Finding */

/** The block of an earlier window that holds @va. */
static bool find_crossing(const struct mw_leaks *l, uint64_t va,
			  struct leaks_ref *ret, uint64_t *ret_offset)
{
	size_t at = mw_first(i, 0, l->crossing.n,
			     leaks_va(&l->crossing.v[i]) > va);

	if (at == 0)
		return false;
	*ret = l->crossing.v[at - 1];
	*ret_offset = va - leaks_va(ret);
	return *ret_offset < leaks_bytes(l, ret);
}

bool leaks_find(const struct mw_leaks *l, uint64_t va, struct leaks_ref *ret,
		uint64_t *ret_offset)
{
	struct leaks_window *w;
	uint32_t at, key;
	size_t behind;

	if (va - l->lowest >= l->span)
		return false;
	w = window_numbered(l, va / LEAKS_WINDOW_BYTES);
	if (!w)
		return find_crossing(l, va, ret, ret_offset);
	at = (uint32_t)(va - w->start);
	key = at / LEAKS_UNIT << LEAKS_AT_SHIFT |
	      ((1u << LEAKS_AT_SHIFT) - 1);
	behind = mw_first(i, w->below[at / MW_PAGE_BYTES],
			  w->below[at / MW_PAGE_BYTES + 1], w->blocks[i] > key);
	if (behind == 0)
		return find_crossing(l, va, ret, ret_offset);
	*ret = (struct leaks_ref){ w, (uint32_t)behind - 1 };
	*ret_offset = va - leaks_va(ret);
	return *ret_offset < mw_max(leaks_bytes(l, ret), 1);
}

void leaks_free_blocks(struct mw_leaks *l)
{
	for (size_t i = 0; i < l->windows.n; i++) {
		mw_free(l->windows.v[i]->blocks);
		mw_free(l->windows.v[i]);
	}
	mw_vec_free(&l->windows);
	mw_vec_free(&l->run);
	mw_vec_free(&l->crossing);
	mw_map64_free(&l->by_number);
	mw_map64_free(&l->sizes);
}
