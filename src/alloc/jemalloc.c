/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "jemalloc_int.h"
#include "mw_guard.h"

/*
 * jemalloc: its extents by the tree (jemalloc_find.c), the blocks that threads
 * keep (jemalloc_tcache.c), and its own memory, which comes in blocks of 2 MiB
 * with a head each. A process may have several copies, each with its names
 * prefixed.
 */
#define READ_AGAIN 3

static void free_state(void *ctx)
{
	struct jemalloc *je = ctx;

	alloc_book_deinit(&je->book);
	mw_vec_free(&je->doubtful);
	mw_vec_free(&je->units);
	mw_vec_free(&je->pointers);
	mw_vec_free(&je->hpa_pieces);
	mw_free(je);
}

uint32_t jemalloc_name_arena(struct jemalloc *je, const char *name)
{
	char full[32], copy[16] = "";

	if (je->number > 1)
		snprintf(copy, sizeof(copy), "copy%u-", je->number);
	snprintf(full, sizeof(full), "%s%s", copy, name);
	return alloc_book_arena(&je->book, full);
}

static uint32_t arena_of(struct jemalloc *je, unsigned number)
{
	uint32_t *index = &je->arenas[number];
	char name[16];

	if (*index == 0) {
		snprintf(name, sizeof(name), "arena-%u", number);
		*index = 1 + jemalloc_name_arena(je, name);
	}
	return *index - 1;
}

/* Extents */

static void add_slab(struct jemalloc *je, const struct jemalloc_extent *x)
{
	const struct jemalloc_bin *bin = &je->bins[x->szind];
	size_t index = alloc_book_slots(&je->book, arena_of(je, x->arena),
					ALLOC_METADATA, x->start, x->bytes,
					x->start, bin->reg_bytes,
					bin->regions);

	for (uint32_t i = 0; index != SIZE_MAX && i < bin->regions; i += 64)
		for (uint64_t bits = jemalloc_free_bits(x, i, bin->regions);
		     bits; bits &= bits - 1)
			alloc_book_set(&je->book, &je->book.pieces.v[index],
				       i + (uint32_t)__builtin_ctzll(bits),
				       ALLOC_FREE);
}

/**
 * A block with an extent of its own. Where blocks do not begin with the page
 * there is a page more for that. A block is as large as its class; since 5.3.1
 * only up to the page.
 */
static void add_large(struct jemalloc *je, const struct jemalloc_extent *x)
{
	uint64_t usable = x->szind < JEMALLOC_CLASSES
				  ? je->class_bytes[x->szind]
				  : UINT64_MAX;
	size_t index, *place;

	je->is_padded |= x->offset > 0;
	if (usable == 0 || usable > x->bytes - x->offset)
		usable = x->bytes - (x->offset > 0 ? MW_PAGE_BYTES : 0);
	index = alloc_book_slots(&je->book, arena_of(je, x->arena),
				 ALLOC_METADATA, x->start, x->bytes,
				 x->start + x->offset, usable, 1);
	if (index == SIZE_MAX || usable < x->bytes)
		return;
	place = mw_vec_push(&je->doubtful);
	if (place)
		*place = index;
	else
		je->book.failed = true;
}

/** Take the page away from blocks that begin with theirs by chance. */
static void settle_large(struct jemalloc *je)
{
	for (size_t i = 0; je->is_padded && i < je->doubtful.n; i++) {
		struct alloc_piece *p =
			&je->book.pieces.v[je->doubtful.v[i]];

		if (p->slot_bytes > MW_PAGE_BYTES)
			p->slot_bytes -= MW_PAGE_BYTES;
	}
}

