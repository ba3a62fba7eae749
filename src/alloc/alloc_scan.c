/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc_int.h"
#include "mw_num.h"

/* The data of images, where allocators have their global state. */

struct scan {
	struct mw_target *target;
	struct mw_error *(*visit)(void *ctx, uint64_t va,
				  const uint64_t *words, size_t count);
	void *ctx;
};

static struct mw_error *scan_range(struct scan *s, uint64_t va, uint64_t stop)
{
	uint64_t words[MW_PAGE_BYTES / 8];
	struct mw_error *error = NULL;

	while (!error && va < stop) {
		uint64_t end = mw_min(stop, mw_align_down(va, MW_PAGE_BYTES) +
						    MW_PAGE_BYTES);

		if (mw_target_search(s->target, va, words, end - va))
			error = s->visit(s->ctx, va, words, (end - va) / 8);
		va = end;
	}
	return error;
}

/** Look through a segment: what of it is present. */
static struct mw_error *scan_segment(struct scan *s, uint64_t start,
				     uint64_t end)
{
	const struct mw_pages *pages = mw_target_pages(s->target);
	struct mw_error *error = NULL;

	for (size_t i = mw_pages_after(pages, start);
	     !error && i < pages->runs.n; i++) {
		uint64_t run = pages->runs.v[i];
		uint64_t va = mw_max(mw_run_start(run), start);
		uint64_t stop = mw_min(mw_run_end(run), end);

		if (va >= stop)
			break;
		if (mw_run_state(run) & MW_PAGE_PRESENT)
			error = scan_range(s, va, stop);
	}
	return error;
}

struct mw_error *
alloc_scan_data(struct mw_target *target,
		struct mw_error *(*visit)(void *ctx, uint64_t va,
					  const uint64_t *words, size_t count),
		void *ctx)
{
	struct scan scan = { target, visit, ctx };
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);

	for (size_t i = 0; i < count; i++)
		for (size_t s = 0; s < images[i].elf->segments.n; s++) {
			const struct mw_elf_segment *seg =
				&images[i].elf->segments.v[s];
			uint64_t start = mw_align_up(
				seg->vaddr + images[i].bias, 8);
			struct mw_error *error;
			uint64_t end;

			if (seg->type != PT_LOAD || !(seg->flags & PF_W) ||
			    !mw_end(start, seg->memsz, &end))
				continue;
			error = scan_segment(&scan, start,
					     mw_align_down(end, 8));
			if (error)
				return error;
		}
	return NULL;
}

bool alloc_read_words(struct mw_target *target, uint64_t va, uint64_t first,
		      uint64_t count, uint64_t *words, uint64_t *ret_n)
{
	uint64_t at = va + 8 * first;

	*ret_n = mw_min((MW_PAGE_BYTES - at % MW_PAGE_BYTES) / 8,
			count - first);
	return (mw_pages_state(mw_target_pages(target), at) &
		MW_PAGE_PRESENT) &&
	       mw_target_search(target, at, words, 8 * *ret_n);
}

bool alloc_is_mapped(struct mw_target *target, uint64_t va, unsigned shift)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	size_t i = mw_mappings_after(maps, va);

	return i < maps->list.n &&
	       maps->list.v[i].start < va + (UINT64_C(1) << shift);
}
