/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "kernel_pages.h"

/*
 * /proc/PID/pagemap, one word a page (Documentation/admin-guide/mm/pagemap.rst
 * of Linux): bit 63 present, 62 swapped, 61 file page or shared anonymous, 58
 * guard, 56 mapped by this process only; 0-54 the frame number, for the privileged.
 */
#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_SWAPPED (UINT64_C(1) << 62)
#define PM_FILE (UINT64_C(1) << 61)
#define PM_GUARD (UINT64_C(1) << 58) /* Linux 6.15 */
#define PM_EXCLUSIVE (UINT64_C(1) << 56)
#define PM_FRAME ((UINT64_C(1) << 55) - 1)

struct pagemap {
	int fd;
	int flags_fd; /* /proc/kpageflags, or -1 */
	uint64_t zero_frame; /* once it is known */
	uint64_t *words;
	struct mw_pages *pages;
	/* Of the mapping that is being read */
	uint64_t present, doubtful; /* pages */
	bool doubtful_are_zero;
	bool count_only;
};

#define WORDS (UINT64_C(1) << 15)
#define KPF_ZERO_PAGE (UINT64_C(1) << 24)

/**
 * The zero page is neither a file page nor anyone's own. Other processes'
 * forked pages look the same, so its frame number decides, where it is shown.
 */
static bool is_zero_page(struct pagemap *pm, uint64_t word)
{
	uint64_t frame = word & PM_FRAME;
	uint64_t flags;

	if (word & (PM_FILE | PM_EXCLUSIVE))
		return false;
	if (!frame || pm->flags_fd < 0) {
		pm->doubtful++;
		return pm->doubtful_are_zero;
	}
	if (frame == pm->zero_frame)
		return true;
	if (pm->zero_frame ||
	    pread(pm->flags_fd, &flags, sizeof(flags),
		  (off_t)(frame * sizeof(flags))) != sizeof(flags) ||
	    !(flags & KPF_ZERO_PAGE))
		return false;
	pm->zero_frame = frame;
	return true;
}

static bool take_word(struct pagemap *pm, const struct mw_mapping *m,
		      uint64_t va, uint64_t word)
{
	unsigned state = (m->hugetlb ? MW_PAGE_HUGETLB : 0) |
			 (word & PM_FILE ? MW_PAGE_FILE : 0);

	if (word & PM_PRESENT) {
		pm->present++;
		state |= MW_PAGE_PRESENT |
			 (is_zero_page(pm, word) ? MW_PAGE_ZERO : 0);
	} else if ((word & PM_SWAPPED) && !(word & PM_GUARD)) {
		state |= MW_PAGE_SWAPPED;
	} else {
		return true;
	}
	return pm->count_only ||
	       mw_pages_add(pm->pages, va, va + MW_PAGE_BYTES, state);
}

static struct mw_error *read_mapping(struct pagemap *pm,
				     const struct mw_mapping *m)
{
	pm->present = pm->doubtful = 0;
	for (uint64_t va = m->start; va < m->end;) {
		uint64_t want = mw_min((m->end - va) >> MW_PAGE_SHIFT, WORDS);
		ssize_t got = pread(pm->fd, pm->words,
				    want * sizeof(*pm->words),
				    (off_t)(va >> MW_PAGE_SHIFT) * 8);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return mw_error_errno(errno, "/proc/PID/pagemap");
		if (got < 8)
			break; // the mapping is gone
		for (size_t i = 0; i < (size_t)got / 8; i++)
			if (!take_word(pm, m, va + (i << MW_PAGE_SHIFT),
				       pm->words[i]))
				return mw_error_nomem();
		va += (uint64_t)got / 8 << MW_PAGE_SHIFT;
	}
	return NULL;
}

/**
 * Where frame numbers are hidden (to the unprivileged), zero pages and pages
 * that are shared with a forked process cannot be told apart; what smaps says
 * of the whole mapping mostly decides.
 */
static void decide(struct pagemap *pm, struct mw_mapping *m,
		   const struct mw_smaps_list *smaps, size_t *at)
{
	uint64_t rss = pm->present;

	while (*at < smaps->list.n && smaps->list.v[*at].start < m->start)
		++*at;
	if (*at < smaps->list.n && smaps->list.v[*at].start == m->start)
		rss = smaps->list.v[*at].rss_bytes >> MW_PAGE_SHIFT;
	pm->doubtful_are_zero = rss < pm->present;
	// Some of each: how many, but not which.
	if (pm->doubtful_are_zero && rss > pm->present - pm->doubtful)
		m->unplaced_rss_bytes = (rss - (pm->present - pm->doubtful))
					<< MW_PAGE_SHIFT;
}

static struct mw_error *read_mappings(struct pagemap *pm,
				      struct mw_process *process,
				      struct mw_mappings *maps,
				      struct mw_smaps_list *smaps)
{
	struct mw_error *error = NULL;
	bool has_smaps = false;
	size_t at = 0;

	for (size_t i = 0; !error && i < maps->list.n; i++) {
		struct mw_mapping *m = &maps->list.v[i];

		// [vsyscall] lies in the kernel's half and has no pages.
		if (m->start >> 63)
			continue;
		pm->count_only = true;
		pm->doubtful_are_zero = false;
		error = read_mapping(pm, m);
		if (!error && pm->doubtful && !has_smaps) {
			error = mw_process_smaps(process, smaps);
			has_smaps = true;
		}
		if (!error && pm->doubtful && !m->hugetlb)
			decide(pm, m, smaps, &at);
		pm->count_only = false;
		if (!error)
			error = read_mapping(pm, m);
	}
	return error;
}

struct mw_error *mw_pages_by_pagemap(int fd, struct mw_process *process,
				     struct mw_mappings *maps,
				     struct mw_pages *pages)
{
	MW_CLEANUP(mw_freep) uint64_t *words =
		mw_calloc(WORDS, sizeof(*words));
	MW_CLEANUP(mw_closep) int flags_fd =
		open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	struct mw_smaps_list smaps = { 0 };
	struct pagemap pm = {
		.fd = fd,
		.flags_fd = flags_fd,
		.words = words,
		.pages = pages,
	};
	struct mw_error *error = words ? read_mappings(&pm, process, maps,
						       &smaps)
				       : mw_error_nomem();

	mw_smaps_free(&smaps);
	return error;
}
