/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"
#include "mw_cycle.h"

/*
 * What the runtime cuts from persistent chunks and never gives back: fixalloc
 * blocks of mspans, mcaches and specials, sets of spans, profile buckets,
 * itabs, poll descriptors and more. All of it becomes go->parts.
 */

/* Blocks of fixed size */

/** Free blocks of the allocator at @va, and the rest of its current chunk. */
static struct mw_error *add_free_blocks(struct mw_go *go,
					enum go_field allocator,
					mw_account_id account)
{
	uint64_t va = go->mheap + go_off(go, allocator);
	uint64_t size, block, chunk, left;
	struct mw_cycle cycle = { 0 };
	struct mw_error *error = NULL;

	if (!go_has(go, allocator) ||
	    !go_read(go, va, GO_fixalloc_size, &size) || size == 0 ||
	    size > MW_KIB(16) || !go_read(go, va, GO_fixalloc_list, &block))
		return NULL;
	// Free mspans are in allspans already.
	if (allocator == GO_mheap_spanalloc)
		block = 0;
	// One that is taken meanwhile may lead anywhere.
	while (block && !error && go_in_chunk(go, block) &&
	       !mw_cycle_meets(&cycle, block)) {
		error = mw_part_list_add(&go->parts, block, size, account);
		if (!mw_target_read_u64(go->target, block, &block))
			break;
	}
	if (!error && go_read(go, va, GO_fixalloc_chunk, &chunk) &&
	    go_read(go, va, GO_fixalloc_nchunk, &left) &&
	    go_in_chunk(go, chunk))
		error = mw_part_list_add(&go->parts, chunk,
					 mw_min(left & UINT32_MAX, MW_KIB(16)),
					 account);
	return error;
}

static struct mw_error *add_fixed_blocks(struct mw_go *go)
{
	const struct {
		enum go_field allocator;
		mw_account_id account;
	} all[] = {
		{ GO_mheap_spanalloc, go->accounts.mspan },
		{ GO_mheap_cachealloc, go->accounts.mcache },
		{ GO_mheap_arenaHintAlloc, go->accounts.arena_hints },
		{ GO_mheap_treapalloc, go->accounts.page_alloc },
		{ GO_mheap_spanSPMCAlloc, go->accounts.gc_work },
		{ GO_mheap_specialfinalizeralloc, go->accounts.specials },
		{ GO_mheap_specialCleanupAlloc, go->accounts.specials },
		{ GO_mheap_specialCheckFinalizerAlloc, go->accounts.specials },
		{ GO_mheap_specialTinyBlockAlloc, go->accounts.specials },
		{ GO_mheap_specialprofilealloc, go->accounts.specials },
		{ GO_mheap_specialReachableAlloc, go->accounts.specials },
		{ GO_mheap_specialPinCounterAlloc, go->accounts.specials },
		{ GO_mheap_specialWeakHandleAlloc, go->accounts.specials },
		{ GO_mheap_specialBubbleAlloc, go->accounts.specials },
		{ GO_mheap_specialSecretAlloc, go->accounts.specials },
	};
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < go->mspans.n; i++)
		error = mw_part_list_add(
			&go->parts, go->mspans.v[i].start,
			go->mspans.v[i].end - go->mspans.v[i].start,
			go->accounts.mspan);
	for (size_t i = 0; !error && i < MW_COUNT(all); i++)
		error = add_free_blocks(go, all[i].allocator, all[i].account);
	return error;
}

/* Span sets */

static struct mw_error *add_span_set_block(struct mw_go *go, uint64_t index,
					   uint64_t block, void *ctx)
{
	(void)index;
	(void)ctx;
	return go_in_chunk(go, block)
		       ? mw_part_list_add(&go->parts, block,
					  go_size(go, GO_spanSetBlock),
					  go->accounts.span_sets)
		       : NULL;
}

static struct mw_error *add_span_set(struct mw_go *go, uint64_t va)
{
	enum { MAX_SPINE = 1 << 20 };
	uint64_t spine, len, cap;
	struct mw_error *error;

	if (!go_read(go, va, GO_spanSet_spine, &spine) || !spine ||
	    !go_read(go, va, GO_spanSet_spineLen, &len) ||
	    !go_read(go, va, GO_spanSet_spineCap, &cap) || len > cap ||
	    cap > MAX_SPINE || !go_in_chunk(go, spine))
		return NULL;
	error = mw_part_list_add(&go->parts, spine, cap * 8,
				 go->accounts.span_sets);
	return error ? error
		     : go_each_pointer(go, spine, len, add_span_set_block,
				       NULL);
}

