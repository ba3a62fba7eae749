/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_go_map.h"
#include "mw_guard.h"

/*
 * A picture of the heap. It is painted by what the heap's walker claims, as
 * the ledger is, so both say the same.
 */

enum kind {
	OBJECTS, SLACK, IDLE, SCAVENGED, STACKS, WORK, NEVER, TORN, KINDS,
};

static const struct {
	const char *account; /* NULL: what is no other */
	enum kind kind;
} accounts[] = {
	{ "go/heap/objects", OBJECTS },	  { "go/heap/free-slots", SLACK },
	{ "go/heap/span-tail", SLACK },	  { "go/heap/idle", IDLE },
	{ "go/heap/scavenged", SCAVENGED }, { "go/heap/reserved", NEVER },
	{ "go/stacks/used", STACKS },	  { "go/stacks/unused", STACKS },
	{ "go/stacks/cached", STACKS },	  { "go/runtime/gc-work", WORK },
	{ NULL, TORN },
};

#define LINE_CELLS 64
#define MOST_LINES 48

/** A line of the picture. */
struct cell {
	uint64_t bytes[KINDS];
};

struct map {
	MW_VEC(struct mw_claim) arenas;
	MW_VEC(uint8_t) kinds; /* of each account, by its id */
	uint64_t cell_bytes;
	struct cell *cells; /* of the arena being painted */
	const struct mw_claim *arena;
};

static void free_map(struct map *map)
{
	mw_vec_free(&map->arenas);
	mw_vec_free(&map->kinds);
	mw_free(map->cells);
}

/* The sink */

static struct mw_error *take_account(void *ctx, const char *parent,
				     const char *leaf, const char *evidence,
				     mw_account_id *ret)
{
	struct map *map = ctx;
	uint8_t *kind = mw_vec_push(&map->kinds);
	char name[128];
	size_t i = 0;

	(void)evidence;
	if (!kind)
		return mw_error_nomem();
	snprintf(name, sizeof(name), "%s/%s", parent, leaf);
	while (accounts[i].account && strcmp(accounts[i].account, name) != 0)
		i++;
	*kind = (uint8_t)accounts[i].kind;
	*ret = (mw_account_id)(map->kinds.n - 1);
	return NULL;
}

static struct mw_error *take_claim(void *ctx, const struct mw_claim *claim)
{
	struct map *map = ctx;
	struct mw_claim *place;

	if (!claim->refine || strcmp(claim->walker, "Go heap") != 0)
		return NULL;
	place = mw_vec_push(&map->arenas);
	if (!place)
		return mw_error_nomem();
	*place = *claim;
	return NULL;
}

static const struct mw_sink_ops sink_ops = { take_account, take_claim };

/* Painting */

static void paint(struct map *map, uint64_t start, uint64_t bytes,
		  enum kind kind, uint64_t used, uint64_t of)
{
	uint64_t at = mw_max(start, map->arena->start), end;

	if (!mw_end(start, bytes, &end))
		return;
	end = mw_min(end, map->arena->start + map->arena->bytes);
	while (at < end) {
		uint64_t cell = (at - map->arena->start) / map->cell_bytes;
		uint64_t until = mw_min(end, map->arena->start +
						     (cell + 1) *
							     map->cell_bytes);
		uint64_t part = of ? (uint64_t)((double)(until - at) *
						(double)used / (double)of)
				   : until - at;

		map->cells[cell].bytes[kind] += part;
		if (of)
			map->cells[cell].bytes[SLACK] += until - at - part;
		at = until;
	}
}

static uint64_t no_stretch(void *ctx, uint64_t va)
{
	(void)ctx;
	return va;
}

static void take_sums(void *ctx, uint64_t start, uint64_t end,
		      const struct mw_sum *sums, size_t count)
{
	(void)ctx;
	(void)start;
	(void)end;
	(void)sums;
	(void)count; // there are no stretches to sum up in
}

static void take_range(void *ctx, uint64_t start, uint64_t bytes,
		       mw_account_id account)
{
	struct map *map = ctx;

	paint(map, start, bytes, (enum kind)map->kinds.v[account], 0, 0);
}

static void take_slots(void *ctx, const struct mw_slots *slots)
{
	struct map *map = ctx;
	uint64_t bytes;

	if (slots->count &&
	    !__builtin_mul_overflow(slots->slot_bytes, slots->count, &bytes))
		paint(map, slots->start, bytes, OBJECTS, slots->used_count,
		      slots->count);
}

static const struct mw_part_ops part_ops = { no_stretch, take_sums, take_range,
					     take_slots };

/* The picture */

enum column {
	ADDRESS, PICTURE, CELL, OBJECT, SLOTS, IDLES, RETURNED, STACK, GC,
	UNUSED, UNKNOWN, COLUMNS,
};

