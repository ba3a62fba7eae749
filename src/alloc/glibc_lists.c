/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "glibc_int.h"

/*
 * Chunks that are free but look in use to their neighbours: those in fastbins
 * and in the threads' caches. They are marked before the arenas are walked.
 *
 * malloc_state.fastbinsY[i] leads to the first chunk of 32 + 16i bytes, whose
 * fd leads on. tcache_perthread_struct.entries[i] leads to the memory of the
 * first chunk of 32 + 16i bytes (beyond the 64th, of a size class), whose
 * first word leads on. Since 2.32 ("safe-linking") these words are XORed with
 * their own address >> 12; which it is, the last word of a list tells: 0, or
 * its address >> 12.
 */
#define MAX_TCACHE_STRUCT 768

/* Marks */

struct mw_error *glibc_mark(struct glibc *glibc, uint64_t va,
			    enum glibc_mark mark, bool *ret_new)
{
	const struct glibc_region *region = glibc_region_of(glibc, va);
	uint8_t **leaf;
	uint64_t at;

	*ret_new = false;
	if (!region || !mw_is_aligned(va, CHUNK_ALIGN))
		return NULL;
	at = (va - region->chunks) / CHUNK_ALIGN;
	leaf = &region->marks.leaves[at / (MARK_LEAF_BYTES * 4)];
	if (!*leaf)
		*leaf = mw_calloc(1, MARK_LEAF_BYTES);
	if (!*leaf)
		return mw_error_nomem();
	at %= MARK_LEAF_BYTES * 4;
	if ((*leaf)[at / 4] >> at % 4 * 2 & 3)
		return NULL;
	(*leaf)[at / 4] |= (uint8_t)(mark << at % 4 * 2);
	*ret_new = true;
	return NULL;
}

enum glibc_mark glibc_mark_at(const struct glibc_region *region, uint64_t va)
{
	uint64_t at = (va - region->chunks) / CHUNK_ALIGN;
	const uint8_t *leaf =
		region->marks.leaves[at / (MARK_LEAF_BYTES * 4)];

	at %= MARK_LEAF_BYTES * 4;
	return leaf ? leaf[at / 4] >> at % 4 * 2 & 3 : GLIBC_UNMARKED;
}

/* Links */

/**
 * Read the three words at @va, a node of a list. Nodes close to the last one
 * are read by the block, others by themselves.
 */
static bool read_node(struct glibc *glibc, uint64_t va, uint64_t words[3])
{
	bool is_near = va - glibc->last_node + MW_KIB(64) < MW_KIB(128);

	glibc->last_node = va;
	return is_near ? mw_target_read(glibc->target, va, words, 24)
		       : mw_target_peek(glibc->target, va, words, 24);
}

/** Whether a chunk may begin at @va: in a heap, and aligned. */
static bool may_be_chunk(const struct glibc *glibc, uint64_t va)
{
	return mw_is_aligned(va, CHUNK_ALIGN) && glibc_region_of(glibc, va);
}

/** Whether a link may lead to @link: to the end, or @offset into a chunk. */
static bool may_lead_to(const struct glibc *glibc, uint64_t link,
			uint64_t offset)
{
	return link == 0 || may_be_chunk(glibc, link - offset);
}

/**
 * See how the link @stored at @place is to be read. One proves nothing when it
 * makes sense either way, as in a heap at low addresses one in 16 does.
 */
static void note_link(struct glibc *glibc, uint64_t place, uint64_t stored,
		      uint64_t offset)
{
	bool is_plain = may_lead_to(glibc, stored, offset);
	bool is_safe = may_lead_to(glibc, stored ^ place >> 12, offset);

	glibc->plain_links += is_plain && !is_safe;
	glibc->safe_links += is_safe && !is_plain;
}

/**
 * The link @stored at @place, which leads to @offset bytes behind a chunk's
 * start: where it leads, 0 at the end. False when it leads nowhere.
 */
static bool follow(struct glibc *glibc, uint64_t place, uint64_t stored,
		   uint64_t offset, uint64_t *ret)
{
	uint64_t link = glibc_has_safe_links(glibc) ? stored ^ place >> 12
						    : stored;

	if (!may_lead_to(glibc, link, offset))
		return false;
	*ret = link;
	return true;
}

/* Fastbins */

