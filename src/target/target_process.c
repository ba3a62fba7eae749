/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_guard.h"
#include "target_int.h"

/* A live process. */

static bool is_device(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 &&
	       strncmp(path, "/dev/shm/", 9) != 0;
}

/** Whether all of @range is in memory and files that are mapped privately. */
static bool is_private(const struct mw_target *target,
		       const struct mw_remote *range)
{
	const struct mw_mappings *maps = &target->maps;
	uint64_t end = range->va + range->bytes;

	for (size_t i = mw_mappings_after(maps, range->va);
	     i < maps->list.n && maps->list.v[i].start < end; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (!(m->perms & MW_PERM_R) || (m->perms & MW_PERM_SHARED) ||
		    is_device(mw_mapping_path(maps, m)))
			return false;
	}
	return true;
}

static size_t read_present(const struct mw_target *target,
			   const struct mw_remote *ranges, size_t count)
{
	struct mw_process *process = target->of.process;
	size_t done = 0;

	if (!mw_process_may_share(process))
		return mw_process_read_many(process, ranges, count);
	for (size_t i = 0; i < count; i++) {
		const struct mw_remote *r = &ranges[i];
		size_t got = is_private(target, r)
				     ? mw_process_read_shared(process, r->va,
							      r->to, r->bytes)
				     : mw_process_read(process, r->va, r->to,
						       r->bytes);

		done += got;
		if (got < r->bytes)
			break;
	}
	return done;
}

static size_t read_still_present(const struct mw_target *target,
				 const struct mw_remote *ranges, size_t count)
{
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		struct mw_remote range = ranges[i];
		size_t got = 0;

		range.bytes = mw_process_still_present(
			target->of.process, range.va, range.bytes);
		if (range.bytes)
			got = read_present(target, &range, 1);
		done += got;
		if (got < ranges[i].bytes)
			break;
	}
	return done;
}

static bool read_now(const struct mw_target *target, uint64_t va, void *to,
		     size_t bytes)
{
	struct mw_process *process = target->of.process;

	return mw_process_has_now(process, va) &&
	       mw_process_has_now(process, va + bytes - 1) &&
	       mw_process_read(process, va, to, bytes) == bytes;
}

/** Fill the absent page at @va of @mapping. False when it cannot be known. */
static bool read_absent(struct mw_target *target,
			const struct mw_mapping *mapping, uint64_t va,
			uint8_t *to)
{
	if (!(mapping->perms & MW_PERM_R) || !mw_mapping_has_states(mapping))
		return false;
	if (mw_mapping_is_anonymous(mapping)) {
		memset(to, 0, MW_PAGE_BYTES);
		return true;
	}
	if (mapping->inode == 0 || mapping->hugetlb)
		return false;

	// A page of a file: what the target would see is in the page cache.
	int fd = mw_target_file_of(target, mapping);
	return fd >= 0 && mw_target_read_file_page(fd, mapping, va, to);
}

static struct mw_error *open_file(struct mw_target *target,
				  const struct mw_mapping *mapping,
				  int *ret_fd)
{
	return mw_process_open_file(target->of.process, &target->maps, mapping,
				    ret_fd);
}

static struct mw_error *smaps(struct mw_target *target,
			      struct mw_smaps_list *ret)
{
	return mw_process_smaps(target->of.process, ret);
}

static struct mw_error *shared_pages(struct mw_target *target, uint64_t start,
				     uint64_t end, struct mw_pages *ret)
{
	return mw_process_shared_pages(target->of.process, start, end, ret);
}

static uint64_t release(struct mw_target *target)
{
	return mw_stop_end(mw_steal(target->of.stop));
}

static void close_process(struct mw_target *target)
{
	mw_process_close(target->of.process);
}

static const struct target_source process_source = {
	.read_present = read_present,
	.read_still_present = read_still_present,
	.read_now = read_now,
	.read_absent = read_absent,
	.open_file = open_file,
	.smaps = smaps,
	.shared_pages = shared_pages,
	.release = release,
	.close = close_process,
};

static struct mw_error *read_status(struct mw_target *target,
				    struct mw_status *ret)
{
	return mw_process_status(target->of.process, ret);
}

/** Whether the process is no longer the program it was: it called exec. */
static bool has_execed(const struct mw_status *before,
		       const struct mw_status *after)
{
	return memcmp(&before->start, &after->start,
		      sizeof(before->start)) != 0;
}

