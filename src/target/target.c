/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "mw_guard.h"
#include "mw_parallel.h"
#include "target_int.h"

/* What all kinds of targets share. */

struct mw_target *mw_target_new(const struct target_source *source)
{
	struct mw_target *target = mw_calloc(1, sizeof(*target));

	if (target) {
		target->source = source;
		pthread_mutex_init(&target->files_lock, NULL);
	}
	return target;
}

void mw_target_clear_picture(struct mw_target *target)
{
	mw_mappings_free(&target->maps);
	mw_pages_free(&target->pages);
	mw_threads_free(&target->threads);
	mw_free(target->exe);
	mw_free(target->auxv);
	target->exe = NULL;
	target->auxv = NULL;
}

size_t mw_target_workers(const struct mw_target *target)
{
	return mw_parallel_workers(target->info.mode != MW_CAPTURE_LIVE);
}

uint64_t mw_target_release(struct mw_target *target)
{
	return target->source->release ? target->source->release(target) : 0;
}

void mw_target_close(struct mw_target *target)
{
	if (!target)
		return;
	mw_target_release(target);
	mw_target_free_images(target);
	mw_target_free_cache(target);
	mw_kept_free(target->kept);
	mw_target_clear_picture(target);
	for (size_t i = 0; i < target->notes.n; i++)
		mw_free(target->notes.v[i]);
	mw_vec_free(&target->notes);
	target->source->close(target);
	pthread_mutex_destroy(&target->files_lock);
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
	// Books may be taken twice of one target.
	for (size_t i = 0; note && i < target->notes.n; i++)
		if (strcmp(target->notes.v[i], note) == 0)
			mw_free(mw_steal(note));
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
	error = target->source->smaps(target, &smaps);
	if (error)
		return error;
	if (smaps.list.n == 0) {
		*ret = NULL;
		return NULL;
	}
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

struct mw_error *mw_target_shared_pages(struct mw_target *target,
					uint64_t start, uint64_t end,
					struct mw_pages *ret)
{
	if (!target->source->shared_pages)
		return mw_error_new(MW_E_UNSUPPORTED, "%s: which pages are "
				    "shared is not known", target->exe);
	return target->source->shared_pages(target, start, end, ret);
}
