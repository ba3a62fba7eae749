/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_explain.h"

#include <inttypes.h>
#include <string.h>

#include "mw_go_locate.h"

/* What Go has at an address. */

/* The heap */

static void explain_slot(struct explain *e, const struct mw_go_slot *s)
{
	cmd_level(&e->levels, "slot");
	cmd_say(&e->levels, "%" PRIu64 ", 0x%" PRIx64 "-0x%" PRIx64 ": %s",
		s->index, s->start, s->start + s->bytes,
		s->is_allocated ? "allocated" : "free");
	if (s->is_allocated && !s->has_survived)
		cmd_say(&e->levels, " since its span was last swept");
	else if (s->has_survived)
		cmd_say(&e->levels, ", found live by the last collection that "
			"swept its span");
	if (s->is_marked)
		cmd_say(&e->levels, "; marked by the collection that runs, or "
			"has not swept it yet");
	if (s->is_tiny_block)
		cmd_say(&e->levels, "; a block of the tiny allocator, which "
			"puts several objects without pointers in one, or a "
			"single object of 16 bytes");
	cmd_fact_count(&e->levels, "index", s->index);
	cmd_fact_address(&e->levels, "start", s->start);
	cmd_fact_count(&e->levels, "bytes", s->bytes);
	cmd_fact_bool(&e->levels, "is_allocated", s->is_allocated);
	cmd_fact_bool(&e->levels, "is_marked", s->is_marked);
	cmd_fact_bool(&e->levels, "has_survived", s->has_survived);
	cmd_fact_bool(&e->levels, "is_tiny_block", s->is_tiny_block);
}

static void explain_object(struct explain *e, const struct mw_go_slot *s)
{
	uint64_t start = s->start + s->header_bytes;
	uint64_t bytes = s->bytes - s->header_bytes;

	if (!s->is_allocated)
		return;
	cmd_level(&e->levels, "object");
	cmd_say(&e->levels, "0x%" PRIx64 ", at most %" PRIu64 " bytes", start,
		bytes);
	if (e->va >= start)
		cmd_say(&e->levels, ", byte %" PRIu64 " of it", e->va - start);
	else
		cmd_say(&e->levels, "; this is the header in front of it");
	if (s->type) {
		cmd_say(&e->levels, ": type %s, %" PRIu64 " bytes",
			s->type_name, s->type_bytes);
		if (s->type_bytes && bytes / s->type_bytes > 1)
			cmd_say(&e->levels, " each, at most %" PRIu64,
				bytes / s->type_bytes);
	} else {
		cmd_say(&e->levels, ": type not known (the heap does not keep "
			"it)");
	}
	cmd_fact_address(&e->levels, "start", start);
	cmd_fact_count(&e->levels, "bytes", bytes);
	if (e->va >= start)
		cmd_fact_count(&e->levels, "offset", e->va - start);
	else
		cmd_fact_none(&e->levels, "offset");
	if (s->type) {
		cmd_fact_text(&e->levels, "type", s->type_name);
		cmd_fact_count(&e->levels, "type_bytes", s->type_bytes);
		cmd_fact_address(&e->levels, "type_address", s->type);
	} else {
		cmd_fact_none(&e->levels, "type");
	}
}

static void explain_span(struct explain *e, const struct mw_go_place *p)
{
	const struct mw_go_span *s = &p->span;
	const char *use = s->state == MW_GO_SPAN_FREE     ? "free"
			  : s->state == MW_GO_SPAN_MANUAL ? s->elem_bytes
								  ? "stack"
								  : "gc-work"
			  : s->is_user_arena ? "arena"
			  : s->class	     ? "objects"
					     : "large";

	cmd_level(&e->levels, "span");
	cmd_say(&e->levels, "0x%" PRIx64 "-0x%" PRIx64 ", %" PRIu64
		" page%s of 8 KiB: %s", s->address,
		s->address + mw_go_span_bytes(s), s->pages,
		s->pages == 1 ? "" : "s", use);
	if (s->state == MW_GO_SPAN_IN_USE) {
		cmd_say(&e->levels, ", ");
		if (s->class)
			cmd_say(&e->levels, "size class %u, ", s->class);
		cmd_say(&e->levels, "%u slot%s of %" PRIu64 " bytes%s, %u "
			"allocated", s->elems, s->elems == 1 ? "" : "s",
			s->elem_bytes,
			s->is_noscan ? " without pointers" : "", s->allocated);
	}
	cmd_say(&e->levels, " (mspan 0x%" PRIx64 ")", s->descriptor);
	cmd_fact_address(&e->levels, "start", s->address);
	cmd_fact_address(&e->levels, "end",
			 s->address + mw_go_span_bytes(s));
	cmd_fact_address(&e->levels, "mspan", s->descriptor);
	cmd_fact_count(&e->levels, "pages", s->pages);
	cmd_fact_text(&e->levels, "state",
		      s->state == MW_GO_SPAN_IN_USE   ? "in-use"
		      : s->state == MW_GO_SPAN_MANUAL ? "manual"
						      : "free");
	cmd_fact_text(&e->levels, "use", use);
	if (s->state != MW_GO_SPAN_IN_USE)
		return;
	cmd_fact_count(&e->levels, "class", s->class);
	cmd_fact_bool(&e->levels, "is_noscan", s->is_noscan);
	cmd_fact_count(&e->levels, "elem_bytes", s->elem_bytes);
	cmd_fact_count(&e->levels, "elems", s->elems);
	cmd_fact_count(&e->levels, "allocated", s->allocated);
	if (!p->has_slot)
		cmd_say(&e->levels, ": behind the last slot");
}

