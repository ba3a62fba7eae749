/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"

/*
 * The runtime's own memory. Large pieces are mapped one by one (sysAlloc,
 * sysReserve); small ones are cut from persistent chunks of 256 KiB, which
 * nothing frees: fixalloc blocks of mspans, mcaches and specials, span sets,
 * profile buckets, itabs, poll descriptors and more.
 */

struct piece {
	uint64_t start, bytes;
	mw_account_id account;
	const char *what;
};

static struct mw_error *refine(void *ctx, const struct mw_claim *claim,
			       struct mw_parts *parts)
{
	struct mw_go *go = ctx;

	mw_part_list_emit(&go->parts, claim, parts);
	return NULL;
}

static bool in_chunk(const struct mw_go *go, uint64_t va)
{
	for (size_t i = 0; i < go->chunks.n; i++)
		if (va >= go->chunks.v[i] &&
		    va < go->chunks.v[i] + GO_PERSISTENT_CHUNK)
			return true;
	return false;
}

/** Claim a piece of its own; what lies in a chunk is a part of that. */
static struct mw_error *claim(struct mw_go *go, const struct piece *piece)
{
	uint64_t end;

	if (piece->start == 0 || piece->bytes == 0 ||
	    !mw_end(piece->start, piece->bytes, &end))
		return NULL;
	if (in_chunk(go, piece->start))
		return mw_part_list_add(&go->parts, piece->start, piece->bytes,
					piece->account);
	// What the kernel maps begins with a page and has whole ones. Anything
	// else lies in a chunk that was made after the mappings were read.
	uint64_t bytes = mw_is_aligned(piece->start, MW_PAGE_BYTES)
				 ? mw_align_up(piece->bytes, MW_PAGE_BYTES)
				 : piece->bytes;

	// A pointer to anything else than memory of its own is damage, or a
	// structure that has moved to the heap, where it is an object.
	if (go_in_heap(go, piece->start) ||
	    !go_is_mapped(go, piece->start, bytes))
		return NULL;
	return mw_sink_claim(go->sink, &(struct mw_claim){
		.start = piece->start,
		.bytes = bytes,
		.layer = MW_LAYER_OWNER,
		.account = piece->account,
		.walker = "Go runtime",
		.what = piece->what,
		.refine = refine,
		.ctx = go,
	});
}

static struct mw_error *claim_slice(struct mw_go *go, uint64_t va,
				    uint64_t elem_bytes, mw_account_id account,
				    const char *what)
{
	struct go_slice slice;
	struct piece piece = { .account = account, .what = what };

	if (!go_read_slice(go, va, &slice) ||
	    __builtin_mul_overflow(slice.cap, elem_bytes, &piece.bytes))
		return NULL;
	piece.start = slice.ptr;
	return claim(go, &piece);
}

/* heapArena */

static struct mw_error *claim_heap_arenas(struct mw_go *go)
{
	uint64_t arena, index;
	struct mw_error *error = NULL;

	for (size_t at = 0;
	     !error && mw_map64_next(&go->heap_arenas, &at, &arena, &index);) {
		static const enum go_field bitmaps[] = {
			GO_heapArena_bitmap, GO_heapArena_noMorePtrs,
		};

		if (index == 0)
			continue; // refused when the regions were found
		for (size_t i = 0; !error && i < MW_COUNT(bitmaps); i++)
			if (go_has(go, bitmaps[i]))
				error = mw_part_list_add(
					&go->parts,
					arena + go_off(go, bitmaps[i]),
					go_size(go, bitmaps[i]),
					go->accounts.bitmap);
		if (!error)
			error = mw_part_list_add(
				&go->parts,
				arena + go_off(go, GO_heapArena_spans),
				go_size(go, GO_heapArena_spans),
				go->accounts.spans_index);
		if (!error)
			error = claim(go, &(struct piece){
				arena, go_size(go, GO_heapArena),
				go->accounts.heap_arenas, "Go heap arena's "
				"description" });
	}
	return error;
}

