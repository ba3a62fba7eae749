/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "glibc_int.h"
#include "mw_guard.h"

/*
 * Each thread has two variables of malloc in its TLS, below the thread pointer:
 * thread_arena, and tcache, which points to a tcache_perthread_struct. Their
 * distance from the thread pointer is the same in all threads but depends on
 * the program: the distance at which most threads have something that fits is
 * the one.
 *
 * The descriptor at the thread pointer A has A itself at 0 and at 0x10, and at
 * 0x2e0 the head of the robust list, of which the kernel knows the place.
 */
#define SELF 0x10
#define ROBUST_HEAD 0x2e0
#define WINDOW MW_KIB(32) /* TLS of large programs lies between */
#define WINDOW_WORDS (WINDOW / 8)

static uint64_t tcb_of(struct glibc *glibc, const struct mw_thread *thread)
{
	const uint64_t guesses[] = {
		thread->has_fs ? thread->fs_base : 0,
		thread->robust_list ? thread->robust_list - ROBUST_HEAD : 0,
	};

	for (size_t i = 0; i < MW_COUNT(guesses); i++) {
		uint64_t at = guesses[i], words[3];

		if (at && mw_is_aligned(at, 16) &&
		    mw_target_read(glibc->target, at, words, sizeof(words)) &&
		    words[0] == at && words[SELF / 8] == at)
			return at;
	}
	return 0;
}

/** Votes for each distance: words below the thread pointer. */
struct votes {
	uint32_t arena[WINDOW_WORDS + 1];
	uint32_t tcache[WINDOW_WORDS + 1];
};

/** Look at one page of TLS, from @va, below the thread pointer @tcb. */
static void vote_page(struct glibc *glibc, struct votes *votes, uint64_t tcb,
		      uint64_t va, uint64_t end)
{
	uint64_t words[MW_PAGE_BYTES / 8];

	if (!mw_target_read(glibc->target, va, words, end - va))
		return;
	for (size_t i = 0; i < (end - va) / 8; i++) {
		size_t distance = (tcb - va) / 8 - i;

		if (words[i] == 0)
			continue;
		if (mw_map64_find(&glibc->by_va, words[i]))
			votes->arena[distance]++;
		// One with something in it counts for more.
		else
			votes->tcache[distance] += mw_min(
				glibc_rate_tcache(glibc, words[i]), 2);
	}
}

static void vote(struct glibc *glibc, struct votes *votes, uint64_t tcb)
{
	uint64_t va = mw_align_down(tcb - mw_min(tcb, WINDOW), MW_PAGE_BYTES);

	for (; va < tcb; va += MW_PAGE_BYTES) {
		uint64_t from = mw_max(va, tcb - mw_min(tcb, WINDOW));

		if (mw_pages_state(mw_target_pages(glibc->target), va) &
		    MW_PAGE_PRESENT)
			vote_page(glibc, votes, tcb, from,
				  mw_min(va + MW_PAGE_BYTES, tcb));
	}
}

/** The distance with most votes, the least one of several; 0: there is none. */
static uint64_t winner(const uint32_t *votes)
{
	size_t best = 0;

	for (size_t i = 1; i <= WINDOW_WORDS; i++)
		if (votes[i] > (best ? votes[best] : 0))
			best = i;
	return best * 8;
}

/** Count @thread in its arena and mark its cache. */
static struct mw_error *use_thread(struct glibc *glibc, uint64_t tcb,
				   uint64_t arena_at, uint64_t tcache_at)
{
	uint64_t va, *index;

	if (arena_at && mw_target_read_u64(glibc->target, tcb - arena_at, &va)) {
		index = mw_map64_find(&glibc->by_va, va);
		if (index)
			glibc->arenas.v[*index - 1]->figures->threads++;
	}
	if (tcache_at && mw_target_read_u64(glibc->target, tcb - tcache_at, &va))
		return glibc_mark_tcache(glibc, va);
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
			error = glibc_mark_tcache(glibc, va);
	}
	return error;
}

struct mw_error *glibc_find_threads(struct glibc *glibc)
{
	enum { VOTERS = 64 };
	MW_CLEANUP(mw_freep) struct votes *votes = mw_calloc(1, sizeof(*votes));
	struct mw_error *error = NULL;
	uint64_t arena_at, tcache_at;
	size_t count, voted = 0;
	const struct mw_thread *threads =
		mw_target_threads(glibc->target, &count);

	if (!votes)
		return mw_error_nomem();
	for (size_t i = 0; i < count && voted < VOTERS; i++) {
		uint64_t tcb = tcb_of(glibc, &threads[i]);

		if (!tcb)
			continue;
		vote(glibc, votes, tcb);
		voted++;
	}
	arena_at = winner(votes->arena);
	tcache_at = winner(votes->tcache);
	for (size_t i = 0; !error && i < count; i++) {
		uint64_t tcb = tcb_of(glibc, &threads[i]);

		if (tcb)
			error = use_thread(glibc, tcb, arena_at, tcache_at);
	}
	return error ? error : use_first_chunks(glibc);
}
