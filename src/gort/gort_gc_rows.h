/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GORT_GC_ROWS_H
#define GORT_GC_ROWS_H

#include "gort_stats.h"
#include "mw_go_gc.h"

/* What mw_go_gc_read makes row by row, and what its parts need for that. */

#define BYTES MW_GO_UNIT_BYTES
#define COUNT MW_GO_UNIT_COUNT
#define NS MW_GO_UNIT_NS
#define BOOL MW_GO_UNIT_BOOL

struct go_gc_rows {
	struct mw_go *go;
	const struct go_counters *c;
	struct mw_go_gc *out;
	uint64_t now_ns;
	uint64_t live, marked; /* bytes of heap */
	bool has_pace;
	struct go_pace pace;
	bool short_of_memory;
};

/** Never NULL; good until the next row. */
struct mw_go_figure *go_add(struct go_gc_rows *b, const char *name,
			    enum mw_go_unit unit, uint64_t value);
void go_add_unknown(struct go_gc_rows *b, const char *name,
		    enum mw_go_unit unit, const char *why);
void go_add_text(struct go_gc_rows *b, const char *name, const char *text);
/** @bits are those of a double. */
void go_add_real(struct go_gc_rows *b, const char *name, uint64_t bits);
/** A member of gcController, where this release has it. */
void go_add_pacer(struct go_gc_rows *b, const char *name, enum mw_go_unit unit,
		  enum go_field field);
/** A member of work, as it is now. */
bool go_work(const struct go_gc_rows *b, enum go_field field, uint64_t *ret);
/** Cut to what a number of bytes or ns can be. */
uint64_t go_whole(double value);

/* The parts, gort_gc_pace.c */

/** Fill pace, live and marked. */
void go_find_pace(struct go_gc_rows *b);
/** What sets the pace: GOGC, GOMEMLIMIT, the heap, and what follows. */
void go_add_pace(struct go_gc_rows *b);
void go_add_scavenger(struct go_gc_rows *b);

#endif
