/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <string.h>

#include "mw_map64.h"
#include "target_int.h"

/*
 * What a snapshot without contents keeps, to the word of 8 bytes:
 *
 * - what walkers read in pieces of a structure's size, and what they marked;
 * - code and constants: memory of ELF files that cannot be written to;
 * - in variables of ELF files, words that point somewhere into the target, and
 *   those below 4096: flags, lengths and counts.
 *
 * Everything else is zero in the file, or not in it.
 */

/* Larger reads are searches, or arrays that their reader marks. */
#define MOST_STRUCTURE 512
#define PAGE_WORDS 512
#define SMALL 4096

struct bits {
	uint64_t words[PAGE_WORDS / 64];
};

struct mw_kept {
	pthread_mutex_t lock;
	struct mw_map64 pages; /* number of a page: 1 + index in bits */
	MW_VEC(struct bits) bits;
	bool failed; /* memory was short: too little is kept */
};

bool mw_target_keep_structure(struct mw_target *target)
{
	if (target->kept)
		return true;
	target->kept = mw_calloc(1, sizeof(*target->kept));
	if (target->kept)
		pthread_mutex_init(&target->kept->lock, NULL);
	return target->kept;
}

void mw_kept_free(struct mw_kept *kept)
{
	if (!kept)
		return;
	pthread_mutex_destroy(&kept->lock);
	mw_map64_free(&kept->pages);
	mw_vec_free(&kept->bits);
	mw_free(kept);
}

bool mw_target_keeps(const struct mw_target *target)
{
	return target->kept;
}

static struct bits *bits_at(struct mw_kept *kept, uint64_t va)
{
	uint64_t *place = mw_map64_at(&kept->pages, va / MW_PAGE_BYTES);
	struct bits *bits;

	if (place && *place == 0) {
		bits = mw_vec_push(&kept->bits);
		if (bits) {
			*bits = (struct bits){ 0 };
			*place = kept->bits.n;
		}
	}
	if (!place || *place == 0) {
		kept->failed = true;
		return NULL;
	}
	return &kept->bits.v[*place - 1];
}

static void keep_words(struct mw_kept *kept, uint64_t va, uint64_t end)
{
	while (va < end) {
		uint64_t stop = mw_min(end, mw_align_down(va, MW_PAGE_BYTES) +
						    MW_PAGE_BYTES);
		struct bits *bits = bits_at(kept, va);

		for (; bits && va < stop; va += 8) {
			uint64_t word = va / 8 % PAGE_WORDS;

			bits->words[word / 64] |= UINT64_C(1) << word % 64;
		}
		va = stop;
	}
}

void mw_target_keep(const struct mw_target *target, uint64_t va,
		    uint64_t bytes)
{
	struct mw_kept *kept = target->kept;
	const struct mw_pages *pages = &target->pages;
	uint64_t end;

	if (!kept || bytes == 0 || !mw_end(va, bytes, &end))
		return;
	va = mw_align_down(va, 8);
	pthread_mutex_lock(&kept->lock);
	// Run by run: what is absent has no bytes to keep, and a pointer out of
	// the target's memory may lead anywhere.
	for (size_t i = mw_pages_after(pages, va); i < pages->runs.n; i++) {
		uint64_t run = pages->runs.v[i];

		if (mw_run_start(run) >= end)
			break;
		if (mw_run_state(run))
			keep_words(kept, mw_max(va, mw_run_start(run)),
				   mw_min(end, mw_run_end(run)));
	}
	pthread_mutex_unlock(&kept->lock);
}

void mw_kept_note_read(const struct mw_target *target, uint64_t va,
		       size_t bytes)
{
	if (bytes <= MOST_STRUCTURE)
		mw_target_keep(target, va, bytes);
}

/** How much of a mapping is kept without being marked. */
enum share { MARKED, POINTERS, ALL };

/**
 * Private memory of an ELF file, or what follows it without a name: its bss.
 */
static enum share share_of(const struct mw_target *target, uint64_t va)
{
	const struct mw_mapping *m = mw_mappings_find(&target->maps, va);

	if (!m || (m->perms & MW_PERM_SHARED))
		return MARKED;
	if (strcmp(mw_mapping_path(&target->maps, m), "[vdso]") == 0)
		return ALL;
	for (size_t i = 0; i < target->images.n; i++) {
		const struct mw_image *image = &target->images.v[i];

		if (va >= image->start && va < image->end)
			return !(m->perms & MW_PERM_W) &&
					       (m->inode || image->is_unpacked)
				       ? ALL
				       : POINTERS;
	}
	return MARKED;
}

bool mw_kept_has(const struct mw_target *target, uint64_t va)
{
	return mw_map64_find(&target->kept->pages, va / MW_PAGE_BYTES) ||
	       share_of(target, va) != MARKED;
}

void mw_kept_mask(const struct mw_target *target, uint64_t va, uint8_t *page)
{
	const struct mw_kept *kept = target->kept;
	const uint64_t *place =
		mw_map64_find(&kept->pages, va / MW_PAGE_BYTES);
	const struct bits *bits =
		place && *place ? &kept->bits.v[*place - 1] : NULL;
	enum share share = share_of(target, va);

	for (uint64_t i = 0; share != ALL && i < PAGE_WORDS; i++) {
		uint64_t word = mw_u64(page + 8 * i);

		if ((bits && (bits->words[i / 64] >> i % 64 & 1)) ||
		    (share == POINTERS &&
		     (word < SMALL || mw_mappings_find(&target->maps, word))))
			continue;
		memset(page + 8 * i, 0, 8);
	}
}