void glibc_read_fastbins(struct glibc *glibc)
{
	uint32_t count = mw_min(glibc->layout->fast_count, GLIBC_FASTBINS);

	for (size_t a = 0; a < glibc->arenas.n; a++) {
		struct glibc_arena *arena = glibc->arenas.v[a];

		for (uint32_t i = 0; i < count; i++) {
			uint64_t *head = &arena->fastbins[i];
			uint64_t fd;

			if (!glibc_word(glibc,
					arena->va + glibc->layout->fastbins +
						8 * i, head) ||
			    !*head || !may_be_chunk(glibc, *head) ||
			    !glibc_word(glibc, *head + CHUNK_FD, &fd)) {
				*head = 0;
				continue;
			}
			note_link(glibc, *head + CHUNK_FD, fd, 0);
			arena->linked_max = CHUNK_MIN + CHUNK_ALIGN * i;
		}
	}
}

/** Mark the list of chunks of @bytes that begins with @chunk. */
static struct mw_error *mark_fastbin(struct glibc *glibc, uint64_t chunk,
				     uint64_t bytes)
{
	struct mw_error *error = NULL;
	bool is_new = true;

	// A list ends in 0, in what makes no sense, or in itself.
	while (chunk && may_be_chunk(glibc, chunk)) {
		uint64_t words[3];

		if (!read_node(glibc, chunk, words) ||
		    (words[1] & ~(uint64_t)SIZE_FLAGS) != bytes)
			break;
		error = glibc_mark(glibc, chunk, GLIBC_MARK_FAST, &is_new);
		if (error || !is_new ||
		    !follow(glibc, chunk + CHUNK_FD, words[2], 0, &chunk))
			break;
	}
	return error;
}

struct mw_error *glibc_mark_fastbins(struct glibc *glibc,
				     struct glibc_arena *arena)
{
	struct mw_error *error = NULL;

	for (uint32_t i = 0; !error && i < GLIBC_FASTBINS; i++)
		error = mark_fastbin(glibc, arena->fastbins[i],
				     CHUNK_MIN + CHUNK_ALIGN * i);
	arena->linked_max = 0;
	return error;
}

/* Thread caches */

/** A tcache_perthread_struct as it is read. */
struct tcache {
	const struct glibc_tcache_layout *layout;
	uint64_t most; /* with counts_room: what an empty list counts */
	uint8_t bytes[MAX_TCACHE_STRUCT];
};

/* Bins below have chunks of one size each, others those of a class. */
#define EXACT_BINS 64

static uint64_t raw_count(const struct tcache *t, uint32_t bin)
{
	return t->layout->count_bytes == 1 ? t->bytes[bin]
					   : mw_u16(t->bytes + 2 * bin);
}

static uint64_t count_of(const struct tcache *t, uint32_t bin)
{
	uint64_t raw = raw_count(t, bin);

	return !t->layout->counts_room ? raw
	       : raw <= t->most	       ? t->most - raw
				       : 0;
}

static uint64_t entry_of(const struct tcache *t, uint32_t bin)
{
	return mw_u64(t->bytes + t->layout->entries + 8 * bin);
}

/** Whether the list's head may be right: empty, or a chunk of its size. */
static bool is_sound_bin(struct glibc *glibc, const struct tcache *t,
			 uint32_t bin)
{
	uint64_t entry = entry_of(t, bin), head[2];

	if ((count_of(t, bin) == 0) != (entry == 0))
		return false;
	if (entry == 0)
		return true;
	if (!may_be_chunk(glibc, entry - CHUNK_FD) ||
	    !mw_target_peek(glibc->target, entry - CHUNK_FD, head,
			    sizeof(head)))
		return false;
	head[1] &= ~(uint64_t)SIZE_FLAGS;
	return bin < EXACT_BINS
		       ? head[1] == CHUNK_MIN + CHUNK_ALIGN * bin
		       : head[1] > CHUNK_MIN + CHUNK_ALIGN * (EXACT_BINS - 1);
}

/**
 * How much speaks for a tcache: 0 it is none, 1 an empty one. A few lists may
 * just be changing.
 */
static unsigned rate(struct glibc *glibc, struct tcache *t)
{
	unsigned filled = 0, unsound = 0;

	t->most = 0;
	for (uint32_t b = 0; t->layout->counts_room && b < t->layout->bins; b++)
		if (entry_of(t, b) == 0)
			t->most = mw_max(t->most, raw_count(t, b));
	for (uint32_t b = 0; b < t->layout->bins; b++) {
		if (!is_sound_bin(glibc, t, b))
			unsound++;
		else
			filled += entry_of(t, b) != 0;
	}
	return unsound > filled / 2 ? 0 : 1 + filled;
}

