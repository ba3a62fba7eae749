/* SPDX-License-Identifier: Apache-2.0 */
#include "gtcmalloc_int.h"

/*
 * Blocks that are in use for their span, but free:
 *
 * struct TransferCache: i32 used, i32 capacity, **slots, a lock of 8 bytes,
 * then its CentralFreeList's u64 size class and u64 size.
 *
 * TcmallocSlab, of the CPUs' caches: a pointer to memory for each CPU whose low
 * byte is the shift of its size, a pointer to flags, one to u16 for each class:
 * where its blocks begin, in words. The memory begins with a pair of u16 for
 * each class: where its blocks end, and its room.
 *
 * struct ThreadCache, where there are no caches of CPUs: for each class *list
 * 0, u32 length 8, 24 bytes in all; then u64 size of all, and, 32 and 40 bytes
 * behind the lists, the links to the caches of other threads.
 */
#define LIST_BYTES 24
#define CACHE_REST 48
#define MAX_CACHES 65536
#define MAX_CPUS 4096
#define MAX_SLOTS (128 * 64)

void gtcmalloc_mark_cached(struct gtcmalloc *tc, unsigned class, uint64_t va)
{
	uint32_t slot;
	const struct alloc_piece *p = alloc_book_find(&tc->book, va, &slot);

	if (p && p->slot_bytes == tc->sizes[class] &&
	    alloc_book_get(&tc->book, p, slot) == ALLOC_IN_USE)
		alloc_book_set(&tc->book, p, slot, ALLOC_CACHE);
}

/** Mark the blocks that @count words from @va on point to. */
static void mark_words(struct gtcmalloc *tc, unsigned class, uint64_t va,
		       uint64_t count)
{
	uint64_t words[MW_PAGE_BYTES / 8], n;

	for (uint64_t i = 0; i < count; i += n) {
		if (!alloc_read_words(tc->target, va, i, count, words, &n))
			continue;
		mw_target_keep(tc->target, va + 8 * i, 8 * n);
		for (uint64_t k = 0; k < n; k++)
			if (words[k])
				gtcmalloc_mark_cached(tc, class, words[k]);
	}
}

/* Samples */

/**
 * A block of which a sample is taken has a span of its own, and instead of it
 * one of its class, that nobody has, is kept from use (allocation_sampling.h):
 * struct StackTrace, somewhere in struct SampledAllocation, has its address and
 * then what was asked for.
 */
static void mark_proxy(struct gtcmalloc *tc, const struct gtc_range *span)
{
	enum { WORDS = 32 };
	uint64_t words[WORDS];

	if (!gtcmalloc_is_own(tc, span->sample) ||
	    !mw_is_aligned(span->sample, 8) ||
	    !mw_target_read(tc->target, span->sample, words, sizeof(words)))
		return;
	for (size_t i = 0; i + 1 < WORDS; i++) {
		uint32_t slot;
		const struct alloc_piece *p =
			alloc_book_find(&tc->book, words[i], &slot);

		if (!p || words[i] == span->start ||
		    words[i + 1] > p->slot_bytes ||
		    alloc_book_get(&tc->book, p, slot) != ALLOC_IN_USE)
			continue;
		alloc_book_set(&tc->book, p, slot, ALLOC_METADATA);
		return;
	}
}

/* Between threads and spans */

static struct mw_error *scan_transfer(void *ctx, uint64_t va,
				      const uint64_t *words, size_t count)
{
	struct gtcmalloc *tc = ctx;

	for (size_t i = 0; i < count; i++) {
		uint64_t class = words[i], at = va + 8 * i, size, head[3];
		uint32_t used, room;

		if (class == 0 || class >= tc->classes ||
		    tc->sizes[class] == 0 ||
		    !mw_target_search(tc->target, at + 8, &size, 8) ||
		    size != tc->sizes[class] ||
		    !mw_target_read(tc->target, at - 24, head, sizeof(head)))
			continue;
		used = (uint32_t)head[0];
		room = (uint32_t)(head[0] >> 32);
		if (used > room || room > MAX_SLOTS ||
		    !gtcmalloc_is_own(tc, head[1]))
			continue;
		mw_target_keep(tc->target, at, 16);
		mark_words(tc, (unsigned)class, head[1], used);
	}
	return NULL;
}

/* Of CPUs */

static void mark_cpu(struct gtcmalloc *tc, uint64_t base, unsigned shift,
		     const uint16_t *begins)
{
	uint16_t heads[2 * GTC_CLASSES];

	if (!(mw_pages_state(mw_target_pages(tc->target), base) &
	      MW_PAGE_PRESENT) ||
	    !mw_target_read(tc->target, base, heads, 4ull * tc->classes))
		return;
	mw_target_keep(tc->target, base, 4ull * tc->classes);
	for (unsigned i = 1; i < tc->classes; i++) {
		uint64_t begin = begins[i], end = heads[2 * i];

		if (tc->sizes[i] && begin < end &&
		    end <= heads[2 * i + 1] && end << 3 >> shift == 0)
			mark_words(tc, i, base + 8 * begin, end - begin);
	}
}