static const struct mw_column columns[COLUMNS] = {
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "of the first cell of the line" },
	[PICTURE] = { "picture", "HEAP", MW_UNIT_TEXT, "a sign for each cell" },
	[CELL] = { "cell_bytes", NULL, MW_UNIT_BYTES, "bytes of a cell" },
	[OBJECT] = { "objects_bytes", NULL, MW_UNIT_BYTES, "allocated slots" },
	[SLOTS] = { "free_slots_bytes", NULL, MW_UNIT_BYTES,
		    "the rest of spans of objects" },
	[IDLES] = { "idle_bytes", NULL, MW_UNIT_BYTES, "free pages, kept" },
	[RETURNED] = { "scavenged_bytes", NULL, MW_UNIT_BYTES,
		       "free pages, given back to the kernel" },
	[STACK] = { "stacks_bytes", NULL, MW_UNIT_BYTES, "spans of stacks" },
	[GC] = { "gc_work_bytes", NULL, MW_UNIT_BYTES,
		 "the collector's work buffers" },
	[UNUSED] = { "never_used_bytes", NULL, MW_UNIT_BYTES,
		     "what the heap has never grown into" },
	[UNKNOWN] = { "unknown_bytes", NULL, MW_UNIT_BYTES,
		      "changed while it was read" },
};

void go_map_help(FILE *out)
{
	fputs("\nWith --map:\n", out);
	cmd_print_columns(out, columns, COLUMNS);
}

/** The sign of a cell: its largest kind; objects by how full their spans are. */
static const char *sign(const struct cell *cell)
{
	static const char *const signs[KINDS] = {
		[IDLE] = "-", [SCAVENGED] = ".", [STACKS] = "s", [WORK] = "g",
		[NEVER] = " ", [TORN] = "?",
	};
	static const char *const shades[] = { "░", "▒", "▓", "█" };
	uint64_t spans = cell->bytes[OBJECTS] + cell->bytes[SLACK];
	uint64_t most = spans;
	enum kind kind = OBJECTS;

	for (enum kind k = IDLE; k < KINDS; k++)
		if (cell->bytes[k] > most) {
			most = cell->bytes[k];
			kind = k;
		}
	if (kind != OBJECTS)
		return signs[kind];
	if (spans == 0)
		return " ";
	return shades[mw_min(cell->bytes[OBJECTS] / (spans / 4 + 1), 3)];
}

void go_map_legend(FILE *out, const struct mw_table *table)
{
	char bytes[32];

	if (mw_table_rows(table) == 0)
		return;
	fprintf(out, "\na cell is %s: █ ▓ ▒ ░ spans of objects, by how full; s "
		"stacks; g the collector's work;\n- free; . free and given "
		"back; blank: never used\n",
		mw_format_bytes(bytes, table->cells.v[CELL].value, false));
}

/** Add the line that begins with @first; lines never used are left out. */
static bool add_line(const struct map *map, struct mw_table *table,
		     size_t first, size_t count)
{
	static const enum kind kinds[COLUMNS] = {
		[OBJECT] = OBJECTS, [SLOTS] = SLACK,   [IDLES] = IDLE,
		[RETURNED] = SCAVENGED, [STACK] = STACKS, [GC] = WORK,
		[UNUSED] = NEVER,   [UNKNOWN] = TORN,
	};
	struct cell sum = { 0 };
	char picture[4 * LINE_CELLS + 1] = "";
	struct mw_cell *cells;
	bool used = false;

	for (size_t i = first; i < first + count; i++) {
		for (enum kind k = 0; k < KINDS; k++) {
			sum.bytes[k] += map->cells[i].bytes[k];
			used |= k != NEVER && map->cells[i].bytes[k];
		}
		strcat(picture, sign(&map->cells[i]));
	}
	if (!used)
		return true;
	cells = mw_table_add(table);
	if (!cells)
		return false;
	mw_cell_value(&cells[ADDRESS],
		      map->arena->start + first * map->cell_bytes);
	mw_cell_value(&cells[CELL], map->cell_bytes);
	for (size_t c = OBJECT; c < COLUMNS; c++)
		mw_cell_value(&cells[c], sum.bytes[kinds[c]]);
	return mw_cell_text(&cells[PICTURE], picture);
}

static struct mw_error *add_arena(struct map *map, const struct mw_claim *arena,
				  struct mw_table *table)
{
	struct mw_parts parts = { &part_ops, map };
	size_t count = (arena->bytes + map->cell_bytes - 1) / map->cell_bytes;
	struct mw_error *error;

	mw_free(map->cells);
	map->arena = arena;
	map->cells = mw_calloc(count, sizeof(*map->cells));
	if (!map->cells)
		return mw_error_nomem();
	error = arena->refine(arena->ctx, arena, &parts);
	for (size_t i = 0; !error && i < count; i += LINE_CELLS)
		if (!add_line(map, table, i, mw_min(LINE_CELLS, count - i)))
			error = mw_error_nomem();
	return error;
}

static int by_start(const void *a, const void *b)
{
	const struct mw_claim *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct mw_error *go_map_fill(struct cmd_go *go, struct mw_table *table)
{
	MW_CLEANUP(free_map) struct map map = { .cell_bytes = MW_KIB(8) };
	struct mw_sink sink = { &sink_ops, &map };
	struct mw_error *error = mw_go_claim(go->go, &sink);
	uint64_t sum = 0;

	mw_table_init(table, columns, COLUMNS);
	if (map.arenas.n > 0)
		qsort(map.arenas.v, map.arenas.n, sizeof(*map.arenas.v),
		      by_start);
	for (size_t i = 0; i < map.arenas.n; i++)
		sum += map.arenas.v[i].bytes;
	while (sum / map.cell_bytes > LINE_CELLS * MOST_LINES)
		map.cell_bytes *= 2;
	for (size_t i = 0; !error && i < map.arenas.n; i++)
		error = add_arena(&map, &map.arenas.v[i], table);
	return error;
}
