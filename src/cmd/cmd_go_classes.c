/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_go_map.h"
#include "mw_go_spans.h"
#include "mw_guard.h"

static bool map;

#define TENTHS 10
#define CLASSES 256 /* size class << 1 | noscan */

/** All spans of objects of one class; large ones are class 0. */
struct class {
	uint64_t elem_bytes, span_bytes, elems; /* 0: not all alike */
	uint64_t spans, slots, objects, bytes, object_bytes, slot_bytes;
	uint64_t full_spans, empty_spans;
	uint64_t single_spans, single_bytes; /* kept by one object */
	uint64_t filled[TENTHS]; /* spans by the share of slots taken */
};

static void add_span(struct class *c, const struct mw_go_span *s)
{
	uint64_t bytes = mw_go_span_bytes(s);
	unsigned tenth;

	c->elem_bytes = c->spans && c->elem_bytes != s->elem_bytes
				? 0 : s->elem_bytes;
	c->span_bytes = c->spans && c->span_bytes != bytes ? 0 : bytes;
	c->elems = c->spans && c->elems != s->elems ? 0 : s->elems;
	c->spans++;
	c->slots += s->elems;
	c->objects += s->allocated;
	c->bytes += bytes;
	c->object_bytes += s->allocated * s->elem_bytes;
	c->slot_bytes += s->elems * s->elem_bytes;
	c->full_spans += s->allocated == s->elems;
	if (s->allocated == 0) {
		c->empty_spans++;
		return;
	}
	if (s->allocated == 1 && s->elems > 1) {
		c->single_spans++;
		c->single_bytes += bytes;
	}
	tenth = (unsigned)(((uint64_t)s->allocated * TENTHS + s->elems - 1) /
			   s->elems);
	c->filled[tenth - 1]++;
}

/** Bytes of spans that are not needed if the objects lay side by side. */
static uint64_t packing_bytes(const struct class *c)
{
	uint64_t needed;

	if (!c->elems || !c->span_bytes)
		return 0;
	needed = (c->objects + c->elems - 1) / c->elems;
	return (c->spans - needed) * c->span_bytes;
}

enum column {
	CLASS, NOSCAN, ELEM, SPAN, PER_SPAN, SPANS, OBJECTS, BYTES, USED,
	FREE, TAIL, WASTE, FULL, EMPTY, SINGLE, SINGLE_BYTES, PACKING,
	PICTURE, FILLED, COLUMNS = FILLED + TENTHS,
};

#define FILLED_COLUMN(n)                                                  \
	[FILLED + n - 1] = { "filled_" #n "0", NULL, MW_UNIT_COUNT,       \
			     "spans of which at most " #n "0 % of the "   \
			     "slots are taken, and more than in the "     \
			     "column before" }

static const struct mw_column columns[COLUMNS] = {
	[CLASS] = { "class", "CLASS", MW_UNIT_COUNT,
		    "size class; 0: large objects, a span each" },
	[NOSCAN] = { "noscan", "NOSCAN", MW_UNIT_NUMBER,
		     "whether the objects hold no pointers" },
	[ELEM] = { "elem_bytes", "ELEM", MW_UNIT_BYTES, "bytes of each slot" },
	[SPAN] = { "span_bytes", "SPAN", MW_UNIT_BYTES, "bytes of each span" },
	[PER_SPAN] = { "elems", "PER", MW_UNIT_COUNT, "slots of each span" },
	[SPANS] = { "spans", "SPANS", MW_UNIT_COUNT, "spans in use" },
	[OBJECTS] = { "objects", "OBJECTS", MW_UNIT_COUNT, "slots taken" },
	[BYTES] = { "bytes", "BYTES", MW_UNIT_BYTES, "of all these spans" },
	[USED] = { "object_bytes", "USED", MW_UNIT_BYTES, "of slots taken" },
	[FREE] = { "free_slots_bytes", "FREE", MW_UNIT_BYTES,
		   "of slots that are not" },
	[TAIL] = { "tail_bytes", NULL, MW_UNIT_BYTES,
		   "behind the last slot, and the collector's own bits" },
	[WASTE] = { "waste_percent", "WASTE%", MW_UNIT_NUMBER,
		    "share of the spans that no object has" },
	[FULL] = { "full_spans", NULL, MW_UNIT_COUNT, "without a free slot" },
	[EMPTY] = { "empty_spans", NULL, MW_UNIT_COUNT,
		    "without an object: a P allocates from it, or it is about "
		    "to be freed" },
	[SINGLE] = { "single_spans", "SINGLE", MW_UNIT_COUNT,
		     "kept by one object, of several that would fit" },
	[SINGLE_BYTES] = { "single_bytes", NULL, MW_UNIT_BYTES,
			   "of those spans" },
	[PACKING] = { "packing_bytes", "PACKING", MW_UNIT_BYTES,
		      "what would be given back if all objects of the class "
		      "lay side by side" },
	[PICTURE] = { "occupancy", "0..100%", MW_UNIT_TEXT,
		      "spans by the share of slots taken, in tenths" },
	FILLED_COLUMN(1), FILLED_COLUMN(2), FILLED_COLUMN(3),
	FILLED_COLUMN(4), FILLED_COLUMN(5), FILLED_COLUMN(6),
	FILLED_COLUMN(7), FILLED_COLUMN(8), FILLED_COLUMN(9),
	FILLED_COLUMN(10),
};

