/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/ioctl.h>

#include "kernel_pages.h"
#include "mw_parallel.h"

/* include/uapi/linux/fs.h of Linux 6.7 */
struct page_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pm_scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_FILE (1u << 2)
#define PAGE_IS_PRESENT (1u << 3)
#define PAGE_IS_SWAPPED (1u << 4)
#define PAGE_IS_PFNZERO (1u << 5)
#define PAGE_IS_HUGE (1u << 6)
#define PAGE_IS_GUARD (1u << 8) /* Linux 6.18 */

/*
 * The kernel holds the target's map lock during one call; longer steps would
 * delay its mmap and page faults.
 */
#define STEP_BYTES MW_MIB(64)
#define REGIONS 1024

/** 0 for a guard (madvise(2), MADV_GUARD_INSTALL): it has no page. */
static unsigned state_of(uint64_t categories, bool hugetlb)
{
	// The kernel keeps its mark where a swap entry would be.
	if (categories & PAGE_IS_GUARD)
		return 0;
	return (categories & PAGE_IS_PRESENT ? MW_PAGE_PRESENT : 0) |
	       (categories & PAGE_IS_SWAPPED ? MW_PAGE_SWAPPED : 0) |
	       (categories & PAGE_IS_PFNZERO ? MW_PAGE_ZERO : 0) |
	       (categories & PAGE_IS_HUGE ? MW_PAGE_HUGE : 0) |
	       (categories & PAGE_IS_FILE ? MW_PAGE_FILE : 0) |
	       (hugetlb ? MW_PAGE_HUGETLB : 0);
}

/** A part of the work: pieces that adjoin or follow each other. */
struct scan_job {
	size_t first, count; /* in scan.pieces */
	struct mw_pages pages;
	struct mw_error *error;
};

/** What adjoining mappings must have in common to be one range. */
struct scan_kind {
	bool hugetlb;
	bool tell_file;
};

struct scan_piece {
	uint64_t start, end;
	struct scan_kind kind;
};

struct scan {
	int fd;
	bool tell_file;
	bool tell_guards; /* the kernel can */
	uint64_t piece_bytes;
	MW_VEC(struct scan_piece) pieces;
	MW_VEC(struct scan_job) jobs;
};

static struct mw_error *scan_range(const struct scan *scan,
				   const struct scan_piece *piece,
				   struct page_region *regions,
				   struct mw_pages *pages)
{
	uint64_t start = piece->start, end = piece->end;
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.vec = (uint64_t)(uintptr_t)regions,
		.vec_len = REGIONS,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED |
			       PAGE_IS_PFNZERO | PAGE_IS_HUGE |
			       (piece->kind.tell_file ? PAGE_IS_FILE : 0) |
			       (scan->tell_guards ? PAGE_IS_GUARD : 0),
	};

	while (start < end) {
		arg.start = start;
		arg.end = mw_min(end, start + STEP_BYTES);
		int n = ioctl(scan->fd, PAGEMAP_SCAN, &arg);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mw_error_errno(errno, "PAGEMAP_SCAN");
		for (int i = 0; i < n; i++) {
			unsigned state = state_of(regions[i].categories,
						  piece->kind.hugetlb);

			if (state && !mw_pages_add(pages, regions[i].start,
						   regions[i].end, state))
				return mw_error_nomem();
		}
		// A full vector ends the walk early, behind its last region.
		// (walk_end does not serve: Linux 6.7 to 6.18 leave an older
		// value in it when the walk comes to its end.)
		start = n < REGIONS ? arg.end
				    : mw_max(start + MW_PAGE_BYTES,
					     regions[n - 1].end);
	}
	return NULL;
}

/** Whether the kernel knows guards: an older one refuses to be asked. */
static bool knows_guards(int fd)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.category_anyof_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};

	return ioctl(fd, PAGEMAP_SCAN, &arg) == 0;
}

static struct scan_kind kind_of(const struct mw_mapping *m)
{
	return (struct scan_kind){ m->hugetlb, mw_mapping_may_be_copied(m) };
}

/**
 * Call @visit for each range of adjoining mappings of one kind, so that the
 * kernel is asked per range and not per mapping.
 */