static void add_extent(struct jemalloc *je, const struct jemalloc_extent *x)
{
	static const enum alloc_kind kinds[] = {
		[JEMALLOC_DIRTY] = ALLOC_DIRTY,
		[JEMALLOC_MUZZY] = ALLOC_MUZZY,
		[JEMALLOC_RETAINED] = ALLOC_RETAINED,
	};
	uint32_t arena = arena_of(je, x->arena);

	jemalloc_note_unit(je, x);
	if (x->is_hpa)
		(void)jemalloc_hpa_arena(je);
	if (x->state == JEMALLOC_ACTIVE && x->szind == JEMALLOC_CLASSES) {
		// Free, but kept for its size in front of the pages' owner.
		alloc_book_add(&je->book,
			       x->is_hpa ? jemalloc_hpa_arena(je) : arena,
			       ALLOC_DIRTY, x->start, x->bytes);
	} else if (x->is_slab) {
		add_slab(je, x);
	} else if (x->state == JEMALLOC_ACTIVE) {
		add_large(je, x);
	} else {
		// Other states are on the way from one of these to another.
		alloc_book_add(&je->book, arena,
			       x->state < MW_COUNT(kinds) ? kinds[x->state]
							  : ALLOC_DIRTY,
			       x->start, x->bytes);
	}
}

static bool is_settled(const struct jemalloc *je,
		       const struct jemalloc_extent *x)
{
	return !x->is_slab ||
	       jemalloc_is_counted(x, je->bins[x->szind].regions);
}

/** The extent that the entry at @at, for the page @va, leads to. */
static void take_entry(struct jemalloc *je, uint64_t at, uint64_t va,
		       uint64_t word, uint64_t *last)
{
	bool found = false, is_live = mw_target_info(je->target)->mode ==
				      MW_CAPTURE_LIVE;
	struct jemalloc_extent x;

	// Pages of one slab follow each other.
	if (jemalloc_entry(je, word) == 0 || jemalloc_entry(je, word) == *last)
		return;
	for (int i = 0; i <= READ_AGAIN; i++) {
		*last = jemalloc_entry(je, word);
		if (*last == 0)
			return;
		found = jemalloc_read_extent(je, *last, &x) &&
			va >= x.start && va < x.start + x.bytes;
		if ((found && is_settled(je, &x)) || !is_live)
			break;
		mw_target_forget(je->target, at, 8);
		mw_target_forget(je->target, *last, 128);
		if (!mw_target_read_u64(je->target, at, &word))
			break;
	}
	if (!found) {
		alloc_book_add(&je->book, arena_of(je, 0), ALLOC_TORN, va,
			       MW_PAGE_BYTES);
		return;
	}
	if (x.start != va)
		return;
	add_extent(je, &x);
	if (!is_settled(je, &x))
		je->book.arenas.v[arena_of(je, x.arena)]->figures->unsettled++;
}

static void walk_leaf(struct jemalloc *je, uint64_t leaf, uint64_t base)
{
	unsigned step = je->layout->entry_bytes / 8;
	uint64_t count = (UINT64_C(1) << je->layout->leaf_bits) * step;
	uint64_t words[MW_PAGE_BYTES / 8], last = 0;

	for (uint64_t first = 0, n; first < count; first += n) {
		if (!alloc_read_words(je->target, leaf, first, count, words,
				      &n))
			continue;
		mw_target_keep(je->target, leaf + 8 * first, 8 * n);
		for (uint64_t i = 0; i < n; i++)
			if (words[i] && (first + i) % step == 0)
				take_entry(je, leaf + 8 * (first + i),
					   base + (first + i) / step *
							  MW_PAGE_BYTES,
					   words[i], &last);
	}
}

/** The 2^@bits pointers at @va, each for 2^@shift bytes from @base on. */
static void walk_node(struct jemalloc *je, uint64_t va, unsigned bits,
		      unsigned shift, uint64_t base)
{
	uint64_t words[MW_PAGE_BYTES / 8], count = UINT64_C(1) << bits;
	unsigned leaf_shift = jemalloc_leaf_shift(je->layout);

	for (uint64_t first = 0, n; first < count; first += n) {
		if (!alloc_read_words(je->target, va, first, count, words, &n))
			continue;
		mw_target_keep(je->target, va + 8 * first, 8 * n);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t start = base + ((first + i) << shift);

			if (!words[i] || !mw_is_aligned(words[i], 8) ||
			    !alloc_is_mapped(je->target, start, shift))
				continue;
			if (shift > leaf_shift)
				walk_node(je, words[i], je->layout->node_bits,
					  leaf_shift, start);
			else
				walk_leaf(je, words[i], start);
		}
	}
}

