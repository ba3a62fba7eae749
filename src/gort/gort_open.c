/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gort_int.h"
#include "mw_guard.h"

static unsigned apart(unsigned a, unsigned b)
{
	return a > b ? a - b : b - a;
}

const struct go_layout *go_nearest_table(const struct mw_go *go,
					 bool *ret_exact)
{
	const struct go_layout *best = NULL;
	size_t count;
	const struct go_layout *tables = go_layouts(&count);

	*ret_exact = false;
	for (size_t i = 0; i < count; i++) {
		const struct go_layout *t = &tables[i];

		if (t->minor != go->minor)
			continue;
		if (go->patch >= t->first_patch && go->patch <= t->last_patch) {
			*ret_exact = go->is_release;
			return t;
		}
		if (!best || apart(go->patch, t->first_patch) <
				     apart(go->patch, best->last_patch))
			best = t;
	}
	return best;
}

/**
 * Whether the layout now in use describes this target: the module's tables fit
 * and the heap can be walked. @ret_score counts the structs whose size the
 * runtime itself confirms; an exact fit has all. The areas stay loaded.
 */
static bool fits(struct mw_go *go, bool *ret_complete, unsigned *ret_score)
{
	unsigned of;

	go_free_areas(go);
	if (!go_make_span_reader(go) || !go_fill_module(go) ||
	    !go_load_areas(go) || !go_find_mheap(go))
		return false;
	go_drop_empty_structs(go);
	*ret_score = go_check_fixallocs(go, &of);
	*ret_complete = *ret_score == of;
	return true;
}

static bool try_table(struct mw_go *go, const struct go_layout *table,
		      bool with_rtypes, unsigned *ret_score)
{
	bool complete = false;

	*ret_score = 0;
	go->layout = *table;
	go->mheap = 0;
	if (with_rtypes && (!go_fill_module(go) || !go_apply_rtypes(go)))
		return false;
	return fits(go, &complete, ret_score) && complete;
}

/** Without a version that helps, the table that fits best decides. */
static bool try_all_tables(struct mw_go *go)
{
	size_t count;
	const struct go_layout *tables = go_layouts(&count);

	for (int with_rtypes = 0; with_rtypes < 2; with_rtypes++)
		for (size_t i = count; i-- > 0;) {
			unsigned score;

			if (try_table(go, &tables[i], with_rtypes, &score))
				return true;
		}
	return false;
}

static struct mw_error *unsupported(const struct mw_go *go)
{
	bool exact;
	size_t count;
	const struct go_layout *tables = go_layouts(&count);

	if (go->minor && !go_nearest_table(go, &exact))
		return mw_error_at(MW_E_UNSUPPORTED, go->module.address,
				   "a Go program (%s) of a release that this "
				   "version of memwhy does not know: it knows Go "
				   "1.%u to 1.%u, and others when they have DWARF",
				   go->version, tables[0].minor,
				   tables[count - 1].minor);
	return mw_error_at(MW_E_UNSUPPORTED, go->module.address,
			   "a Go program (%s) whose runtime this version of "
			   "memwhy does not know, or whose runtime structures "
			   "are damaged or not set up yet", go->version);
}

/** Where a layout may come from, in the order in which that is tried. */
enum step {
	STEP_EXACT, /* the table of the release */
	STEP_NEAR,  /* the nearest of its minor, put right by the types */
	STEP_ANY,   /* without a release (garble: "unknown"), any table */
	STEP_DWARF, /* last, since that means to decompress and walk it all */
	STEPS,
};

static bool try_step(struct mw_go *go, enum step step)
{
	bool exact, complete;
	unsigned score;
	const struct go_layout *table = go_nearest_table(go, &exact);

	switch (step) {
	case STEP_EXACT:
		go->info.layout = MW_GO_LAYOUT_TABLE;
		return table && exact && try_table(go, table, false, &score);
	case STEP_NEAR:
		go->info.layout = MW_GO_LAYOUT_RTYPE;
		return table && try_table(go, table, true, &score);
	case STEP_ANY:
		go->info.layout = MW_GO_LAYOUT_RTYPE;
		return go->minor == 0 && try_all_tables(go);
	case STEP_DWARF:
	case STEPS:
		break;
	}
	go->info.layout = MW_GO_LAYOUT_DWARF;
	return go_apply_dwarf(go) && fits(go, &complete, &score) && complete;
}

