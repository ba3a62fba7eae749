/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_go_open.h"
#include "mw_go_spans.h"
#include "mw_guard.h"

enum column {
	ADDRESS, PAGES, STATE, USE, CLASS, NOSCAN, ELEM, ELEMS, ALLOCATED,
	FREE, HOLDER, P, SWEEP, DESCRIPTOR, COLUMNS,
};

static const struct mw_column columns[COLUMNS] = {
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "of its first page" },
	[PAGES] = { "pages", "PAGES", MW_UNIT_COUNT, "of 8 KiB" },
	[STATE] = { "state", "STATE", MW_UNIT_TEXT,
		    "in-use: objects; manual: the runtime's own; free: up to "
		    "Go 1.13" },
	[USE] = { "use", "USE", MW_UNIT_TEXT,
		  "objects, large (a single one), arena (of package arena), "
		  "stack, gc-work, free" },
	[CLASS] = { "class", "CLASS", MW_UNIT_COUNT,
		    "size class of the objects; 0: a large one" },
	[NOSCAN] = { "noscan", "NOSCAN", MW_UNIT_NUMBER,
		     "whether they hold no pointers" },
	[ELEM] = { "elem_bytes", "ELEM", MW_UNIT_BYTES, "bytes of each slot" },
	[ELEMS] = { "elems", "ELEMS", MW_UNIT_COUNT, "slots" },
	[ALLOCATED] = { "allocated", "ALLOC", MW_UNIT_COUNT,
			"slots that are taken: live objects, or garbage not "
			"yet swept; of stacks, those in use or cached" },
	[FREE] = { "free", "FREE", MW_UNIT_COUNT, "slots that are not" },
	[HOLDER] = { "holder", "HOLDER", MW_UNIT_TEXT,
		     "mcache: a P allocates from it; partial, full: list of "
		     "its mcentral, swept or not" },
	[P] = { "p", "P", MW_UNIT_COUNT, "whose mcache" },
	[SWEEP] = { "sweep", "SWEEP", MW_UNIT_TEXT,
		    "swept; unswept: its garbage is not free yet; sweeping; "
		    "cached: by a P, before or after it was swept" },
	[DESCRIPTOR] = { "mspan", NULL, MW_UNIT_ADDRESS, "its descriptor" },
};

static void help(FILE *out)
{
	cmd_print_columns(out, columns, COLUMNS);
}

static const char *state_name(const struct mw_go_span *s)
{
	return s->state == MW_GO_SPAN_IN_USE   ? "in-use"
	       : s->state == MW_GO_SPAN_MANUAL ? "manual"
					       : "free";
}

static const char *use_name(const struct mw_go_span *s)
{
	if (s->state == MW_GO_SPAN_FREE)
		return "free";
	if (s->state == MW_GO_SPAN_MANUAL)
		return s->elem_bytes ? "stack" : "gc-work";
	return s->is_user_arena ? "arena" : s->class ? "objects" : "large";
}

static const char *holder_name(uint8_t holder)
{
	static const char *const names[] = {
		[MW_GO_HELD_BY_NONE] = "",
		[MW_GO_HELD_BY_MCACHE] = "mcache",
		[MW_GO_HELD_PARTIAL_SWEPT] = "partial-swept",
		[MW_GO_HELD_PARTIAL_UNSWEPT] = "partial-unswept",
		[MW_GO_HELD_FULL_SWEPT] = "full-swept",
		[MW_GO_HELD_FULL_UNSWEPT] = "full-unswept",
		[MW_GO_HELD_NONEMPTY] = "nonempty",
		[MW_GO_HELD_EMPTY] = "empty",
	};

	return names[holder];
}

static const char *sweep_name(const struct mw_go_span *s)
{
	switch (s->sweep) {
	case -2:
		return "unswept";
	case -1:
		return "sweeping";
	case 0:
		return "swept";
	case 1:
		return "cached-unswept";
	case 3:
		return "cached-swept";
	}
	return "?";
}

static bool fill_row(struct mw_cell *cells, const struct mw_go_span *s)
{
	bool objects = s->state == MW_GO_SPAN_IN_USE;
	const char *holder = holder_name(s->holder);
	uint64_t stacks = s->state == MW_GO_SPAN_MANUAL && s->elem_bytes
				  ? mw_go_span_bytes(s) / s->elem_bytes
				  : 0;

	mw_cell_value(&cells[ADDRESS], s->address);
	mw_cell_value(&cells[PAGES], s->pages);
	mw_cell_value(&cells[DESCRIPTOR], s->descriptor);
	// Of a span that is one large stack nothing is counted.
	if (s->state != MW_GO_SPAN_FREE && s->elem_bytes)
		mw_cell_value(&cells[ELEM], s->elem_bytes);
	if (objects || (stacks > 1 && s->allocated <= stacks))
		mw_cell_value(&cells[ALLOCATED], s->allocated);
	if (s->holder == MW_GO_HELD_BY_MCACHE)
		mw_cell_value(&cells[P], s->p);
	if (objects) {
		mw_cell_value(&cells[CLASS], s->class);
		mw_cell_number(&cells[NOSCAN], MW_NUMBER_BOOL, MW_UNIT_COUNT,
			       s->is_noscan);
		mw_cell_value(&cells[ELEMS], s->elems);
		mw_cell_value(&cells[FREE], s->elems - s->allocated);
	} else if (stacks > 0) {
		mw_cell_value(&cells[ELEMS], stacks);
		if (stacks > 1 && s->allocated <= stacks)
			mw_cell_value(&cells[FREE], stacks - s->allocated);
	}
	return mw_cell_text(&cells[STATE], state_name(s)) &&
	       mw_cell_text(&cells[USE], use_name(s)) &&
	       (!*holder || mw_cell_text(&cells[HOLDER], holder)) &&
	       (!objects || mw_cell_text(&cells[SWEEP], sweep_name(s)));
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_go_close) struct cmd_go go = { 0 };
	MW_CLEANUP(mw_go_spans_free) struct mw_go_spans spans = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_error *error = cmd_go_open(call, &go);

	if (!error)
		error = mw_go_spans_read(go.go, &spans);
	if (!error)
		error = mw_go_spans_find_holders(go.go, &spans);
	if (error)
		return error;
	cmd_go_release(&go);
	mw_table_init(&table, columns, COLUMNS);
	for (size_t i = 0; i < spans.list.n; i++) {
		struct mw_cell *cells = mw_table_add(&table);

		if (!cells || !fill_row(cells, &spans.list.v[i]))
			return mw_error_nomem();
	}
	if (spans.torn)
		mw_target_note(go.target, "%zu spans changed while they were "
			       "read and are left out; %s",
			       (size_t)spans.torn, cmd_torn_remedy(go.target));
	cmd_print_notes(go.target);
	cmd_emit_table(call, &table, go.target, go.go, go.stopped_ns,
		       go.wall_ns);
	return NULL;
}

const struct cmd_command cmd_go_spans = {
	.name = "go spans",
	.operands = "TARGET",
	.summary = "spans of the Go heap: class, slots taken, who holds them",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE,
	.run = run,
	.help = help,
};
