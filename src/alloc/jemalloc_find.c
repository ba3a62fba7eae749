/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "jemalloc_int.h"

#define JEMALLOC(...) { __VA_ARGS__ },
static const struct jemalloc_layout layouts[] = {
#include "layouts/jemalloc.def"
};

/*
 * bin_infos[], an array of struct bin_info_s: reg_size u64 0, slab_size u64 8,
 * nregs u32 16, …; 40 bytes each. Size classes are four per doubling, so that
 * nothing else looks like it.
 */
#define BIN_INFO_BYTES 40

/** The size of class @i: 8, 16, 32, 48, 64, then four per doubling. */
static uint64_t class_bytes(unsigned i)
{
	if (i == 0)
		return 8;
	if (i <= 4)
		return 16 * i;
	return (UINT64_C(64) << (i - 5) / 4) +
	       (UINT64_C(16) << (i - 5) / 4) * ((i - 5) % 4 + 1);
}

static bool read_bins(struct mw_target *target, uint64_t va,
		      struct jemalloc_bin *bins)
{
	uint8_t bytes[BIN_INFO_BYTES * JEMALLOC_BINS];

	if (!mw_target_search(target, va, bytes, sizeof(bytes)))
		return false;
	for (unsigned i = 0; i < JEMALLOC_BINS; i++) {
		const uint8_t *at = bytes + BIN_INFO_BYTES * i;
		struct jemalloc_bin *b = &bins[i];

		b->reg_bytes = mw_u64(at);
		b->slab_bytes = mw_u64(at + 8);
		b->regions = mw_u32(at + 16);
		if (b->reg_bytes != class_bytes(i) || b->slab_bytes == 0 ||
		    !mw_is_aligned(b->slab_bytes, MW_PAGE_BYTES) ||
		    b->regions == 0 || b->regions > JEMALLOC_MAX_REGIONS ||
		    b->regions != b->slab_bytes / b->reg_bytes)
			return false;
	}
	mw_target_keep(target, va, sizeof(bytes));
	return true;
}

struct bin_scan {
	struct mw_target *target;
	struct mw_error *(*visit)(void *ctx, uint64_t va,
				  const struct jemalloc_bin *bins);
	void *ctx;
};

static struct mw_error *scan_bins(void *ctx, uint64_t va,
				  const uint64_t *words, size_t count)
{
	struct bin_scan *s = ctx;
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < count; i++) {
		struct jemalloc_bin bins[JEMALLOC_BINS];

		if (words[i] == class_bytes(0) &&
		    (i + 1 == count || words[i + 1] == MW_PAGE_BYTES) &&
		    read_bins(s->target, va + 8 * i, bins))
			error = s->visit(s->ctx, va + 8 * i, bins);
	}
	return error;
}

struct mw_error *
jemalloc_find_bins(struct mw_target *target,
		   struct mw_error *(*visit)(void *ctx, uint64_t va,
					     const struct jemalloc_bin *bins),
		   void *ctx)
{
	struct bin_scan scan = { target, visit, ctx };

	return alloc_scan_data(target, scan_bins, &scan);
}

/* Extents */

bool jemalloc_read_extent(struct jemalloc *je, uint64_t va,
			  struct jemalloc_extent *ret)
{
	const struct jemalloc_layout *l = je->layout;
	uint64_t w[8 + MW_COUNT(ret->bitmap)];

