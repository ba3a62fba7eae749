/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_INT_H
#define GORT_INT_H

#include "mw_go_funcs.h"
#include "mw_go_spans.h"
#include "mw_gort.h"
#include "mw_map64.h"
#include "mw_part_list.h"
#include "mw_vec.h"

/* Layouts */

enum go_field {
#define GO_MEMBER(symbol, structure, path) GO_##symbol,
#include "layouts/fields.def"
#undef GO_MEMBER
	GO_FIELDS,
};

/** Where a member lies in its struct; bytes is 0 when there is none. */
struct go_member {
	uint32_t offset;
	uint32_t bytes;
};

struct go_layout {
	unsigned minor; /* 1.minor.first_patch … 1.minor.last_patch */
	unsigned first_patch, last_patch;
	char source[192]; /* no pointer: read-only, nothing to relocate */
	struct go_member at[GO_FIELDS];
};

/** All tables, ascending by release. */
const struct go_layout *go_layouts(size_t *ret_count);

/** What fields.def says of a member. */
struct go_field_name {
	const char *structure;
	const char *path;
};
extern const struct go_field_name go_field_names[GO_FIELDS];

/**
 * Take out the members that leave their struct, or whose struct has no size: a
 * layout that the target tells must not lead past a copy of its bytes.
 */
void go_drop_outside(struct go_layout *layout);

/* The runtime */

#define GO_PAGE_BYTES UINT64_C(8192)
#define GO_ARENA_BYTES MW_MIB(64)
#define GO_ARENA_PAGES (GO_ARENA_BYTES / GO_PAGE_BYTES)
/*
 * arenaIndex and chunkIndex count from the most negative address of a 48-bit
 * space (malloc.go: arenaBaseOffset).
 */
#define GO_BASE_OFFSET (UINT64_C(1) << 47)
#define GO_L2_ENTRIES (UINT64_C(1) << 22)
#define GO_CHUNK_BYTES MW_MIB(4) /* of heap that one pallocData describes */
#define GO_PERSISTENT_CHUNK MW_KIB(256)
#define GO_GC_BITS_ARENA MW_KIB(64)

struct go_slice {
	uint64_t ptr, len, cap;
};

struct go_range {
	uint64_t start, end;
};

/** A piece of the module's data, copied for the search for variables. */
struct go_area {
	uint64_t va;
	uint8_t *bytes; /* absent pages are zeros */
	size_t size;
};

/** A word of an area. */
struct go_word {
	uint32_t area;
	uint32_t offset;
};

struct go_module {
	uint64_t address; /* of the moduledata */
	uint64_t pclntab;
	struct go_range text, types;
	struct go_range noptrdata, data, bss, noptrbss;
	uint64_t gcdatamask_n, gcdatamask, gcbssmask_n, gcbssmask;
};

/** A stack of a goroutine or of a thread, inside the heap. */
struct go_stack {
	uint64_t lo, hi;
	uint64_t sp; /* 0: not known */
	uint64_t m; /* the thread that runs it, 0 if none */
	uint64_t g;
	bool runs_user_g; /* a goroutine's, not a g0's or gsignal's */
};

/** What is known of an instruction whose frame was met. */
struct go_known_pc {
	struct mw_go_func func;
	uint64_t frame_bytes;
	bool has_frame;
	uint8_t role; /* of the function in a walk: gort_unwind.c */
};

/** Contiguous arenas. */
struct go_region {
	struct mw_go *go;
	uint64_t start, end;
	/* Per page: 1 + digest of the span in use that begins there, or 0. */
	uint32_t *first_spans;
};

/** What is read of an mspan. */
struct go_span {
	uint64_t start, pages;
	uint64_t elem_bytes, elems, allocated, free_index;
	uint64_t alloc_bits, gcmark_bits;
	uint64_t specials;
	uint64_t released; /* of a free span, pages given back; to Go 1.13 */
	uint8_t state;
	uint8_t class; /* size class << 1 | noscan */
	bool is_user_arena;
};

/** Where to find the members of an mspan, for a walk over millions. */
struct go_span_reader {
	struct {
		uint32_t offset;
		uint64_t mask;
	} start, pages, state, class, elem_bytes, elems, free_index, allocated,
		alloc_bits, gcmark_bits, specials, is_user_arena, released,
		scavenged;
};

