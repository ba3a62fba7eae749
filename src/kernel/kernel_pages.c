/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "kernel_pages.h"

/**
 * From smaps: mappings that are wholly resident or wholly swapped become
 * runs, for the others only the number of bytes is known.
 */
static struct mw_error *smaps_all(struct mw_process *process,
				  struct mw_mappings *maps,
				  struct mw_pages *pages)
{
	struct mw_smaps_list smaps = { 0 };
	struct mw_error *error = mw_process_smaps(process, &smaps);
	size_t at = 0;

	if (error)
		return error;
	for (size_t i = 0; i < maps->list.n; i++) {
		struct mw_mapping *m = &maps->list.v[i];

		while (at < smaps.list.n && smaps.list.v[at].start < m->start)
			at++;
		if (at == smaps.list.n || smaps.list.v[at].start != m->start ||
		    smaps.list.v[at].end != m->end || m->hugetlb)
			continue;

		const struct mw_smaps *s = &smaps.list.v[at];
		uint64_t bytes = mw_mapping_bytes(m);
		bool ok = true;

		if (s->rss_bytes >= bytes)
			ok = mw_pages_add(pages, m->start, m->end,
					  MW_PAGE_PRESENT);
		else if (s->swap_bytes >= bytes)
			ok = mw_pages_add(pages, m->start, m->end,
					  MW_PAGE_SWAPPED);
		else {
			m->unplaced_rss_bytes = s->rss_bytes;
			m->unplaced_swap_bytes =
				mw_min(s->swap_bytes, bytes - s->rss_bytes);
		}
		if (!ok) {
			error = mw_error_nomem();
			break;
		}
	}
	mw_smaps_free(&smaps);
	return error;
}

struct mw_error *mw_process_pages(struct mw_process *process,
				  struct mw_mappings *mappings,
				  enum mw_page_source best, bool tell_file,
				  struct mw_pages *ret,
				  enum mw_page_source *ret_used)
{
	MW_CLEANUP(mw_closep) int fd = openat(process->proc_fd, "pagemap",
					      O_RDONLY | O_CLOEXEC);
	struct mw_pages pages = { 0 };
	struct mw_error *error = NULL;
	enum mw_page_source used = fd < 0 ? MW_PAGES_SMAPS : best;

	if (used == MW_PAGES_SCAN) {
		error = mw_pages_by_scan(fd, process, mappings, tell_file,
					 &pages);
		// ENOTTY, or another refusal: an older kernel.
		if (error && error->code == MW_E_SYSTEM) {
			mw_error_free(error);
			error = NULL;
			mw_pages_free(&pages);
			used = MW_PAGES_PAGEMAP;
		}
	}
	if (used == MW_PAGES_PAGEMAP)
		error = mw_pages_by_pagemap(fd, process, mappings, &pages);
	if (used == MW_PAGES_SMAPS)
		error = smaps_all(process, mappings, &pages);
	if (error) {
		mw_pages_free(&pages);
		return error;
	}
	*ret = pages;
	*ret_used = used;
	return NULL;
}