	if (va == 0 || !mw_target_read(je->target, va, w, sizeof(w)))
		return false;
	*ret = (struct jemalloc_extent){
		.va = va,
		.start = mw_align_down(w[1], MW_PAGE_BYTES),
		.offset = w[1] % MW_PAGE_BYTES,
		.bytes = mw_align_down(w[2], MW_PAGE_BYTES),
		.arena = w[0] & (JEMALLOC_ARENAS - 1),
		.state = w[0] >> l->state_shift & ((1u << l->state_bits) - 1),
		.szind = w[0] >> l->szind_shift & 0xff,
		.nfree = w[0] >> l->nfree_shift & 0x3ff,
	};
	// What was a slab and is free now still has the flag.
	ret->is_slab = ret->state == JEMALLOC_ACTIVE &&
		       ret->szind < JEMALLOC_CLASSES && (w[0] >> 12 & 1);
	ret->is_hpa = l->hpa_shift && (w[0] >> l->hpa_shift & 1);
	memcpy(ret->bitmap, w + 8, sizeof(ret->bitmap));
	if (ret->szind > JEMALLOC_CLASSES ||
	    !alloc_book_fits(&je->book, ret->start, ret->bytes))
		return false;
	if (!ret->is_slab)
		return true;
	return ret->szind < JEMALLOC_BINS &&
	       ret->bytes == je->bins[ret->szind].slab_bytes &&
	       ret->nfree <= je->bins[ret->szind].regions;
}

/* The root */

#define ENOUGH_ENTRIES 32 /* of a leaf, to tell whether it is one */
#define ENOUGH_LEAVES 8   /* the same of a node */

/** A place that may be the root: as many as have been seen lead to it. */
struct candidate {
	uint64_t root;
	unsigned layout, votes;
};

struct root_scan {
	struct jemalloc *je;
	MW_VEC(struct candidate) candidates;
	uint64_t start, end; /* of the image */
};

static bool is_anonymous(struct mw_target *target, uint64_t va)
{
	const struct mw_mapping *m =
		mw_mappings_find(mw_target_mappings(target), va);

	return m && mw_mapping_is_anonymous(m) && (m->perms & MW_PERM_W);
}

static struct mw_error *vote(struct root_scan *s, uint64_t root,
			     unsigned layout, unsigned votes)
{
	struct candidate *c;

	if (!mw_within(root, UINT64_C(8) << layouts[layout].root_bits,
		       s->start, s->end))
		return NULL;
	for (size_t i = 0; i < s->candidates.n; i++) {
		c = &s->candidates.v[i];
		if (c->root == root && c->layout == layout) {
			c->votes += votes;
			return NULL;
		}
	}
	c = mw_vec_push(&s->candidates);
	if (!c)
		return mw_error_nomem();
	*c = (struct candidate){ root, layout, votes };
	return NULL;
}

/** How much speaks for @x: more, when a slab's count is that of its bitmap. */
static unsigned rate(const struct jemalloc *je, const struct jemalloc_extent *x,
		     uint64_t word)
{
	if (!x->is_slab)
		return 1;
	return jemalloc_is_counted(x, je->bins[x->szind].regions) &&
			       (je->layout->entry_bytes > 8 ||
				(word >> 48 & 0xff) == x->szind)
		       ? 16
		       : 1;
}

/** What was seen on the way to an entry. */
struct way {
	uint64_t at;   /* where the pointer is that may be one of the root's */
	uint64_t node; /* index in the node, if there are nodes */
	unsigned layout;
};

/** The page that entry @index of a leaf is for, if it leads to @x; or 0. */
static uint64_t page_of(const struct jemalloc_layout *l,
			const struct jemalloc_extent *x, uint64_t index)
{
	uint64_t leaf = UINT64_C(1) << jemalloc_leaf_shift(l);
	uint64_t va = mw_align_down(x->start, leaf) + index * MW_PAGE_BYTES;

	// An extent may lie across the border of two leaves.
	if (va < x->start)
		va += leaf;
	return va >= x->start && va < x->start + x->bytes ? va : 0;
}

static struct mw_error *try_entry(struct root_scan *s, const struct way *way,
				  uint64_t index, uint64_t word)
{
	struct jemalloc *je = s->je;
	const struct jemalloc_layout *l = je->layout;
	struct jemalloc_extent x;
	uint64_t va;

	if (!jemalloc_read_extent(je, jemalloc_entry(je, word), &x))
		return NULL;
	va = page_of(l, &x, index);
	if (!va || (va >> jemalloc_leaf_shift(l) &
		    ((UINT64_C(1) << l->node_bits) - 1)) != way->node)
		return NULL;
	return vote(s, way->at - 8 * (va >> jemalloc_root_shift(l)),
		    way->layout, rate(je, &x, word));
}

