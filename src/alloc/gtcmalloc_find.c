/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gtcmalloc_int.h"

/*
 * The global state of Google's TCMalloc, without symbols:
 *
 * SizeMap: num_objects_to_move_ and class_to_pages_, an array of u8 each, then
 * class_to_size_, one of u32: 0, 8, 16, … rising to the largest class, then
 * those of further groups of classes.
 *
 * The page map's root, an array of pointers to leaves: of each page the size
 * class, then of each page a pointer to its struct Span. A leaf's place in the
 * root is told by the pages of the spans that it leads to.
 */
#define LARGEST_CLASS MW_KIB(256)
#define LARGEST_CLASS_SMALL MW_KIB(8) /* built as "small but slow" */
#define MOST_MOVED 128
#define SEARCHED_PAGES (UINT64_C(1) << 18)
#define MISFITS 64
#define ENOUGH 8

static const unsigned page_shifts[] = { 13, 15, 18, 12 };

/** Whether the arrays before the sizes are those of @classes classes. */
static bool fit_arrays(const struct gtcmalloc *tc, const uint8_t *end,
		       unsigned classes)
{
	const uint8_t *pages = end - classes, *moved = pages - classes;

	if (pages[0] != 0 || moved[0] != 0)
		return false;
	for (unsigned i = 1; i < tc->used; i++)
		if (pages[i] == 0 || moved[i] < 2 || moved[i] > MOST_MOVED)
			return false;
	return true;
}

/** How many classes there are, by what stands before the sizes; 0: nothing. */
static unsigned count_classes(const struct gtcmalloc *tc, uint64_t va)
{
	uint8_t bytes[2 * GTC_CLASSES + 3];

	if (!mw_target_search(tc->target, va - sizeof(bytes), bytes,
			      sizeof(bytes)))
		return 0;
	for (unsigned n = tc->used; n <= GTC_CLASSES; n++)
		for (unsigned padding = 0; padding < 4; padding++)
			if (fit_arrays(tc, bytes + sizeof(bytes) - padding, n))
				return n;
	return 0;
}

static void read_sizes(struct gtcmalloc *tc, uint64_t va)
{
	uint32_t sizes[GTC_CLASSES];
	unsigned n = 1;

	if (!mw_target_search(tc->target, va, sizes, sizeof(sizes)))
		return;
	while (n < GTC_CLASSES && sizes[n] > sizes[n - 1] && sizes[n] % 8 == 0)
		n++;
	if (n < 16 || (sizes[n - 1] != LARGEST_CLASS &&
		       sizes[n - 1] != LARGEST_CLASS_SMALL))
		return;
	tc->used = n;
	tc->classes = count_classes(tc, va);
	for (unsigned i = n; i < tc->classes; i++)
		if (sizes[i] % 8 != 0 || sizes[i] > sizes[n - 1])
			return;
	if (tc->classes == 0)
		return;
	mw_target_keep(tc->target, va - 2 * GTC_CLASSES - 3,
		       sizeof(sizes) + 2 * GTC_CLASSES + 3);
	memcpy(tc->sizes, sizes, tc->classes * sizeof(*sizes));
	tc->sizes_va = va;
}

static struct mw_error *scan_sizes(void *ctx, uint64_t va,
				   const uint64_t *words, size_t count)
{
	struct gtcmalloc *tc = ctx;

	for (size_t i = 0; i < count && !tc->sizes_va; i++) {
		if (words[i] == UINT64_C(8) << 32)
			read_sizes(tc, va + 8 * i);
		else if ((uint32_t)words[i] == 8 && words[i] >> 32 == 16)
			read_sizes(tc, va + 8 * i - 4);
	}
	return NULL;
}

/* Spans and the page map */

bool gtcmalloc_read_span(const struct gtcmalloc *tc, uint64_t va,
			 struct gtc_span *ret)
{
	const unsigned page_bits = GTC_ADDRESS_BITS - tc->page_shift;
	// Bit-fields do not cross what their type's size is a multiple of.
	const unsigned reserved = page_bits < 32 && page_bits + 26 > 32
					  ? 32
					  : page_bits;
	uint64_t w[8], pages;

	if (!mw_is_aligned(va, 64) || va == 0 ||
	    !mw_target_read(tc->target, va, w, sizeof(w)))
		return false;
	pages = w[3] >> (reserved + 26) & 3 ? w[4] : w[4] & 63;
	if (pages == 0 || pages >> page_bits ||
	    (w[2] >> 48 & 15) > sizeof(ret->cache) / 2)
		return false;
	*ret = (struct gtc_span){
		.start = (w[3] & ((UINT64_C(1) << page_bits) - 1))
			 << tc->page_shift,
		.bytes = pages << tc->page_shift,
		.embedded = w[2] & 0xffff,
		.freelist = w[2] >> 16 & 0xffff,
		.allocated = w[2] >> 32 & 0xffff,
		.cached = w[2] >> 48 & 15,
		.sample = w[3] >> (reserved + 27) & 1 ? w[5] : 0,
	};
	memcpy(ret->cache, &w[5], sizeof(ret->cache));
	return ret->start != 0 &&
	       alloc_book_fits(&tc->book, ret->start, ret->bytes);
}

/** Bytes of a size class in the page map. */
static unsigned class_bytes(const struct gtcmalloc *tc)
{
	return tc->classes > 256 ? 2 : 1;
}

uint64_t gtcmalloc_entry(const struct gtcmalloc *tc, uint64_t leaf,
			 uint64_t page)
{
	return leaf + GTC_LEAF_PAGES * (class_bytes(tc) + 0ull) +
	       8 * (page % GTC_LEAF_PAGES);
}

