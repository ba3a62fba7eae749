/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tcmalloc_int.h"

/*
 * TCMalloc's global state, without symbols:
 *
 * class_to_size_, an array of i32: 0, 8, 16, … strictly rising to 256 KiB, then
 * zeros; an array of as many i32 stands before it, num_objects_to_move_.
 *
 * PageHeap::free_, 128 pairs of struct Span, heads of rings. Before them stand
 * two std::set of 48 bytes, the page map's allocator, and its root.
 */
#define LARGEST_CLASS MW_KIB(256)
#define SPAN_BYTES 48
#define LISTS 256
#define BEFORE_LISTS (2 * 48 + 8)
#define ADDRESS_BITS 48

static const unsigned page_shifts[] = {
#define TCMALLOC(source, page_shift) page_shift,
#include "layouts/tcmalloc.def"
};

static bool read_sizes(struct tcmalloc *tc, uint64_t va)
{
	uint32_t sizes[TCMALLOC_CLASSES];
	unsigned n = 1;

	if (!mw_target_search(tc->target, va, sizes, sizeof(sizes)))
		return false;
	while (n < TCMALLOC_CLASSES && sizes[n] > sizes[n - 1] &&
	       sizes[n] % 8 == 0)
		n++;
	if (n < 16 || sizes[n - 1] != LARGEST_CLASS)
		return false;
	for (unsigned i = n; i < TCMALLOC_CLASSES; i++)
		if (sizes[i])
			return false;
	if (!mw_target_read(tc->target, va - sizeof(tc->batches), tc->batches,
			    sizeof(tc->batches)))
		return false;
	mw_target_keep(tc->target, va, sizeof(sizes));
	memcpy(tc->sizes, sizes, sizeof(sizes));
	tc->sizes_va = va;
	tc->classes = n;
	return true;
}

static struct mw_error *scan_sizes(void *ctx, uint64_t va,
				   const uint64_t *words, size_t count)
{
	struct tcmalloc *tc = ctx;

	for (size_t i = 0; i < count && !tc->sizes_va; i++) {
		if (words[i] == UINT64_C(8) << 32)
			(void)read_sizes(tc, va + 8 * i);
		else if ((uint32_t)words[i] == 8 && words[i] >> 32 == 16)
			(void)read_sizes(tc, va + 8 * i - 4);
	}
	return NULL;
}

/* The lists of free spans */

static bool may_be_span(struct tcmalloc *tc, uint64_t va, uint64_t list)
{
	return va == list ||
	       (mw_is_aligned(va, 8) && alloc_book_fits(&tc->book, va, SPAN_BYTES));
}

/**
 * Whether the head of a ring of spans stands at @va: a span of which only the
 * links are used. (Where they lead to may have changed meanwhile.)
 */
static bool is_list(struct tcmalloc *tc, uint64_t va)
{
	uint64_t w[6];

	return mw_target_read(tc->target, va, w, sizeof(w)) &&
	       (w[0] | w[1] | w[4] | w[5]) == 0 &&
	       (w[2] == va) == (w[3] == va) && may_be_span(tc, w[2], va) &&
	       may_be_span(tc, w[3], va);
}

static struct mw_error *scan_lists(void *ctx, uint64_t va,
				   const uint64_t *words, size_t count)
{
	struct tcmalloc *tc = ctx;

	for (size_t i = 0; i < count && !tc->free_va; i++) {
		uint64_t list = va + 8 * i - 16, n = 1;

		// An empty ring: its head points to itself.
		if (words[i] != list || !is_list(tc, list))
			continue;
		while (n < LISTS && is_list(tc, list - SPAN_BYTES)) {
			list -= SPAN_BYTES;
			n++;
		}
		n = 0;
		while (n < LISTS && is_list(tc, list + SPAN_BYTES * n))
			n++;
		if (n == LISTS)
			tc->free_va = list;
	}
	return NULL;
}

/* Spans */

bool tcmalloc_read_span(struct tcmalloc *tc, uint64_t va,
			struct tcmalloc_span *ret)
{
	uint64_t w[6];

	if (!mw_is_aligned(va, 8) || va == 0 ||
	    !mw_target_read(tc->target, va, w, sizeof(w)) ||
	    w[0] >> (ADDRESS_BITS - tc->page_shift) || w[1] == 0 ||
	    w[1] >> (ADDRESS_BITS - tc->page_shift))
		return false;
	*ret = (struct tcmalloc_span){
		.start = w[0] << tc->page_shift,
		.bytes = w[1] << tc->page_shift,
		.objects = w[4],
		.refcount = w[5] & 0xffff,
		.class = w[5] >> 16 & 0xff,
		.location = w[5] >> 24 & 3,
		.is_sampled = w[5] >> 26 & 1,
	};
	return ret->class < tc->classes &&
	       ret->location <= TCMALLOC_RETURNED &&
	       alloc_book_fits(&tc->book, ret->start, ret->bytes);
}