/**
 * Find a version and a layout that go together. There is more than one version
 * to be tried where several strings look like one.
 */
static struct mw_error *choose_layout(struct mw_go *go)
{
	enum { TRIED = 8 };

	for (enum step step = 0; step < STEPS; step++)
		for (unsigned i = 0; i < (step == STEP_DWARF ? 1 : TRIED); i++)
			if (!go_find_version(go, i))
				break;
			else if (try_step(go, step))
				return NULL;
	go_find_version(go, 0);
	return unsupported(go);
}

static struct mw_error *open_image(struct mw_go *go)
{
	struct mw_error *error = choose_layout(go);

	if (!error)
		error = go_find_regions(go);
	if (!error)
		error = go_digest_spans(go);
	if (error)
		return error;
	go_find_variables(go);
	go_free_areas(go);
	error = go_find_page_caches(go);
	if (!error)
		error = go_find_grown(go);
	return error ? error : go_find_stacks(go);
}

static void fill_info(struct mw_go *go)
{
	const struct mw_elf *elf = go->image->elf;

	go->info.version = go->version;
	go->info.stripped = !mw_elf_find_section(elf, ".symtab");
	go->info.pie = elf->type == ET_DYN;
}

/** In *@ret_may whether a failure may be due to what changed meanwhile. */
static struct mw_error *open_once(struct mw_target *target, bool *ret_may,
				  struct mw_go **ret)
{
	MW_CLEANUP(mw_go_closep) struct mw_go *go = mw_calloc(1, sizeof(*go));
	size_t count;
	const struct mw_image *images = mw_target_images(target, &count);
	bool found = false;

	*ret = NULL;
	if (!go)
		return mw_error_nomem();
	go->target = target;
	// The runtime of a file that does not run has nothing yet.
	if (!mw_target_info(target)->can_read ||
	    !mw_target_info(target)->is_64 ||
	    mw_target_info(target)->kind == MW_TARGET_FILE)
		return NULL;
	for (size_t i = 0; i < count && !found; i++)
		found = go_find_module(go, &images[i]);
	if (!found)
		return NULL;
	fill_info(go);
	struct mw_error *error = open_image(go);
	bool exact;

	*ret_may = go->minor == 0 || go_nearest_table(go, &exact);
	if (error)
		return error;
	*ret = mw_steal(go);
	return NULL;
}

struct mw_error *mw_go_open(struct mw_target *target, struct mw_go **ret)
{
	enum { TRIES = 16 };
	bool is_live = mw_target_info(target)->kind == MW_TARGET_PROCESS &&
		       mw_target_info(target)->mode == MW_CAPTURE_LIVE;

	// What is checked against itself may have changed between two looks;
	// the more the less of the processors there is for this.
	for (int i = 1;; i++) {
		bool may = false;
		struct mw_error *error = open_once(target, &may, ret);

		if (!error || error->code != MW_E_UNSUPPORTED || !is_live ||
		    !may || i == TRIES)
			return error;
		mw_error_free(error);
		mw_target_forget(target, 0, UINT64_MAX);
	}
}

void mw_go_close(struct mw_go *go)
{
	if (!go)
		return;
	go_free_areas(go);
	mw_go_funcs_close(go->funcs);
	mw_map64_free(&go->known_pcs);
	mw_vec_free(&go->known);
	mw_vec_free(&go->regions);
	mw_vec_free(&go->stacks);
	mw_vec_free(&go->mspans);
	mw_vec_free(&go->grown);
	go_free_digests(go);
	mw_vec_free(&go->chunks);
	mw_vec_free(&go->pieces);
	mw_map64_free(&go->cached_pages);
	mw_map64_free(&go->heap_arenas);
	mw_part_list_free(&go->parts);
	mw_free(go);
}

const struct mw_go_info *mw_go_info(const struct mw_go *go)
{
	return &go->info;
}

const struct mw_go_drift *mw_go_drift(const struct mw_go *go)
{
	return &go->drift;
}

/* Accounts */