static struct mw_error *add_span_sets(struct mw_go *go)
{
	uint64_t stride = go_size(go, GO_mheap_central_elem);
	uint64_t count = stride ? go_size(go, GO_mheap_central) / stride : 0;
	struct mw_error *error = NULL;

	if (!go_has(go, GO_mcentral_partial) || !go_has(go, GO_spanSet_spine))
		return NULL;
	for (uint64_t i = 0; !error && i < count; i++) {
		uint64_t central = go->mheap + go_off(go, GO_mheap_central) +
				   i * stride;

		for (uint64_t k = 0; !error && k < 2; k++) {
			error = add_span_set(
				go, central +
					    go_off(go, GO_mcentral_partial) +
					    k * go_size(go, GO_spanSet));
			if (!error)
				error = add_span_set(
					go,
					central +
						go_off(go, GO_mcentral_full) +
						k * go_size(go, GO_spanSet));
		}
	}
	return error;
}

static struct mw_error *add_sweep_block(struct mw_go *go, uint64_t index,
					uint64_t block, void *ctx)
{
	enum { BLOCK = 512 * 8 }; // gcSweepBlockEntries pointers

	(void)index;
	(void)ctx;
	return go_in_chunk(go, block)
		       ? mw_part_list_add(&go->parts, block, BLOCK,
					  go->accounts.span_sets)
		       : NULL;
}

/** What there was before span sets, to Go 1.14: all spans, to be swept. */
static struct mw_error *add_sweep_bufs(struct mw_go *go)
{
	enum { BUFS = 2, MAX_SPINE = 1 << 20 };
	uint64_t va = go->mheap + go_off(go, GO_mheap_sweepSpans);
	struct mw_error *error = NULL;

	if (!go_has(go, GO_mheap_sweepSpans))
		return NULL;
	for (int i = 0; !error && i < BUFS;
	     i++, va += go_size(go, GO_gcSweepBuf)) {
		uint64_t spine, len, cap;

		if (!go_read(go, va, GO_gcSweepBuf_spine, &spine) || !spine ||
		    !go_read(go, va, GO_gcSweepBuf_spineLen, &len) ||
		    !go_read(go, va, GO_gcSweepBuf_spineCap, &cap) ||
		    len > cap || cap > MAX_SPINE || !go_in_chunk(go, spine))
			continue;
		error = mw_part_list_add(&go->parts, spine, cap * 8,
					 go->accounts.span_sets);
		if (!error)
			error = go_each_pointer(go, spine, len, add_sweep_block,
						NULL);
	}
	return error;
}

/* Trees of free spans, to Go 1.13 */

struct treap_walk {
	struct mw_map64 seen;
	MW_VEC(uint64_t) todo;
};

static struct mw_error *push_node(struct mw_go *go, struct treap_walk *w,
				  uint64_t node)
{
	enum { LIMIT = 1 << 24 };
	uint64_t *place;

	if (!node || !go_in_chunk(go, node) || w->seen.count >= LIMIT)
		return NULL;
	place = mw_map64_at(&w->seen, node);
	if (!place)
		return mw_error_nomem();
	if ((*place)++)
		return NULL;
	place = mw_vec_push(&w->todo);
	if (!place)
		return mw_error_nomem();
	*place = node;
	return NULL;
}

static struct mw_error *walk_treap(struct mw_go *go, struct treap_walk *w,
				   uint64_t root)
{
	static const enum go_field sides[] = { GO_treapNode_left,
					       GO_treapNode_right };
	struct mw_error *error = push_node(go, w, root);

	while (!error && w->todo.n > 0) {
		uint64_t node = w->todo.v[--w->todo.n], child;

		error = mw_part_list_add(&go->parts, node,
					 go_size(go, GO_treapNode),
					 go->accounts.page_alloc);
		for (size_t i = 0; !error && i < MW_COUNT(sides); i++)
			if (go_read(go, node, sides[i], &child))
				error = push_node(go, w, child);
	}
	return error;
}

static struct mw_error *add_treaps(struct mw_go *go)
{
	enum { MAX_TREAP = 16 }; // bytes; `free` was an array of lists once
	static const enum go_field roots[] = {
		GO_mheap_free, GO_mheap_freelarge, GO_mheap_scav,
	};
	struct treap_walk walk = { 0 };
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < MW_COUNT(roots); i++) {
		uint64_t root;

		if (go_has(go, GO_treapNode) && go_has(go, roots[i]) &&
		    go_size(go, roots[i]) <= MAX_TREAP &&
		    go_read(go, go->mheap, roots[i], &root))
			error = walk_treap(go, &walk, root);
	}
	mw_map64_free(&walk.seen);
	mw_vec_free(&walk.todo);
	return error;
}