/* pageAlloc */

static struct mw_error *claim_chunk_bits(struct mw_go *go, uint64_t index,
					 uint64_t chunks, void *ctx)
{
	enum { ENTRIES = 8192 };

	(void)index;
	(void)ctx;
	return claim(go, &(struct piece){ chunks,
					  ENTRIES * go_size(go, GO_pallocData),
					  go->accounts.page_alloc,
					  "Go page allocator" });
}

static struct mw_error *claim_page_alloc(struct mw_go *go)
{
	enum { LEVELS = 5, SLICE_BYTES = 24, ADDR_RANGE_BYTES = 16 };
	uint64_t pages = go->mheap + go_off(go, GO_mheap_pages);
	struct mw_error *error = NULL;

	if (!go_has(go, GO_pageAlloc_summary))
		return NULL;
	for (int i = 0; !error && i < LEVELS; i++)
		error = claim_slice(go,
				    pages + go_off(go, GO_pageAlloc_summary) +
					    (uint64_t)i * SLICE_BYTES,
				    8, go->accounts.page_alloc,
				    "Go page allocator's summary");
	if (!error)
		error = go_each_pointer(
			go, pages + go_off(go, GO_pageAlloc_chunks),
			go_size(go, GO_pageAlloc_chunks) / 8, claim_chunk_bits,
			NULL);
	if (!error && go_has(go, GO_pageAlloc_scav_index_chunks) &&
	    go_has(go, GO_scavChunk))
		error = claim_slice(
			go, pages + go_off(go, GO_pageAlloc_scav_index_chunks),
			go_size(go, GO_scavChunk), go->accounts.page_alloc,
			"Go scavenger's index");
	if (!error && go_has(go, GO_pageAlloc_inUse))
		error = claim_slice(go,
				    pages + go_off(go, GO_pageAlloc_inUse),
				    ADDR_RANGE_BYTES, go->accounts.page_alloc,
				    "Go page allocator");
	if (!error && go_has(go, GO_pageAlloc_scav_inUse))
		error = claim_slice(go,
				    pages + go_off(go, GO_pageAlloc_scav_inUse),
				    ADDR_RANGE_BYTES, go->accounts.page_alloc,
				    "Go page allocator");
	return error;
}

/* Bits of spans */

static struct mw_error *claim_gc_bits(struct mw_go *go)
{
	enum { LISTS = 4, LIMIT = 1 << 20 };
	struct mw_map64 seen = { 0 };
	struct mw_error *error = NULL;

	for (int list = 1; go->gc_bits_arenas && list <= LISTS; list++) {
		uint64_t arena;

		if (!mw_target_read_u64(go->target,
					go->gc_bits_arenas +
						8 * (uint64_t)list,
					&arena))
			break;
		while (!error && arena && seen.count < LIMIT) {
			uint64_t *place = mw_map64_at(&seen, arena);

			if (!place)
				error = mw_error_nomem();
			else if (*place)
				break; // moved from list to list meanwhile
			else
				error = claim(go, &(struct piece){
					arena, GO_GC_BITS_ARENA,
					go->accounts.gc_bits,
					"Go mark and allocation bits" });
			if (!error)
				*place = 1;
			if (!mw_target_peek(
				    go->target,
				    arena + go_off(go, GO_gcBitsArena_next),
				    &arena, sizeof(arena)))
				break;
		}
	}
	mw_map64_free(&seen);
	return error;
}

/* Blocks of fixed size */