/**
 * Read the tcache at @va, memory of a chunk whose size tells the layout: a
 * rest too small for a chunk of its own may have been left with it.
 */
static unsigned read_tcache(struct glibc *glibc, uint64_t va,
			    struct tcache *t)
{
	size_t count;
	const struct glibc_tcache_layout *layouts =
		glibc_tcache_layouts(&count);
	uint64_t size;

	if (!mw_is_aligned(va, CHUNK_ALIGN) ||
	    !may_be_chunk(glibc, va - CHUNK_FD) ||
	    !mw_target_peek(glibc->target, va - 8, &size, sizeof(size)))
		return 0;
	size &= ~(uint64_t)SIZE_FLAGS;
	for (size_t i = 0; i < count; i++) {
		unsigned score;

		t->layout = &layouts[i];
		if (size < t->layout->bytes + 8 ||
		    size > t->layout->bytes + 48 ||
		    t->layout->bytes > sizeof(t->bytes) ||
		    !mw_target_copy(glibc->target, va, t->bytes,
				    t->layout->bytes))
			continue;
		score = rate(glibc, t);
		if (score)
			return score;
	}
	return 0;
}

unsigned glibc_rate_tcache(struct glibc *glibc, uint64_t va)
{
	struct tcache t;

	return read_tcache(glibc, va, &t);
}

/** Mark the list that begins with the memory at @entry. */
static struct mw_error *mark_list(struct glibc *glibc, uint64_t entry,
				  uint64_t count)
{
	struct mw_error *error = NULL;
	bool is_new = true;

	for (; !error && entry && count > 0; count--) {
		uint64_t next;

		if (!may_be_chunk(glibc, entry - CHUNK_FD))
			break;
		error = glibc_mark(glibc, entry - CHUNK_FD, GLIBC_MARK_CACHE,
				   &is_new);
		if (!is_new ||
		    !mw_target_peek(glibc->target, entry, &next, 8) ||
		    !follow(glibc, entry, next, CHUNK_FD, &entry))
			break;
	}
	return error;
}

struct mw_error *glibc_mark_tcache(struct glibc *glibc, uint64_t va,
				   int32_t tid)
{
	struct glibc_tcache *place;
	struct mw_error *error;
	struct tcache t;
	bool is_new;

	if (!read_tcache(glibc, va, &t))
		return NULL;
	error = glibc_mark(glibc, va - CHUNK_FD, GLIBC_MARK_TCACHE, &is_new);
	if (!is_new)
		return error;
	place = mw_vec_push(&glibc->tcaches);
	if (!place)
		return mw_error_nomem();
	*place = (struct glibc_tcache){ va, tid };
	for (uint32_t b = 0; b < t.layout->bins; b++) {
		uint64_t entry = entry_of(&t, b), next;

		if (entry && is_sound_bin(glibc, &t, b) &&
		    mw_target_peek(glibc->target, entry, &next, 8))
			note_link(glibc, entry, next, CHUNK_FD);
	}
	for (uint32_t b = 0; !error && b < t.layout->bins; b++)
		if (is_sound_bin(glibc, &t, b))
			error = mark_list(glibc, entry_of(&t, b),
					  count_of(&t, b));
	return error;
}

void glibc_count_tcache(struct glibc *glibc, uint64_t va,
			void (*take)(void *ctx, uint32_t bin, uint64_t bytes,
				     uint64_t blocks),
			void *ctx)
{
	struct tcache t;

	if (!read_tcache(glibc, va, &t))
		return;
	for (uint32_t b = 0; b < t.layout->bins && b < GLIBC_TCACHE_BINS; b++) {
		uint64_t left = count_of(&t, b), entry = entry_of(&t, b);

		if (!is_sound_bin(glibc, &t, b))
			continue;
		if (b < EXACT_BINS)
			take(ctx, b, CHUNK_MIN + CHUNK_ALIGN * b, left);
		// Else each chunk tells its own size.
		for (; b >= EXACT_BINS && entry && left > 0; left--) {
			uint64_t words[2]; // its size, and the link

			if (!may_be_chunk(glibc, entry - CHUNK_FD) ||
			    !mw_target_peek(glibc->target, entry - 8, words,
					    sizeof(words)))
				break;
			take(ctx, b, words[0] & ~(uint64_t)SIZE_FLAGS, 1);
			if (!follow(glibc, entry, words[1], CHUNK_FD, &entry))
				break;
		}
	}
}
