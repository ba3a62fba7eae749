/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "mw_target_bulk.h"
#include "target_int.h"

const char *mw_bytes_kind_name(enum mw_bytes_kind kind)
{
	static const char *const names[] = {
		[MW_BYTES_PRESENT] = "present",
		[MW_BYTES_FILE] = "file, not resident",
		[MW_BYTES_UNTOUCHED] = "never touched",
		[MW_BYTES_SWAPPED] = "swapped",
		[MW_BYTES_UNREADABLE] = "not readable",
		[MW_BYTES_UNPLACED] = "not told which pages are resident",
		[MW_BYTES_UNMAPPED] = "not mapped",
		[MW_BYTES_GONE] = "gone meanwhile",
	};

	return names[kind];
}

static bool add(struct mw_extents *to, uint64_t start, uint64_t end,
		enum mw_bytes_kind kind)
{
	struct mw_extent *last =
		to->list.n ? &to->list.v[to->list.n - 1] : NULL;

	if (start >= end)
		return true;
	if (last && last->end == start && last->kind == kind) {
		last->end = end;
		return true;
	}
	last = mw_vec_push(&to->list);
	if (last)
		*last = (struct mw_extent){ start, end, kind };
	return last;
}

/** Pages that the kernel itself keeps, and lets nobody copy. */
static bool is_kernels(const char *path)
{
	return strncmp(path, "[vvar", 5) == 0 ||
	       strcmp(path, "[vsyscall]") == 0;
}

/** The kind of the pages of @m that have no state. */
static enum mw_bytes_kind absent_kind(const struct mw_target *target,
				      const struct mw_mapping *m)
{
	if (!mw_mapping_has_states(m))
		return MW_BYTES_UNPLACED;
	if (m->inode)
		return MW_BYTES_FILE;
	return is_kernels(mw_mapping_path(&target->maps, m))
		       ? MW_BYTES_UNREADABLE
		       : MW_BYTES_UNTOUCHED;
}

/** Add [@start, @end), which lies in @m. */
static bool add_mapped(const struct mw_target *target,
		       const struct mw_mapping *m, uint64_t start,
		       uint64_t end, struct mw_extents *to)
{
	const struct mw_pages *pages = &target->pages;
	enum mw_bytes_kind absent = absent_kind(target, m);

	if (!(m->perms & MW_PERM_R) || !target->info.can_read)
		return add(to, start, end, MW_BYTES_UNREADABLE);
	for (size_t i = mw_pages_after(pages, start); i < pages->runs.n; i++) {
		uint64_t run = pages->runs.v[i];
		uint64_t from = mw_max(start, mw_run_start(run));
		uint64_t until = mw_min(end, mw_run_end(run));
		unsigned state = mw_run_state(run);

		if (from >= end)
			break;
		if (!add(to, start, from, absent) ||
		    !add(to, from, until,
			 state & MW_PAGE_PRESENT   ? MW_BYTES_PRESENT
			 : state & MW_PAGE_SWAPPED ? MW_BYTES_SWAPPED
						   : absent))
			return false;
		start = until;
	}
	return add(to, start, end, absent);
}

struct mw_error *mw_target_extents(const struct mw_target *target,
				   uint64_t start, uint64_t end,
				   struct mw_extents *to)
{
	const struct mw_mappings *maps = &target->maps;

	for (size_t i = mw_mappings_after(maps, start);
	     i < maps->list.n && start < end; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		uint64_t from = mw_max(start, m->start);
		uint64_t until = mw_min(end, m->end);

		if (from >= end)
			break;
		if (!add(to, start, from, MW_BYTES_UNMAPPED) ||
		    !add_mapped(target, m, from, until, to))
			return mw_error_nomem();
		start = until;
	}
	return add(to, start, end, MW_BYTES_UNMAPPED) ? NULL
						      : mw_error_nomem();
}

void mw_extents_free(struct mw_extents *extents)
{
	mw_vec_free(&extents->list);
}