/* Profiles, interfaces, poll descriptors, hints */

static struct mw_error *add_buckets(struct mw_go *go)
{
	enum { MAX_STACK = 1024 };
	const uint64_t records[] = {
		go_size(go, GO_memRecord),
		go_size(go, GO_blockRecord),
		go_size(go, GO_blockRecord),
	};
	struct mw_error *error = NULL;

	for (size_t kind = 0; kind < MW_COUNT(records); kind++) {
		struct mw_cycle cycle = { 0 };
		uint64_t bucket = 0, nstk;

		if (!go->buckets[kind] ||
		    !mw_target_read_u64(go->target, go->buckets[kind],
					&bucket))
			continue;
		while (bucket && !error) {
			if (!go_in_chunk(go, bucket) ||
			    mw_cycle_meets(&cycle, bucket) ||
			    !go_read(go, bucket, GO_bucket_nstk, &nstk) ||
			    nstk > MAX_STACK)
				break;
			error = mw_part_list_add(
				&go->parts, bucket,
				go_size(go, GO_bucket) + nstk * 8 +
					records[kind],
				go->accounts.profile_buckets);
			if (!go_read(go, bucket, GO_bucket_allnext, &bucket))
				break;
		}
	}
	return error;
}

static struct mw_error *add_itab(struct mw_go *go, uint64_t index,
				 uint64_t itab, void *ctx)
{
	enum { METHODS = 16, INTERFACE_METHODS_LEN = 64, HEAD = 24 };
	uint64_t interface, methods;

	(void)index;
	(void)ctx;
	// Those in the binary's data are the binary's.
	if (!go_in_chunk(go, itab) ||
	    !mw_target_read_u64(go->target, itab, &interface) ||
	    !mw_target_read_u64(go->target,
				interface + INTERFACE_METHODS_LEN, &methods) ||
	    methods == 0 || methods > 1 << METHODS)
		return NULL;
	return mw_part_list_add(&go->parts, itab, HEAD + methods * 8,
				go->accounts.itabs);
}

static struct mw_error *add_itabs(struct mw_go *go)
{
	uint64_t table, size;

	if (!go->itab_table ||
	    !mw_target_read_u64(go->target, go->itab_table, &table) ||
	    !go_read(go, table, GO_itabTable_size, &size) || size > 1 << 24)
		return NULL;
	return go_each_pointer(go, table + go_off(go, GO_itabTable_entries),
			       size, add_itab, NULL);
}

static struct mw_error *add_poll_descs(struct mw_go *go)
{
	struct mw_error *error = NULL;
	struct mw_cycle cycle = { 0 };
	uint64_t desc = 0;

	// Only free ones hang in the list: those in use are known through
	// their heap objects and stay in `persistent`.
	if (!go->poll_cache ||
	    !mw_target_read_u64(go->target, go->poll_cache + 8, &desc))
		return NULL;
	while (desc && !error && go_in_chunk(go, desc) &&
	       !mw_cycle_meets(&cycle, desc)) {
		error = mw_part_list_add(&go->parts, desc,
					 go_size(go, GO_pollDesc),
					 go->accounts.poll_descs);
		if (!go_read(go, desc, GO_pollDesc_link, &desc))
			break;
	}
	return error;
}

static struct mw_error *add_hints(struct mw_go *go)
{
	enum { LIMIT = 10000 };
	static const enum go_field lists[] = { GO_mheap_arenaHints,
					       GO_mheap_userArena_arenaHints };
	struct mw_error *error = NULL;

	for (size_t i = 0; i < MW_COUNT(lists); i++) {
		uint64_t hint;

		if (!go_has(go, lists[i]) || !go_has(go, GO_arenaHint_next) ||
		    !go_read(go, go->mheap, lists[i], &hint))
			continue;
		for (int n = 0; hint && !error && n < LIMIT; n++) {
			if (!go_in_chunk(go, hint))
				break;
			error = mw_part_list_add(&go->parts, hint,
						 go_size(go, GO_arenaHint),
						 go->accounts.arena_hints);
			if (!go_read(go, hint, GO_arenaHint_next, &hint))
				break;
		}
	}
	return error;
}

struct mw_error *go_add_blocks(struct mw_go *go)
{
	static struct mw_error *(*const adders[])(struct mw_go *go) = {
		add_fixed_blocks, add_span_sets,
		add_sweep_bufs,	  add_treaps,
		add_buckets,	  add_itabs,
		add_poll_descs,	  add_hints,
	};
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < MW_COUNT(adders); i++)
		error = adders[i](go);
	return error;
}