static enum mw_page_source source_of(enum mw_page_detail pages)
{
	switch (pages) {
	case MW_PAGE_DETAIL_PAGEMAP:
		return MW_PAGES_PAGEMAP;
	case MW_PAGE_DETAIL_SMAPS:
		return MW_PAGES_SMAPS;
	case MW_PAGE_DETAIL_SCAN:
		break;
	}
	return MW_PAGES_SCAN;
}

/** Whether the kernel's figures of a target that stands still have changed. */
static bool has_moved(const struct mw_status *before,
		      const struct mw_status *after)
{
	return before->rss_bytes != after->rss_bytes ||
	       before->swap_bytes != after->swap_bytes;
}

/**
 * Read the states of all pages and the kernel's figures, of one moment if the
 * target stands still. That does not keep the kernel from moving its pages, or
 * from adding and taking some, to make or to get huge ones. A page that is on
 * its way (a migration entry) looks as if it were swapped out, but the figures
 * have it as resident: then more is swapped than they say, and we look again,
 * after a pause, since whoever moves them may have to wait for a processor.
 * They may lag behind on older kernels, so what is seen often enough counts; if
 * they say that nothing is swapped, after a while.
 */
static struct mw_error *read_pages(struct mw_target *target,
				   const struct mw_target_options *options,
				   struct mw_status before,
				   enum mw_page_source *ret_used)
{
	enum { TRIES = 24, OFTEN = 4, LONG = 10 };
	enum { FIRST_PAUSE_NS = 50000, DOUBLED = 8 }; // 200 ms in all
	struct mw_tally last = { 0 };
	unsigned same = 0;

	for (int i = 0; i < TRIES; i++) {
		struct mw_tally sum = { 0 };
		size_t hint = 0;
		struct mw_error *error;

		mw_pages_free(&target->pages);
		error = mw_process_pages(target->of.process, &target->maps,
					 source_of(options->pages),
					 options->file_pages, &target->pages,
					 ret_used);
		if (!error)
			error = read_status(target, &target->status);
		if (error || *ret_used == MW_PAGES_SMAPS)
			return error;
		mw_pages_tally(&target->pages, &hint, 0, UINT64_MAX, &sum);
		if (!target->of.stop) {
			// It moves by itself.
			sum.rss_bytes = 0;
			before = target->status;
		}
		if (!has_moved(&before, &target->status) &&
		    sum.swap_bytes <= target->status.swap_bytes)
			return NULL;
		same = memcmp(&sum, &last, sizeof(sum)) == 0 ? same + 1 : 1;
		if (same >= OFTEN &&
		    (target->status.swap_bytes > 0 || i >= LONG))
			return NULL;
		last = sum;
		before = target->status;
		mw_kernel_pause(FIRST_PAUSE_NS << mw_min(i, DOUBLED));
	}
	return NULL;
}

static struct mw_error *take_picture(struct mw_target *target,
				     const struct mw_target_options *options)
{
	enum mw_page_source used;
	struct mw_status before;

	struct mw_error *error = read_status(target, &before);
	if (!error)
		error = mw_process_exe(target->of.process, &target->exe,
				       &target->exe_inode, &target->exe_dev);
	if (error && error->code != MW_E_NOMEM) {
		// Some processes hide their executable; they have memory.
		mw_error_free(error);
		error = NULL;
		target->exe = mw_strdup("");
		if (!target->exe)
			return mw_error_nomem();
	}
	if (!error)
		error = mw_process_auxv(target->of.process, &target->auxv,
					&target->auxv_bytes);
	if (error && error->code != MW_E_NOMEM) {
		mw_error_free(error);
		error = NULL;
	}
	if (!error)
		error = mw_process_mappings(target->of.process, &target->maps);
	if (!error)
		error = read_pages(target, options, before, &used);
	if (!error)
		error = target->of.stop
				? mw_stop_threads(target->of.stop,
						  &target->threads)
				: mw_process_threads(target->of.process,
						     &target->threads);
	if (error)
		return error;
	target->info.pages = used == MW_PAGES_SCAN ? MW_PAGE_DETAIL_SCAN
			     : used == MW_PAGES_PAGEMAP
				     ? MW_PAGE_DETAIL_PAGEMAP
				     : MW_PAGE_DETAIL_SMAPS;
	if (has_execed(&before, &target->status))
		return mw_error_new(MW_E_GONE, "process %d replaced itself by "
				    "another program while it was being read",
				    target->info.pid);
	return NULL;
}

