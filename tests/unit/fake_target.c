/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_target.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

void fake_target_add(struct mw_target *target, uint64_t va, void *bytes,
		     size_t size)
{
	if (target->area_count == MW_COUNT(target->areas))
		abort();
	target->areas[target->area_count].va = va;
	target->areas[target->area_count].bytes = bytes;
	target->areas[target->area_count++].size = size;
}

void fake_target_map(struct mw_target *target, uint64_t va, void *bytes,
		     size_t size, const char *path)
{
	struct mw_mapping *m = mw_mappings_add(&target->maps, va, va + size,
					       path, strlen(path));

	if (!m)
		abort();
	m->perms = MW_PERM_R | MW_PERM_W;
	fake_target_add(target, va, bytes, size);
}

void fake_target_deinit(struct mw_target *target)
{
	mw_mappings_free(&target->maps);
	mw_pages_free(&target->pages);
}

/* Bytes */

void *fake_target_at(const struct mw_target *target, uint64_t va, size_t bytes)
{
	for (size_t i = 0; i < target->area_count; i++) {
		uint64_t start = target->areas[i].va;

		if (mw_within(va, bytes, start,
			      start + target->areas[i].size))
			return (uint8_t *)target->areas[i].bytes +
			       (va - start);
	}
	return NULL;
}

/** The same of what the picture has: not of memory that is newer. */
static const void *seen_at(const struct mw_target *target, uint64_t va,
			   size_t bytes)
{
	for (size_t i = 0; i < target->area_count; i++)
		if (target->areas[i].is_new &&
		    mw_within(va, 1, target->areas[i].va,
			      target->areas[i].va + target->areas[i].size))
			return NULL;
	return fake_target_at(target, va, bytes);
}

bool mw_target_copy(const struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	const void *from = seen_at(target, va, bytes);

	if (from && bytes)
		memcpy(to, from, bytes);
	return from;
}

bool mw_target_read(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	return mw_target_copy(target, va, to, bytes);
}

const void *mw_target_view(struct mw_target *target, uint64_t va, size_t bytes)
{
	return seen_at(target, va, bytes);
}

bool mw_target_peek(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes)
{
	return mw_target_copy(target, va, to, bytes);
}

bool mw_target_search(struct mw_target *target, uint64_t va, void *to,
		      size_t bytes)
{
	return mw_target_copy(target, va, to, bytes);
}

bool mw_target_read_now(const struct mw_target *target, uint64_t va, void *to,
			size_t bytes)
{
	const void *from = fake_target_at(target, va, bytes);

	if (from && target->info.mode == MW_CAPTURE_LIVE)
		memcpy(to, from, bytes);
	return from && target->info.mode == MW_CAPTURE_LIVE;
}

bool mw_target_read_u64(struct mw_target *target, uint64_t va, uint64_t *ret)
{
	return mw_target_copy(target, va, ret, sizeof(*ret));
}

bool mw_target_read_u32(struct mw_target *target, uint64_t va, uint32_t *ret)
{
	return mw_target_copy(target, va, ret, sizeof(*ret));
}

void mw_target_keep(const struct mw_target *target, uint64_t va,
		    uint64_t bytes)
{
	(void)target, (void)va, (void)bytes;
}

bool mw_target_keeps(const struct mw_target *target)
{
	return target->keeps;
}

size_t mw_target_workers(const struct mw_target *target)
{
	return target->workers ? target->workers : 1;
}

void mw_target_forget(struct mw_target *target, uint64_t va, uint64_t bytes)
{
	(void)target, (void)va, (void)bytes;
}

/* What there is */

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

const struct mw_image *mw_target_images(const struct mw_target *target,
					size_t *ret_count)
{
	*ret_count = target->image_count;
	return target->images;
}

const struct mw_thread *mw_target_threads(const struct mw_target *target,
					  size_t *ret_count)
{
	(void)target;
	*ret_count = 0;
	return NULL;
}

bool mw_target_auxv(const struct mw_target *target, uint64_t type,
		    uint64_t *ret)
{
	if (type != AT_RANDOM || !target->random)
		return false;
	*ret = target->random;
	return true;
}

struct mw_error *mw_target_open_image(struct mw_target *target,
				      const struct mw_image *image, int *ret_fd)
{
	(void)target, (void)image, (void)ret_fd;
	return mw_error_new(MW_E_NOT_FOUND, "no file");
}

/* What is told to it */

void mw_target_set_native_sp(struct mw_target *target, int32_t tid,
			     uint64_t sp)
{
	(void)target, (void)tid, (void)sp;
}

void mw_target_note(struct mw_target *target, const char *fmt, ...)
{
	(void)target, (void)fmt;
}
