/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_int.h"
#include "mw_cycle.h"
#include "mw_guard.h"

/*
 * Memory of runtime/trace and the flight recorder (runtime/trace.go;
 * tracebuf.go, traceregion.go, Go 1.22 and later): blocks of 64 KiB, each
 * mapped one by one and given back when tracing ends. Buffers of events
 * (traceBuf) and of the tables of stacks and strings (traceRegionAllocBlock)
 * begin alike:
 *
 *	0	*next		of a list, in both
 *	8	u64 lastTime	of a buffer
 *	16	u64 pos		of a buffer: where the next event goes
 *
 * A thread (to Go 1.21 a P) has the buffers that it fills; all others and the
 * tables hang in the variable `trace`. Behind `empty`, a list, it has one or
 * two queues of full ones, {head, tail} each.
 */
#define BLOCK_BYTES MW_KIB(64)

/* m.trace.buf, by generation and kind; p.tracebuf */
#define MAX_BUFFERS 64

static bool is_block(const struct mw_go *go, uint64_t va)
{
	return go_is_own_memory(go, va) && go_is_mapped(go, va, BLOCK_BYTES) &&
	       !(go->has_chunks && go_is_chunk(go, va));
}

static bool is_buffer(const struct mw_go *go, uint64_t va)
{
	uint64_t words[3];

	return is_block(go, va) &&
	       mw_target_read(go->target, va, words, sizeof(words)) &&
	       words[1] != 0 && words[2] != 0 && words[2] <= BLOCK_BYTES;
}

/* The buffers of threads or Ps */

/** What is done with each; false ends it. */
typedef bool buffer_visit(struct mw_go *go, uint64_t buffer, void *ctx);

static bool visit_buffers(struct mw_go *go, uint64_t va, enum go_field field,
			  buffer_visit *visit, void *ctx)
{
	uint64_t buffers[MAX_BUFFERS];
	size_t bytes = mw_min(go_size(go, field), sizeof(buffers));

	if (!mw_target_read(go->target, va + go_off(go, field), buffers, bytes))
		return true;
	for (size_t i = 0; i < bytes / 8; i++)
		if (buffers[i] && !visit(go, buffers[i], ctx))
			return false;
	return true;
}

static void each_buffer(struct mw_go *go, buffer_visit *visit, void *ctx)
{
	enum { LIMIT = 1 << 20 };
	enum go_field of_p = go_has(go, GO_p_trace_buf) ? GO_p_trace_buf
							: GO_p_tracebuf;
	uint64_t m = 0, p;
	struct go_slice ps;

	if (go_has(go, GO_m_trace_buf) && go->allm &&
	    mw_target_read_u64(go->target, go->allm, &m))
		for (int n = 0; m && n < LIMIT; n++)
			if (!visit_buffers(go, m, GO_m_trace_buf, visit, ctx) ||
			    !go_read(go, m, GO_m_alllink, &m))
				return;
	if (go_has(go, of_p) && go_read_ps(go, &ps))
		for (uint64_t i = 0; i < mw_min(ps.cap, LIMIT); i++)
			if (mw_target_read_u64(go->target, ps.ptr + i * 8,
					       &p) &&
			    p && !visit_buffers(go, p, of_p, visit, ctx))
				return;
}

static bool find_one(struct mw_go *go, uint64_t buffer, void *ctx)
{
	bool *found = ctx;

	*found = is_buffer(go, buffer);
	return !*found;
}

/* The variable */

/*
 * stackTab, one table or two by generation, each with a list of blocks. Behind
 * it are others like it.
 *
 * traceStackTable (to Go 1.21), traceMap (1.22):
 *	0	lock	8	seq, entries	16	head	24	off, of head used
 *	32	pointers[8192] to entries
 * traceMap (since 1.23), of which the end is
 *	-32	lock	-24	dropping	-16	current	-8	full
 * and a block has after next how much of it is used.
 */
#define TABLE_HEAD 32
#define TABLE_POINTERS 65536
#define TABLE_BYTES (TABLE_HEAD + TABLE_POINTERS)

struct tables {
	uint64_t first, count, bytes; /* from the variable; of each */
	bool has_pointers;
};

