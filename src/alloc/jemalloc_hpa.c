/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "jemalloc_int.h"

/*
 * jemalloc with MALLOC_CONF=hpa:true: extents up to 64 KiB come from pieces of
 * 2 MiB, which are cut from a larger one, eden. The extents that are in use have
 * descriptors as all others; of the rest of a piece's pages there is only
 * struct hpdata_s (5.3.0-5.3.1 include/jemalloc/internal/hpdata.h), in
 * jemalloc's own memory at a multiple of 64:
 *
 *	0	*address of the piece
 *	16	bool huge, alloc_allowed, in_psset_alloc_container,
 *		purge_allowed, hugify_allowed
 *	32	bool in_psset_hugify_container, mid_purge, mid_hugify, updating,
 *		in_psset
 *	96	u64 longest run of pages that are not active
 *	104	u64 number of active pages, 112 a bit for each
 *	176	u64 number of pages active or dirty, 184 a bit for each
 *
 * struct hpa_central_s (hpa.h), in a variable, has eden: its address, and in the
 * next word its length.
 */
#define PIECE_BYTES MW_MIB(2)
#define PIECE_PAGES (PIECE_BYTES / MW_PAGE_BYTES)
#define BIT_WORDS (PIECE_PAGES / 64)
#define HPDATA_ALIGN 64
#define HPDATA_BYTES 248
#define READ_AGAIN 3

static const uint8_t bools[] = { 16, 17, 18, 19, 20, 32, 33, 34, 35, 36 };

struct hpdata {
	uint64_t active_count, active[BIT_WORDS];
	uint64_t touched_count, touched[BIT_WORDS];
};

static bool is_page(const uint64_t *bits, uint64_t page)
{
	return bits[page / 64] >> page % 64 & 1;
}

static bool is_counted(const uint64_t *bits, uint64_t count)
{
	uint64_t n = 0;

	for (size_t i = 0; i < BIT_WORDS; i++)
		n += mw_popcount(bits[i]);
	return n == count;
}

static bool is_present(const struct jemalloc *je, uint64_t va)
{
	return mw_pages_state(mw_target_pages(je->target), va) &
	       MW_PAGE_PRESENT;
}

/** Read and check the hpdata_s at @va for the piece at @piece. */
static bool read_hpdata(struct jemalloc *je, uint64_t va, uint64_t piece,
			struct hpdata *ret)
{
	uint8_t bytes[HPDATA_BYTES];

	if (!is_present(je, va + HPDATA_BYTES - 1) ||
	    !mw_target_search(je->target, va, bytes, sizeof(bytes)) ||
	    mw_u64(bytes) != piece)
		return false;
	for (size_t i = 0; i < MW_COUNT(bools); i++)
		if (bytes[bools[i]] > 1)
			return false;
	ret->active_count = mw_u64(bytes + 104);
	ret->touched_count = mw_u64(bytes + 176);
	for (size_t i = 0; i < BIT_WORDS; i++) {
		ret->active[i] = mw_u64(bytes + 112 + 8 * i);
		ret->touched[i] = mw_u64(bytes + 184 + 8 * i);
	}
	return mw_u64(bytes + 96) <= PIECE_PAGES - ret->active_count &&
	       is_counted(ret->active, ret->active_count) &&
	       is_counted(ret->touched, ret->touched_count);
}

/** The same; a live one may be about to change. */
static bool find_hpdata(struct jemalloc *je, uint64_t va, uint64_t piece,
			struct hpdata *ret)
{
	bool is_live = mw_target_info(je->target)->mode == MW_CAPTURE_LIVE;

	for (int i = 0; i <= READ_AGAIN; i++) {
		if (read_hpdata(je, va, piece, ret))
			return true;
		if (!is_live)
			break;
		mw_target_forget(je->target, va, HPDATA_BYTES);
	}
	return false;
}

