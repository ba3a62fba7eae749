/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"

/*
 * The runtime's own memory. Large pieces are mapped one by one (sysAlloc,
 * sysReserve); small ones are cut from persistent chunks of 256 KiB, which
 * nothing frees.
 */

struct mw_error *go_note_piece(struct mw_go *go, const struct go_piece *piece)
{
	struct go_piece *place;
	uint64_t end;

	if (piece->start == 0 || piece->bytes == 0 ||
	    !mw_end(piece->start, piece->bytes, &end))
		return NULL;
	place = mw_vec_push(&go->pieces);
	if (!place)
		return mw_error_nomem();
	*place = *piece;
	return NULL;
}

static struct mw_error *refine(void *ctx, const struct mw_claim *claim,
			       struct mw_parts *parts)
{
	struct mw_go *go = ctx;

	mw_part_list_emit(&go->parts, claim, parts);
	return NULL;
}

static struct mw_error *claim_range(struct mw_go *go,
				    const struct go_piece *piece)
{
	return mw_sink_claim(go->sink, &(struct mw_claim){
		.start = piece->start,
		.bytes = piece->bytes,
		.layer = MW_LAYER_OWNER,
		.account = piece->account,
		.walker = "Go runtime",
		.what = piece->what,
		.refine = refine,
		.ctx = go,
	});
}

/** Claim a piece that was noted; what lies in a chunk is a part of that. */
static struct mw_error *claim_noted(struct mw_go *go, struct go_piece piece)
{
	if (go_in_chunk(go, piece.start))
		return mw_part_list_add(&go->parts, piece.start, piece.bytes,
					piece.account);
	// What the kernel maps begins with a page and has whole ones. Anything
	// else lies in a chunk that was made after the mappings were read.
	if (mw_is_aligned(piece.start, MW_PAGE_BYTES))
		piece.bytes = mw_align_up(piece.bytes, MW_PAGE_BYTES);

	// A pointer to anything else than memory of its own is damage, or a
	// structure that has moved to the heap, where it is an object.
	if (go_in_heap(go, piece.start) ||
	    !go_is_mapped(go, piece.start, piece.bytes))
		return NULL;
	return claim_range(go, &piece);
}

