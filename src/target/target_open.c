/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "mw_guard.h"
#include "target_int.h"

static struct mw_error *read_status(struct mw_target *target,
				    struct mw_status *ret)
{
	return mw_process_status(target->process, ret);
}

/** Whether the process is no longer the program it was: it called exec. */
static bool has_execed(const struct mw_status *before,
		       const struct mw_status *after)
{
	return memcmp(&before->start, &after->start,
		      sizeof(before->start)) != 0;
}

static void clear_picture(struct mw_target *target)
{
	mw_mappings_free(&target->maps);
	mw_pages_free(&target->pages);
	mw_threads_free(&target->threads);
	mw_free(target->exe);
	mw_free(target->auxv);
	target->exe = NULL;
	target->auxv = NULL;
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

static struct mw_error *take_picture(struct mw_target *target,
				     const struct mw_target_options *options)
{
	enum mw_page_source used;
	struct mw_status before;

	struct mw_error *error = read_status(target, &before);
	if (!error)
		error = mw_process_exe(target->process, &target->exe,
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
		error = mw_process_auxv(target->process, &target->auxv,
					&target->auxv_bytes);
	if (error && error->code != MW_E_NOMEM) {
		mw_error_free(error);
		error = NULL;
	}
	if (!error)
		error = mw_process_mappings(target->process, &target->maps);
	if (!error)
		error = mw_process_pages(target->process, &target->maps,
					 source_of(options->pages),
					 options->file_pages, &target->pages,
					 &used);
	if (!error)
		error = read_status(target, &target->status);
	if (!error)
		error = target->stop
				? mw_stop_threads(target->stop, target->process,
						  &target->threads)
				: mw_process_threads(target->process,
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
		clear_picture(target);
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
	info->can_read = mw_process_may_read(target->process);
	info->unhalted = target->stop ? mw_stop_unhalted(target->stop) : 0;
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
		mw_calloc(1, sizeof(*target));
	struct mw_error *error;

	if (!target)
		return mw_error_nomem();
	target->info.pid = pid;
	error = mw_process_open(pid, &target->process);
	if (!error && options->mode == MW_CAPTURE_STOP)
		error = mw_stop_begin(target->process, &target->stop);
	if (!error)
		error = take_picture_again(target, options);
	if (error)
		return error;
	fill_info(target, options);
	fill_books(target);
	note_limits(target);
	error = mw_target_find_images(target);
	if (error)
		return error;
	*ret = mw_steal(target);
	return NULL;
}

uint64_t mw_target_release(struct mw_target *target)
{
	return mw_stop_end(mw_steal(target->stop));
}

void mw_target_close(struct mw_target *target)
{
	if (!target)
		return;
	mw_target_release(target);
	mw_target_free_images(target);
	mw_target_free_cache(target);
	clear_picture(target);
	for (size_t i = 0; i < target->notes.n; i++)
		mw_free(target->notes.v[i]);
	mw_vec_free(&target->notes);
	mw_process_close(target->process);
	mw_free(target);
}

void mw_target_note(struct mw_target *target, const char *fmt, ...)
{
	enum { LIMIT = 100 };
	va_list args;
	char **place;

	if (target->notes.n >= LIMIT)
		return;
	va_start(args, fmt);
	char *note = mw_vformat(fmt, args);
	va_end(args);
	place = note ? mw_vec_push(&target->notes) : NULL;
	if (place)
		*place = note;
	else
		mw_free(note);
}

const char *const *mw_target_notes(const struct mw_target *target,
				   size_t *ret_count)
{
	*ret_count = target->notes.n;
	return (const char *const *)target->notes.v;
}

const struct mw_target_info *mw_target_info(const struct mw_target *target)
{
	return &target->info;
}

const struct mw_mappings *mw_target_mappings(const struct mw_target *target)
{
	return &target->maps;
}

const struct mw_pages *mw_target_pages(const struct mw_target *target)
{
	return &target->pages;
}

const struct mw_kernel_books *mw_target_books(const struct mw_target *target)
{
	return &target->books;
}

const struct mw_start_info *mw_target_start(const struct mw_target *target)
{
	return &target->status.start;
}

const struct mw_thread *mw_target_threads(const struct mw_target *target,
					  size_t *ret_count)
{
	*ret_count = target->threads.list.n;
	return target->threads.list.v;
}

bool mw_target_auxv(const struct mw_target *target, uint64_t type,
		    uint64_t *ret)
{
	size_t word = target->info.is_64 ? 8 : 4;

	for (size_t at = 0; at + 2 * word <= target->auxv_bytes;
	     at += 2 * word) {
		const uint8_t *pair = target->auxv + at;
		uint64_t key = word == 8 ? mw_u64(pair) : mw_u32(pair);

		if (key == AT_NULL)
			return false;
		if (key == type) {
			*ret = word == 8 ? mw_u64(pair + word)
					 : mw_u32(pair + word);
			return true;
		}
	}
	return false;
}

void mw_target_set_native_sp(struct mw_target *target, int32_t tid,
			     uint64_t sp)
{
	for (size_t i = 0; i < target->threads.list.n; i++)
		if (target->threads.list.v[i].tid == tid)
			target->threads.list.v[i].native_sp = sp;
}

struct mw_error *mw_target_smaps(struct mw_target *target,
				 struct mw_smaps_figures **ret)
{
	size_t count = target->maps.list.n, at = 0;
	MW_CLEANUP(mw_freep) struct mw_smaps_figures *figures =
		mw_calloc(count, sizeof(*figures));
	struct mw_smaps_list smaps = { 0 };
	struct mw_error *error;

	if (!figures)
		return mw_error_nomem();
	error = mw_process_smaps(target->process, &smaps);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];
		const struct mw_smaps *s;

		while (at < smaps.list.n && smaps.list.v[at].start < m->start)
			at++;
		if (at == smaps.list.n)
			break;
		s = &smaps.list.v[at];
		if (s->start != m->start || s->end != m->end)
			continue;
		figures[i] = (struct mw_smaps_figures){
			.rss_bytes = s->rss_bytes,
			.pss_bytes = s->pss_bytes,
			.swap_bytes = s->swap_bytes,
			.dirty_bytes = s->shared_dirty_bytes +
				       s->private_dirty_bytes,
			.lazy_free_bytes = s->lazy_free_bytes,
			.locked_bytes = s->locked_bytes,
			.huge_bytes = s->anon_huge_bytes +
				      s->shmem_huge_bytes + s->file_huge_bytes,
			.hugetlb_bytes = s->hugetlb_bytes,
		};
	}
	mw_smaps_free(&smaps);
	*ret = mw_steal(figures);
	return NULL;
}