uint32_t jemalloc_hpa_arena(struct jemalloc *je)
{
	if (je->hpa == 0) {
		je->hpa = 1 + jemalloc_name_arena(je, "hpa");
		// arena.<i>.purge leaves most of it.
		if (!je->book.failed)
			je->book.arenas.v[je->hpa - 1]->no_trimming = true;
	}
	return je->hpa - 1;
}

/** The pages of a piece that no extent has. */
static void add_piece(struct jemalloc *je, uint64_t piece,
		      const struct hpdata *h)
{
	for (uint64_t i = 0, next; i < PIECE_PAGES; i = next) {
		bool is_touched = is_page(h->touched, i);

		next = i + 1;
		if (is_page(h->active, i))
			continue;
		while (next < PIECE_PAGES && !is_page(h->active, next) &&
		       is_page(h->touched, next) == is_touched)
			next++;
		alloc_book_add(&je->book, jemalloc_hpa_arena(je),
			       is_touched ? ALLOC_DIRTY : ALLOC_RETAINED,
			       piece + i * MW_PAGE_BYTES,
			       (next - i) * MW_PAGE_BYTES);
	}
}

void jemalloc_walk_hpa(struct jemalloc *je, uint64_t base, uint64_t bytes)
{
	uint64_t words[MW_PAGE_BYTES / 8];
	uint64_t end = base + bytes;

	if (je->hpa == 0)
		return;
	for (uint64_t page = base; page < end; page += MW_PAGE_BYTES) {
		if (!is_present(je, page) ||
		    !mw_target_search(je->target, page, words, sizeof(words)))
			continue;
		for (size_t i = 0; i < MW_COUNT(words); i += HPDATA_ALIGN / 8) {
			uint64_t va = page + 8 * i, *place;
			struct hpdata h;

			if (words[i] == 0 ||
			    !mw_is_aligned(words[i], PIECE_BYTES) ||
			    end - va < HPDATA_BYTES ||
			    !alloc_book_fits(&je->book, words[i],
					     PIECE_BYTES) ||
			    !find_hpdata(je, va, words[i], &h))
				continue;
			mw_target_keep(je->target, va, HPDATA_BYTES);
			add_piece(je, words[i], &h);
			place = mw_vec_push(&je->hpa_pieces);
			if (place)
				*place = words[i];
			else
				je->book.failed = true;
		}
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/** Eden lies behind the piece that was cut from it last. */
static bool is_eden(const struct jemalloc *je, uint64_t va)
{
	uint64_t piece = va - PIECE_BYTES;

	return mw_is_aligned(va, PIECE_BYTES) && va > PIECE_BYTES &&
	       bsearch(&piece, je->hpa_pieces.v, je->hpa_pieces.n,
		       sizeof(piece), by_value);
}

static struct mw_error *scan_eden(void *ctx, uint64_t va, const uint64_t *words,
				  size_t count)
{
	struct jemalloc *je = ctx;

	for (size_t i = 0; i < count; i++) {
		uint64_t at = va + 8 * i, bytes;

		if (je->has_eden || !is_eden(je, words[i]) ||
		    !mw_target_peek(je->target, at + 8, &bytes, 8) ||
		    !mw_is_aligned(bytes, PIECE_BYTES) ||
		    !alloc_book_fits(&je->book, words[i], bytes))
			continue;
		mw_target_keep(je->target, at, 16);
		alloc_book_add(&je->book, jemalloc_hpa_arena(je),
			       ALLOC_RESERVED, words[i], bytes);
		je->has_eden = true;
	}
	return NULL;
}

struct mw_error *jemalloc_find_eden(struct jemalloc *je)
{
	if (je->hpa_pieces.n == 0)
		return NULL;
	qsort(je->hpa_pieces.v, je->hpa_pieces.n, sizeof(*je->hpa_pieces.v),
	      by_value);
	return alloc_scan_data(je->target, scan_eden, je);
}
