/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_findings.h"

#include <string.h>
#include <unistd.h>

#include "mw_guard.h"

bool cmd_findings_matter(const struct mw_situation *s, uint64_t bytes)
{
	// The rules' own thresholds are not below these.
	return bytes >= MW_MIB(1) && bytes >= s->rss_bytes / 20;
}

uint64_t cmd_findings_rss(const struct cmd_books *books, const char *account)
{
	const struct mw_ledger_account *a =
		mw_ledger_find(books->ledger, account);

	return a ? a->tally.rss_bytes : 0;
}

static void fill_totals(const struct cmd_books *books, struct mw_situation *s)
{
	const struct mw_kernel_books *kernel = mw_target_books(books->target);
	struct mw_tally totals = mw_ledger_totals(books->ledger);

	s->accounts = mw_ledger_accounts(books->ledger, &s->account_count);
	s->rss_bytes = totals.rss_bytes;
	s->vsz_bytes = totals.vsz_bytes;
	s->swap_bytes = totals.swap_bytes;
	s->anon_bytes = kernel->rss_anon_bytes;
	s->shmem_bytes = kernel->rss_shmem_bytes;
	s->page_table_bytes = kernel->page_table_bytes;
	s->locked_bytes = kernel->locked_bytes;
}

static void fill_threads(const struct cmd_books *books, struct mw_situation *s)
{
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(books->target, &count);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	s->threads = count;
	for (size_t i = 0; i < count; i++)
		s->sleeping_threads += threads[i].state == 'S';
	s->cpus = cpus > 0 ? (uint64_t)cpus : 1;
}

/** Resident bytes of @m on pages of which @flag is @is_set. */
static uint64_t count_pages(const struct mw_pages *pages,
			    const struct mw_mapping *m, unsigned flag,
			    bool is_set)
{
	uint64_t bytes = 0;

	for (size_t k = mw_pages_after(pages, m->start); k < pages->runs.n;
	     k++) {
		uint64_t run = pages->runs.v[k];
		uint64_t start = mw_max(mw_run_start(run), m->start);
		uint64_t end = mw_min(mw_run_end(run), m->end);

		if (start >= end)
			break;
		if (mw_state_is_rss(mw_run_state(run)) &&
		    ((mw_run_state(run) & flag) != 0) == is_set)
			bytes += end - start;
	}
	return bytes;
}

/** Anonymous memory on huge pages, and copies of files' pages. */
static void fill_pages(const struct cmd_books *books, struct mw_situation *s)
{
	const struct mw_mappings *maps = mw_target_mappings(books->target);
	const struct mw_pages *pages = mw_target_pages(books->target);

	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (mw_mapping_is_anonymous(m))
			s->huge_bytes +=
				count_pages(pages, m, MW_PAGE_HUGE, true);
		else if (mw_mapping_may_be_copied(m) &&
			 !mw_target_image_of(books->target, m))
			s->file_copy_bytes +=
				count_pages(pages, m, MW_PAGE_FILE, false);
	}
}

static void fill_smaps(const struct cmd_books *books, struct mw_situation *s)
{
	const struct mw_mappings *maps = mw_target_mappings(books->target);

	if (!books->smaps)
		return;
	s->has_smaps = true;
	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		s->pss_bytes += books->smaps[i].pss_bytes;
		s->lazy_free_bytes += books->smaps[i].lazy_free_bytes;
		if (m->inode && (m->perms & MW_PERM_SHARED) &&
		    !mw_target_image_of(books->target, m))
			s->file_dirty_bytes += books->smaps[i].dirty_bytes;
	}
}

/** The largest stretches that the program has mapped itself. */
static void fill_ranges(const struct cmd_books *books, struct mw_situation *s)
{
	size_t count, left_out;
	const struct mw_ledger_range *ranges =
		mw_ledger_ranges(books->ledger, &count, &left_out);

	for (size_t i = 0; i < count; i++) {
		uint64_t rss = ranges[i].tally.rss_bytes;
		size_t at = MW_SHARES;

		if (strcmp(s->accounts[ranges[i].account].name,
			   "anonymous/private") != 0)
			continue;
		s->range_count++;
		while (at > 0 && s->ranges[at - 1].rss_bytes < rss)
			at--;
		if (at == MW_SHARES)
			continue;
		memmove(&s->ranges[at + 1], &s->ranges[at],
			(MW_SHARES - 1 - at) * sizeof(s->ranges[0]));
		s->ranges[at] = (struct mw_range_share){
			.start = ranges[i].start,
			.end = ranges[i].end,
			.rss_bytes = rss,
		};
	}
}

static struct mw_error *fill_arenas(const struct cmd_books *books,
				    struct cmd_findings *f)
{
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(books->alloc, &count);