/* Entries that are looked at, at most, and how many of them must fit. */
#define MISFITS 64
#define ENOUGH 8

/** How many of a leaf's first entries lead to spans that have their page. */
static unsigned rate_leaf(struct tcmalloc *tc, uint64_t leaf, uint64_t base)
{
	uint64_t words[MW_PAGE_BYTES / 8], end = leaf + (8ull << tc->leaf_bits);
	unsigned fits = 0, misfits = 0;

	if (!alloc_book_fits(&tc->book, leaf, end - leaf))
		return 0;
	for (uint64_t va = leaf, stop; va < end && va >= leaf; va = stop) {
		stop = mw_min(end, mw_align_down(va, MW_PAGE_BYTES) +
					   MW_PAGE_BYTES);
		if (!(mw_pages_state(mw_target_pages(tc->target), va) &
		      MW_PAGE_PRESENT) ||
		    !mw_target_search(tc->target, va, words, stop - va))
			continue;
		for (size_t i = 0; i < (stop - va) / 8; i++) {
			uint64_t page = base + (va - leaf) / 8 + i;
			uint64_t at = page << tc->page_shift;
			struct tcmalloc_span s;

			if (words[i] == 0)
				continue;
			// Entries of spans that are free may be old ones.
			if (tcmalloc_read_span(tc, words[i], &s) &&
			    at >= s.start && at < s.start + s.bytes)
				fits++;
			else
				misfits++;
			if (fits >= ENOUGH || misfits >= MISFITS)
				return fits;
		}
	}
	return fits;
}

/** How much speaks for a page map with pages of 1 << page_shift bytes. */
static unsigned rate_root(struct tcmalloc *tc)
{
	uint64_t words[MW_PAGE_BYTES / 8], entries = 1ull << tc->root_bits;
	unsigned fits = 0;

	for (uint64_t at = 0, n; at < entries && fits == 0; at += n) {
		uint64_t va = tc->root + 8 * at;

		n = mw_min((MW_PAGE_BYTES - va % MW_PAGE_BYTES) / 8,
			   entries - at);
		if (!(mw_pages_state(mw_target_pages(tc->target), va) &
		      MW_PAGE_PRESENT) ||
		    !mw_target_search(tc->target, va, words, 8 * n))
			continue;
		for (uint64_t i = 0; i < n && fits == 0; i++)
			if (words[i] && mw_is_aligned(words[i], 8))
				fits = rate_leaf(tc, words[i],
						 (at + i) << tc->leaf_bits);
	}
	return fits;
}

static void set_shift(struct tcmalloc *tc, unsigned shift)
{
	tc->page_shift = shift;
	tc->leaf_bits = (ADDRESS_BITS - shift + 1) / 2;
	tc->root_bits = ADDRESS_BITS - shift - tc->leaf_bits;
	tc->root = tc->free_va - BEFORE_LISTS - (8ull << tc->root_bits);
}

/* The central lists, one a class: a lock, and at 8 u64 their class. */
#define CENTRAL_BYTES 0x4c0

static struct mw_error *scan_central(void *ctx, uint64_t va,
				     const uint64_t *words, size_t count)
{
	struct tcmalloc *tc = ctx;

	for (size_t i = 0; i < count && !tc->central_va; i++) {
		uint64_t at = va + 8 * i, class = 1;

		while (class < tc->classes) {
			uint64_t word = words[i];

			if (class > 1 &&
			    !mw_target_peek(tc->target,
					    at + (class - 1) * CENTRAL_BYTES,
					    &word, 8))
				break;
			if (word != class)
				break;
			class++;
		}
		if (class == tc->classes)
			tc->central_va = at - 8 - CENTRAL_BYTES;
	}
	return NULL;
}

struct mw_error *tcmalloc_find(struct tcmalloc *tc)
{
	struct mw_error *error = alloc_scan_data(tc->target, scan_sizes, tc);
	unsigned most = 0, best = 0;

	if (error || !tc->sizes_va)
		return error;
	error = alloc_scan_data(tc->target, scan_lists, tc);
	if (error || !tc->free_va)
		return error;
	for (size_t i = 0; i < MW_COUNT(page_shifts) && most < ENOUGH; i++) {
		unsigned fits;

		set_shift(tc, page_shifts[i]);
		fits = rate_root(tc);
		if (fits > most) {
			most = fits;
			best = page_shifts[i];
		}
	}
	if (most == 0) {
		tc->root = 0;
		return NULL;
	}
	set_shift(tc, best);
	return alloc_scan_data(tc->target, scan_central, tc);
}