/** Some entries of what may be a leaf; one alone may be about to change. */
static struct mw_error *try_leaf(struct root_scan *s, const struct way *way,
				 uint64_t leaf)
{
	struct jemalloc *je = s->je;
	unsigned step = je->layout->entry_bytes / 8, tried = 0;
	uint64_t count = (UINT64_C(1) << je->layout->leaf_bits) * step;
	uint64_t words[MW_PAGE_BYTES / 8], last = 0;
	struct mw_error *error = NULL;

	for (uint64_t first = 0, n;
	     first < count && tried < ENOUGH_ENTRIES && !error; first += n) {
		if (!alloc_read_words(je->target, leaf, first, count, words,
				      &n))
			continue;
		for (uint64_t i = 0; i < n && tried < ENOUGH_ENTRIES && !error;
		     i++) {
			// All pages of a slab have the same entry.
			if (!words[i] || words[i] == last ||
			    (first + i) % step != 0)
				continue;
			last = words[i];
			tried++;
			error = try_entry(s, way, (first + i) / step, last);
		}
	}
	return error;
}

/** Some pointers of what may be a node. */
static struct mw_error *try_node(struct root_scan *s, struct way *way,
				 uint64_t node)
{
	uint64_t words[MW_PAGE_BYTES / 8];
	uint64_t count = UINT64_C(1) << s->je->layout->node_bits;
	struct mw_error *error = NULL;
	unsigned tried = 0;

	for (uint64_t first = 0, n;
	     first < count && tried < ENOUGH_LEAVES && !error; first += n) {
		if (!alloc_read_words(s->je->target, node, first, count,
				      words, &n))
			continue;
		for (uint64_t i = 0; i < n && tried < ENOUGH_LEAVES && !error;
		     i++) {
			if (!words[i] || !mw_is_aligned(words[i], 64) ||
			    !is_anonymous(s->je->target, words[i]))
				continue;
			tried++;
			way->node = first + i;
			error = try_leaf(s, way, words[i]);
		}
	}
	return error;
}

/** A pointer at @at may be one of the root's, to @child. */
static struct mw_error *try_pointer(struct root_scan *s, uint64_t at,
				    uint64_t child)
{
	struct mw_error *error = NULL;

	for (unsigned l = 0; !error && l < MW_COUNT(layouts); l++) {
		struct way way = { .at = at, .layout = l };

		s->je->layout = &layouts[l];
		error = layouts[l].node_bits ? try_node(s, &way, child)
					     : try_leaf(s, &way, child);
	}
	return error;
}

static struct mw_error *scan_root(void *ctx, uint64_t va,
				  const uint64_t *words, size_t count)
{
	struct root_scan *s = ctx;
	struct mw_error *error = NULL;

	if (va < s->start || va >= s->end)
		return NULL;
	for (size_t i = 0; !error && i < count; i++)
		if (words[i] && mw_is_aligned(words[i], 64) &&
		    is_anonymous(s->je->target, words[i]))
			error = try_pointer(s, va + 8 * i, words[i]);
	return error;
}

struct mw_error *jemalloc_find_root(struct jemalloc *je)
{
	struct root_scan s = { .je = je };
	const struct candidate *best = NULL;
	struct mw_error *error;
	size_t count;
	const struct mw_image *images = mw_target_images(je->target, &count);

	for (size_t i = 0; i < count; i++)
		if (je->bins_va >= images[i].start &&
		    je->bins_va < images[i].end) {
			s.start = images[i].start;
			s.end = images[i].end;
		}
	for (unsigned i = 0; i < JEMALLOC_CLASSES; i++)
		je->class_bytes[i] = class_bytes(i);
	error = alloc_scan_data(je->target, scan_root, &s);
	for (size_t i = 0; i < s.candidates.n; i++)
		if (!best || s.candidates.v[i].votes > best->votes)
			best = &s.candidates.v[i];
	if (best) {
		je->root = best->root;
		je->layout = &layouts[best->layout];
	}
	mw_vec_free(&s.candidates);
	return error;
}