/** What is kept of every mspan while the heap is walked, in 16 bytes. */
struct go_digest {
	uint32_t pages : 29; /* 0: a dead one */
	uint32_t is_manual : 1;
	uint32_t has_specials : 1;
	uint32_t is_torn : 1; /* could not be read, or made no sense */
	/*
	 * Of a single slot, what the span has besides; else a slot's size. Of
	 * a free span, which has no slots: how many pages were given back.
	 */
	uint32_t tail_or_elem_bytes;
	uint16_t elems, allocated;
	uint8_t class; /* size class << 1 | noscan */
	uint8_t unused[3];
};

/** Whether it is a span of free pages; up to Go 1.13 there are such. */
static inline bool go_is_free(const struct go_digest *digest)
{
	return digest->pages > 0 && !digest->is_manual && digest->elems == 0;
}

enum go_span_state {
	GO_SPAN_DEAD,
	GO_SPAN_IN_USE,
	GO_SPAN_MANUAL,
	GO_SPAN_FREE, /* up to Go 1.13 */
};

/** A piece of the runtime's own memory. */
struct go_piece {
	uint64_t start, bytes;
	mw_account_id account;
	const char *what;
};

struct go_accounts {
	mw_account_id objects, free_slots, span_tail, idle, scavenged, reserved;
	mw_account_id stack_used, stack_unused, stack_cached;
	mw_account_id gc_work, torn;
	mw_account_id arena_index, heap_arenas, bitmap, spans_index;
	mw_account_id allspans, page_alloc, gc_bits, profile_buckets;
	mw_account_id root_masks, getrandom;
	mw_account_id mspan, mcache, specials, span_sets, itabs, arena_hints;
	mw_account_id poll_descs, trace, persistent, persistent_free;
};

#define GO_MAX_CLASSES 128

/** Where the runtime's figures are; 0 for what was not found. */
struct go_stat_vars {
	bool searched;
	uint64_t memstats, controller, limiter, work;
	size_t classes; /* sizes of objects, by size class; [0] is 0 */
	uint32_t class_bytes[GO_MAX_CLASSES];
	uint8_t class_pages[GO_MAX_CLASSES]; /* of a span; 0: not found */
};

struct mw_go {
	struct mw_target *target;
	const struct mw_image *image;
	struct mw_go_info info;
	char version[256];
	unsigned minor, patch;
	bool is_release; /* the version names a release, nothing modified */
	struct go_layout layout;
	struct go_span_reader span_reader; /* follows from the layout */
	struct go_module module;
	struct go_area areas[4]; /* noptrdata, data, bss, noptrbss */
	MW_VEC(struct go_word) words; /* of the areas, that may be pointers */

	/* Addresses of the runtime's variables; 0 when not found */
	uint64_t mheap;
	uint64_t allgs, allp, allm, sched;
	uint64_t allp_count; /* 0: allp is a slice; else an array, Go 1.9 */
	uint64_t gc_bits_arenas;
	uint64_t persistent_chunks, global_alloc;
	uint64_t itab_table, poll_cache;
	uint64_t buckets[3]; /* memory, block, mutex */
	uint64_t buckhash;
	uint64_t trace; /* 0, too, where nothing is traced */
	uint64_t wait_reasons; /* when goroutines were asked for; 0: none */
	bool wait_reasons_sought;
	struct go_stat_vars stat_vars;

	/* The heap */
	struct go_slice allspans;
	bool is_new; /* has no span yet, and may have no arena */
	uint64_t l2; /* mheap_.arenas[0]; of older releases: */
	uint64_t arena_start;
	struct go_slice page_spans; /* mheap_.spans: a span for each page */
	MW_VEC(struct go_region) regions;
	struct mw_map64 cached_pages; /* in a P's pcache: page -> 1 + scav bit */
	MW_VEC(struct go_range) grown; /* what the page allocator manages */
	MW_VEC(struct go_stack) stacks; /* ascending */
	struct go_digest *digests; /* one for each of allspans */
	uint32_t *first_spans; /* of all regions */
	size_t first_spans_bytes;
	MW_VEC(struct go_range) mspans; /* where the mspans lie */
	bool has_chunks;	 /* whether all of these are known: */
	MW_VEC(uint64_t) chunks; /* persistent chunks, ascending */
	MW_VEC(struct go_piece) pieces; /* mapped one by one, or in a chunk */
	struct mw_map64 heap_arenas; /* heapArena address -> arena index + 1 */
	struct mw_part_list parts; /* of the runtime's own memory */
	struct mw_go_funcs *funcs; /* NULL until they are needed */
	struct mw_map64 known_pcs; /* pc -> place in known */
	MW_VEC(struct go_known_pc) known;
	struct go_accounts accounts;
	const struct mw_sink *sink;
	struct mw_go_drift drift;
};

/* Reading */

