/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mw_guard.h"
#include "mw_map64.h"
#include "target_int.h"

static bool same_file(const struct mw_mapping *a, const struct mw_mapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor;
}

/** A key for a file; two files may share one, which only costs a look more. */
static uint64_t file_key(const struct mw_mapping *m)
{
	return m->inode ^ (uint64_t)m->dev_major << 52 ^
	       (uint64_t)m->dev_minor << 32;
}

/**
 * Files worth opening to see whether they are ELF. A program maps its own
 * code executable; a shared object without code is known by its name.
 */
static bool may_be_image(const struct mw_target *target,
			 const struct mw_mapping *m)
{
	const char *path = mw_mapping_path(&target->maps, m);

	if (m->inode == 0 || (m->perms & MW_PERM_SHARED) || path[0] != '/')
		return false;
	// A core may not tell the rights of what it leaves out.
	if (target->absent_is_unknown)
		return m->offset == 0;
	return (m->perms & MW_PERM_X) || strstr(path, ".so");
}

static uint64_t segment_file_start(const struct mw_elf_segment *s)
{
	return mw_align_down(s->offset, MW_PAGE_BYTES);
}

/**
 * Whether @m maps the file range of @s with rights that fit. A segment may
 * have lost rights since (RELRO) but a mapping does not gain execution.
 */
static bool maps_segment(const struct mw_target *target,
			 const struct mw_mapping *m,
			 const struct mw_elf_segment *s)
{
	return s->type == PT_LOAD && s->filesz > 0 &&
	       mw_within(m->offset, 1, segment_file_start(s),
			 mw_align_up(s->offset + s->filesz, MW_PAGE_BYTES)) &&
	       (target->absent_is_unknown ||
		!(m->perms & MW_PERM_X) == !(s->flags & PF_X));
}

static uint64_t bias_by(const struct mw_mapping *m,
			const struct mw_elf_segment *s)
{
	return m->start - (m->offset - segment_file_start(s)) -
	       mw_align_down(s->vaddr, MW_PAGE_BYTES);
}

/**
 * Number of segments whose first page is mapped where @bias puts it, from the
 * file of @file or from no file (a segment may have been copied to anonymous
 * memory, for huge pages); 0 if any segment is elsewhere.
 */
static size_t check_bias(const struct mw_target *target,
			 const struct mw_elf *elf, uint64_t bias,
			 const struct mw_mapping *file)
{
	size_t good = 0;

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		uint64_t va = mw_align_down(s->vaddr, MW_PAGE_BYTES) + bias;
		const struct mw_mapping *m;

		if (s->type != PT_LOAD || s->filesz == 0)
			continue;
		m = mw_mappings_find(&target->maps, va);
		if (!m)
			return 0;
		if (m->inode == 0)
			continue;
		if (!same_file(m, file) ||
		    va - m->start + m->offset != segment_file_start(s))
			return 0;
		good++;
	}
	return good;
}

static bool find_bias(const struct mw_target *target, const struct mw_elf *elf,
		      const struct mw_mapping *m, uint64_t *ret)
{
	size_t best = 0;

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];

		if (!maps_segment(target, m, s))
			continue;
		uint64_t bias = bias_by(m, s);
		size_t good = check_bias(target, elf, bias, m);
		if (good > best) {
			best = good;
			*ret = bias;
		}
	}
	return best > 0;
}

void mw_target_find_span(const struct mw_elf *elf, uint64_t bias,
			 uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		uint64_t s_end;

		if (s->type != PT_LOAD || !mw_end(s->vaddr, s->memsz, &s_end))
			continue;
		start = mw_min(start, mw_align_down(s->vaddr, MW_PAGE_BYTES));
		end = mw_max(end, mw_align_up(s_end, MW_PAGE_BYTES));
	}
	*ret_start = start + bias;
	*ret_end = end + bias;
}

/** The tables of the file behind @m, else what its first page in memory has. */
static struct mw_error *load_tables(struct mw_target *target,
				    const struct mw_mapping *m,
				    struct mw_elf **ret, bool *ret_from_memory)
{
	MW_CLEANUP(mw_closep) int fd = -1;
	uint8_t page[MW_PAGE_BYTES];
	struct mw_error *error = target->source->open_file(target, m, &fd);

	if (!error) {
		*ret_from_memory = false;
		if (!mw_elf_has_magic(fd))
			return mw_error_at(MW_E_FORMAT, 0, "not an ELF file");
		return mw_elf_load(fd, ret);
	}

