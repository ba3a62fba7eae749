/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mw_guard.h"
#include "target_core.h"

/*
 * Files of a core that does not list them, as Delve's: ELF headers in its
 * memory, called what the dynamic linker's list calls them; and the
 * executable, which Delve leaves out as far as it cannot be written to.
 */

struct guess {
	struct mw_target *target;
	struct mw_core *core;
	uint64_t phdr; /* AT_PHDR, 0 when not known */
	uint64_t debug; /* struct r_debug, 0 when not known */
	bool has_exe;
};

/** A string of the target, as long as it is there; "" when it is not. */
static void read_text(const struct mw_target *target, uint64_t va, char *to,
		      size_t size)
{
	size_t got = va ? mw_core_target_read(target, va, to, size - 1) : 0;

	to[got] = '\0';
}

/** Where the executable may lie; "" when nothing tells. */
static void find_exe_path(const struct guess *g, char *path, size_t size)
{
	uint64_t at = 0;

	if (g->target->of.core->exe_option) {
		snprintf(path, size, "%s", g->target->of.core->exe_option);
		return;
	}
	mw_target_auxv(g->target, AT_EXECFN, &at);
	read_text(g->target, at, path, size);
	if (path[0] == '/')
		return;
	snprintf(path, size, "%.*s", (int)strcspn(g->core->args, " "),
		 g->core->args);
	if (path[0] != '/')
		path[0] = '\0';
}

/*
 * struct r_debug (glibc elf/link.h, musl the same): 8 u64 r_map
 * struct link_map: 0 u64 l_addr, 8 u64 l_name, 24 u64 l_next
 */
static void find_linked_name(const struct guess *g, uint64_t bias, char *path,
			     size_t size)
{
	enum { MOST = 4096 };
	uint64_t at, map[4];

	path[0] = '\0';
	if (!g->debug ||
	    !mw_core_target_read_all(g->target, g->debug + 8, &at, 8))
		return;
	for (int i = 0; i < MOST && at; i++, at = map[3]) {
		if (!mw_core_target_read_all(g->target, at, map, sizeof(map)))
			return;
		if (map[0] == bias) {
			read_text(g->target, map[1], path, size);
			return;
		}
	}
}

static struct mw_error *add_files(struct guess *g, const struct mw_elf *elf,
				  uint64_t bias, const char *path)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		uint64_t from = mw_align_down(s->vaddr, MW_PAGE_BYTES), end;
		struct mw_core_file file = {
			.start = from + bias,
			.offset = mw_align_down(s->offset, MW_PAGE_BYTES),
			.perms = (uint8_t)((s->flags & PF_R ? MW_PERM_R : 0) |
					   (s->flags & PF_W ? MW_PERM_W : 0) |
					   (s->flags & PF_X ? MW_PERM_X : 0)),
		};
		struct mw_core_file *place;

		if (s->type != PT_LOAD || s->filesz == 0 ||
		    !mw_end(s->vaddr, s->filesz, &end) ||
		    mw_align_up(end, MW_PAGE_BYTES) - from > INT64_MAX ||
		    file.offset > INT64_MAX / 2 ||
		    !mw_end(file.start, mw_align_up(end, MW_PAGE_BYTES) - from,
			    &file.end))
			continue;
		if (!mw_core_add_path(g->core, path, strlen(path),
				      &file.path) ||
		    !(place = mw_vec_push(&g->core->files)))
			return mw_error_nomem();
		*place = file;
	}
	return NULL;
}

static bool bias_at(const struct mw_elf *elf, uint64_t start, uint64_t *ret)
{
	for (size_t i = 0; i < elf->segments.n; i++)
		if (elf->segments.v[i].type == PT_LOAD &&
		    elf->segments.v[i].offset < MW_PAGE_BYTES) {
			*ret = start - mw_align_down(elf->segments.v[i].vaddr,
						     MW_PAGE_BYTES);
			return true;
		}
	return false;
}

