/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_explain.h"

#include <inttypes.h>

#include "cmd_go_open.h"
#include "mw_alloc_size.h"
#include "mw_go_size.h"
#include "mw_guard.h"

/* One size in each allocator, side by side. */

enum column {
	ALLOCATOR, PATH, CLASS, BLOCK, WASTE, PERCENT, SPAN, OBJECTS, SPANS,
	FREE, STEPS, COLUMNS,
};

static const struct mw_column columns[COLUMNS] = {
	[ALLOCATOR] = { "allocator", "ALLOCATOR", MW_UNIT_TEXT, NULL },
	[PATH] = { "path", "PATH", MW_UNIT_TEXT, NULL },
	[CLASS] = { "class", "CLASS", MW_UNIT_COUNT, NULL },
	[BLOCK] = { "block_bytes", "BLOCK", MW_UNIT_BYTES, NULL },
	[WASTE] = { "waste_bytes", "WASTE", MW_UNIT_BYTES, NULL },
	[PERCENT] = { "waste_percent", "%", MW_UNIT_COUNT, NULL },
	[SPAN] = { "span_bytes", "SPAN", MW_UNIT_BYTES, NULL },
	[OBJECTS] = { "objects", "OBJECTS", MW_UNIT_COUNT, NULL },
	[SPANS] = { "spans", "SPANS NOW", MW_UNIT_COUNT, NULL },
	[FREE] = { "free_slots", "FREE NOW", MW_UNIT_COUNT, NULL },
	[STEPS] = { "steps", NULL, MW_UNIT_TEXT, NULL },
};

/** Fill what all have. */
static bool fill(struct mw_cell *cells, const char *allocator,
		 const char *path, uint64_t bytes, uint64_t block)
{
	uint64_t waste = block - mw_min(bytes, block);

	mw_cell_value(&cells[BLOCK], block);
	mw_cell_value(&cells[WASTE], waste);
	mw_cell_value(&cells[PERCENT], block ? waste * 100 / block : 0);
	return mw_cell_text(&cells[ALLOCATOR], allocator) &&
	       mw_cell_text(&cells[PATH], path);
}

/** Where Go looks for it, with what there is now. */
static char *go_steps(const struct mw_go_size *s)
{
	uint64_t central = s->slots - s->allocated - s->cached_free -
			   s->partial_free;

	if (s->path == MW_GO_SIZE_ZERO)
		return mw_format("nothing is allocated: all objects of this "
				 "size are at runtime.zerobase");
	if (s->path == MW_GO_SIZE_LARGE)
		return mw_format("mheap: %" PRIu64 " page%s of 8 KiB for a "
				 "span of its own (there are %" PRIu64
				 "); free pages, else the heap grows",
				 s->pages, s->pages == 1 ? "" : "s", s->spans);
	return mw_format("%smcache of the P: %" PRIu64 " spans with %" PRIu64
			 " free slots in all Ps; else mcentral: %" PRIu64
			 " spans with %" PRIu64 " free slots, %" PRIu64
			 " to be swept, and %" PRIu64 " free slots in spans "
			 "that are in no list of free ones; else mheap: a span "
			 "of %" PRIu64 " page%s for %" PRIu64 " objects, %"
			 PRIu64 " bytes of it over",
			 s->path == MW_GO_SIZE_TINY
				 ? "the P's current tiny block, as long as it "
				   "has room; else a new one: "
				 : "",
			 s->cached_spans, s->cached_free, s->partial_spans,
			 s->partial_free, s->unswept_spans, central, s->pages,
			 s->pages == 1 ? "" : "s", s->objects, s->tail_bytes);
}

