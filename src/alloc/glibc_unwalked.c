/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc_int.h"

/*
 * Heaps of thread arenas that no main arena leads to: the arena's layout is not
 * known, or it is damaged. Their extents are seen from their heap_info; what is
 * in them is not told apart.
 */
#define HEAP_BYTES MW_MIB(64)

struct accounts {
	mw_account_id arenas, reserved;
};

static struct mw_error *claim_heap(const struct mw_sink *sink,
				   const struct accounts *accounts,
				   uint64_t va, uint64_t writable)
{
	const struct {
		uint64_t start, bytes;
		mw_account_id account;
	} parts[] = {
		{ va, writable, accounts->arenas },
		{ va + writable, HEAP_BYTES - writable, accounts->reserved },
	};

	for (size_t i = 0; i < MW_COUNT(parts); i++) {
		if (parts[i].bytes == 0)
			continue;
		struct mw_error *error = mw_sink_claim(
			sink, &(struct mw_claim){
			.start = parts[i].start,
			.bytes = parts[i].bytes,
			.layer = MW_LAYER_OWNER,
			.account = parts[i].account,
			.walker = "glibc malloc",
			.what = "glibc arena",
		});
		if (error)
			return error;
	}
	return NULL;
}

/** Whether a heap at @va leads to a first one, behind which the arena is. */
static bool leads_to_arena(struct mw_target *target, uint64_t va)
{
	enum { LONGEST = 10000 };
	uint64_t arena = 0, owner;

	for (int n = 0; n < LONGEST; n++) {
		size_t count;
		const struct glibc_heap_layout *l =
			glibc_heap_layouts(&count);

		if (!mw_is_aligned(va, HEAP_BYTES) ||
		    !glibc_is_heap(target, va, HEAP_BYTES, &owner) ||
		    (arena && owner != arena))
			return false;
		arena = owner;
		for (size_t i = 0; i < count; i++)
			if (owner == va + l[i].bytes)
				return true;
		if (!mw_target_peek(target, va + 8, &va, 8) || va == 0)
			return false;
	}
	return false;
}

static bool is_known(const struct mw_alloc *alloc, uint64_t va)
{
	for (size_t i = 0; i < alloc->heaps.n; i++) {
		const struct alloc_heap *h = &alloc->heaps.v[i];
		const struct glibc *glibc = h->state;

		if (h->detector == &alloc_glibc &&
		    mw_map64_find(&glibc->heaps, va))
			return true;
	}
	return false;
}

struct mw_error *glibc_claim_unwalked(struct mw_alloc *alloc)
{
	const struct mw_mappings *maps = mw_target_mappings(alloc->target);
	const struct mw_pages *pages = mw_target_pages(alloc->target);
	struct accounts accounts;
	struct mw_error *error;
	size_t hint = 0;

	error = mw_sink_account(alloc->sink, "malloc/unwalked", "arenas",
				"heap_info of glibc's thread arenas; what is "
				"in them is not told apart", &accounts.arenas);
	if (!error)
		error = mw_sink_account(alloc->sink, "malloc/unwalked",
					"reserved",
					"heap_info of glibc's thread arenas: "
					"behind mprotect_size",
					&accounts.reserved);
	for (size_t i = 0; !error && i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (!mw_mapping_is_anonymous(m) || !(m->perms & MW_PERM_W) ||
		    (m->perms & MW_PERM_X))
			continue;
		for (uint64_t va = mw_pages_next_aligned(pages, m->start,
							HEAP_BYTES, &hint);
		     !error && va < m->end;
		     va = mw_pages_next_aligned(pages, va + HEAP_BYTES,
						HEAP_BYTES, &hint)) {
			uint64_t writable;

			if (!is_known(alloc, va) &&
			    leads_to_arena(alloc->target, va) &&
			    mw_target_peek(alloc->target, va + 24, &writable,
					   8) &&
			    writable <= HEAP_BYTES)
				error = claim_heap(alloc->sink, &accounts, va,
						   writable);
		}
	}
	return error;
}
