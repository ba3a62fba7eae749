/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <stdlib.h>

#include "alloc_book.h"
#include "mw_guard.h"
#include "mw_num.h"
#include "mw_search.h"

/*
 * musl's malloc since 1.2.1 (mallocng). Its context begins with a secret, 8
 * bytes of those that the kernel gave the program for this (AT_RANDOM), and so
 * is found. It leads to areas of metadata, each a page:
 *
 *	0	u64 the secret
 *	8	*next
 *	16	i32 number of metas, which follow from 24 on, 40 bytes each:
 *
 *	0	*prev, 8 *next
 *	16	*mem: a group of slots; 0: the meta is not used
 *	24	u32 avail_mask, 28 u32 freed_mask: slots that are free
 *	32	u64 last_idx:5, freeable:1, sizeclass:6, maplen:52 in pages
 *
 * A group begins with 16 bytes, the first 8 of which lead back to its meta;
 * slots follow. A slot may hold a group of smaller ones.
 */
#define AREA_BYTES MW_PAGE_BYTES
#define AREA_METAS 24
#define META_BYTES 40
#define MAX_AREAS (1u << 20)
#define GROUP_HEAD 16
#define UNIT 16
#define READ_AGAIN 3

struct layout {
	const char *source;
	uint32_t init_done, meta_area_head;
};

#define MUSL(...) { __VA_ARGS__ },
static const struct layout layouts[] = {
#include "layouts/musl.def"
};

/* Units of 16 bytes in a slot, by class (malloc.c: size_classes[]). */
static const uint16_t class_units[48] = {
	1, 2, 3, 4, 5, 6, 7, 8,
	9, 10, 12, 15,
	18, 20, 25, 31,
	36, 42, 50, 63,
	72, 84, 102, 127,
	146, 170, 204, 255,
	292, 340, 409, 511,
	584, 682, 818, 1023,
	1169, 1364, 1637, 2047,
	2340, 2730, 3276, 4095,
	4680, 5460, 6552, 8191,
};

/** A group, as its meta describes it. */
struct group {
	uint64_t meta, start, stride, bytes;
	uint32_t slots;
	uint32_t free; /* a bit a slot */
	bool is_mapped; /* in pages of its own; else in a slot */
};

struct musl {
	struct alloc_book book; /* first: the state is the book, too */
	struct mw_target *target;
	uint64_t secret, context;
	const struct layout *layout;
	uint32_t arena;
	MW_VEC(struct group) groups;
};

static void free_state(void *ctx)
{
	struct musl *musl = ctx;

	alloc_book_deinit(&musl->book);
	mw_vec_free(&musl->groups);
	mw_free(musl);
}

static void free_statep(struct musl **musl)
{
	if (*musl)
		free_state(*musl);
}

/* Finding */

static bool is_area(struct musl *musl, uint64_t va)
{
	uint64_t secret;

	if (!va || !mw_is_aligned(va, AREA_BYTES) ||
	    !mw_target_copy(musl->target, va, &secret, 8) ||
	    secret != musl->secret)
		return false;
	mw_target_keep(musl->target, va, 8);
	return true;
}

static struct mw_error *scan_context(void *ctx, uint64_t va,
				     const uint64_t *words, size_t count)
{
	struct musl *musl = ctx;

	for (size_t i = 0; i < count && !musl->context; i++) {
		uint64_t at = va + 8 * i, head;
		uint32_t done;

		if (words[i] != musl->secret)
			continue;
		for (size_t l = 0; l < MW_COUNT(layouts); l++)
			if (mw_target_read_u32(musl->target,
					       at + layouts[l].init_done,
					       &done) && done == 1 &&
			    mw_target_read_u64(musl->target,
					       at + layouts[l].meta_area_head,
					       &head) &&
			    is_area(musl, head)) {
				musl->context = at;
				musl->layout = &layouts[l];
				mw_target_keep(musl->target, at, 8);
			}
	}
	return NULL;
}

/* Groups */

/**
 * Whether @va is in an image: the loader gives what segments leave of their
 * last pages to malloc, which stays the image's here.
 */
static bool is_donated(const struct musl *musl, uint64_t va)
{
	size_t count;
	const struct mw_image *images = mw_target_images(musl->target, &count);

	for (size_t i = 0; i < count; i++)
		if (va >= images[i].start && va < images[i].end)
			return true;
	return false;
}