static struct tables tables_of(const struct mw_go *go)
{
	struct tables t = {
		.first = go_off(go, GO_trace_stackTab),
		.count = 2,
		.bytes = go_size(go, GO_trace_stackTab) / 2,
		.has_pointers = go_size(go, GO_trace_stackTab) >= TABLE_BYTES,
	};

	if (t.has_pointers) {
		t.bytes = TABLE_BYTES;
		t.count = go_size(go, GO_trace_stackTab) / TABLE_BYTES;
	}
	return t;
}

static bool is_part(uint64_t bytes)
{
	return bytes > 0 && bytes <= BLOCK_BYTES;
}

/** Whether the pointers of a table at @bytes lead where blocks can be. */
static bool are_pointers(const struct mw_go *go, const uint8_t *bytes)
{
	for (size_t at = TABLE_HEAD; at < TABLE_BYTES; at += 8) {
		uint64_t va = mw_u64(bytes + at);

		if (va && !(go_could_be_pointer(va) &&
			    go_is_own_memory(go, mw_align_down(
							 va, MW_PAGE_BYTES))))
			return false;
	}
	return true;
}

/** Count the first block of a table at @bytes, if it has any. */
static bool count_table(const struct mw_go *go, const struct tables *t,
			const uint8_t *bytes, size_t *count)
{
	const uint8_t *list = bytes + (t->has_pointers ? 16 : t->bytes - 16);
	uint64_t block = mw_u64(list), used = mw_u64(list + 8);

	if (!block)
		return t->has_pointers || used == 0;
	if (!is_block(go, block))
		return false;
	++*count;
	if (t->has_pointers)
		return is_part(used) && (uint32_t)mw_u64(bytes + 8) != 0 &&
		       are_pointers(go, bytes);
	// `used` is the list of those that are full.
	return mw_target_read_u64(go->target, block + 8, &used) &&
	       is_part(used) && mw_u64(bytes) != 0;
}

struct trace_search {
	struct tables tables;
	size_t looks_left; /* at buffers, for all words that are tried */
	size_t best_count;
	uint64_t best_va;
};

/** Count the buffers of the list from @buffer; false if it is no such list. */
static bool count_buffers(const struct mw_go *go, struct trace_search *s,
			  uint64_t buffer, size_t *count)
{
	struct mw_cycle cycle = { 0 };

	for (; buffer; ++*count, s->looks_left--)
		if (s->looks_left == 0 ||
		    mw_cycle_meets(&cycle, buffer) || !is_buffer(go, buffer) ||
		    !mw_target_read_u64(go->target, buffer, &buffer))
			return false;
	return true;
}

#define QUEUE_BYTES 16

/** Of buffers that Ms fill there are two generations, and as many queues. */
static uint64_t queues_of(const struct mw_go *go)
{
	return go_has(go, GO_m_trace_buf) ? 2 : 1;
}

static bool count_queues(const struct mw_go *go, struct trace_search *s,
			 const uint8_t *bytes, size_t *count)
{
	for (uint64_t i = 0; i < queues_of(go); i++) {
		uint64_t head = mw_u64(bytes + i * QUEUE_BYTES);
		uint64_t tail = mw_u64(bytes + i * QUEUE_BYTES + 8);

		if ((head == 0) != (tail == 0) ||
		    !count_buffers(go, s, head, count) ||
		    (tail && !is_buffer(go, tail)))
			return false;
	}
	return true;
}

static bool is_better_trace(struct mw_go *go, uint64_t va,
			    const uint8_t *bytes, size_t left, void *ctx)
{
	struct trace_search *s = ctx;
	const struct tables *t = &s->tables;
	size_t count = 0;

	// The heap's lists of spans and the collector's of bits are alike.
	if (left < go_size(go, GO_trace) ||
	    (va < go->mheap + go_size(go, GO_mheap) &&
	     go->mheap < va + go_size(go, GO_trace)) ||
	    (va <= go->gc_bits_arenas && go->gc_bits_arenas - va < t->first))
		return false;
	for (uint64_t i = 0; i < t->count; i++)
		if (!count_table(go, t, bytes + t->first + i * t->bytes,
				 &count))
			return false;
	if (!count_buffers(go, s, mw_u64(bytes + go_off(go, GO_trace_reading)),
			   &count) ||
	    !count_buffers(go, s, mw_u64(bytes + go_off(go, GO_trace_empty)),
			   &count) ||
	    !count_queues(go, s, bytes + go_off(go, GO_trace_empty) + 8,
			  &count))
		return false;
	if (count > s->best_count) {
		s->best_count = count;
		s->best_va = va;
	}
	return false;
}