static struct mw_error *
each_range(const struct mw_mappings *maps,
	   struct mw_error *(*visit)(uint64_t start, uint64_t end,
				     struct scan_kind kind, void *ctx),
	   void *ctx)
{
	for (size_t i = 0; i < maps->list.n;) {
		uint64_t start = maps->list.v[i].start;
		uint64_t end = maps->list.v[i].end;
		struct scan_kind kind = kind_of(&maps->list.v[i]), next;

		for (; ++i < maps->list.n && maps->list.v[i].start == end;
		     end = maps->list.v[i].end) {
			next = kind_of(&maps->list.v[i]);
			if (next.hugetlb != kind.hugetlb ||
			    next.tell_file != kind.tell_file)
				break;
		}
		// [vsyscall] lies in the kernel's half and has no pages.
		if (start >> 63)
			continue;
		struct mw_error *error = visit(start, end, kind, ctx);
		if (error)
			return error;
	}
	return NULL;
}

static struct mw_error *add_pieces(uint64_t start, uint64_t end,
				   struct scan_kind kind, void *ctx)
{
	struct scan *scan = ctx;

	while (start < end) {
		struct scan_piece *piece = mw_vec_push(&scan->pieces);

		if (!piece)
			return mw_error_nomem();
		*piece = (struct scan_piece){
			.start = start,
			.end = mw_min(end, start + scan->piece_bytes),
			.kind = {
				.hugetlb = kind.hugetlb,
				.tell_file = kind.tell_file || scan->tell_file,
			},
		};
		start = piece->end;
	}
	return NULL;
}

/** Group pieces into jobs of enough work to be worth a thread's while. */
static struct mw_error *make_jobs(struct scan *scan)
{
	enum { MOST_PIECES = 512 };
	uint64_t bytes = scan->piece_bytes;
	struct scan_job *job = NULL;

	for (size_t i = 0; i < scan->pieces.n; i++) {
		uint64_t more =
			scan->pieces.v[i].end - scan->pieces.v[i].start;

		if (!job || bytes + more > scan->piece_bytes ||
		    job->count >= MOST_PIECES) {
			job = mw_vec_push(&scan->jobs);
			if (!job)
				return mw_error_nomem();
			*job = (struct scan_job){ .first = i };
			bytes = 0;
		}
		bytes += more;
		job->count++;
	}
	return NULL;
}

static void run_job(size_t number, void *ctx)
{
	struct scan *scan = ctx;
	struct scan_job *job = &scan->jobs.v[number];
	struct page_region regions[REGIONS];

	for (size_t i = 0; !job->error && i < job->count; i++)
		job->error = scan_range(scan,
					&scan->pieces.v[job->first + i],
					regions, &job->pages);
}

/** Put the runs of all jobs together, in order; ends all of them. */
static struct mw_error *gather(struct scan *scan, struct mw_pages *pages)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < scan->jobs.n; i++) {
		struct scan_job *job = &scan->jobs.v[i];

		if (!error)
			error = mw_steal(job->error);
		if (!error && !mw_pages_append(pages, &job->pages))
			error = mw_error_nomem();
		mw_error_free(job->error);
		mw_pages_free(&job->pages);
	}
	return error;
}

struct mw_error *mw_pages_by_scan(int fd, const struct mw_process *process,
				  const struct mw_mappings *maps,
				  bool tell_file, struct mw_pages *pages)
{
	enum { MOST_JOBS = 1 << 16 };
	struct scan scan = {
		.fd = fd,
		.tell_file = tell_file,
		.tell_guards = knows_guards(fd),
	};
	struct mw_error *error;
	uint64_t bytes = 0;

	for (size_t i = 0; i < maps->list.n; i++)
		bytes += mw_mapping_bytes(&maps->list.v[i]);
	scan.piece_bytes = mw_align_up(bytes / MOST_JOBS + 1, STEP_BYTES);
	error = each_range(maps, add_pieces, &scan);
	if (!error)
		error = make_jobs(&scan);
	if (!error) {
		mw_parallel(mw_parallel_workers(process->is_stopped),
			    scan.jobs.n, run_job, &scan);
		error = gather(&scan, pages);
	}
	mw_vec_free(&scan.pieces);
	mw_vec_free(&scan.jobs);
	return error;
}