static struct mw_error *take_picture_again(struct mw_target *target,
					   const struct mw_target_options *opt)
{
	enum { TRIES = 3 };
	struct mw_error *error = NULL;

	for (int i = 0; i < TRIES; i++) {
		error = take_picture(target, opt);
		if (!error || error->code != MW_E_GONE)
			return error;
		mw_target_clear_picture(target);
		if (i < TRIES - 1)
			mw_error_free(error);
	}
	return error;
}

static void fill_books(struct mw_target *target)
{
	const struct mw_status *s = &target->status;
	struct mw_kernel_books *books = &target->books;

	*books = (struct mw_kernel_books){
		.vsz_bytes = s->vsz_bytes,
		.rss_bytes = s->rss_bytes,
		.rss_anon_bytes = s->rss_anon_bytes,
		.rss_shmem_bytes = s->rss_shmem_bytes,
		.swap_bytes = s->swap_bytes,
		.rss_peak_bytes = s->rss_peak_bytes,
		.page_table_bytes = s->page_table_bytes,
		.locked_bytes = s->locked_bytes,
	};
	// The kernel does not count its gate page as the process's.
	for (size_t i = 0; i < target->maps.list.n; i++)
		if (target->maps.list.v[i].start >> 63)
			books->vsz_bytes +=
				mw_mapping_bytes(&target->maps.list.v[i]);
}

/** A vector of 64-bit pairs has AT_PHENT 56, one of 32-bit pairs 32. */
static bool is_64_bit(const struct mw_target *target)
{
	for (size_t at = 0; at + 8 <= target->auxv_bytes; at += 8)
		if (mw_u32(target->auxv + at) == AT_PHENT &&
		    mw_u32(target->auxv + at + 4) == sizeof(Elf32_Phdr))
			return false;
	return true;
}

static void fill_info(struct mw_target *target,
		      const struct mw_target_options *options)
{
	struct mw_target_info *info = &target->info;

	info->comm = target->status.comm;
	info->exe = target->exe;
	info->is_64 = is_64_bit(target);
	info->mode = options->mode;
	info->can_read = mw_process_may_read(target->of.process);
	info->unhalted = target->of.stop ? mw_stop_unhalted(target->of.stop) : 0;
}

static void note_limits(struct mw_target *target)
{
	if (!target->info.can_read)
		mw_target_note(target, "the kernel does not let this user read "
			       "the memory of process %d: what the Go runtime "
			       "and the allocators hold cannot be told apart; "
			       "run as root, or allow it with "
			       "kernel.yama.ptrace_scope=0", target->info.pid);
	if (!target->info.is_64)
		mw_target_note(target, "a 32-bit process: only the kernel's "
			       "view and ELF sections are given");
	if (target->info.pages == MW_PAGE_DETAIL_SMAPS)
		mw_target_note(target, "the kernel tells no state of single "
			       "pages: what is resident is known per mapping "
			       "only");
	if (target->info.unhalted)
		mw_target_note(target, "%zu threads were in an uninterruptible "
			       "wait and could not be stopped",
			       (size_t)target->info.unhalted);
}

struct mw_error *mw_target_open(int32_t pid,
				const struct mw_target_options *options,
				struct mw_target **ret)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target =
		mw_target_new(&process_source);
	struct mw_error *error;

	if (!target)
		return mw_error_nomem();
	target->info.pid = pid;
	error = mw_process_open(pid, &target->of.process);
	if (!error && options->may_fork)
		mw_process_expect_relatives(target->of.process);
	else if (!error)
		mw_process_find_relatives(target->of.process);
	if (!error && options->mode == MW_CAPTURE_STOP)
		error = mw_stop_begin(target->of.process, &target->of.stop);
	if (!error)
		error = take_picture_again(target, options);
	if (error)
		return error;
	fill_info(target, options);
	fill_books(target);
	note_limits(target);
	if (options->no_images)
		error = mw_target_no_images(target);
	else
		error = mw_target_find_images(target);
	if (error)
		return error;
	*ret = mw_steal(target);
	return NULL;
}
