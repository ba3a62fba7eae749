/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"
#include "target_core.h"

/*
 * Files that a core names. They may have been replaced since, or belong to
 * another machine: one is taken for the file that was mapped only when
 *
 * - a snapshot has its size and time of change, and they are the same; or
 * - it is an ELF file, the core has its first page in memory, the headers are
 *   the same, and so is every note that the core has, a build id among them; or
 * - it has no build id, and its first page is the same; or
 * - nothing of its headers is in the core, but its data is (Delve leaves out
 *   what cannot be written to), and what ran begins at the same address.
 */

uint64_t mw_core_file_key(uint32_t dev_major, uint32_t dev_minor,
			  uint64_t inode)
{
	return inode ^ (uint64_t)dev_major << 52 ^ (uint64_t)dev_minor << 32;
}

static uint64_t key_of(const struct mw_mapping *m)
{
	return mw_core_file_key(m->dev_major, m->dev_minor, m->inode);
}

struct mw_error *mw_core_list_files(struct mw_target *target)
{
	struct target_core *core = target->of.core;

	for (size_t i = 0; i < target->maps.list.n; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];
		struct core_file *file;
		uint64_t *place;

		if (m->inode == 0)
			continue;
		place = mw_map64_at(&core->file_at, key_of(m));
		if (!place)
			return mw_error_nomem();
		if (*place == 0) {
			file = mw_vec_push(&core->files);
			if (!file)
				return mw_error_nomem();
			*file = (struct core_file){ 0 };
			*place = core->files.n;
		}
		file = &core->files.v[*place - 1];
		if (!file->path)
			file->path = mw_mapping_path(&target->maps, m);
	}
	return NULL;
}

static struct core_file *file_of(struct mw_target *target,
				 const struct mw_mapping *mapping)
{
	struct target_core *core = target->of.core;
	uint64_t *place = mw_map64_find(&core->file_at, key_of(mapping));

	return place ? &core->files.v[*place - 1] : NULL;
}

/** The mapping of the beginning of @mapping's file, or NULL. */
static const struct mw_mapping *first_of(const struct mw_target *target,
					 const struct mw_mapping *mapping)
{
	const struct mw_mapping *maps = target->maps.list.v;
	size_t count = target->maps.list.n;
	size_t here = (size_t)(mapping - maps);

	// Upwards from where it is wanted, then anywhere.
	for (size_t i = here + 1; i-- > 0;)
		if (key_of(&maps[i]) == key_of(mapping) && maps[i].offset == 0)
			return &maps[i];
	for (size_t i = here + 1; i < count; i++)
		if (key_of(&maps[i]) == key_of(mapping) && maps[i].offset == 0)
			return &maps[i];
	return NULL;
}

enum agreement { DIFFERS, UNKNOWN, AGREES };

/** Whether the @bytes at @offset of the file are those at @va of the core. */
static enum agreement same_bytes(const struct mw_target *target, int fd,
				 uint64_t offset, uint64_t va, uint64_t bytes)
{
	uint8_t here[4096], there[sizeof(here)];

	for (uint64_t at = 0; at < bytes; at += sizeof(here)) {
		size_t want = mw_min(bytes - at, sizeof(here));

		if (!mw_core_target_read_all(target, va + at, there, want))
			return UNKNOWN;
		if (pread(fd, here, want, (off_t)(offset + at)) !=
			    (ssize_t)want ||
		    memcmp(here, there, want) != 0)
			return DIFFERS;
	}
	return AGREES;
}

/** Whether notes @bytes long at @offset have a build id, GNU's or Go's. */
static bool has_build_id(int fd, uint64_t offset, uint64_t bytes)
{
	enum { MOST = 4096, GO_BUILD_ID = 4 };
	uint8_t notes[MOST];
	ssize_t got = pread(fd, notes, mw_min(bytes, MOST), (off_t)offset);
	size_t at = 0;

	while (got > 0 && at + sizeof(Elf64_Nhdr) + 4 <= (size_t)got) {
		const uint8_t *name = notes + at + sizeof(Elf64_Nhdr);
		uint32_t name_bytes = mw_u32(notes + at);
		uint32_t type = mw_u32(notes + at + 8);
		uint64_t content = mw_u32(notes + at + 4);

		if (name_bytes == 4 &&
		    ((type == NT_GNU_BUILD_ID && memcmp(name, "GNU", 4) == 0) ||
		     (type == GO_BUILD_ID && memcmp(name, "Go\0", 4) == 0)))
			return true;
		at += sizeof(Elf64_Nhdr) + mw_align_up(name_bytes, 4) +
		      mw_align_up(content, 4);
	}
	return false;
}

/** Compare the notes; whether there is a build id at all. */
static enum agreement same_notes(const struct mw_target *target, int fd,
				 const struct mw_elf *elf, uint64_t bias,
				 bool *ret_has_id)
{
	enum { MOST = 65536 };
	enum agreement result = UNKNOWN;

	*ret_has_id = false;
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		enum agreement same;
		bool id;

		if (s->type != PT_NOTE || s->filesz > MOST)
			continue;
		id = has_build_id(fd, s->offset, s->filesz);
		*ret_has_id = *ret_has_id || id;
		same = same_bytes(target, fd, s->offset, s->vaddr + bias,
				  s->filesz);
		if (same == DIFFERS)
			return DIFFERS;
		if (id && same == AGREES)
			result = AGREES;
	}
	return result;
}