static inline bool go_has(const struct mw_go *go, enum go_field field)
{
	return go->layout.at[field].bytes != 0;
}

static inline uint64_t go_off(const struct mw_go *go, enum go_field field)
{
	return go->layout.at[field].offset;
}

static inline uint64_t go_size(const struct mw_go *go, enum go_field field)
{
	return go->layout.at[field].bytes;
}

/** Read an integer or pointer member of the struct at @va. */
bool go_read(const struct mw_go *go, uint64_t va, enum go_field field,
	     uint64_t *ret);
bool go_read_slice(const struct mw_go *go, uint64_t va, struct go_slice *ret);
/** The Ps: pointers to them, in ptr[0 … len), retired ones to cap. */
bool go_read_ps(const struct mw_go *go, struct go_slice *ret);

/** The same from a copy of the struct; the member is known to be there. */
uint64_t go_get(const struct mw_go *go, const uint8_t *bytes,
		enum go_field field);

/**
 * Call @visit for each resident piece of [@start, @start + @bytes) that may
 * hold anything but zeros, so that the work is bounded by memory that is really
 * there.
 */
void go_each_resident(const struct mw_go *go, uint64_t start, uint64_t bytes,
		      void (*visit)(uint64_t start, uint64_t bytes, void *ctx),
		      void *ctx);

/** Whether [@va, @va + @bytes) lies in mapped, writable memory. */
bool go_is_mapped(const struct mw_go *go, uint64_t va, uint64_t bytes);

/** Call @visit for each word that is not 0 in the resident part of an array. */
MW_MUST_USE struct mw_error *
go_each_pointer(struct mw_go *go, uint64_t array, uint64_t count,
		struct mw_error *(*visit)(struct mw_go *go, uint64_t index,
					  uint64_t value, void *ctx),
		void *ctx);

/* Finding; each returns false or an error when there is nothing to find */

bool go_find_module(struct mw_go *go, const struct mw_image *image);
bool go_fill_module(struct mw_go *go);
/**
 * Find the version, or what may be one when there is no build info; the @skip
 * first ones have been tried in vain. False when there are no more.
 */
bool go_find_version(struct mw_go *go, unsigned skip);
bool go_load_areas(struct mw_go *go);
void go_free_areas(struct mw_go *go);
bool go_find_mheap(struct mw_go *go);
/** Forget the members of structs that mheap_ says to have none. */
void go_drop_empty_structs(struct mw_go *go);
unsigned go_check_fixallocs(const struct mw_go *go, unsigned *ret_of);
void go_find_variables(struct mw_go *go);
void go_find_own_variables(struct mw_go *go);
/** Find runtime.trace, after Ms, Ps and chunks, if something is traced. */
void go_find_trace(struct mw_go *go);

/**
 * Call @test for each word of all areas that may be a pointer, @before bytes
 * earlier, with the bytes from there to the area's end; the first address for
 * which it says true, or 0.
 */
uint64_t go_find_word(struct mw_go *go, uint64_t before,
		      bool (*test)(struct mw_go *go, uint64_t va,
				   const uint8_t *bytes, size_t left,
				   void *ctx),
		      void *ctx);
/** The same for every word, for a variable that need not hold a pointer. */
uint64_t go_find_anywhere(struct mw_go *go,
			  bool (*test)(const struct mw_go *go,
				       const uint8_t *bytes, size_t left));

static inline bool go_could_be_pointer(uint64_t word)
{
	return word >= MW_PAGE_BYTES && word < UINT64_C(1) << 47 &&
	       mw_is_aligned(word, 8);
}

/** Whether @va lies in the module's data. */
bool go_is_variable(const struct mw_go *go, uint64_t va);
/** Whether a page at @va is one that the runtime has mapped for itself. */
bool go_is_own_memory(const struct mw_go *go, uint64_t va);

/** Replace what the binary's own type descriptors say; number of structs. */
unsigned go_apply_rtypes(struct mw_go *go);
/** Replace the layout by what the target's own DWARF says; false if none. */
bool go_apply_dwarf(struct mw_go *go);

/** The table for the version, or the nearest one of its minor, or NULL. */
const struct go_layout *go_nearest_table(const struct mw_go *go,
					 bool *ret_exact);
/** Make go->funcs, once. */
MW_MUST_USE struct mw_error *go_open_funcs(struct mw_go *go);

/* Walking */

/** Make go->span_reader; false when the layout lacks a member of mspan. */
bool go_make_span_reader(struct mw_go *go);

