/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_goroutines.h"

/** A stack of more frames is cut; a deep one takes 8 bytes a frame. */
#define MAX_FRAMES (UINT64_C(1) << 20)
/** When all together reach this, the rest is cut short. */
#define MAX_PCS (UINT64_C(4) << 20)
#define SHORT_FRAMES 64
/**
 * So it is when deep ones have so many frames to be walked, which counts for
 * equal ones, too: a damaged target may show one stack for all goroutines.
 */
#define MAX_DEEP_FRAMES (UINT64_C(8) << 20)
#define DEEP_FRAMES 1024

static bool note_frame(const struct mw_go_frame *frame, void *ctx)
{
	struct go_trace_set *set = ctx;
	uint64_t *pc, *bytes;

	// It may begin on the stack of a signal handler.
	if (frame->sp < set->lo || frame->sp >= set->hi)
		return true;
	if (set->pcs.n == 0)
		set->sp = frame->sp;
	pc = mw_vec_push(&set->pcs);
	bytes = mw_vec_push(&set->bytes);
	if (!pc || !bytes) {
		set->short_of_memory = true;
		return false;
	}
	*pc = frame->line_pc;
	*bytes = frame->bytes;
	return true;
}

static uint64_t hash_of(const struct go_trace_set *set, enum mw_go_end end)
{
	uint64_t hash = (uint64_t)end + 1;

	for (size_t i = 0; i < set->pcs.n; i++) {
		hash = (hash ^ set->pcs.v[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash;
}

static bool is_same(const struct go_trace_set *set,
		    const struct mw_go_trace *trace, const char *end)
{
	return trace->count == set->pcs.n && trace->end == end &&
	       (trace->count == 0 ||
		memcmp(&set->all->pcs.v[trace->first], set->pcs.v,
		       set->pcs.n * sizeof(*set->pcs.v)) == 0);
}

/** Which function's frames take most; recursion adds up. */
static bool find_largest(struct mw_go *go, const struct go_trace_set *set,
			 struct mw_go_trace *trace)
{
	struct mw_map64 sums = { 0 };
	bool done = true;

	for (size_t i = 0; i < set->pcs.n && done; i++) {
		const struct go_known_pc *known =
			go_look_up(go, set->pcs.v[i]);
		uint64_t *sum = known ? mw_map64_at(&sums, known->func.entry)
				      : NULL;

		done = !known || sum;
		trace->bytes += set->bytes.v[i];
		if (!sum)
			continue;
		*sum += set->bytes.v[i];
		if (*sum > trace->largest_bytes) {
			trace->largest_bytes = *sum;
			trace->largest =
				mw_go_func_name(go->funcs, &known->func);
		}
	}
	mw_map64_free(&sums);
	return done;
}

/** Add the walked stack to @set->all; NULL without memory. */
static struct mw_go_trace *add_trace(struct mw_go *go,
				     struct go_trace_set *set,
				     enum mw_go_end end)
{
	struct mw_go_goroutines *all = set->all;
	struct mw_go_trace trace = {
		.first = all->pcs.n,
		.count = (uint32_t)set->pcs.n,
		.is_whole = end == MW_GO_END_TOP,
		.end = mw_go_end_name(end),
		.largest = "?",
	};
	struct mw_go_trace *place;

	for (size_t i = 0; i < set->pcs.n; i++) {
		uint64_t *pc = mw_vec_push(&all->pcs);

		if (!pc)
			return NULL;
		*pc = set->pcs.v[i];
	}
	if (!find_largest(go, set, &trace))
		return NULL;
	place = mw_vec_push(&all->traces);
	if (place)
		*place = trace;
	return place;
}

/** The number of the stack just walked, which is added when it is new. */
static struct mw_error *intern(struct mw_go *go, struct go_trace_set *set,
			       enum mw_go_end end, uint32_t *ret)
{
	struct mw_go_goroutines *all = set->all;
	uint64_t *known = mw_map64_at(&set->by_hash, hash_of(set, end));

	if (!known)
		return mw_error_nomem();
	// Two that share a hash are kept apart, though perhaps twice.
	if (*known == 0 || !is_same(set, &all->traces.v[*known - 1],
				    mw_go_end_name(end))) {
		if (!add_trace(go, set, end))
			return mw_error_nomem();
		*known = all->traces.n;
	}
	all->traces.v[*known - 1].goroutines++;
	*ret = (uint32_t)(*known - 1);
	return NULL;
}

struct mw_error *go_trace(struct mw_go *go, struct go_trace_set *set,
			  struct mw_go_goroutine *g,
			  const struct mw_go_start *start)
{
	uint64_t max = set->all->pcs.n < MAX_PCS &&
				       set->deep_frames < MAX_DEEP_FRAMES
			       ? MAX_FRAMES
			       : SHORT_FRAMES;
	enum mw_go_end end;
	struct mw_error *error;

	set->pcs.n = set->bytes.n = 0;
	set->lo = g->stack_lo;
	set->hi = g->stack_hi;
	error = mw_go_unwind(go, start, max, note_frame, set, &end);
	if (set->pcs.n > DEEP_FRAMES)
		set->deep_frames += set->pcs.n;
	if (!error && set->short_of_memory)
		error = mw_error_nomem();
	if (error || set->pcs.n == 0)
		return error;
	g->sp = set->sp;
	return intern(go, set, end, &g->trace);
}

void go_trace_set_free(struct go_trace_set *set)
{
	mw_map64_free(&set->by_hash);
	mw_vec_free(&set->pcs);
	mw_vec_free(&set->bytes);
}

/* Lines */

/** The calls at @pc, the innermost first; how many. */
static size_t lines_at(struct mw_go *go, uint64_t pc,
		       struct mw_go_line lines[static MW_GO_MAX_LINES])
{
	const struct go_known_pc *known = go_look_up(go, pc);

	return known ? mw_go_lines(go->funcs, &known->func, pc, lines,
				   MW_GO_MAX_LINES)
		     : 0;
}

const char *go_outermost(struct mw_go *go, const struct mw_go_goroutines *all,
			 const struct mw_go_trace *trace)
{
	for (size_t i = trace->count; i-- > 0;) {
		struct mw_go_line lines[MW_GO_MAX_LINES];
		uint64_t pc = all->pcs.v[trace->first + i];
		const struct go_known_pc *known = go_look_up(go, pc);
		size_t n = lines_at(go, pc, lines);

		// Where it has no name, too.
		if (known && (known->func.flags & MW_GO_FUNC_TOP_FRAME))
			continue;
		while (n-- > 0)
			if (!lines[n].is_wrapper &&
			    strcmp(lines[n].function, "runtime.goexit") != 0)
				return lines[n].function;
	}
	return NULL;
}

/** A wrapper that itself panicked is of interest. */
static bool is_panic(const char *name)
{
	return strcmp(name, "runtime.gopanic") == 0 ||
	       strcmp(name, "runtime.sigpanic") == 0 ||
	       strcmp(name, "runtime.panicwrap") == 0;
}

struct mw_error *
mw_go_trace_lines(struct mw_go *go, const struct mw_go_goroutines *all,
		  const struct mw_go_trace *trace,
		  bool (*visit)(const struct mw_go_line *line, size_t frame,
				void *ctx),
		  void *ctx)
{
	struct mw_error *error = go_open_funcs(go);
	const char *callee = "";

	for (size_t i = 0; i < trace->count && !error; i++) {
		struct mw_go_line lines[MW_GO_MAX_LINES];
		size_t n = lines_at(go, all->pcs.v[trace->first + i], lines);

		for (size_t at = 0; at < n; at++) {
			bool hide = lines[at].is_wrapper &&
				    !is_panic(callee);

			callee = lines[at].function;
			if (!hide && !visit(&lines[at], i, ctx))
				return NULL;
		}
	}
	return error;
}
