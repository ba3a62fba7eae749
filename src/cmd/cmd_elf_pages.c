/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_elf.h"
#include "mw_guard.h"

/** Pages of [@start, @end) in runs that @counts says yes to. */
static uint64_t count_pages(const struct mw_pages *pages, uint64_t start,
			    uint64_t end, bool (*counts)(unsigned state))
{
	uint64_t count = 0;

	for (size_t i = mw_pages_after(pages, start);
	     i < pages->runs.n && mw_run_start(pages->runs.v[i]) < end; i++) {
		uint64_t run = pages->runs.v[i];

		if (counts(mw_run_state(run)))
			count += (mw_min(mw_run_end(run), end) -
				  mw_max(mw_run_start(run), start)) >>
				 MW_PAGE_SHIFT;
	}
	return count;
}

/** Of a private mapping of a file: a page that is no more the file's. */
static bool is_dirty(unsigned state)
{
	return mw_state_is_rss(state) && !(state & MW_PAGE_FILE);
}

/** The same of those that others map, too; the zero page is in no RSS. */
static uint64_t count_shared(const struct cmd_elf *elf, uint64_t start,
			     uint64_t end)
{
	const struct mw_pages *pages = mw_target_pages(elf->target);
	uint64_t count = 0;

	for (size_t i = mw_pages_after(&elf->shared, start);
	     i < elf->shared.runs.n &&
	     mw_run_start(elf->shared.runs.v[i]) < end;
	     i++) {
		uint64_t run = elf->shared.runs.v[i];

		count += count_pages(pages, mw_max(mw_run_start(run), start),
				     mw_min(mw_run_end(run), end),
				     mw_state_is_rss);
	}
	return count;
}

/** "5581e000-5581f000 r-xp", all of those in the range. NULL: no memory. */
static char *mappings_of(const struct mw_mappings *maps, uint64_t start,
			 uint64_t end)
{
	char *text = mw_strdup("");

	for (size_t i = mw_mappings_after(maps, start);
	     text && i < maps->list.n && maps->list.v[i].start < end; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		char *longer = mw_format(
			"%s%s%" PRIx64 "-%" PRIx64 " %c%c%c%c", text,
			*text ? ", " : "", m->start, m->end,
			m->perms & MW_PERM_R ? 'r' : '-',
			m->perms & MW_PERM_W ? 'w' : '-',
			m->perms & MW_PERM_X ? 'x' : '-',
			m->perms & MW_PERM_SHARED ? 's' : 'p');

		mw_free(text);
		text = longer;
	}
	return text;
}

bool cmd_elf_fill_pages(const struct cmd_elf *elf, uint64_t vaddr,
			uint64_t bytes, struct mw_cell *cells)
{
	MW_CLEANUP(mw_freep) char *mapping = NULL;
	const struct mw_pages *pages;
	uint64_t start, end;

	if (!elf->image || bytes == 0)
		return true;
	start = vaddr + elf->image->bias;
	mw_cell_value(&cells[CMD_ELF_MAPPED_AT], start);
	if (!mw_end(start, bytes, &end) || end > UINT64_MAX - MW_PAGE_BYTES)
		return true;
	mapping = mappings_of(mw_target_mappings(elf->target), start, end);
	if (!mapping || !mw_cell_text(&cells[CMD_ELF_MAPPING], mapping))
		return false;
	start = mw_align_down(start, MW_PAGE_BYTES);
	end = mw_align_up(end, MW_PAGE_BYTES);
	mw_cell_value(&cells[CMD_ELF_PAGES], (end - start) >> MW_PAGE_SHIFT);
	// smaps tells of whole mappings only.
	if (mw_target_info(elf->target)->pages == MW_PAGE_DETAIL_SMAPS)
		return true;
	pages = mw_target_pages(elf->target);
	mw_cell_value(&cells[CMD_ELF_RESIDENT],
		      count_pages(pages, start, end, mw_state_is_rss));
	// A core does not tell which pages were still those of the file.
	if (mw_target_info(elf->target)->kind == MW_TARGET_PROCESS)
		mw_cell_value(&cells[CMD_ELF_DIRTY],
			      count_pages(pages, start, end, is_dirty));
	if (elf->has_shared)
		mw_cell_value(&cells[CMD_ELF_SHARED],
			      count_shared(elf, start, end));
	return true;
}