/** Free blocks of the allocator at @va, and the rest of its current chunk. */
static struct mw_error *add_free_blocks(struct mw_go *go,
					enum go_field allocator,
					mw_account_id account)
{
	enum { LIMIT = 1 << 24 };
	uint64_t va = go->mheap + go_off(go, allocator);
	uint64_t size, block, chunk, left;
	struct mw_error *error = NULL;

	if (!go_has(go, allocator) ||
	    !go_read(go, va, GO_fixalloc_size, &size) || size == 0 ||
	    size > MW_KIB(16) || !go_read(go, va, GO_fixalloc_list, &block))
		return NULL;
	// Free mspans are in allspans already.
	if (allocator == GO_mheap_spanalloc)
		block = 0;
	for (int n = 0; block && !error && n < LIMIT; n++) {
		if (!in_chunk(go, block))
			break;
		error = mw_part_list_add(&go->parts, block, size, account);
		if (!mw_target_read_u64(go->target, block, &block))
			break;
	}
	if (!error && go_read(go, va, GO_fixalloc_chunk, &chunk) &&
	    go_read(go, va, GO_fixalloc_nchunk, &left) && in_chunk(go, chunk))
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
	return in_chunk(go, block)
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
	    cap > MAX_SPINE || !in_chunk(go, spine))
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

/* Processors and threads */

/** Rings of the GC's span queues (1.26), each its own mapping. */
static struct mw_error *claim_span_queues(struct mw_go *go, uint64_t p,
					  struct mw_map64 *seen)
{
	enum { LIMIT = 1 << 16 };
	static const enum go_field ends[] = { GO_p_gcw_spanq_head,
					      GO_p_gcw_spanq_tail };
	struct mw_error *error = NULL;

	for (size_t i = 0; i < MW_COUNT(ends); i++) {
		uint64_t queue;

		if (!go_has(go, ends[i]) || !go_has(go, GO_spanSPMC_ring) ||
		    !go_read(go, p, ends[i], &queue))
			continue;
		// All queues hang in one list, also those just retired.
		for (int n = 0; queue && !error && n < LIMIT; n++) {
			uint64_t *place = mw_map64_at(seen, queue);
			uint64_t cap, ring;

			if (!place)
				return mw_error_nomem();
			if (*place || !in_chunk(go, queue))
				break;
			*place = 1;
			if (go_read(go, queue, GO_spanSPMC_cap, &cap) &&
			    go_read(go, queue, GO_spanSPMC_ring, &ring) &&
			    cap <= 1 << 24)
				error = claim(go, &(struct piece){
					ring,
					mw_align_up(cap * 8, MW_PAGE_BYTES),
					go->accounts.gc_work,
					"Go span queue" });
			if (!error)
				error = mw_part_list_add(
					&go->parts, queue,
					go_size(go, GO_spanSPMC),
					go->accounts.gc_work);
			if (!go_read(go, queue, GO_spanSPMC_allnode_next,
				     &queue))
				break;
		}
	}
	return error;
}

static struct mw_error *add_p(struct mw_go *go, uint64_t index, uint64_t p,
			      void *ctx)
{
	uint64_t at = p + go_off(go, GO_p_palloc);
	uint64_t cache, base, off, buffer;
	struct mw_error *error = NULL;

	(void)index;
	if (go_read(go, p, GO_p_mcache, &cache) && in_chunk(go, cache))
		error = mw_part_list_add(&go->parts, cache,
					 go_size(go, GO_mcache),
					 go->accounts.mcache);
	if (!error && go_has(go, GO_p_palloc) &&
	    go_read(go, at, GO_persistentAlloc_base, &base) &&
	    go_read(go, at, GO_persistentAlloc_off, &off) &&
	    in_chunk(go, base) && off < GO_PERSISTENT_CHUNK)
		error = mw_part_list_add(&go->parts, base + off,
					 GO_PERSISTENT_CHUNK - off,
					 go->accounts.persistent_free);
	if (!error && go_has(go, GO_p_gcw_ptrBuf) &&
	    go_read(go, p, GO_p_gcw_ptrBuf, &buffer) && in_chunk(go, buffer))
		error = mw_part_list_add(&go->parts, buffer, GO_PAGE_BYTES,
					 go->accounts.gc_work);
	return error ? error : claim_span_queues(go, p, ctx);
}

