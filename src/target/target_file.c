/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mw_guard.h"
#include "target_int.h"
#include "target_relocs.h"

/* An ELF file that does not run. */

static size_t read_present(const struct mw_target *target,
			   const struct mw_remote *ranges, size_t count)
{
	(void)target, (void)ranges, (void)count;
	return 0; // no page is
}

/** Put what segment @s has of the page at @va into @page. */
static bool read_segment(int fd, const struct mw_elf_segment *s, uint64_t va,
			 uint8_t *page)
{
	uint64_t end, from, to;

	if (s->type != PT_LOAD || !mw_end(s->vaddr, s->filesz, &end))
		return true;
	from = mw_max(va, s->vaddr);
	to = mw_min(va + MW_PAGE_BYTES, end);
	while (from < to) {
		ssize_t got = pread(fd, page + (from - va), to - from,
				    (off_t)(from - s->vaddr + s->offset));
		if (got <= 0)
			return false; // the file is shorter than it says
		from += (uint64_t)got;
	}
	return true;
}

static bool read_absent(struct mw_target *target,
			const struct mw_mapping *mapping, uint64_t va,
			uint8_t *to)
{
	const struct target_file *file = &target->of.file;

	memset(to, 0, MW_PAGE_BYTES);
	if (mapping->inode == 0)
		return true;
	for (size_t i = 0; i < file->elf->segments.n; i++)
		if (!read_segment(file->fd, &file->elf->segments.v[i], va, to))
			return false;
	mw_relocs_apply(file->relocs, va, to);
	return true;
}

static struct mw_error *open_file(struct mw_target *target,
				  const struct mw_mapping *mapping,
				  int *ret_fd)
{
	(void)mapping;
	// Through /proc, so that both have places of their own in the file.
	MW_CLEANUP(mw_freep) char *path =
		mw_format("/proc/self/fd/%d", target->of.file.fd);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (!path)
		return mw_error_nomem();
	if (fd < 0)
		return mw_error_errno(errno, "%s", target->exe);
	*ret_fd = fd;
	return NULL;
}

static struct mw_error *smaps(struct mw_target *target,
			      struct mw_smaps_list *ret)
{
	(void)target, (void)ret;
	return NULL;
}

static void close_file(struct mw_target *target)
{
	mw_relocs_free(target->of.file.relocs);
	mw_closep(&target->of.file.fd);
}

static const struct target_source file_source = {
	.read_present = read_present,
	.read_absent = read_absent,
	.open_file = open_file,
	.smaps = smaps,
	.close = close_file,
};

static bool add_mapping(struct mw_target *target,
			const struct mw_elf_segment *s, const struct stat *st,
			uint64_t start, uint64_t end)
{
	size_t count = target->maps.list.n;
	uint64_t last = count ? target->maps.list.v[count - 1].end : 0;
	uint64_t from = mw_max(start, last);
	struct mw_mapping *m;

	// Segments may share a page; the first has it.
	if (from >= end)
		return true;
	m = mw_mappings_add(&target->maps, from, end, st ? target->exe : "",
			    st ? strlen(target->exe) : 0);
	if (!m)
		return false;
	m->perms = (uint8_t)((s->flags & PF_R ? MW_PERM_R : 0) |
			     (s->flags & PF_W ? MW_PERM_W : 0) |
			     (s->flags & PF_X ? MW_PERM_X : 0));
	if (st) {
		m->offset = mw_align_down(s->offset, MW_PAGE_BYTES) +
			    (from - start);
		m->inode = (uint64_t)st->st_ino;
		m->dev_major = major(st->st_dev);
		m->dev_minor = minor(st->st_dev);
	}
	return true;
}

/** Segments as the kernel would map them. They ascend, or the file is odd. */
static bool add_mappings(struct mw_target *target, const struct mw_elf *elf,
			 const struct stat *st)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		uint64_t start = mw_align_down(s->vaddr, MW_PAGE_BYTES);
		uint64_t file_end, end;

		if (s->type != PT_LOAD || s->filesz > s->memsz ||
		    !mw_end(s->vaddr, s->memsz, &end))
			continue;
		file_end = s->filesz ? mw_align_up(s->vaddr + s->filesz,
						   MW_PAGE_BYTES)
				     : start;
		end = mw_align_up(end, MW_PAGE_BYTES);
		if (!add_mapping(target, s, st, start, file_end) ||
		    !add_mapping(target, s, NULL, file_end, end))
			return false;
	}
	return true;
}

struct mw_error *mw_target_open_regular(const char *path, int *ret_fd,
					struct stat *ret_st)
{
	// A FIFO without a writer would block.
	MW_CLEANUP(mw_closep) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return mw_error_errno(errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return mw_error_new(MW_E_FORMAT, "%s: not a regular file",
				    path);
	if (ret_st)
		*ret_st = st;
	*ret_fd = fd;
	fd = -1;
	return NULL;
}

struct mw_error *mw_target_open_file(const char *path, struct mw_target **ret)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target =
		mw_target_new(&file_source);
	struct target_file *file;
	struct mw_error *error;
	struct stat st;

	if (!target)
		return mw_error_nomem();
	file = &target->of.file;
	file->fd = -1;
	target->exe = mw_strdup(path);
	if (!target->exe)
		return mw_error_nomem();
	error = mw_target_open_regular(path, &file->fd, &st);
	if (error)
		return error;
	error = mw_elf_load(file->fd, &file->elf);
	if (error)
		return mw_error_prefix(error, "%s", path);
	if (!add_mappings(target, file->elf, &st)) {
		mw_elf_free(file->elf);
		return mw_error_nomem();
	}
	error = mw_target_add_only_image(target, file->elf, target->exe);
	if (!error)
		error = mw_relocs_load(file->fd, file->elf, &file->relocs);
	if (error)
		return error;
	target->info = (struct mw_target_info){
		.kind = MW_TARGET_FILE,
		.comm = target->images.v[0].name,
		.exe = target->exe,
		.is_64 = file->elf->is_64,
		.can_read = true,
	};
	*ret = mw_steal(target);
	return NULL;
}