static struct mw_error *make_accounts(struct mw_go *go)
{
	struct go_accounts *a = &go->accounts;
	const struct {
		const char *parent, *leaf, *evidence;
		mw_account_id *id;
	} all[] = {
		{ "go/heap", "objects", "mspan.allocCount and allocBits of "
		  "spans in use", &a->objects },
		{ "go/heap", "free-slots", "slots of spans in use whose "
		  "allocBits are clear", &a->free_slots },
		{ "go/heap", "span-tail", "bytes of spans in use behind "
		  "nelems * elemsize", &a->span_tail },
		{ "go/heap", "idle", "pageAlloc: neither allocated nor "
		  "scavenged, in a P's page cache, or on the way to a span; "
		  "to Go 1.13: free spans",
		  &a->idle },
		{ "go/heap", "scavenged", "pageAlloc: not allocated, "
		  "scavenged; to Go 1.13: free spans, by npreleased or "
		  "scavenged", &a->scavenged },
		{ "go/heap", "reserved", "arena pages that pageAlloc has "
		  "never handed out, mheap_.curArena", &a->reserved },
		{ "go/stacks", "used", "g.stack from the stack pointer up",
		  &a->stack_used },
		{ "go/stacks", "unused", "g.stack below the stack pointer",
		  &a->stack_unused },
		{ "go/stacks", "cached", "stack spans outside every g.stack",
		  &a->stack_cached },
		{ "go/runtime", "gc-work", "manual spans without an element "
		  "size; p.gcw", &a->gc_work },
		{ "go/runtime", "arena-index", "mheap_.arenas[0]",
		  &a->arena_index },
		{ "go/runtime", "heap-arenas", "heapArena structs but for "
		  "bitmap and spans; lists of arenas", &a->heap_arenas },
		{ "go/runtime", "bitmap", "heapArena.bitmap; to Go 1.10: "
		  "mheap_.bitmap", &a->bitmap },
		{ "go/runtime", "spans-index", "heapArena.spans; to Go 1.10: "
		  "mheap_.spans", &a->spans_index },
		{ "go/runtime", "allspans", "mheap_.allspans", &a->allspans },
		{ "go/runtime", "page-alloc", "mheap_.pages: summary, chunks, "
		  "scav.index; to Go 1.13: trees of free spans",
		  &a->page_alloc },
		{ "go/runtime", "gc-bits", "gcBitsArenas", &a->gc_bits },
		{ "go/runtime", "profile-buckets", "mbuckets, bbuckets, "
		  "xbuckets, buckhash", &a->profile_buckets },
		{ "go/runtime", "root-masks", "moduledata.gcdatamask, "
		  "gcbssmask", &a->root_masks },
		{ "go/runtime", "getrandom", "m.mOS.vgetrandomState",
		  &a->getrandom },
		{ "go/runtime", "mspan", "elements of mheap_.allspans; "
		  "mheap_.spanalloc", &a->mspan },
		{ "go/runtime", "mcache", "p.mcache; mheap_.cachealloc",
		  &a->mcache },
		{ "go/runtime", "specials", "mspan.specials; "
		  "mheap_.special*alloc", &a->specials },
		{ "go/runtime", "span-sets", "mcentral.partial and full, "
		  "mheap_.sweepSpans: spines and blocks", &a->span_sets },
		{ "go/runtime", "itabs", "itabTable", &a->itabs },
		{ "go/runtime", "arena-hints", "mheap_.arenaHints",
		  &a->arena_hints },
		{ "go/runtime", "poll-descs", "pollcache.first",
		  &a->poll_descs },
		{ "go/runtime", "trace", "runtime.trace, m.trace.buf; to Go "
		  "1.21: p.trace.buf", &a->trace },
		{ "go/runtime", "persistent", "persistentChunks; not told "
		  "further", &a->persistent },
		{ "go/runtime", "persistent-free", "p.palloc, globalAlloc: "
		  "behind off", &a->persistent_free },
		{ "unknown", "go-torn", "heap pages that changed while they "
		  "were read", &a->torn },
	};

	for (size_t i = 0; i < MW_COUNT(all); i++) {
		struct mw_error *error =
			mw_sink_account(go->sink, all[i].parent, all[i].leaf,
					all[i].evidence, all[i].id);
		if (error)
			return error;
	}
	return NULL;
}

struct mw_error *mw_go_claim(struct mw_go *go, const struct mw_sink *sink)
{
	struct mw_error *error;

	go->sink = sink;
	error = make_accounts(go);
	if (!error)
		error = go_find_specials(go);
	if (!error)
		error = go_claim_heap(go);
	if (!error)
		error = go_claim_own(go);
	return error ? error : go_claim_race(go);
}
