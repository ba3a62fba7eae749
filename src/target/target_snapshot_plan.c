/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "target_snapshot.h"

/*
 * A segment for each run of present pages would be exact, but a fragmented heap
 * has hundreds of thousands of runs, and debuggers look at segments one after
 * the other (Delve even copies its list for each). So neighbours with few
 * absent pages between them share one, unless the file grows by more than a
 * quarter; only where there would be more than an ELF header can count it may.
 */
#define GOOD_EXTENTS 4096
#define MOST_EXTENTS 60000
#define LARGEST_GAP (UINT64_C(1) << 56)

/** Whether the present pages of @mapping are to be stored. */
static bool is_stored(const struct mw_target *target,
		      const struct mw_mapping *mapping)
{
	const char *path = mw_mapping_path(&target->maps, mapping);

	// The kernel lets nobody read its clock data and gate page.
	return (mapping->perms & MW_PERM_R) &&
	       strncmp(path, "[vvar", 5) != 0 &&
	       strcmp(path, "[vsyscall]") != 0;
}

struct plan {
	struct mw_snapshot *s; /* NULL: only count */
	uint64_t gap_bytes;
	size_t count;
	uint64_t offset;
	struct extent last;
	size_t hint;
};

static bool end_extent(struct plan *plan)
{
	struct extent *last = &plan->last, *extent;

	plan->count += last->end > last->start;
	if (!plan->s) {
		plan->offset += last->end - last->start;
		last->start = last->end;
	}
	while (last->start < last->end) {
		extent = mw_vec_push(&plan->s->extents);
		if (!extent)
			return false;
		*extent = *last;
		if (!mw_snapshot_place(plan->s, &plan->hint, extent)) {
			extent->offset = plan->offset;
			plan->offset += extent->end - extent->start;
		}
		last->start = extent->end;
	}
	last->start = last->end = 0;
	return true;
}

static bool add_pages(struct plan *plan, size_t mapping, uint64_t start,
		      uint64_t end)
{
	if (plan->last.end && plan->last.mapping == mapping &&
	    start - plan->last.end <= plan->gap_bytes) {
		plan->last.end = end;
		return true;
	}
	if (!end_extent(plan))
		return false;
	plan->last = (struct extent){
		.start = start, .end = end, .mapping = mapping,
	};
	return true;
}

/** The same for those of them that are kept without contents. */
static bool add_kept(struct plan *plan, const struct mw_target *target,
		     size_t mapping, uint64_t start, uint64_t end)
{
	for (uint64_t va = start; target->kept && va < end;
	     va += MW_PAGE_BYTES)
		if (mw_kept_has(target, va) &&
		    !add_pages(plan, mapping, va, va + MW_PAGE_BYTES))
			return false;
	return target->kept || add_pages(plan, mapping, start, end);
}

static bool make_plan(struct plan *plan, const struct mw_target *target)
{
	const struct mw_pages *pages = &target->pages;
	size_t at = 0;

	for (size_t i = 0; i < target->maps.list.n; i++) {
		const struct mw_mapping *m = &target->maps.list.v[i];

		at = mw_pages_after_hint(pages, m->start, at);
		if (!is_stored(target, m))
			continue;
		for (; at < pages->runs.n; at++) {
			uint64_t run = pages->runs.v[at];
			uint64_t from = mw_max(m->start, mw_run_start(run));
			uint64_t to = mw_min(m->end, mw_run_end(run));

			if (from >= to)
				break;
			if (mw_snapshot_wants_state(mw_run_state(run)) &&
			    !add_kept(plan, target, i, from, to))
				return false;
			if (to < mw_run_end(run))
				break; // the next mapping has the rest
		}
	}
	return end_extent(plan);
}

/** How many segments there are besides those of each mapping. */
static size_t count_extents(const struct mw_target *target, uint64_t gap_bytes,
			    uint64_t *ret_bytes)
{
	struct plan plan = { .gap_bytes = gap_bytes };

	make_plan(&plan, target);
	*ret_bytes = plan.offset;
	return plan.count - mw_min(plan.count, target->maps.list.n);
}

/** The gap up to which neighbours share a segment, in bytes. */
static uint64_t choose_gap(const struct mw_target *target)
{
	uint64_t gap = 0, next = MW_PAGE_BYTES, exact, bytes;
	size_t count = count_extents(target, 0, &exact);

	while (count > GOOD_EXTENTS) {
		size_t fewer = count_extents(target, next, &bytes);

		if (bytes > exact + exact / 4)
			break;
		count = fewer;
		gap = next;
		next *= 2;
	}
	for (; count > MOST_EXTENTS && gap < LARGEST_GAP; next *= 2) {
		gap = next;
		count = count_extents(target, gap, &bytes);
	}
	return gap;
}

struct mw_error *mw_snapshot_plan(struct mw_snapshot *s,
				  const struct mw_target *target)
{
	struct plan plan = {
		.s = s,
		.gap_bytes = choose_gap(target),
		.offset = s->offset,
	};

	if (!make_plan(&plan, target))
		return mw_error_nomem();
	s->offset = plan.offset;
	return NULL;
}