unsigned gtcmalloc_class(const struct gtcmalloc *tc, uint64_t leaf,
			 uint64_t page)
{
	unsigned bytes = class_bytes(tc);
	uint8_t class[2] = { 0 };

	if (!mw_target_read(tc->target,
			    leaf + bytes * (page % GTC_LEAF_PAGES), class,
			    bytes))
		return 0;
	return class[0] | class[1] << 8;
}

/**
 * How many of a leaf's first entries lead to spans that have their page, where
 * these are all at the same place in the root, *@ret_index.
 */
static unsigned rate_leaf(struct gtcmalloc *tc, uint64_t leaf,
			  uint64_t *ret_index)
{
	uint64_t words[MW_PAGE_BYTES / 8], n;
	uint64_t at = gtcmalloc_entry(tc, leaf, 0);
	unsigned fits = 0, misfits = 0;

	for (uint64_t i = 0; i < GTC_LEAF_PAGES && tc->budget > 0; i += n) {
		bool is_there = alloc_read_words(tc->target, at, i,
						 GTC_LEAF_PAGES, words, &n);

		tc->budget--;
		for (uint64_t k = 0; is_there && k < n; k++) {
			uint64_t page, index, at_page = i + k;
			struct gtc_span s;

			if (words[k] == 0)
				continue;
			if (!gtcmalloc_read_span(tc, words[k] << 16 >> 16,
						 &s)) {
				if (++misfits >= MISFITS)
					return fits;
				continue;
			}
			page = s.start >> tc->page_shift;
			index = page >> GTC_LEAF_BITS;
			page %= GTC_LEAF_PAGES;
			// All have an entry of their first page; others are no
			// evidence.
			if (at_page == page &&
			    (fits == 0 || index == *ret_index)) {
				*ret_index = index;
				fits++;
			} else if ((at_page < page ||
				    at_page - page >=
					    s.bytes >> tc->page_shift) &&
				   ++misfits >= MISFITS) {
				return fits;
			}
		}
		if (fits >= ENOUGH)
			break;
	}
	return fits;
}

static void try_leaf(struct gtcmalloc *tc, uint64_t place, uint64_t leaf)
{
	unsigned best = tc->page_shift;

	for (size_t i = 0; i < MW_COUNT(page_shifts) && tc->fits < ENOUGH;
	     i++) {
		uint64_t index = 0;
		unsigned fits;

		tc->page_shift = page_shifts[i];
		fits = rate_leaf(tc, leaf, &index);
		if (fits > tc->fits && place > 8 * index) {
			tc->fits = fits;
			tc->root = place - 8 * index;
			best = tc->page_shift;
		}
	}
	tc->page_shift = best;
}

static struct mw_error *scan_root(void *ctx, uint64_t va,
				  const uint64_t *words, size_t count)
{
	struct gtcmalloc *tc = ctx;

	for (size_t i = 0; i < count && tc->fits < ENOUGH && tc->budget > 0;
	     i++)
		if (words[i] && mw_is_aligned(words[i], 8) &&
		    alloc_book_fits(&tc->book, words[i],
				    gtcmalloc_entry(tc, 0, 0) +
					    8ull * GTC_LEAF_PAGES))
			try_leaf(tc, va + 8 * i, words[i]);
	return NULL;
}

struct mw_error *gtcmalloc_find(struct gtcmalloc *tc)
{
	struct mw_error *error = alloc_scan_data(tc->target, scan_sizes, tc);

	tc->budget = SEARCHED_PAGES;
	if (error || !tc->sizes_va)
		return error;
	return alloc_scan_data(tc->target, scan_root, tc);
}

/* Spans that are not in use */

/*
 * MetadataObjectAllocator: *arena 0, a lock 8, *free_list 16, u64 in_use 24,
 * u64 total 32. What is free is linked by its first word; all else in it stays, and
 * so do the pages' entries.
 */
#define MAX_FREED (UINT64_C(1) << 24)

/** How many nodes the list at @va has; 0 when it is none. */
static uint64_t count_list(struct gtcmalloc *tc, uint64_t va, uint64_t limit)
{
	uint64_t n = 0;

	while (va && n <= limit) {
		if (!mw_is_aligned(va, 64) || !gtcmalloc_is_own(tc, va) ||
		    !mw_target_read_u64(tc->target, va, &va))
			return 0;
		n++;
	}
	return n <= limit ? n : 0;
}

static struct mw_error *scan_freed(void *ctx, uint64_t va,
				   const uint64_t *words, size_t count)
{
	struct gtcmalloc *tc = ctx;

	for (size_t i = 0; i < count; i++) {
		uint64_t at = words[i], figures[2], n;

		if (!mw_is_aligned(at, 64) || !gtcmalloc_is_own(tc, at) ||
		    !mw_target_peek(tc->target, va + 8 * i + 8, figures,
				    sizeof(figures)) ||
		    figures[0] > figures[1] || figures[1] > MAX_FREED)
			continue;
		n = count_list(tc, at, figures[1]);
		if (n == 0 ||
		    (n != figures[1] - figures[0] &&
		     mw_target_info(tc->target)->mode != MW_CAPTURE_LIVE))
			continue;
		mw_target_keep(tc->target, va + 8 * i, 24);
		for (; at && n > 0; n--) {
			uint64_t *place = mw_map64_at(&tc->freed, at);

			if (!place)
				return mw_error_nomem();
			*place = 1;
			if (!mw_target_read_u64(tc->target, at, &at))
				break;
		}
	}
	return NULL;
}

struct mw_error *gtcmalloc_find_freed(struct gtcmalloc *tc)
{
	return alloc_scan_data(tc->target, scan_freed, tc);
}