	for (size_t i = 0; i < count; i++) {
		const struct mw_alloc_arena *a = arenas[i];
		struct mw_arena_share *share = mw_vec_push(&f->arenas);

		if (!share)
			return mw_error_nomem();
		*share = (struct mw_arena_share){
			.allocator = a->allocator,
			.name = a->name,
			.in_use_bytes = a->in_use_bytes,
			.in_use_blocks = a->in_use_blocks,
			.free_bytes = a->free_bytes,
			.cache_bytes = a->cache_bytes,
			.top_bytes = a->top_bytes,
			.resident_bytes = a->resident_bytes,
			.trimmable_bytes = a->trimmable_bytes,
			.threads = a->threads,
		};
	}
	f->situation.arenas = f->arenas.v;
	f->situation.arena_count = f->arenas.n;
	return NULL;
}

static struct mw_error *fill_images(const struct cmd_books *books,
				    struct cmd_findings *f)
{
	size_t count;
	const struct mw_image *images =
		mw_target_images(books->target, &count);

	for (size_t i = 0; i < count; i++) {
		const char **name = mw_vec_push(&f->images);

		if (!name)
			return mw_error_nomem();
		*name = images[i].name;
	}
	f->situation.images = f->images.v;
	f->situation.image_count = f->images.n;
	return NULL;
}

static void fill_cgroup(const struct mw_cgroup *g, struct mw_situation *s)
{
	bool is_2 = g->version == 2;

	s->cgroup = (struct mw_cgroup_situation){
		.is_known = g->version != 0,
		.version = g->version,
		.path = g->path,
		.current_bytes = g->current_bytes,
		.limit_bytes = g->limit_bytes,
		.limit_file = g->limit_file,
		.limit_only_slows = g->limit_file &&
				    strcmp(g->limit_file, "memory.high") == 0,
		.anon_bytes = g->anon_bytes,
		.file_bytes = g->file_bytes,
		.shmem_bytes = g->shmem_bytes,
		.droppable_bytes = g->droppable_bytes,
		.swap_bytes = g->swap_bytes,
		.swap_limit_bytes = g->swap_limit_bytes,
		.slab_bytes = g->slab_bytes,
		.slab_kept_bytes = g->slab_kept_bytes,
		.sock_bytes = g->sock_bytes,
		.kernel_bytes = g->kernel_bytes,
		.kernel_stack_bytes = is_2 ? g->kernel_stack_bytes
					   : g->members.kernel_stack_bytes,
		.page_table_bytes = is_2 ? g->page_table_bytes
					 : g->members.page_table_bytes,
		.kernel_parts_are_sums = !is_2,
		.processes = g->processes,
	};
	for (size_t i = 0; i < mw_min(MW_SHARES, MW_CGROUP_OTHERS); i++)
		s->cgroup.others[i] = (struct mw_share){
			.name = g->others[i].comm,
			.count = (uint64_t)g->others[i].pid,
			.bytes = g->others[i].anon_bytes,
		};
}

static struct mw_error *fill_system(const struct cmd_books *books,
				    struct cmd_findings *f)
{
	const struct mw_target_info *info = mw_target_info(books->target);
	struct mw_situation *s = &f->situation;
	struct mw_error *error;

	// A core is of another time, and often of another machine.
	if (info->kind != MW_TARGET_PROCESS)
		return NULL;
	mw_kernel_thp(&f->thp);
	s->thp = (struct mw_thp_situation){
		.is_known = f->thp.enabled[0] != '\0',
		.enabled = f->thp.enabled,
		.defrag = f->thp.defrag,
		.max_ptes_none = f->thp.max_ptes_none,
	};
	error = mw_kernel_cgroup(info->pid, &f->cgroup);
	if (!error)
		fill_cgroup(&f->cgroup, s);
	return error;
}

struct mw_error *cmd_findings_take(const struct cmd_books *books,
				   struct cmd_findings *ret)
{
	struct mw_situation *s = &ret->situation;
	struct mw_error *error;

	fill_totals(books, s);
	fill_threads(books, s);
	fill_pages(books, s);
	fill_smaps(books, s);
	fill_ranges(books, s);
	error = fill_arenas(books, ret);
	if (!error)
		error = fill_images(books, ret);
	if (!error && books->go)
		error = cmd_findings_go(books, ret);
	return error;
}

struct mw_error *cmd_findings_look(const struct cmd_books *books,
				   struct cmd_findings *f)
{
	struct mw_error *error = fill_system(books, f);

	return error ? error : mw_findings_look(&f->situation, &f->found);
}

void cmd_findings_free(struct cmd_findings *findings)
{
	mw_findings_free(&findings->found);
	mw_vec_free(&findings->arenas);
	mw_vec_free(&findings->images);
	mw_go_goroutines_free(&findings->goroutines);
	mw_cgroup_free(&findings->cgroup);
}