/** The group of the meta at @va; false when it has none. */
static bool read_group(struct musl *musl, uint64_t va, struct group *ret)
{
	uint64_t w[5], back, maplen;
	unsigned class;

	if (!mw_target_read(musl->target, va, w, sizeof(w)) || w[2] == 0 ||
	    !mw_is_aligned(w[2], UNIT) || is_donated(musl, w[2]))
		return false;
	class = w[4] >> 6 & 63;
	maplen = w[4] >> 12;
	*ret = (struct group){
		.meta = va,
		.start = w[2],
		.slots = (w[4] & 31) + 1,
		.free = (uint32_t)w[3] | (uint32_t)(w[3] >> 32),
		.is_mapped = maplen > 0,
	};
	if (maplen >> (48 - MW_PAGE_SHIFT))
		return false;
	if (ret->slots == 1 && maplen)
		ret->stride = maplen * MW_PAGE_BYTES - GROUP_HEAD;
	else if (class < MW_COUNT(class_units))
		ret->stride = (uint64_t)UNIT * class_units[class];
	else
		return false;
	ret->bytes = GROUP_HEAD + ret->stride * ret->slots;
	if (maplen)
		ret->bytes = mw_max(ret->bytes, maplen * MW_PAGE_BYTES);
	return alloc_book_fits(&musl->book, ret->start, ret->bytes) &&
	       mw_target_peek(musl->target, ret->start, &back, 8) &&
	       back == va;
}

static void take_meta(struct musl *musl, uint64_t va)
{
	struct group group, *place;

	for (int i = 0; i <= READ_AGAIN; i++) {
		if (read_group(musl, va, &group))
			break;
		if (i == READ_AGAIN ||
		    mw_target_info(musl->target)->mode != MW_CAPTURE_LIVE)
			return;
		mw_target_forget(musl->target, va, META_BYTES);
	}
	place = mw_vec_push(&musl->groups);
	if (place)
		*place = group;
	else
		musl->book.failed = true;
}

static void walk_areas(struct musl *musl)
{
	uint64_t area = 0, seen = 0;

	(void)mw_target_read_u64(musl->target,
				 musl->context + musl->layout->meta_area_head,
				 &area);
	for (unsigned n = 0; n < MAX_AREAS && is_area(musl, area); n++) {
		uint64_t head[3], slots;

		// A damaged list may lead back to an area that it had.
		if (area == seen ||
		    !mw_target_read(musl->target, area, head, sizeof(head)))
			return;
		if ((n & (n + 1)) == 0)
			seen = area;
		alloc_book_add(&musl->book, musl->arena, ALLOC_METADATA, area,
			       AREA_BYTES);
		slots = mw_min((uint32_t)head[2],
			       (AREA_BYTES - AREA_METAS) / META_BYTES);
		for (uint64_t i = 0; i < slots; i++)
			take_meta(musl, area + AREA_METAS + META_BYTES * i);
		area = head[1];
	}
}