static void explain_heap(struct explain *e, const struct mw_go_place *p)
{
	cmd_level(&e->levels, "arena");
	cmd_say(&e->levels, "0x%" PRIx64 "-0x%" PRIx64 ", page %" PRIu64
		" of the heap's arena", p->arena_start, p->arena_end,
		(e->va - p->arena_start) / 8192);
	cmd_fact_address(&e->levels, "start", p->arena_start);
	cmd_fact_address(&e->levels, "end", p->arena_end);
	if (p->heap_arena) {
		cmd_say(&e->levels, " (heapArena 0x%" PRIx64 ")",
			p->heap_arena);
		cmd_fact_address(&e->levels, "heap_arena", p->heap_arena);
	} else {
		cmd_fact_none(&e->levels, "heap_arena");
	}
	if (!p->has_span) {
		cmd_say(&e->levels, ": this page is in no span");
		return;
	}
	explain_span(e, p);
	if (!p->has_slot)
		return;
	explain_slot(e, &p->slot);
	explain_object(e, &p->slot);
}

/* Stacks */

struct frame_search {
	uint64_t va;
	bool is_found;
	struct mw_go_frame frame;
	uint64_t depth;
};

static bool find_frame(const struct mw_go_frame *frame, void *ctx)
{
	struct frame_search *s = ctx;

	if (s->va - frame->sp < frame->bytes) {
		s->is_found = true;
		s->frame = *frame;
		return false;
	}
	s->depth++;
	return true;
}

static void explain_frame(struct explain *e, const struct frame_search *s)
{
	struct mw_go_funcs *funcs = cmd_names_go(e->names);
	const struct mw_go_frame *f = &s->frame;
	struct mw_go_line lines[MW_GO_MAX_LINES];
	size_t count;

	if (!funcs)
		return;
	count = mw_go_lines(funcs, &f->func, f->line_pc, lines,
			    MW_GO_MAX_LINES);
	cmd_level(&e->levels, "frame");
	cmd_say(&e->levels, "%" PRIu64 ", %s", s->depth,
		mw_go_func_name(funcs, &f->func));
	if (count > 0)
		cmd_say(&e->levels, " at %s:%u", lines[count - 1].file,
			lines[count - 1].line);
	cmd_say(&e->levels, ", 0x%" PRIx64 "-0x%" PRIx64 ", byte %" PRIu64
		" of %" PRIu64, f->sp, f->sp + f->bytes, e->va - f->sp,
		f->bytes);
	cmd_fact_count(&e->levels, "depth", s->depth);
	cmd_fact_text(&e->levels, "function",
		      mw_go_func_name(funcs, &f->func));
	if (count > 0) {
		cmd_fact_text(&e->levels, "file", lines[count - 1].file);
		cmd_fact_count(&e->levels, "line", lines[count - 1].line);
	}
	cmd_fact_address(&e->levels, "start", f->sp);
	cmd_fact_count(&e->levels, "bytes", f->bytes);
	cmd_fact_count(&e->levels, "offset", e->va - f->sp);
}