static struct mw_error *add_go(struct mw_table *table, struct mw_go *go,
			       const struct mw_go_spans *spans,
			       uint64_t bytes, bool has_pointers)
{
	static const char *const paths[] = { "tiny", "small", "large",
					      "zero" };
	MW_CLEANUP(mw_freep) char *steps = NULL;
	struct mw_go_size s;
	struct mw_cell *cells;
	struct mw_error *error =
		mw_go_size(go, bytes, has_pointers, spans, &s);

	if (error)
		return error;
	steps = go_steps(&s);
	cells = steps ? mw_table_add(table) : NULL;
	if (!cells ||
	    !fill(cells, has_pointers ? "go" : "go, no pointers",
		  paths[s.path], bytes, s.slot_bytes) ||
	    !mw_cell_text(&cells[STEPS], steps))
		return mw_error_nomem();
	if (s.path == MW_GO_SIZE_ZERO)
		return NULL;
	mw_cell_value(&cells[CLASS], s.class);
	mw_cell_value(&cells[SPAN], s.pages * 8192);
	mw_cell_value(&cells[OBJECTS], s.objects);
	mw_cell_value(&cells[SPANS], s.spans);
	mw_cell_value(&cells[FREE], s.slots - s.allocated);
	return NULL;
}

static struct mw_error *add_native(struct mw_table *table,
				   const char *allocator, uint64_t bytes,
				   const struct mw_alloc_size *s)
{
	struct mw_cell *cells = mw_table_add(table);

	if (!cells || !fill(cells, allocator, s->path, bytes,
			    s->block_bytes) ||
	    !mw_cell_text(&cells[STEPS], s->steps))
		return mw_error_nomem();
	if (s->class)
		mw_cell_value(&cells[CLASS], s->class);
	if (s->span_bytes) {
		mw_cell_value(&cells[SPAN], s->span_bytes);
		mw_cell_value(&cells[OBJECTS], s->objects);
	}
	return NULL;
}

static struct mw_error *add_all_go(struct mw_table *table, struct mw_go *go,
				   uint64_t bytes)
{
	MW_CLEANUP(mw_go_spans_free) struct mw_go_spans spans = { 0 };
	struct mw_error *error = mw_go_spans_read(go, &spans);

	if (!error)
		error = mw_go_spans_find_holders(go, &spans);
	if (!error)
		error = add_go(table, go, &spans, bytes, true);
	return error ? error : add_go(table, go, &spans, bytes, false);
}

static void print_steps(const struct cmd_call *call,
			const struct mw_table *table)
{
	for (size_t i = 0; i < mw_table_rows(table); i++) {
		const struct mw_cell *cells = &table->cells.v[i * COLUMNS];

		printf("\n%-16s ", cells[ALLOCATOR].text);
		mw_print_wrapped(stdout, cells[STEPS].text, 17, 17,
				 call->style.width);
	}
}

struct mw_error *explain_size(const struct cmd_call *call, uint64_t bytes)
{
	MW_CLEANUP(cmd_go_close) struct cmd_go go = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_alloc_size tcmalloc = mw_tcmalloc_size(bytes);
	struct mw_alloc_size glibc = mw_glibc_size(bytes);
	struct mw_error *error = cmd_go_open(call, &go);

	// Any program will do to compare the others.
	if (error && go.target && (error->code == MW_E_NOT_FOUND ||
				   error->code == MW_E_UNSUPPORTED)) {
		if (error->code == MW_E_UNSUPPORTED)
			mw_target_note(go.target, "%s", error->message);
		mw_error_free(error);
		error = NULL;
	}
	if (!error && bytes > UINT64_C(1) << 47)
		error = mw_error_new(MW_E_USAGE, "no program can allocate so "
				     "much");
	mw_table_init(&table, columns, COLUMNS);
	if (!error && go.go)
		error = add_all_go(&table, go.go, bytes);
	if (go.target)
		cmd_go_release(&go);
	if (!error)
		error = add_native(&table, "tcmalloc", bytes, &tcmalloc);
	if (!error)
		error = add_native(&table, "glibc", bytes, &glibc);
	if (error)
		return error;
	cmd_print_notes(go.target);
	cmd_emit_table(call, &table, go.target, go.go, go.stopped_ns,
		       go.wall_ns);
	if (call->format == MW_FORMAT_TEXT)
		print_steps(call, &table);
	return NULL;
}
