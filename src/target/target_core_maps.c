/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_guard.h"
#include "mw_hash.h"
#include "target_core.h"

/*
 * The mappings of a core that memwhy did not write: what its segments and its
 * list of files say together, and the names that the kernel would give, found
 * by what the auxiliary vector points to.
 */

#define VSYSCALL UINT64_C(0xffffffffff600000)
/* The kernel puts the program break at most this far behind the bss. */
#define MOST_BREAK_GAP MW_GIB(1)

struct picture {
	struct mw_target *target;
	const struct mw_core *core;
	struct mw_map64 inodes; /* hash of a path: a number of its own */
	uint64_t vdso, on_stack;
	const char *exe; /* path of the executable, or NULL */
	uint64_t exe_end; /* behind what is known to be its */
	bool has_heap;
};

/** A number for the file at @path; 0 without memory. */
static uint64_t inode_of(struct picture *p, const char *path)
{
	uint64_t *place = mw_map64_at(&p->inodes,
				      mw_hash_text(MW_HASH_START, path));

	if (!place)
		return 0;
	if (*place == 0)
		*place = p->inodes.count + p->inodes.has_zero;
	return *place;
}

static bool starts_with(const char *text, const char *head)
{
	return strncmp(text, head, strlen(head)) == 0;
}

/** Memory whose file says that it is shared; a core has no such flag. */
static bool is_shared(const char *path)
{
	static const char *const heads[] = { "/dev/zero", "/SYSV", "/memfd:",
					     "/dev/shm/" };

	for (size_t i = 0; i < MW_COUNT(heads); i++)
		if (starts_with(path, heads[i]))
			return true;
	return false;
}

static bool is_heap(struct picture *p, uint64_t start, uint8_t perms)
{
	if (p->has_heap || !p->exe_end || start < p->exe_end ||
	    start - p->exe_end > MOST_BREAK_GAP ||
	    perms != (MW_PERM_R | MW_PERM_W))
		return false;
	return p->has_heap = true;
}

/** What the kernel calls the memory at [@start, @end), which has no file. */
static const char *name_of(struct picture *p, uint64_t start, uint64_t end,
			   uint8_t perms)
{
	if (start == VSYSCALL)
		return "[vsyscall]";
	if (p->vdso && start == p->vdso)
		return "[vdso]";
	if (p->on_stack >= start && p->on_stack < end)
		return "[stack]";
	if (p->exe_end && start == p->exe_end) {
		p->exe_end = end; // the bss
		return "";
	}
	return is_heap(p, start, perms) ? "[heap]" : "";
}

/** The kernel's clock data lies right before the vdso, in one or two pieces. */
static void name_vvar(struct mw_target *target, uint64_t vdso)
{
	static const char name[] = "[vvar]";
	struct mw_mappings *maps = &target->maps;
	size_t at = mw_mappings_after(maps, vdso ? vdso - 1 : 0);
	uint64_t end = vdso;
	uint32_t path = 0;

	for (int i = 0; i < 2 && vdso && at < maps->list.n; i++, at--) {
		struct mw_mapping *m = &maps->list.v[at];

		if (m->end != end || m->inode || m->perms != MW_PERM_R)
			break;
		if (!path) {
			path = (uint32_t)maps->paths.n;
			for (size_t k = 0; k < sizeof(name); k++) {
				char *c = mw_vec_push(&maps->paths);

				if (!c)
					return;
				*c = name[k];
			}
		}
		m->path = path;
		end = m->start;
		if (at == 0)
			break;
	}
}

static bool add_mapping(struct picture *p, uint64_t start, uint64_t end,
			const struct mw_core_segment *s,
			const struct mw_core_file *f)
{
	uint8_t perms = s ? s->perms : f->perms;
	const char *path = f ? &p->core->paths.v[f->path]
			     : name_of(p, start, end, perms);
	struct mw_mapping *m = mw_mappings_add(&p->target->maps, start, end,
					       path, strlen(path));

	if (!m)
		return false;
	m->perms = perms;
	if (!f)
		return true;
	m->inode = inode_of(p, path);
	m->offset = f->offset + (start - f->start);
	if (is_shared(path))
		m->perms |= MW_PERM_SHARED;
	if (p->exe && strcmp(path, p->exe) == 0)
		p->exe_end = end;
	return m->inode;
}