static struct mw_error *claim_slice(struct mw_go *go, uint64_t va,
				    uint64_t elem_bytes, mw_account_id account,
				    const char *what)
{
	struct go_slice slice;
	struct go_piece piece = { .account = account, .what = what };

	if (!go_read_slice(go, va, &slice) ||
	    __builtin_mul_overflow(slice.cap, elem_bytes, &piece.bytes))
		return NULL;
	piece.start = slice.ptr;
	return go_note_piece(go, &piece);
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
			error = go_note_piece(go, &(struct go_piece){
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
	return go_note_piece(go, &(struct go_piece){
		chunks, ENTRIES * go_size(go, GO_pallocData),
		go->accounts.page_alloc, "Go page allocator" });
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
				error = go_note_piece(go, &(struct go_piece){
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
			if (*place || !go_in_chunk(go, queue))
				break;
			*place = 1;
			if (go_read(go, queue, GO_spanSPMC_cap, &cap) &&
			    go_read(go, queue, GO_spanSPMC_ring, &ring) &&
			    cap <= 1 << 24)
				error = go_note_piece(go, &(struct go_piece){
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
	if (go_read(go, p, GO_p_mcache, &cache) && go_in_chunk(go, cache))
		error = mw_part_list_add(&go->parts, cache,
					 go_size(go, GO_mcache),
					 go->accounts.mcache);
	if (!error && go_has(go, GO_p_palloc) &&
	    go_read(go, at, GO_persistentAlloc_base, &base) &&
	    go_read(go, at, GO_persistentAlloc_off, &off))
		error = go_note_current_chunk(go, base, off);
	if (!error && go_has(go, GO_p_gcw_ptrBuf) &&
	    go_read(go, p, GO_p_gcw_ptrBuf, &buffer) && go_in_chunk(go, buffer))
		error = mw_part_list_add(&go->parts, buffer, GO_PAGE_BYTES,
					 go->accounts.gc_work);
	return error ? error : claim_span_queues(go, p, ctx);
}

static struct mw_error *add_ps(struct mw_go *go)
{
	struct mw_map64 seen = { 0 };
	struct mw_error *error = NULL;
	struct go_slice ps;

	// Also those behind the length, which GOMAXPROCS has taken back.
	if (go_read_ps(go, &ps))
		error = go_each_pointer(go, ps.ptr, ps.cap, add_p, &seen);
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
			error = go_note_piece(go, &(struct go_piece){
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
		error = go_note_piece(go, &(struct go_piece){
			masks[i].bytes, (masks[i].n + 7) / 8 + 1,
			go->accounts.root_masks, "Go root masks" });
	return error;
}

static struct mw_error *claim_buckhash(struct mw_go *go)
{
	uint64_t table;

	if (!go->buckhash ||
	    !mw_target_read_u64(go->target, go->buckhash, &table))
		return NULL;
	return go_note_piece(go, &(struct go_piece){
		table, UINT64_C(179999) * 8, go->accounts.profile_buckets,
		"Go profile's hash table" });
}

/** What leads from pages to spans, and the bitmap before the arena. */
static struct mw_error *claim_index(struct mw_go *go)
{
	uint64_t spans = go->mheap + go_off(go, GO_mheap_spans);
	uint64_t end, bytes;
	struct mw_error *error;

	if (!go_has(go, GO_mheap_spans) && !go->l2)
		return NULL;
	if (!go_has(go, GO_mheap_spans))
		return go_note_piece(go, &(struct go_piece){
			go->l2, GO_L2_ENTRIES * 8, go->accounts.arena_index,
			"Go arena index" });
	// Reserved up to its capacity, but mapped up to its length.
	if (!mw_target_read_u64(go->target, spans + 8, &bytes) ||
	    __builtin_mul_overflow(bytes, 8, &bytes))
		return NULL;
	error = go_note_piece(go, &(struct go_piece){
		go->page_spans.ptr, bytes, go->accounts.spans_index,
		"Go table of pages" });
	if (error || !go_read(go, go->mheap, GO_mheap_bitmap, &end) ||
	    !go_read(go, go->mheap, GO_mheap_bitmap_mapped, &bytes) ||
	    bytes > end)
		return error;
	return go_note_piece(go, &(struct go_piece){
		end - bytes, bytes, go->accounts.bitmap, "Go heap bitmap" });
}

static struct mw_error *claim_allspans(struct mw_go *go)
{
	return claim_slice(go, go->mheap + go_off(go, GO_mheap_allspans), 8,
			   go->accounts.allspans, "Go list of spans");
}

static struct mw_error *add_global_alloc(struct mw_go *go)
{
	uint64_t words[2];

	return go->global_alloc &&
			       mw_target_read(go->target, go->global_alloc,
					      words, sizeof(words))
		       ? go_note_current_chunk(go, words[0], words[1])
		       : NULL;
}

static struct mw_error *claim_all(struct mw_go *go)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < go->pieces.n; i++)
		error = claim_noted(go, go->pieces.v[i]);
	for (size_t i = 0; !error && i < go->chunks.n; i++)
		error = claim_range(go, &(struct go_piece){
			go->chunks.v[i], GO_PERSISTENT_CHUNK,
			go->accounts.persistent, "Go persistent chunk" });
	return error;
}

struct mw_error *go_claim_own(struct mw_go *go)
{
	static struct mw_error *(*const steps[])(struct mw_go *go) = {
		claim_index,	  claim_allspans,  claim_heap_arenas,
		claim_page_alloc, claim_gc_bits,   claim_buckhash,
		claim_masks,	  add_arena_lists, add_ps,
		add_global_alloc, claim_getrandom, go_claim_trace,
		go_add_blocks,	  go_place_chunks, claim_all,
	};
	struct mw_error *error = NULL;

	go->pieces.n = 0;
	for (size_t i = 0; !error && i < MW_COUNT(steps); i++)
		error = steps[i](go);
	mw_part_list_tidy(&go->parts);
	return error;
}