static void help(FILE *out)
{
	cmd_print_columns(out, columns, COLUMNS);
	go_map_help(out);
}

/** A bar for each tenth, against the most frequent. */
static void draw(char to[static 4 * TENTHS + 1], const struct class *c)
{
	static const char *const bars[] = { "▁", "▂", "▃", "▄",
					    "▅", "▆", "▇", "█" };
	uint64_t most = 1;

	for (size_t i = 0; i < TENTHS; i++)
		most = mw_max(most, c->filled[i]);
	*to = '\0';
	for (size_t i = 0; i < TENTHS; i++)
		strcat(to, c->filled[i] ? bars[(c->filled[i] * 8 - 1) / most % 8]
					: " ");
}

static void put_real(struct mw_cell *cell, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	mw_cell_number(cell, MW_NUMBER_REAL, MW_UNIT_COUNT, bits);
}

static bool fill_row(struct mw_cell *cells, size_t number,
		     const struct class *c)
{
	char picture[4 * TENTHS + 1];
	uint64_t waste = (c->bytes - c->object_bytes) * 1000 / c->bytes;

	mw_cell_value(&cells[CLASS], number >> 1);
	mw_cell_number(&cells[NOSCAN], MW_NUMBER_BOOL, MW_UNIT_COUNT,
		       number & 1);
	if (c->elem_bytes)
		mw_cell_value(&cells[ELEM], c->elem_bytes);
	if (c->span_bytes)
		mw_cell_value(&cells[SPAN], c->span_bytes);
	if (c->elems)
		mw_cell_value(&cells[PER_SPAN], c->elems);
	mw_cell_value(&cells[SPANS], c->spans);
	mw_cell_value(&cells[OBJECTS], c->objects);
	mw_cell_value(&cells[BYTES], c->bytes);
	mw_cell_value(&cells[USED], c->object_bytes);
	mw_cell_value(&cells[FREE], c->slot_bytes - c->object_bytes);
	mw_cell_value(&cells[TAIL], c->bytes - c->slot_bytes);
	put_real(&cells[WASTE], (double)waste / 10);
	mw_cell_value(&cells[FULL], c->full_spans);
	mw_cell_value(&cells[EMPTY], c->empty_spans);
	mw_cell_value(&cells[SINGLE], c->single_spans);
	mw_cell_value(&cells[SINGLE_BYTES], c->single_bytes);
	mw_cell_value(&cells[PACKING], packing_bytes(c));
	for (size_t i = 0; i < TENTHS; i++)
		mw_cell_value(&cells[FILLED + i], c->filled[i]);
	draw(picture, c);
	return mw_cell_text(&cells[PICTURE], picture);
}

struct totals {
	uint64_t spans, bytes, object_bytes, free_slots, tails;
	uint64_t single_spans, single_bytes, packing_bytes;
};

static struct totals sum_up(const struct class *classes)
{
	struct totals t = { 0 };

	for (size_t i = 0; i < CLASSES; i++) {
		const struct class *c = &classes[i];

		t.spans += c->spans;
		t.bytes += c->bytes;
		t.object_bytes += c->object_bytes;
		t.free_slots += c->slot_bytes - c->object_bytes;
		t.tails += c->bytes - c->slot_bytes;
		t.single_spans += c->single_spans;
		t.single_bytes += c->single_bytes;
		t.packing_bytes += packing_bytes(c);
	}
	return t;
}

