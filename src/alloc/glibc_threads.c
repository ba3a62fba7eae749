/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_int.h"
#include "mw_guard.h"

/*
 * Each thread has two variables of malloc in its TLS, below the thread pointer:
 * thread_arena, and tcache, which points to a tcache_perthread_struct. Their
 * distance from the thread pointer is the same in all threads but depends on
 * the program: the distance at which most threads have something that fits is
 * the one.
 */

/** What was found at a distance, in words, below the thread pointers. */
struct vote {
	uint32_t arena, tcache;
};

struct votes {
	uint64_t window;
	struct vote *at;
	size_t arena_at, tcache_at; /* the distances with most; 0: none */
};

/** Look at one page of TLS, from @va, below the thread pointer @tcb. */
static void vote_page(struct glibc *glibc, struct votes *votes, uint64_t tcb,
		      uint64_t va, uint64_t end)
{
	uint64_t words[MW_PAGE_BYTES / 8];

	if (!mw_target_search(glibc->target, va, words, end - va))
		return;
	for (size_t i = 0; i < (end - va) / 8; i++) {
		size_t distance = (tcb - va) / 8 - i;

		if (words[i] == 0)
			continue;
		if (mw_map64_find(&glibc->by_va, words[i])) {
			votes->at[distance].arena++;
			mw_target_keep(glibc->target, va + 8 * i, 8);
			continue;
		}
		// One with something in it counts for more.
		uint32_t rate = mw_min(glibc_rate_tcache(glibc, words[i]), 2);

		votes->at[distance].tcache += rate;
		if (rate)
			mw_target_keep(glibc->target, va + 8 * i, 8);
	}
}

static void vote(struct glibc *glibc, struct votes *votes, uint64_t tcb)
{
	uint64_t start = tcb - mw_min(tcb, votes->window);
	uint64_t va = mw_align_down(start, MW_PAGE_BYTES);

	for (; va < tcb; va += MW_PAGE_BYTES) {
		uint64_t from = mw_max(va, start);

		if (mw_pages_state(mw_target_pages(glibc->target), va) &
		    MW_PAGE_PRESENT)
			vote_page(glibc, votes, tcb, from,
				  mw_min(va + MW_PAGE_BYTES, tcb));
	}
}

/** The distances with most votes, the least one of several. */
static void count_votes(struct votes *votes)
{
	for (size_t i = 1; i <= votes->window / 8; i++) {
		const struct vote *v = &votes->at[i];

		// Nothing is at distance 0, so it has no votes.
		if (v->arena > votes->at[votes->arena_at].arena)
			votes->arena_at = i;
		if (v->tcache > votes->at[votes->tcache_at].tcache)
			votes->tcache_at = i;
	}
}

static void count_thread(struct mw_alloc_arena *arena, int32_t tid)
{
	if (arena->threads < MW_ALLOC_TIDS)
		arena->tids[arena->threads] = tid;
	arena->threads++;
}

/** Count thread @tid in its arena and mark its cache. */
static struct mw_error *use_thread(struct glibc *glibc,
				   const struct votes *votes, uint64_t tcb,
				   int32_t tid)
{
	uint64_t va, *index;

	if (votes->arena_at &&
	    mw_target_read_u64(glibc->target, tcb - votes->arena_at * 8,
			       &va)) {
		index = mw_map64_find(&glibc->by_va, va);
		if (index)
			count_thread(glibc->arenas.v[*index - 1]->figures,
				     tid);
	}
	if (votes->tcache_at &&
	    mw_target_read_u64(glibc->target, tcb - votes->tcache_at * 8, &va))
		return glibc_mark_tcache(glibc, va, tid);
	return NULL;
}

/** The first chunk of an arena is most often the cache of its first thread. */
static struct mw_error *use_first_chunks(struct glibc *glibc)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < glibc->regions.n; i++) {
		const struct glibc_region *r = glibc->regions.v[i];
		uint64_t va = r->chunks + CHUNK_FD;

		// An empty one that nobody points to is no evidence.
		if (glibc_mark_at(r, r->chunks) == GLIBC_UNMARKED &&
		    glibc_rate_tcache(glibc, va) > 1)
			error = glibc_mark_tcache(glibc, va, 0);
	}
	return error;
}

struct mw_error *glibc_find_threads(struct glibc *glibc)
{
	enum { VOTERS = 64 };
	struct votes votes = { .window = alloc_tls_bytes(glibc->target) };
	MW_CLEANUP(mw_freep) struct vote *at =
		mw_calloc(votes.window / 8 + 1, sizeof(*at));
	struct mw_error *error = NULL;
	size_t count, voted = 0;
	const struct mw_thread *threads =
		mw_target_threads(glibc->target, &count);

	if (!at)
		return mw_error_nomem();
	votes.at = at;
	for (size_t i = 0; i < count && voted < VOTERS; i++) {
		uint64_t tcb = alloc_tcb(glibc->target, &threads[i]);

		if (!tcb)
			continue;
		vote(glibc, &votes, tcb);
		voted++;
	}
	count_votes(&votes);
	for (size_t i = 0; !error && i < count; i++) {
		uint64_t tcb = alloc_tcb(glibc->target, &threads[i]);

		if (tcb)
			error = use_thread(glibc, &votes, tcb, threads[i].tid);
	}
	return error ? error : use_first_chunks(glibc);
}