void go_find_trace(struct mw_go *go)
{
	enum { LOOKS = 1 << 18 };
	struct trace_search s = {
		.tables = tables_of(go),
		.looks_left = LOOKS,
	};
	const struct tables *t = &s.tables;
	bool is_tracing = false;
	uint64_t end;

	go->trace = 0;
	each_buffer(go, find_one, &is_tracing);
	if (!is_tracing || !go_has(go, GO_trace) || t->bytes < TABLE_HEAD ||
	    go_off(go, GO_trace_reading) + 8 > t->first ||
	    go_off(go, GO_trace_empty) + 8 + queues_of(go) * QUEUE_BYTES >
		    t->first ||
	    !mw_end(t->first, t->count * t->bytes, &end) ||
	    end > go_size(go, GO_trace))
		return;
	// One of the tables has a block as soon as anything was traced.
	for (uint64_t i = 0; i < t->count; i++)
		go_find_word(go,
			     t->first + i * t->bytes +
				     (t->has_pointers ? 16 : t->bytes - 16),
			     is_better_trace, &s);
	go->trace = s.best_va;
}

/* Claiming */

struct trace_claims {
	struct mw_map64 seen;
	struct mw_error *error;
};

/** Claim the list that begins with @block. */
static bool claim_blocks(struct mw_go *go, uint64_t block, void *ctx)
{
	enum { LIMIT = 1 << 16 };
	struct trace_claims *c = ctx;

	while (!c->error && block && c->seen.count < LIMIT &&
	       is_block(go, block)) {
		uint64_t *place = mw_map64_at(&c->seen, block);

		if (place && *place)
			break;
		if (place)
			*place = 1;
		c->error = place ? go_note_piece(go, &(struct go_piece){
			block, BLOCK_BYTES, go->accounts.trace,
			"Go execution trace" }) : mw_error_nomem();
		if (!mw_target_read_u64(go->target, block, &block))
			break;
	}
	return !c->error;
}

/**
 * Whether a word of the variable is a pointer into a block. In 1.22 there are
 * as many tables of strings behind those of stacks, each with 16 bytes in front:
 * {lock, buf}, a buffer.
 */
static bool is_in_table(const struct mw_go *go, uint64_t off)
{
	enum { STRINGS_HEAD = 16, STRINGS_BYTES = STRINGS_HEAD + TABLE_BYTES };
	const struct tables t = tables_of(go);
	uint64_t stacks = t.count * t.bytes;

	if (!t.has_pointers || off < t.first)
		return false;
	off -= t.first;
	if (off < stacks)
		return off % TABLE_BYTES >= TABLE_HEAD;
	off -= stacks;
	return queues_of(go) > 1 && off < t.count * STRINGS_BYTES &&
	       off % STRINGS_BYTES >= STRINGS_HEAD + TABLE_HEAD;
}

static struct mw_error *claim_from_variable(struct mw_go *go, uint64_t index,
					    uint64_t word, void *ctx)
{
	struct trace_claims *c = ctx;

	if (!is_in_table(go, index * 8))
		claim_blocks(go, word, c);
	return mw_steal(c->error);
}

struct mw_error *go_claim_trace(struct mw_go *go)
{
	struct trace_claims c = { 0 };
	struct mw_error *error;

	each_buffer(go, claim_blocks, &c);
	error = c.error;
	c.error = NULL;
	if (!error && go->trace)
		error = go_each_pointer(go, go->trace, go_size(go, GO_trace) / 8,
					claim_from_variable, &c);
	mw_map64_free(&c.seen);
	return error;
}