static struct mw_error *add_ps(struct mw_go *go)
{
	struct mw_map64 seen = { 0 };
	struct mw_error *error = NULL;
	struct go_slice allp;

	// Also those behind the length, which GOMAXPROCS has taken back.
	if (go->allp && go_read_slice(go, go->allp, &allp))
		error = go_each_pointer(go, allp.ptr, allp.cap, add_p, &seen);
	mw_map64_free(&seen);
	return error;
}

/** State of the vdso's getrandom: few pages in a mapping of their own. */
static struct mw_error *claim_getrandom(struct mw_go *go)
{
	enum { LIMIT = 1 << 20 };
	const struct mw_mappings *maps = mw_target_mappings(go->target);
	struct mw_map64 seen = { 0 };
	struct mw_error *error = NULL;
	uint64_t m = 0, state;

	if (!go_has(go, GO_m_vgetrandomState) || !go->allm ||
	    !mw_target_read_u64(go->target, go->allm, &m))
		return NULL;
	for (int n = 0; m && !error && n < LIMIT; n++) {
		const struct mw_mapping *mapping = NULL;

		if (go_read(go, m, GO_m_vgetrandomState, &state) && state)
			mapping = mw_mappings_find(maps, state);
		if (mapping && mw_mapping_is_anonymous(mapping) &&
		    mw_mapping_bytes(mapping) <= MW_KIB(256)) {
			uint64_t *place = mw_map64_at(&seen, mapping->start);

			if (!place)
				error = mw_error_nomem();
			else if (!(*place)++)
				error = mw_sink_claim(
					go->sink, &(struct mw_claim){
					.start = mapping->start,
					.bytes = mw_mapping_bytes(mapping),
					.layer = MW_LAYER_REMAINDER,
					.account = go->accounts.getrandom,
					.walker = "Go runtime",
					.what = "Go getrandom state",
				});
		}
		if (!go_read(go, m, GO_m_alllink, &m))
			break;
	}
	mw_map64_free(&seen);
	return error;
}

/* Profiles, interfaces, poll descriptors, hints */

static struct mw_error *add_buckets(struct mw_go *go)
{
	enum { LIMIT = 1 << 24, MAX_STACK = 1024 };
	const uint64_t records[] = {
		go_size(go, GO_memRecord),
		go_size(go, GO_blockRecord),
		go_size(go, GO_blockRecord),
	};
	struct mw_error *error = NULL;
	uint64_t table;