/** Where the dynamic linker's list begins, from the executable's DT_DEBUG. */
static void find_debug(struct guess *g, const struct mw_elf *elf,
		       uint64_t bias)
{
	enum { MOST = 512 };

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct mw_elf_segment *s = &elf->segments.v[i];
		uint64_t pair[2];

		if (s->type != PT_DYNAMIC)
			continue;
		for (uint64_t k = 0; k < MOST; k++) {
			if (!mw_core_target_read_all(g->target,
						     s->vaddr + bias + 16 * k,
						     pair, sizeof(pair)) ||
			    pair[0] == DT_NULL)
				return;
			if (pair[0] == DT_DEBUG)
				g->debug = pair[1];
		}
	}
}

static bool is_exe(const struct guess *g, uint64_t start)
{
	return g->phdr >= start && g->phdr < start + MW_PAGE_BYTES;
}

/** An ELF header at @start; NULL when there is none. */
static struct mw_error *load_at(const struct guess *g, uint64_t start,
				struct mw_elf **ret)
{
	uint8_t page[MW_PAGE_BYTES];
	struct mw_error *error;

	*ret = NULL;
	if (!mw_core_target_read_all(g->target, start, page, sizeof(page)) ||
	    memcmp(page, ELFMAG, SELFMAG) != 0)
		return NULL;
	error = mw_elf_load_memory(page, sizeof(page), ret);
	if (error && error->code != MW_E_NOMEM) {
		mw_error_free(error);
		error = NULL;
	}
	return error;
}

/** Add the image at @start, if there is one; the executable only, or others. */
static struct mw_error *add_image(struct guess *g, uint64_t start, bool exe)
{
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = NULL;
	char path[4096];
	uint64_t bias;
	struct mw_error *error = load_at(g, start, &elf);

	if (error || !elf || !bias_at(elf, start, &bias))
		return error;
	if (exe) {
		g->has_exe = true;
		find_debug(g, elf, bias);
		find_exe_path(g, path, sizeof(path));
		if (!path[0])
			snprintf(path, sizeof(path), "/%s", g->core->comm);
	} else {
		find_linked_name(g, bias, path, sizeof(path));
		if (path[0] != '/')
			snprintf(path, sizeof(path), "/elf-at-%lx",
				 (unsigned long)start);
	}
	return add_files(g, elf, bias, path);
}

/** The executable by its file, when the core has nothing of its headers. */
static struct mw_error *add_exe_by_file(struct guess *g)
{
	MW_CLEANUP(mw_elf_freep) struct mw_elf *elf = NULL;
	MW_CLEANUP(mw_closep) int fd = -1;
	char path[4096];
	uint64_t bias = 0;
	struct stat st;
	struct mw_error *error;

	find_exe_path(g, path, sizeof(path));
	if (!path[0]) {
		mw_target_note(g->target, "the core does not tell where its "
			       "executable lies: give it with --exe=FILE");
		return NULL;
	}
	error = mw_target_open_regular(path, &fd, &st);
	if (!error)
		error = mw_elf_load(fd, &elf);
	if (error && error->code == MW_E_NOMEM)
		return error;
	if (error) {
		mw_target_note(g->target, "the executable: %s; --exe=FILE "
			       "tells where it lies", error->message);
		mw_error_free(error);
		return NULL;
	}
	bias_at(elf, mw_align_down(g->phdr, MW_PAGE_BYTES), &bias);
	if (!mw_core_is_what_ran(g->target, elf, bias) ||
	    !mw_core_data_agrees(g->target, fd, elf, bias)) {
		mw_target_note(g->target, "%s is not the program that ran: "
			       "give its executable with --exe=FILE", path);
		return NULL;
	}
	g->target->of.core->executable = g->phdr;
	return add_files(g, elf, bias, path);
}

struct mw_error *mw_core_guess_files(struct mw_target *target)
{
	struct guess g = { .target = target, .core = target->of.core->core };
	struct mw_error *error = NULL;
	uint64_t vdso = 0;

	mw_target_auxv(target, AT_PHDR, &g.phdr);
	mw_target_auxv(target, AT_SYSINFO_EHDR, &vdso);
	// The executable first: it leads to the names of the others.
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; !error && i < g.core->segments.n; i++) {
			uint64_t start = g.core->segments.v[i].start;

			if (start != vdso && is_exe(&g, start) == (pass == 0))
				error = add_image(&g, start, pass == 0);
		}
	if (!error && !g.has_exe && g.phdr)
		error = add_exe_by_file(&g);
	mw_core_sort_files(g.core);
	return error;
}