static bool mark_cpus(struct gtcmalloc *tc, uint64_t word, uint64_t begins_va)
{
	const struct mw_mapping *m;
	unsigned shift = word & 0xff;
	uint64_t slabs = word - shift;
	uint16_t begins[GTC_CLASSES];

	m = mw_mappings_find(mw_target_mappings(tc->target), slabs);
	if (!m || !mw_mapping_is_anonymous(m) ||
	    !mw_target_read(tc->target, begins_va, begins,
			    2ull * tc->classes))
		return false;
	for (unsigned i = 1; i < tc->used; i++)
		if (begins[i] == 0 || (uint64_t)begins[i] << 3 >> shift)
			return false;
	mw_target_keep(tc->target, begins_va, 2ull * tc->classes);
	gtcmalloc_note_region(tc, slabs, false);
	for (uint64_t cpu = 0; cpu < MAX_CPUS; cpu++) {
		uint64_t base = slabs + (cpu << shift);

		if (base + (UINT64_C(1) << shift) > m->end)
			break;
		mark_cpu(tc, base, shift, begins);
	}
	return true;
}

static struct mw_error *scan_slabs(void *ctx, uint64_t va,
				   const uint64_t *words, size_t count)
{
	struct gtcmalloc *tc = ctx;

	for (size_t i = 0; i < count; i++) {
		uint64_t shift = words[i] & 0xfff, next[2];

		if (shift < 12 || shift > 19 || words[i] >> 12 == 0 ||
		    !mw_target_peek(tc->target, va + 8 * i + 8, next,
				    sizeof(next)) ||
		    !gtcmalloc_is_own(tc, next[0]) ||
		    !gtcmalloc_is_own(tc, next[1]))
			continue;
		if (!mark_cpus(tc, words[i], next[1]))
			continue;
		mw_target_keep(tc->target, va + 8 * i, 8);
		break;
	}
	return NULL;
}

/* Of threads */

static bool read_cache(struct gtcmalloc *tc, uint64_t va, uint8_t *bytes)
{
	uint64_t sum = 0, lists = (uint64_t)LIST_BYTES * tc->classes;

	if (!mw_is_aligned(va, 64) || !gtcmalloc_is_own(tc, va) ||
	    !mw_target_search(tc->target, va, bytes, lists + CACHE_REST))
		return false;
	for (unsigned i = 0; i < tc->classes; i++) {
		uint64_t list = mw_u64(bytes + LIST_BYTES * i);
		uint32_t length = mw_u32(bytes + LIST_BYTES * i + 8);

		if ((list != 0) != (length != 0) ||
		    (length && tc->sizes[i] == 0))
			return false;
		sum += (uint64_t)length * tc->sizes[i];
	}
	// An empty one has its thread's pthread_t still.
	return (sum > 0 || mw_u64(bytes + lists + 16) != 0) &&
	       (sum == mw_u64(bytes + lists) ||
		mw_target_info(tc->target)->mode == MW_CAPTURE_LIVE);
}

#define CACHE_BYTES (LIST_BYTES * GTC_CLASSES + CACHE_REST)

static struct mw_error *add_cache(struct gtcmalloc *tc, uint64_t va)
{
	uint8_t bytes[CACHE_BYTES];
	uint64_t *place;

	if (tc->caches.n >= MAX_CACHES)
		return NULL;
	for (size_t i = 0; i < tc->caches.n; i++)
		if (tc->caches.v[i] == va)
			return NULL;
	if (!read_cache(tc, va, bytes))
		return NULL;
	place = mw_vec_push(&tc->caches);
	if (!place)
		return mw_error_nomem();
	*place = va;
	return NULL;
}

static struct mw_error *scan_caches(void *ctx, uint64_t va,
				    const uint64_t *words, size_t count)
{
	struct gtcmalloc *tc = ctx;
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < count; i++) {
		size_t before = tc->caches.n;

		if (words[i] && mw_is_aligned(words[i], 64))
			error = add_cache(tc, words[i]);
		if (tc->caches.n > before)
			mw_target_keep(tc->target, va + 8 * i, 8);
	}
	return error;
}

static void mark_list(struct gtcmalloc *tc, unsigned class, uint64_t at,
		      uint64_t count)
{
	for (uint64_t n = 0; at && n < count; n++) {
		uint64_t next;

		// They lie all over the heap.
		if (!mw_target_peek(tc->target, at, &next, sizeof(next)))
			return;
		gtcmalloc_mark_cached(tc, class, at);
		at = next;
	}
}

static struct mw_error *mark_cache(struct gtcmalloc *tc, uint64_t va)
{
	uint8_t bytes[CACHE_BYTES];
	uint64_t lists = (uint64_t)LIST_BYTES * tc->classes;
	struct mw_error *error;

	if (!read_cache(tc, va, bytes))
		return NULL;
	mw_target_keep(tc->target, va, lists + CACHE_REST);
	for (unsigned i = 1; i < tc->classes; i++)
		mark_list(tc, i, mw_u64(bytes + LIST_BYTES * i),
			  mw_u32(bytes + LIST_BYTES * i + 8));
	error = add_cache(tc, mw_u64(bytes + lists + 32));
	return error ? error : add_cache(tc, mw_u64(bytes + lists + 40));
}

struct mw_error *gtcmalloc_mark_caches(struct gtcmalloc *tc)
{
	struct mw_error *error;

	for (size_t i = 0; i < tc->spans.n; i++)
		if (tc->spans.v[i].sample)
			mark_proxy(tc, &tc->spans.v[i]);
	error = alloc_scan_data(tc->target, scan_transfer, tc);
	if (!error)
		error = alloc_scan_data(tc->target, scan_slabs, tc);
	if (!error)
		error = alloc_scan_data(tc->target, scan_caches, tc);
	for (size_t i = 0; !error && i < tc->caches.n; i++)
		error = mark_cache(tc, tc->caches.v[i]);
	return error;
}