/*
 * jemalloc's own memory (src/base.c): blocks at multiples of 2 MiB, each with
 *
 *	0	u64 size
 *	8	*next: the block before
 *	16	the descriptor of what is not used of it yet: e_addr at +8,
 *		e_bsize at +16
 */
#define BASE_UNIT MW_MIB(2)

static bool is_base(struct jemalloc *je, uint64_t va, uint64_t *ret_bytes)
{
	uint64_t w[5];

	if (!(mw_pages_state(mw_target_pages(je->target), va) &
	      MW_PAGE_PRESENT) ||
	    !mw_target_copy(je->target, va, w, sizeof(w)) || w[0] == 0 ||
	    !mw_is_aligned(w[0] | w[1], BASE_UNIT) ||
	    !alloc_book_fits(&je->book, va, w[0]) || w[3] < va + sizeof(w) ||
	    w[3] > va + w[0] || w[4] != va + w[0] - w[3])
		return false;
	mw_target_keep(je->target, va, sizeof(w));
	*ret_bytes = w[0];
	return true;
}

static void walk_base(struct jemalloc *je)
{
	const struct mw_mappings *maps = mw_target_mappings(je->target);
	uint32_t arena = jemalloc_name_arena(je, "base");

	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t va = mw_align_up(m->start, BASE_UNIT), bytes;

		if (!mw_mapping_is_anonymous(m) || !(m->perms & MW_PERM_W))
			continue;
		for (; va < m->end; va += bytes) {
			if (!is_base(je, va, &bytes)) {
				bytes = BASE_UNIT;
				continue;
			}
			alloc_book_add(&je->book, arena, ALLOC_METADATA, va,
				       bytes);
			jemalloc_walk_hpa(je, va, bytes);
		}
	}
}

/* Copies */

static struct mw_error *add_copy(void *ctx, uint64_t va,
				 const struct jemalloc_bin *bins)
{
	struct mw_alloc *alloc = ctx;
	struct jemalloc *je = mw_calloc(1, sizeof(*je));

	if (!je)
		return mw_error_nomem();
	je->target = alloc->target;
	je->bins_va = va;
	__builtin_memcpy(je->bins, bins, sizeof(je->bins));
	alloc_book_init(&je->book, alloc, "jemalloc");
	return alloc_add_heap(alloc, &alloc_jemalloc, je);
}

static struct mw_error *walk_copy(struct jemalloc *je)
{
	struct mw_error *error = jemalloc_find_root(je);

	if (error || !je->root)
		return error;
	walk_node(je, je->root, je->layout->root_bits,
		  jemalloc_root_shift(je->layout), 0);
	settle_large(je);
	walk_base(je);
	error = jemalloc_find_eden(je);
	alloc_book_sort(&je->book);
	if (!error)
		error = jemalloc_mark_caches(je);
	if (!error)
		error = jemalloc_count_threads(je);
	return error ? error : alloc_book_claim(&je->book);
}

static struct mw_error *claim(struct mw_alloc *alloc)
{
	size_t first = alloc->heaps.n;
	struct mw_error *error =
		jemalloc_find_bins(alloc->target, add_copy, alloc);

	for (size_t i = first; !error && i < alloc->heaps.n; i++) {
		struct jemalloc *je = alloc->heaps.v[i].state;

		je->number = (unsigned)(i - first) + 1;
		error = walk_copy(je);
	}
	return error;
}

const struct alloc_detector alloc_jemalloc = {
	.name = "jemalloc",
	.claim = claim,
	.free = free_state,
	.block_at = alloc_book_block_at,
	.blocks = alloc_book_blocks,
	.holds = alloc_book_holds,
};