	if (target->source->tables) {
		struct mw_error *other =
			target->source->tables(target, m, ret);

		if (other || *ret) {
			mw_error_free(error);
			*ret_from_memory = true;
			return other;
		}
	}
	// The file cannot be had. Its first mapped page, which the loader or
	// the program may have touched, holds the program headers.
	size_t at = mw_mappings_after(&target->maps, m->start);
	while (at > 0 && same_file(&target->maps.list.v[at - 1], m) &&
	       target->maps.list.v[at].offset > 0)
		at--;
	if (target->maps.list.v[at].offset != 0 ||
	    !mw_target_read(target, target->maps.list.v[at].start, page,
			    sizeof(page)) ||
	    memcmp(page, ELFMAG, SELFMAG) != 0)
		return error;
	mw_error_free(error);
	*ret_from_memory = true;
	return mw_elf_load_memory(page, sizeof(page), ret);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/** Mark the mappings of @image's file inside its span. */
static void mark_mappings(struct mw_target *target, size_t index,
			  const struct mw_mapping *file)
{
	const struct mw_image *image = &target->images.v[index];

	for (size_t i = mw_mappings_after(&target->maps, image->start);
	     i < target->maps.list.n &&
	     target->maps.list.v[i].start < image->end;
	     i++)
		if (same_file(&target->maps.list.v[i], file))
			target->image_of[i] = (uint32_t)index + 1;
}

static struct mw_error *add_image(struct mw_target *target,
				  const struct mw_mapping *m,
				  struct mw_elf *elf, uint64_t bias,
				  bool from_memory)
{
	struct mw_image *image = mw_vec_push(&target->images);
	const char *path = mw_mapping_path(&target->maps, m);

	if (!image) {
		mw_elf_free(elf);
		return mw_error_nomem();
	}
	*image = (struct mw_image){
		.kind = MW_IMAGE_LIBRARY,
		.from_memory = from_memory,
		.path = path,
		.name = elf->soname ? elf->soname : base_name(path),
		.bias = bias,
		.elf = elf,
	};
	mw_target_find_span(elf, bias, &image->start, &image->end);
	mark_mappings(target, target->images.n - 1, m);
	return NULL;
}

/** Tell the executable and the loader from the libraries. */
static void classify(struct mw_target *target)
{
	uint64_t phdr = 0, base = 0;
	bool has_phdr = mw_target_auxv(target, AT_PHDR, &phdr);

	mw_target_auxv(target, AT_BASE, &base);
	for (size_t i = 0; i < target->images.n; i++) {
		struct mw_image *image = &target->images.v[i];

		if (has_phdr ? phdr >= image->start && phdr < image->end
			     : strcmp(image->path, target->exe) == 0)
			image->kind = MW_IMAGE_EXECUTABLE;
		else if (base && base == image->start)
			image->kind = MW_IMAGE_LOADER;
	}
}

struct mw_error *mw_target_find_images(struct mw_target *target)
{
	struct mw_map64 failed = { 0 };
	struct mw_error *error = NULL;

	target->image_of = mw_calloc(target->maps.list.n, sizeof(uint32_t));
	if (!target->image_of)
		return mw_error_nomem();
	for (size_t i = 0; !error && i < target->maps.list.n; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];
		struct mw_elf *elf = NULL;
		bool from_memory = false;
		uint64_t bias;

		if (target->image_of[i] || !may_be_image(target, m) ||
		    mw_map64_find(&failed, file_key(m)))
			continue;
		error = load_tables(target, m, &elf, &from_memory);
		if (error && error->code != MW_E_NOMEM) {
			if (error->code == MW_E_FORMAT ||
			    error->code == MW_E_LIMIT)
				mw_target_note(target, "%s: %s",
					       mw_mapping_path(&target->maps, m),
					       error->message);
			mw_error_free(error);
			error = NULL;
			if (!mw_map64_at(&failed, file_key(m)))
				error = mw_error_nomem();
			continue;
		}
		if (error)
			break;
		if (find_bias(target, elf, m, &bias))
			error = add_image(target, m, elf, bias, from_memory);
		else
			mw_elf_free(elf);
	}
	mw_map64_free(&failed);
	if (error)
		return error;
	classify(target);
	return mw_target_find_unpacked(target);
}

struct mw_error *mw_target_no_images(struct mw_target *target)
{
	target->image_of = mw_calloc(target->maps.list.n, sizeof(uint32_t));
	return target->image_of ? NULL : mw_error_nomem();
}

struct mw_error *mw_target_add_only_image(struct mw_target *target,
					  struct mw_elf *elf, const char *path)
{
	struct mw_image *image = mw_vec_push(&target->images);

	target->image_of = mw_calloc(target->maps.list.n, sizeof(uint32_t));
	if (!image || !target->image_of) {
		target->images.n = 0; // nothing is in it yet
		mw_elf_free(elf);
		return mw_error_nomem();
	}
	*image = (struct mw_image){
		.kind = MW_IMAGE_EXECUTABLE,
		.path = path,
		.name = elf->soname ? elf->soname : base_name(path),
		.elf = elf,
	};
	mw_target_find_span(elf, 0, &image->start, &image->end);
	for (size_t i = 0; i < target->maps.list.n; i++)
		if (target->maps.list.v[i].inode)
			target->image_of[i] = 1;
	return NULL;
}

void mw_target_free_images(struct mw_target *target)
{
	for (size_t i = 0; i < target->images.n; i++)
		mw_elf_free((struct mw_elf *)target->images.v[i].elf);
	mw_vec_free(&target->images);
	mw_free(target->image_of);
	target->image_of = NULL;
}

const struct mw_image *mw_target_images(const struct mw_target *target,
					size_t *ret_count)
{
	*ret_count = target->images.n;
	return target->images.v;
}

const struct mw_image *mw_target_image_of(const struct mw_target *target,
					  const struct mw_mapping *mapping)
{
	uint32_t index = target->image_of[mapping - target->maps.list.v];

	return index ? &target->images.v[index - 1] : NULL;
}

struct mw_error *mw_target_open_image(struct mw_target *target,
				      const struct mw_image *image,
				      int *ret_fd)
{
	// An object file has no mappings.
	if (target->info.kind == MW_TARGET_FILE)
		return target->source->open_file(target, NULL, ret_fd);
	for (size_t i = mw_mappings_after(&target->maps, image->start);
	     i < target->maps.list.n; i++)
		if (target->image_of[i] == image - target->images.v + 1)
			return target->source->open_file(
				target, &target->maps.list.v[i], ret_fd);
	return mw_error_new(MW_E_NOT_FOUND, "%s: no file is mapped",
			    image->path);
}