static void print_totals(const struct totals *t, const struct mw_style *style)
{
	bool exact = style->exact_bytes;
	char all[32], used[32], free[32], tails[32], single[32], packing[32];

	printf("spans %" PRIu64 ", %s: objects %s, free slots %s, tails %s\n"
	       "kept by one object: %" PRIu64 " spans, %s; perfect packing "
	       "would give back %s\n\n",
	       t->spans, mw_format_bytes(all, t->bytes, exact),
	       mw_format_bytes(used, t->object_bytes, exact),
	       mw_format_bytes(free, t->free_slots, exact),
	       mw_format_bytes(tails, t->tails, exact), t->single_spans,
	       mw_format_bytes(single, t->single_bytes, exact),
	       mw_format_bytes(packing, t->packing_bytes, exact));
}

static void json_totals(struct mw_json *json, const struct totals *t)
{
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {
		{ "spans", t->spans },
		{ "bytes", t->bytes },
		{ "object_bytes", t->object_bytes },
		{ "free_slots_bytes", t->free_slots },
		{ "tail_bytes", t->tails },
		{ "single_spans", t->single_spans },
		{ "single_bytes", t->single_bytes },
		{ "packing_bytes", t->packing_bytes },
	};

	mw_json_key(json, "totals");
	mw_json_object(json);
	for (size_t i = 0; i < MW_COUNT(members); i++)
		mw_json_member_u64(json, members[i].name, members[i].value);
	mw_json_end(json);
}

static struct mw_error *fill(struct cmd_go *go, struct class *classes,
			     struct mw_table *table)
{
	MW_CLEANUP(mw_go_spans_free) struct mw_go_spans spans = { 0 };
	struct mw_error *error = mw_go_spans_read(go->go, &spans);

	if (error)
		return error;
	for (size_t i = 0; i < spans.list.n; i++) {
		const struct mw_go_span *s = &spans.list.v[i];

		if (s->state == MW_GO_SPAN_IN_USE)
			add_span(&classes[(size_t)(s->class & 127) << 1 |
					  s->is_noscan], s);
	}
	if (spans.torn)
		mw_target_note(go->target, "%zu spans changed while they were "
			       "read and are left out; --stop counts all",
			       (size_t)spans.torn);
	mw_table_init(table, columns, COLUMNS);
	for (size_t i = 0; i < CLASSES; i++) {
		struct mw_cell *cells;

		if (!classes[i].spans)
			continue;
		cells = mw_table_add(table);
		if (!cells || !fill_row(cells, i, &classes[i]))
			return mw_error_nomem();
	}
	return NULL;
}

static void emit(const struct cmd_call *call, const struct cmd_go *go,
		 const struct class *classes, const struct mw_table *table)
{
	struct totals totals = sum_up(classes);
	struct mw_json json;

	if (call->format == MW_FORMAT_JSON) {
		cmd_json_begin(&json, call, go->target, go->go, go->stopped_ns,
			       go->wall_ns);
		if (!map)
			json_totals(&json, &totals);
		mw_json_table(&json, table);
		cmd_json_end(&json, go->target);
		return;
	}
	if (call->format == MW_FORMAT_TEXT && !map)
		print_totals(&totals, &call->style);
	cmd_emit_table(call, table, go->target, go->go, 0, 0);
	if (call->format == MW_FORMAT_TEXT && map)
		go_map_legend(stdout, table);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_go_close) struct cmd_go go = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	static struct class classes[CLASSES];
	struct mw_error *error = cmd_go_open(call, &go);

	if (!error)
		error = map ? go_map_fill(&go, &table)
			    : fill(&go, classes, &table);
	if (error)
		return error;
	cmd_go_release(&go);
	cmd_print_notes(go.target);
	emit(call, &go, classes, &table);
	return NULL;
}

static const struct cmd_option options[] = {
	{ .name = "map", .flag = &map,
	  .help = "a picture of the heap instead: objects, stacks, free,\n"
		  "given back, never used" },
	{ 0 },
};

const struct cmd_command cmd_go_classes = {
	.name = "go classes",
	.operands = "TARGET",
	.summary = "fragmentation of the Go heap by size class; its picture",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE,
	.options = options,
	.run = run,
	.help = help,
};