/** Read the mspan at @va. False when unreadable or implausible. */
bool go_read_span(const struct mw_go *go, uint64_t va, struct go_span *ret);
/** The same from a copy of its bytes, with 8 bytes of room behind them. */
bool go_parse_span(const struct mw_go *go, const uint8_t *bytes,
		   struct go_span *ret);
/** @span, whose mspan is at @va, for others; without what it does not tell. */
struct mw_go_span go_describe_span(const struct go_span *span, uint64_t va);
/** A span's sweepgen less the heap's, as mw_go_span.sweep has it. */
int8_t go_sweep_of(uint64_t sweepgen, uint64_t heap);
/** Whether the layout has what leads from a page to its span. */
bool go_has_index(const struct mw_go *go);
/** Load what leads from pages to spans from the mheap at @mheap. */
bool go_load_index(struct mw_go *go, uint64_t mheap);
/** The span that the index has for the page at @va; threads may do so. */
bool go_index_span(const struct mw_go *go, uint64_t va, uint64_t *ret);
MW_MUST_USE struct mw_error *go_find_regions(struct mw_go *go);
MW_MUST_USE struct mw_error *go_find_page_caches(struct mw_go *go);
MW_MUST_USE struct mw_error *go_find_grown(struct mw_go *go);
MW_MUST_USE struct mw_error *go_find_stacks(struct mw_go *go);
/** The stack that holds @va, or NULL. */
struct go_stack *go_find_stack(const struct mw_go *go, uint64_t va);
/** The g whose stack holds @va; 0 if it is none in the heap. */
uint64_t go_stack_owner(const struct mw_go *go, uint64_t va);
/** Whether @va lies in a goroutine's stack, and not in a thread's. */
bool go_is_user_stack(const struct mw_go *go, uint64_t va);
/**
 * Look the instruction at @pc up, once; go->funcs is open. NULL when it is not
 * Go's. Good until the next call.
 */
const struct go_known_pc *go_look_up(struct mw_go *go, uint64_t pc);
/** Read all mspans, once: go->digests, go->mspans, the regions' tables. */
MW_MUST_USE struct mw_error *go_digest_spans(struct mw_go *go);
void go_free_digests(struct mw_go *go);
/** Call @visit for each special of each span. */
MW_MUST_USE struct mw_error *
go_each_special(struct mw_go *go,
		struct mw_error *(*visit)(struct mw_go *go, uint64_t special,
					  uint8_t kind, void *ctx),
		void *ctx);
/** Note the specials of all spans in go->parts. */
MW_MUST_USE struct mw_error *go_find_specials(struct mw_go *go);
/** Bytes of each slot of the span that @digest describes. */
uint64_t go_elem_bytes(const struct go_digest *digest);
/** The digest of the span in use that holds @va, or NULL; and its start. */
const struct go_digest *go_span_of(const struct mw_go *go, uint64_t va,
				   uint64_t *ret_start);
/** Read allspans[@index] in full, if it still begins at @start. */
bool go_reread_span(const struct mw_go *go, size_t index, uint64_t start,
		    struct go_span *ret);
MW_MUST_USE struct mw_error *go_claim_heap(struct mw_go *go);
MW_MUST_USE struct mw_error *go_claim_own(struct mw_go *go);
MW_MUST_USE struct mw_error *go_claim_race(struct mw_go *go);
/** Note a piece of its own; where it lies is looked at when all are known. */
MW_MUST_USE struct mw_error *go_note_piece(struct mw_go *go,
					   const struct go_piece *piece);
/** Note what runtime/trace has mapped. */
MW_MUST_USE struct mw_error *go_claim_trace(struct mw_go *go);

/* Persistent chunks */

/**
 * Whether @va lies in a persistent chunk; or, while they are not known, whether
 * it could.
 */
bool go_in_chunk(const struct mw_go *go, uint64_t va);
/** Whether a chunk begins at @va. */
bool go_is_chunk(const struct mw_go *go, uint64_t va);
void go_sort_chunks(struct mw_go *go);
/** Note that the chunk at @base is used up to @off. */
MW_MUST_USE struct mw_error *
go_note_current_chunk(struct mw_go *go, uint64_t base, uint64_t off);
/** Note in go->parts what lies in chunks. */
MW_MUST_USE struct mw_error *go_add_blocks(struct mw_go *go);
/** Find the chunks of go->parts and go->pieces, if they are not known. */
MW_MUST_USE struct mw_error *go_place_chunks(struct mw_go *go);

/** Whether @va lies in a heap arena. */
bool go_in_heap(const struct mw_go *go, uint64_t va);
const struct go_region *go_region_of(const struct mw_go *go, uint64_t va);

#endif