static void explain_goroutine(struct explain *e,
			      const struct mw_go_goroutine *g)
{
	cmd_level(&e->levels, "goroutine");
	cmd_say(&e->levels, "%" PRIu64 " [%s]", g->id,
		*g->wait_reason ? g->wait_reason
				: mw_go_state_name(g->status));
	if (!g->is_dead)
		cmd_say(&e->levels, ", runs %s", g->function);
	if (*g->creator)
		cmd_say(&e->levels, ", created by %s", g->creator);
	if (g->thread)
		cmd_say(&e->levels, ", on thread %" PRIu64, g->thread);
	cmd_fact_count(&e->levels, "id", g->id);
	cmd_fact_address(&e->levels, "g", g->address);
	cmd_fact_text(&e->levels, "state", mw_go_state_name(g->status));
	cmd_fact_text(&e->levels, "wait_reason", g->wait_reason);
	cmd_fact_text(&e->levels, "function", g->function);
	cmd_fact_text(&e->levels, "creator", g->creator);
	if (g->thread)
		cmd_fact_count(&e->levels, "thread", g->thread);
	else
		cmd_fact_none(&e->levels, "thread");
}

static struct mw_error *explain_stack(struct explain *e,
				      const struct mw_go_stack_place *s)
{
	struct frame_search search = { .va = e->va };
	struct mw_go_goroutine g;
	struct mw_error *error;
	bool found = false;

	cmd_level(&e->levels, "stack");
	cmd_say(&e->levels, "0x%" PRIx64 "-0x%" PRIx64 ", %s", s->lo, s->hi,
		s->is_thread ? "the runtime's own on a thread"
			     : "a goroutine's");
	if (s->thread)
		cmd_say(&e->levels, " (thread %" PRIu64 ")", s->thread);
	if (s->sp)
		cmd_say(&e->levels, ": %s",
			e->va >= s->sp ? "used" : "unused, below its frames");
	cmd_fact_address(&e->levels, "start", s->lo);
	cmd_fact_address(&e->levels, "end", s->hi);
	cmd_fact_address(&e->levels, "g", s->g);
	cmd_fact_bool(&e->levels, "is_goroutine", !s->is_thread);
	if (s->sp)
		cmd_fact_address(&e->levels, "sp", s->sp);
	else
		cmd_fact_none(&e->levels, "sp");
	if (s->is_thread)
		return NULL;
	error = mw_go_goroutine_walk(e->books.go, s->g, find_frame, &search,
				     &g, &found);
	if (error || !found)
		return error;
	explain_goroutine(e, &g);
	if (search.is_found)
		explain_frame(e, &search);
	return NULL;
}

/* The runtime's structures */

static void explain_structure(struct explain *e,
			      const struct mw_go_structure *s)
{
	uint64_t offset = e->va - s->start;

	cmd_level(&e->levels, "structure");
	if (s->variable)
		cmd_say(&e->levels, "variable %s, ", s->variable);
	cmd_say(&e->levels, "%s at 0x%" PRIx64 ", byte %" PRIu64 " of %"
		PRIu64, s->name, s->start, offset, s->bytes);
	if (s->field)
		cmd_say(&e->levels, ": member %s", s->field);
	if (s->field && s->has_index)
		cmd_say(&e->levels, "[%" PRIu64 "]", s->index);
	if (s->field && offset > s->field_offset)
		cmd_say(&e->levels, ", byte %" PRIu64 " of it",
			offset - s->field_offset);
	cmd_fact_text(&e->levels, "type", s->name);
	if (s->variable)
		cmd_fact_text(&e->levels, "variable", s->variable);
	else
		cmd_fact_none(&e->levels, "variable");
	cmd_fact_address(&e->levels, "start", s->start);
	cmd_fact_count(&e->levels, "bytes", s->bytes);
	cmd_fact_count(&e->levels, "offset", offset);
	if (s->field)
		cmd_fact_text(&e->levels, "field", s->field);
	else
		cmd_fact_none(&e->levels, "field");
	if (s->has_index)
		cmd_fact_count(&e->levels, "index", s->index);
	if (!s->has_about)
		return;
	if (strcmp(s->name, "runtime.mspan") == 0 ||
	    strcmp(s->name, "runtime.heapArena") == 0) {
		cmd_say(&e->levels, "; it describes 0x%" PRIx64, s->about);
		cmd_fact_address(&e->levels, "describes", s->about);
	} else {
		cmd_say(&e->levels, "; its number is %" PRIu64, s->about);
		cmd_fact_count(&e->levels, "number", s->about);
	}
}

struct mw_error *explain_go(struct explain *e)
{
	struct mw_go_place place;
	struct mw_error *error = NULL;

	mw_go_locate(e->books.go, e->va, &place);
	if (place.in_heap)
		explain_heap(e, &place);
	if (place.has_stack)
		error = explain_stack(e, &place.stack);
	if (place.has_structure)
		explain_structure(e, &place.structure);
	return error;
}
