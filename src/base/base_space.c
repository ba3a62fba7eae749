/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_space.h"

#include <string.h>

#include "mw_search.h"

static uint32_t intern_path(struct mw_mappings *maps, const char *path,
			    size_t len, bool *ret_ok)
{
	*ret_ok = true;
	// Neighbours mostly share their file, so the last path is worth a look.
	if (maps->list.n > 0) {
		uint32_t last = maps->list.v[maps->list.n - 1].path;
		const char *text = &maps->paths.v[last];

		if (strlen(text) == len && memcmp(text, path, len) == 0)
			return last;
	}

	size_t at = maps->paths.n;

	for (size_t i = 0; i <= len; i++) {
		char *c = mw_vec_push(&maps->paths);

		if (!c || at > UINT32_MAX) {
			*ret_ok = false;
			return 0;
		}
		*c = i < len ? path[i] : '\0';
	}
	return (uint32_t)at;
}

struct mw_mapping *mw_mappings_add(struct mw_mappings *maps, uint64_t start,
				   uint64_t end, const char *path,
				   size_t path_len)
{
	bool ok;
	uint32_t at = intern_path(maps, path, path_len, &ok);
	struct mw_mapping *mapping = ok ? mw_vec_push(&maps->list) : NULL;

	if (mapping)
		*mapping = (struct mw_mapping){
			.start = start,
			.end = end,
			.path = at,
		};
	return mapping;
}

void mw_mappings_free(struct mw_mappings *maps)
{
	mw_vec_free(&maps->list);
	mw_vec_free(&maps->paths);
}

const char *mw_mapping_path(const struct mw_mappings *maps,
			    const struct mw_mapping *mapping)
{
	return &maps->paths.v[mapping->path];
}

size_t mw_mappings_after(const struct mw_mappings *maps, uint64_t va)
{
	return mw_first(i, 0, maps->list.n, maps->list.v[i].end > va);
}

const struct mw_mapping *mw_mappings_find(const struct mw_mappings *maps,
					  uint64_t va)
{
	size_t at = mw_mappings_after(maps, va);

	return at < maps->list.n && maps->list.v[at].start <= va
		       ? &maps->list.v[at]
		       : NULL;
}

bool mw_pages_add(struct mw_pages *pages, uint64_t start, uint64_t end,
		  unsigned state)
{
	size_t n = pages->runs.n;

	if (start >= end || !mw_is_aligned(start | end, MW_PAGE_BYTES) ||
	    end >> (MW_RUN_PAGE_BITS + MW_PAGE_SHIFT) ||
	    (n > 0 && mw_run_end(pages->runs.v[n - 1]) > start))
		return true;

	uint64_t left = (end - start) >> MW_PAGE_SHIFT;
	uint64_t page = start >> MW_PAGE_SHIFT;

	// Join with the run before, which a scan in steps may have cut.
	if (n > 0 && mw_run_end(pages->runs.v[n - 1]) == start &&
	    mw_run_state(pages->runs.v[n - 1]) == state) {
		uint64_t *last = &pages->runs.v[n - 1];
		uint64_t have = mw_run_bytes(*last) >> MW_PAGE_SHIFT;
		uint64_t take = mw_min(left, MW_RUN_MAX_PAGES - have);

		*last += take << (MW_RUN_PAGE_BITS + MW_RUN_STATE_BITS);
		page += take;
		left -= take;
	}
	while (left > 0) {
		uint64_t take = mw_min(left, MW_RUN_MAX_PAGES);
		uint64_t *run = mw_vec_push(&pages->runs);

		if (!run)
			return false;
		*run = page | (uint64_t)state << MW_RUN_PAGE_BITS |
		       take << (MW_RUN_PAGE_BITS + MW_RUN_STATE_BITS);
		page += take;
		left -= take;
	}
	return true;
}

