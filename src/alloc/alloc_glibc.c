/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_alloc.h"

#include "mw_num.h"

/*
 * A heap of a thread arena of glibc (malloc/arena.c, struct heap_info), at a
 * multiple of HEAP_MAX_SIZE, 64 MiB:
 *
 *	0	*ar_ptr: the arena; in the first heap, right behind this struct
 *	8	*prev: the heap before, 0 in the first
 *	16	u64 size: bytes in use by the arena
 *	24	u64 mprotect_size: bytes that were made writable
 *	32	u64 pagesize, since 2.35 (then the struct has 48 bytes, else 32)
 *
 * All 64 MiB are mapped; what lies behind mprotect_size is only reserved.
 */
#define HEAP_BYTES MW_MIB(64)

struct heap_info {
	uint64_t arena, prev, size, mprotect_size, page_bytes;
};

static bool read_heap(struct mw_target *target, uint64_t va,
		      struct heap_info *ret)
{
	return (mw_pages_state(mw_target_pages(target), va) &
		MW_PAGE_PRESENT) &&
	       mw_target_peek(target, va, ret, sizeof(*ret)) &&
	       mw_is_aligned(ret->size | ret->mprotect_size, MW_PAGE_BYTES) &&
	       ret->size > 0 && ret->size <= ret->mprotect_size &&
	       ret->mprotect_size <= HEAP_BYTES;
}

/** The arena stands right behind the first heap's head. */
static bool is_first_heap(const struct heap_info *heap, uint64_t va)
{
	return heap->prev == 0 &&
	       (heap->arena == va + 32 ||
		(heap->arena == va + 48 && heap->page_bytes == MW_PAGE_BYTES));
}

static bool is_heap(struct mw_target *target, uint64_t va,
		    struct heap_info *heap)
{
	enum { LONGEST = 10000 };
	struct heap_info at;

	if (!read_heap(target, va, heap))
		return false;
	at = *heap;
	for (int n = 0; n < LONGEST; n++) {
		uint64_t arena = at.arena;

		if (is_first_heap(&at, va))
			return true;
		va = at.prev;
		if (!va || !mw_is_aligned(va, HEAP_BYTES) ||
		    !read_heap(target, va, &at) || at.arena != arena)
			return false;
	}
	return false;
}

struct accounts {
	mw_account_id arenas, reserved;
};

static struct mw_error *claim_heap(const struct mw_sink *sink,
				   const struct accounts *accounts,
				   uint64_t va, const struct heap_info *heap)
{
	const struct {
		uint64_t start, bytes;
		mw_account_id account;
	} parts[] = {
		{ va, heap->mprotect_size, accounts->arenas },
		{ va + heap->mprotect_size, HEAP_BYTES - heap->mprotect_size,
		  accounts->reserved },
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

struct mw_error *mw_alloc_claim(struct mw_target *target,
				const struct mw_sink *sink)
{
	const struct mw_mappings *maps = mw_target_mappings(target);
	struct accounts accounts;
	struct mw_error *error;

	if (!mw_target_info(target)->can_read ||
	    !mw_target_info(target)->is_64)
		return NULL;
	error = mw_sink_account(sink, "malloc/unwalked", "arenas",
				"heap_info of glibc's thread arenas; what is "
				"in them is not told apart", &accounts.arenas);
	if (!error)
		error = mw_sink_account(sink, "malloc/unwalked", "reserved",
					"heap_info of glibc's thread arenas: "
					"behind mprotect_size",
					&accounts.reserved);
	for (size_t i = 0; !error && i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];

		if (!mw_mapping_is_anonymous(m) || !(m->perms & MW_PERM_W) ||
		    (m->perms & MW_PERM_X))
			continue;
		for (uint64_t va = mw_align_up(m->start, HEAP_BYTES);
		     !error && va < m->end; va += HEAP_BYTES) {
			struct heap_info heap;

			if (is_heap(target, va, &heap))
				error = claim_heap(sink, &accounts, va, &heap);
		}
	}
	return error;
}