	for (size_t kind = 0; kind < MW_COUNT(records); kind++) {
		uint64_t bucket = 0, nstk;

		if (!go->buckets[kind] ||
		    !mw_target_read_u64(go->target, go->buckets[kind],
					&bucket))
			continue;
		for (int n = 0; bucket && !error && n < LIMIT; n++) {
			if (!in_chunk(go, bucket) ||
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
	if (!error && go->buckhash &&
	    mw_target_read_u64(go->target, go->buckhash, &table))
		error = claim(go, &(struct piece){
			table, UINT64_C(179999) * 8,
			go->accounts.profile_buckets,
			"Go profile's hash table" });
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
	if (!in_chunk(go, itab) ||
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
	enum { LIMIT = 1 << 22, BLOCK = 4096 };
	struct mw_error *error = NULL;
	uint64_t desc = 0;

	// Only free ones hang in the list: those in use are known through
	// their heap objects and stay in `persistent`.
	if (!go->poll_cache ||
	    !mw_target_read_u64(go->target, go->poll_cache + 8, &desc))
		return NULL;
	for (int n = 0; desc && !error && n < LIMIT; n++) {
		if (!in_chunk(go, desc))
			break;
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
			if (!in_chunk(go, hint))
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

/** Lists of arena numbers, 4 bytes each. */
static struct mw_error *add_arena_lists(struct mw_go *go)
{
	static const enum go_field lists[] = {
		GO_mheap_allArenas,	  GO_mheap_heapArenas,
		GO_mheap_userArenaArenas, GO_mheap_sweepArenas,
		GO_mheap_markArenas,
	};
	struct mw_map64 seen = { 0 };
	struct mw_error *error = NULL;

	// sweepArenas and markArenas are the older state of the first one, so
	// they may share its array.
	for (size_t i = 0; !error && i < MW_COUNT(lists); i++) {
		struct go_slice slice;
		uint64_t *place;

		if (!go_has(go, lists[i]) ||
		    !go_read_slice(go, go->mheap + go_off(go, lists[i]),
				   &slice) ||
		    !slice.ptr || slice.cap > GO_L2_ENTRIES)
			continue;
		place = mw_map64_at(&seen, slice.ptr);
		if (!place)
			error = mw_error_nomem();
		else if (!(*place)++)
			error = claim(go, &(struct piece){
				slice.ptr, slice.cap * 4,
				go->accounts.heap_arenas,
				"Go list of heap arenas" });
	}
	mw_map64_free(&seen);
	return error;
}

/** Masks of pointers in data and bss, made when the program started. */
static struct mw_error *claim_masks(struct mw_go *go)
{
	const struct {
		uint64_t bytes, n;
	} masks[] = {
		{ go->module.gcdatamask, go->module.gcdatamask_n },
		{ go->module.gcbssmask, go->module.gcbssmask_n },
	};
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < MW_COUNT(masks); i++)
		error = claim(go, &(struct piece){
			masks[i].bytes, (masks[i].n + 7) / 8 + 1,
			go->accounts.root_masks, "Go root masks" });
	return error;
}

/* Chunks */

static struct mw_error *claim_chunks(struct mw_go *go)
{
	uint64_t base, off;
	struct mw_error *error = NULL;

	if (go->global_alloc &&
	    mw_target_read_u64(go->target, go->global_alloc, &base) &&
	    mw_target_read_u64(go->target, go->global_alloc + 8, &off) &&
	    in_chunk(go, base) && off < GO_PERSISTENT_CHUNK)
		error = mw_part_list_add(&go->parts, base + off,
					 GO_PERSISTENT_CHUNK - off,
					 go->accounts.persistent_free);
	for (size_t i = 0; !error && i < go->chunks.n; i++)
		error = mw_sink_claim(go->sink, &(struct mw_claim){
			.start = go->chunks.v[i],
			.bytes = GO_PERSISTENT_CHUNK,
			.layer = MW_LAYER_OWNER,
			.account = go->accounts.persistent,
			.walker = "Go runtime",
			.what = "Go persistent chunk",
			.refine = refine,
			.ctx = go,
		});
	return error;
}

struct mw_error *go_claim_own(struct mw_go *go)
{
	struct mw_error *error = claim(go, &(struct piece){
		go->l2, GO_L2_ENTRIES * 8, go->accounts.arena_index,
		"Go arena index" });

	if (!error)
		error = claim_slice(go,
				    go->mheap + go_off(go, GO_mheap_allspans),
				    8, go->accounts.allspans,
				    "Go list of spans");
	if (!error)
		error = claim_heap_arenas(go);
	if (!error)
		error = claim_page_alloc(go);
	if (!error)
		error = claim_gc_bits(go);
	if (!error)
		error = add_fixed_blocks(go);
	if (!error)
		error = add_span_sets(go);
	if (!error)
		error = add_ps(go);
	if (!error)
		error = claim_getrandom(go);
	if (!error)
		error = add_buckets(go);
	if (!error)
		error = add_itabs(go);
	if (!error)
		error = add_poll_descs(go);
	if (!error)
		error = add_hints(go);
	if (!error)
		error = add_arena_lists(go);
	if (!error)
		error = claim_masks(go);
	if (!error)
		error = claim_chunks(go);
	mw_part_list_tidy(&go->parts);
	return error;
}