static int by_start(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/** The group that begins at @start, in a slot of another; or NULL. */
static const struct group *nested_at(const struct musl *musl, uint64_t start)
{
	size_t at = mw_first(i, 0, musl->groups.n,
			     musl->groups.v[i].start >= start);

	return at < musl->groups.n && musl->groups.v[at].start == start &&
			       !musl->groups.v[at].is_mapped
		       ? &musl->groups.v[at]
		       : NULL;
}

/**
 * What malloc() returned of a slot, and how much of it was asked for. The 4
 * bytes before a block have how much of the slot is left behind it, in the
 * upper 3 bits of the second one: up to 4 bytes, 5: the slot's last 4 bytes say
 * it, 7: the block begins as many units behind as the last two bytes say.
 */
static void find_user(struct alloc_book *book, struct mw_alloc_block *block)
{
	enum { HEAD = 4, IN_TAIL = 5, MOVED = 7 };
	uint64_t end = block->start + block->bytes - HEAD, left;
	uint8_t head[HEAD];

	block->user_bytes = block->bytes - HEAD;
	if (!mw_target_read(book->target, block->user - HEAD, head, HEAD))
		return;
	if (head[1] >> 5 == MOVED) {
		uint64_t moved = (uint64_t)UNIT * mw_u16(head + 2);

		if (moved >= block->user_bytes ||
		    !mw_target_read(book->target, block->user + moved - HEAD,
				    head, HEAD))
			return;
		block->user += moved;
		block->user_bytes -= moved;
	}
	left = head[1] >> 5;
	if (left == IN_TAIL) {
		uint32_t tail;

		if (!mw_target_read_u32(book->target, end - HEAD, &tail))
			return;
		left = tail;
	}
	block->user_bytes -= mw_min(left, block->user_bytes);
}

/** Add the slots from @first up to @end, none of which holds a group. */
static void add_slots(struct musl *musl, const struct group *g, uint32_t first,
		      uint32_t end)
{
	uint64_t start = g->start + GROUP_HEAD + g->stride * first;
	uint64_t bytes = g->stride * (end - first);
	size_t piece;

	if (first == end)
		return;
	piece = alloc_book_slots(&musl->book, musl->arena, ALLOC_METADATA,
				 start, bytes, start, g->stride, end - first);
	for (uint32_t i = first; piece != SIZE_MAX && i < end; i++)
		if (g->free >> i & 1)
			alloc_book_set(&musl->book,
				       &musl->book.pieces.v[piece], i - first,
				       ALLOC_FREE);
}

static void add_group(struct musl *musl, const struct group *g)
{
	uint64_t slots = g->start + GROUP_HEAD;
	uint64_t end = slots + g->stride * g->slots;
	uint32_t first = 0;

	alloc_book_add(&musl->book, musl->arena, ALLOC_METADATA, g->start,
		       GROUP_HEAD);
	for (uint32_t i = 0; i < g->slots; i++) {
		uint64_t start = slots + g->stride * i;
		const struct group *nested = g->free >> i & 1
						     ? NULL
						     : nested_at(musl, start);

		// It has pieces of its own, and leaves a rest of the slot.
		if (!nested || nested->bytes > g->stride)
			continue;
		add_slots(musl, g, first, i);
		first = i + 1;
		if (nested->bytes < g->stride)
			alloc_book_add(&musl->book, musl->arena,
				       ALLOC_METADATA, start + nested->bytes,
				       g->stride - nested->bytes);
	}
	add_slots(musl, g, first, g->slots);
	if (end < g->start + g->bytes)
		alloc_book_add(&musl->book, musl->arena, ALLOC_METADATA, end,
			       g->start + g->bytes - end);
}

static struct mw_error *walk(struct musl *musl)
{
	struct mw_error *error = alloc_scan_data(musl->target, scan_context,
						 musl);

	if (error || !musl->context)
		return error;
	musl->arena = alloc_book_arena(&musl->book, "heap");
	if (musl->book.failed)
		return mw_error_nomem();
	walk_areas(musl);
	if (musl->groups.n > 0)
		qsort(musl->groups.v, musl->groups.n, sizeof(*musl->groups.v),
		      by_start);
	for (size_t i = 0; i < musl->groups.n; i++)
		add_group(musl, &musl->groups.v[i]);
	alloc_book_sort(&musl->book);
	return alloc_book_claim(&musl->book);
}

static struct mw_error *claim(struct mw_alloc *alloc)
{
	MW_CLEANUP(free_statep) struct musl *musl =
		mw_calloc(1, sizeof(*musl));
	struct mw_error *error;
	uint64_t at;

	if (!musl)
		return mw_error_nomem();
	musl->target = alloc->target;
	alloc_book_init(&musl->book, alloc, "musl");
	musl->book.no_trimming = true;
	musl->book.find_user = find_user;
	if (!mw_target_auxv(alloc->target, AT_RANDOM, &at) ||
	    !mw_target_search(alloc->target, at + 8, &musl->secret, 8) ||
	    musl->secret == 0)
		return NULL;
	error = walk(musl);
	if (error || !musl->context)
		return error;
	return alloc_add_heap(alloc, &alloc_musl, mw_steal(musl));
}

const struct alloc_detector alloc_musl = {
	.name = "musl",
	.claim = claim,
	.free = free_state,
	.block_at = alloc_book_block_at,
	.blocks = alloc_book_blocks,
	.holds = alloc_book_holds,
};