bool mw_pages_append(struct mw_pages *pages, const struct mw_pages *more)
{
	size_t n, left;

	if (more->runs.n == 0)
		return true;
	// The first one may continue the last; the others stand as they are.
	if (!mw_pages_add(pages, mw_run_start(more->runs.v[0]),
			  mw_run_end(more->runs.v[0]),
			  mw_run_state(more->runs.v[0])))
		return false;
	left = more->runs.n - 1;
	n = pages->runs.n;
	if (left == 0)
		return true;
	if (n + left > pages->runs.cap) {
		size_t cap = n + left + (n + left) / 8;
		uint64_t *grown = mw_realloc(pages->runs.v, cap,
					     sizeof(*grown));

		if (!grown)
			return false;
		pages->runs.v = grown;
		pages->runs.cap = cap;
	}
	memcpy(&pages->runs.v[n], &more->runs.v[1],
	       left * sizeof(*more->runs.v));
	pages->runs.n += left;
	return true;
}

void mw_pages_free(struct mw_pages *pages)
{
	mw_vec_free(&pages->runs);
}

static size_t search(const struct mw_pages *pages, uint64_t va, size_t lo,
		     size_t hi)
{
	return mw_first(i, lo, hi, mw_run_end(pages->runs.v[i]) > va);
}

size_t mw_pages_after(const struct mw_pages *pages, uint64_t va)
{
	return search(pages, va, 0, pages->runs.n);
}

size_t mw_pages_after_hint(const struct mw_pages *pages, uint64_t va,
			   size_t hint)
{
	enum { NEAR = 8 };
	const uint64_t *runs = pages->runs.v;
	size_t n = pages->runs.n;

	if (hint > n || (hint > 0 && mw_run_end(runs[hint - 1]) > va))
		return search(pages, va, 0, hint < n ? hint : n);
	for (size_t steps = 0; steps < NEAR; steps++, hint++)
		if (hint >= n || mw_run_end(runs[hint]) > va)
			return hint;
	return search(pages, va, hint, n);
}

uint64_t mw_pages_next_aligned(const struct mw_pages *pages, uint64_t va,
			       uint64_t align, size_t *hint)
{
	va = mw_align_up(va, align);
	for (;;) {
		*hint = mw_pages_after_hint(pages, va, *hint);
		if (*hint == pages->runs.n)
			return UINT64_MAX;

		uint64_t run = pages->runs.v[*hint];
		if (mw_run_start(run) > va)
			va = mw_align_up(mw_run_start(run), align);
		else if (mw_run_state(run) & MW_PAGE_PRESENT)
			return va;
		else
			va = mw_align_up(mw_run_end(run), align);
	}
}

unsigned mw_pages_state(const struct mw_pages *pages, uint64_t va)
{
	size_t at = mw_pages_after(pages, va);

	return at < pages->runs.n && mw_run_start(pages->runs.v[at]) <= va
		       ? mw_run_state(pages->runs.v[at])
		       : 0;
}

void mw_pages_tally(const struct mw_pages *pages, size_t *hint, uint64_t start,
		    uint64_t end, struct mw_tally *tally)
{
	size_t at = mw_pages_after_hint(pages, start, *hint);

	for (; at < pages->runs.n; at++) {
		uint64_t run = pages->runs.v[at];
		uint64_t from = mw_max(start, mw_run_start(run));
		uint64_t to = mw_min(end, mw_run_end(run));

		if (from >= to)
			break;
		if (mw_state_is_rss(mw_run_state(run)))
			tally->rss_bytes += to - from;
		if (mw_run_state(run) & MW_PAGE_SWAPPED)
			tally->swap_bytes += to - from;
		if (to == end)
			break;
	}
	*hint = at;
}

/* Threads */

void mw_thread_take_registers(struct mw_thread *thread,
			      const uint64_t general[27])
{
	enum { R15, R14, R13, R12, RBP, RBX, R11, R10, R9, R8, RAX, RCX, RDX,
	       RSI, RDI, ORIG_RAX, RIP, CS, EFLAGS, RSP, SS, FS_BASE };
	static const uint8_t order[MW_REGISTERS] = {
		RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8,
		R9,  R10, R11, R12, R13, R14, R15, RIP,
	};

	for (size_t i = 0; i < MW_REGISTERS; i++)
		thread->registers[i] = general[order[i]];
	thread->has_registers = thread->has_sp = thread->has_fs = true;
	thread->sp = general[RSP];
	thread->pc = general[RIP];
	thread->fs_base = general[FS_BASE];
}