/** Cut segments and files where either begins or ends. */
static bool add_mappings(struct picture *p)
{
	const struct mw_core_segment *s = p->core->segments.v;
	const struct mw_core_file *f = p->core->files.v;
	size_t s_left = p->core->segments.n, f_left = p->core->files.n;
	uint64_t at = 0;

	while (s_left || f_left) {
		uint64_t s_from = s_left ? mw_max(s->start, at) : UINT64_MAX;
		uint64_t f_from = f_left ? mw_max(f->start, at) : UINT64_MAX;
		uint64_t start = mw_min(s_from, f_from);
		bool in_s = s_left && s_from == start;
		bool in_f = f_left && f_from == start;
		uint64_t end = mw_min(in_s ? s->end : s_from,
				      in_f ? f->end : f_from);

		if (!add_mapping(p, start, end, in_s ? s : NULL,
				 in_f ? f : NULL))
			return false;
		at = end;
		if (in_s && s->end == end)
			s++, s_left--;
		if (in_f && f->end == end)
			f++, f_left--;
	}
	return true;
}

static bool add_pages(struct mw_target *target, const struct mw_core *core)
{
	for (size_t i = 0; i < core->segments.n; i++) {
		const struct mw_core_segment *s = &core->segments.v[i];

		if (!mw_pages_add(&target->pages, s->start,
				  mw_align_down(s->start + s->file_bytes,
						MW_PAGE_BYTES),
				  MW_PAGE_PRESENT))
			return false;
	}
	return true;
}

/** The path of the file mapped at @va, or NULL. */
static const char *path_at(const struct mw_core *core, uint64_t va)
{
	for (size_t i = 0; i < core->files.n; i++)
		if (va >= core->files.v[i].start && va < core->files.v[i].end)
			return &core->paths.v[core->files.v[i].path];
	return NULL;
}

/*
 * Find where the process's start put argc, by the auxiliary vector. The initial
 * stack (fs/binfmt_elf.c, create_elf_tables()), ascending: argc, argv[], 0,
 * envp[], 0, auxiliary vector, padding, the 16 bytes of AT_RANDOM, strings.
 */
static void find_start(struct mw_target *target, uint64_t stack_start,
		       uint64_t stack_end)
{
	enum { MOST_WORDS = 200000, NEAR = 8192 };
	uint64_t random = 0, at, auxv = 0, word, count = 0;
	uint64_t pairs[4], expected[4];

	if (!mw_target_auxv(target, 25 /* AT_RANDOM */, &random) ||
	    target->auxv_bytes < sizeof(expected) || random > stack_end)
		return;
	memcpy(expected, target->auxv, sizeof(expected));
	at = mw_align_down(random, 8);
	for (int i = 0; i < NEAR / 8 && at > stack_start + 8 && !auxv; i++) {
		at -= 8;
		if (!mw_core_target_read_all(target, at, pairs, sizeof(pairs)))
			return;
		if (memcmp(pairs, expected, sizeof(pairs)) == 0)
			auxv = at;
	}
	at = auxv;
	// Backwards over envp[] and its end, to that of argv[].
	for (int zeros = 0; at && zeros < 2; count++) {
		at -= 8;
		if (count > MOST_WORDS || at < stack_start ||
		    !mw_core_target_read_all(target, at, &word, 8))
			return;
		zeros += word == 0;
	}
	for (count = 0; at && count < MOST_WORDS; count++) {
		at -= 8;
		if (at < stack_start ||
		    !mw_core_target_read_all(target, at, &word, 8))
			return;
		if (word == count) {
			target->status.start.start_stack = at;
			return;
		}
	}
}

struct mw_error *mw_core_make_picture(struct mw_target *target)
{
	struct target_core *core = target->of.core;
	struct picture p = { .target = target, .core = core->core };
	const struct mw_mapping *stack;
	uint64_t phdr;
	bool ok;

	mw_target_auxv(target, AT_SYSINFO_EHDR, &p.vdso);
	if (!mw_target_auxv(target, 25 /* AT_RANDOM */, &p.on_stack) &&
	    core->core->threads.n)
		p.on_stack = core->core->threads.v[0].sp;
	if (mw_target_auxv(target, AT_PHDR, &phdr))
		p.exe = path_at(core->core, phdr);
	if (!p.exe && core->executable)
		p.exe = path_at(core->core, core->executable);
	ok = add_mappings(&p) && add_pages(target, core->core);
	mw_map64_free(&p.inodes);
	if (!ok)
		return mw_error_nomem();
	name_vvar(target, p.vdso);
	stack = mw_mappings_find(&target->maps, p.on_stack);
	if (stack)
		find_start(target, stack->start, stack->end);
	return NULL;
}