bool mw_core_data_agrees(const struct mw_target *target, int fd,
			 const struct mw_elf *elf, uint64_t bias)
{
	enum { LEAST = 64 };
	uint64_t words = 0, same = 0;

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		uint64_t here[512], there[512];

		if (s->type != PT_LOAD || !(s->flags & PF_W))
			continue;
		for (uint64_t at = 0; at + sizeof(here) <= s->filesz;
		     at += sizeof(here)) {
			if (!mw_core_target_read_all(target,
						     s->vaddr + bias + at,
						     there, sizeof(there)) ||
			    pread(fd, here, sizeof(here),
				  (off_t)(s->offset + at)) != sizeof(here))
				break;
			// Zeros tell nothing.
			for (size_t k = 0; k < MW_COUNT(here); k++) {
				words += here[k] != 0;
				same += here[k] != 0 && here[k] == there[k];
			}
		}
	}
	return words >= LEAST && same >= words - words / 4;
}

bool mw_core_is_what_ran(const struct mw_target *target,
			 const struct mw_elf *elf, uint64_t bias)
{
	uint64_t entry, count;

	return mw_target_auxv(target, AT_ENTRY, &entry) &&
	       mw_target_auxv(target, AT_PHNUM, &count) &&
	       entry == elf->entry + bias && count == elf->segments.n;
}

/** Where @elf was loaded, by the first mapping of its file. */
static bool bias_of(const struct mw_elf *elf, const struct mw_mapping *first,
		    uint64_t *ret)
{
	for (size_t i = 0; i < elf->segments.n; i++)
		if (elf->segments.v[i].type == PT_LOAD &&
		    elf->segments.v[i].offset < MW_PAGE_BYTES) {
			*ret = first->start -
			       mw_align_down(elf->segments.v[i].vaddr,
					     MW_PAGE_BYTES);
			return true;
		}
	return false;
}

static enum agreement same_elf(struct mw_target *target, int fd,
			       const struct mw_elf *elf,
			       const struct mw_mapping *first)
{
	uint64_t head = mw_min(elf->file_bytes, MW_PAGE_BYTES), bias = 0;
	enum agreement same;
	bool has_id;

	if (!bias_of(elf, first, &bias))
		return UNKNOWN;
	same = same_bytes(target, fd, 0, first->start,
			  mw_max(elf->phoff + elf->ph_bytes,
				 sizeof(Elf64_Ehdr)));
	if (same == DIFFERS)
		return DIFFERS;
	if (same == UNKNOWN) {
		same = same_notes(target, fd, elf, bias, &has_id);
		if (same == UNKNOWN && mw_core_is_what_ran(target, elf, bias) &&
		    mw_core_data_agrees(target, fd, elf, bias))
			same = AGREES;
		return same;
	}
	same = same_notes(target, fd, elf, bias, &has_id);
	if (same == UNKNOWN && !has_id)
		same = same_bytes(target, fd, 0, first->start, head);
	return same;
}

static enum agreement is_same(struct mw_target *target, int fd,
			      const struct core_file *file,
			      const struct mw_mapping *mapping)
{
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = NULL;
	const struct mw_mapping *first = first_of(target, mapping);
	struct mw_error *error;
	struct stat st;

	if (fstat(fd, &st) == 0 && file->bytes &&
	    (uint64_t)st.st_size == file->bytes &&
	    (uint64_t)st.st_mtim.tv_sec * 1000000000u +
			    (uint64_t)st.st_mtim.tv_nsec == file->mtime_ns)
		return AGREES;
	if (!first || !mw_elf_has_magic(fd))
		return UNKNOWN;
	error = mw_elf_load(fd, &elf);
	if (error) {
		mw_error_free(error);
		return UNKNOWN;
	}
	return same_elf(target, fd, elf, first);
}

static const char *path_to_open(const struct mw_target *target,
				const struct core_file *file)
{
	const char *given = target->of.core->exe_option;

	return given && target->exe && strcmp(file->path, target->exe) == 0
		       ? given
		       : file->path;
}

/** Say once why a file is not used. */
static void note_refused(struct mw_target *target, const char *path,
			 enum agreement same)
{
	mw_target_note(target, same == DIFFERS
			       ? "%s is not the file that ran (headers or "
				 "build id differ): what the core leaves out "
				 "of it is not known"
			       : "%s cannot be told to be the file that was "
				 "mapped: what the core leaves out of it is "
				 "not known", path);
}

struct mw_error *mw_core_open_file(struct mw_target *target,
				   const struct mw_mapping *mapping,
				   int *ret_fd)
{
	struct core_file *file = file_of(target, mapping);
	MW_CLEANUP(mw_closep) int fd = -1;
	struct mw_error *error;
	enum agreement same;
	struct stat st;

	if (!file || file->path[0] == '[' || (file->tried && !file->same))
		return mw_error_new(MW_E_NOT_FOUND, "%s: not the file that "
				    "was mapped", file ? file->path : "");
	error = mw_target_open_regular(path_to_open(target, file), &fd, &st);
	if (error)
		return error;
	if (!file->tried) {
		same = is_same(target, fd, file, mapping);
		file->tried = true;
		file->same = same == AGREES;
		if (!file->same) {
			note_refused(target, path_to_open(target, file), same);
			return mw_error_new(MW_E_NOT_FOUND, "%s: not the file "
					    "that was mapped", file->path);
		}
	}
	*ret_fd = fd;
	fd = -1;
	return NULL;
}
