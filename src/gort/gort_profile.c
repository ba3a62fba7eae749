/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "gort_funcs_int.h"
#include "gort_stats.h"
#include "mw_go_profile.h"
#include "mw_go_unwind.h"

/*
 * Profile buckets (runtime/mprof.go, Go 1.9 and later):
 *
 *	bucket		header, then nstk return addresses, then the record
 *	memRecord	active, then future[3]: the cycles not yet shown
 *	memRecordCycle	u64 allocs, frees; up to 1.26 alloc_bytes, free_bytes
 */
#define MAX_STACK 1024
#define MAX_BUCKETS (1 << 22)
#define MAX_PCS (1 << 25)
#define FUTURES 3

struct cycle {
	uint64_t allocs, frees, alloc_bytes, free_bytes;
};

/** A sample's figures: shown, and of the cycles that are not yet. */
struct record {
	struct cycle active, future[FUTURES];
};

/** A cycle of a sample of objects of @size bytes. */
static bool read_cycle(const struct mw_go *go, uint64_t va, uint64_t size,
		       struct cycle *ret)
{
	uint64_t words[4], bytes = go_size(go, GO_memRecord_active);

	if (!mw_target_read(go->target, va, words,
			    mw_min(bytes, sizeof(words))))
		return false;
	ret->allocs = words[0];
	ret->frees = words[1];
	// All objects of a bucket have one size, so newer ones do not sum up.
	ret->alloc_bytes = bytes < sizeof(words) ? words[0] * size : words[2];
	ret->free_bytes = bytes < sizeof(words) ? words[1] * size : words[3];
	return true;
}

static bool read_record(const struct mw_go *go, uint64_t va, uint64_t size,
			struct record *ret)
{
	uint64_t at = va + go_off(go, GO_memRecord_future);

	if (!read_cycle(go, va + go_off(go, GO_memRecord_active), size,
			&ret->active))
		return false;
	for (int i = 0; i < FUTURES; i++, at += go_size(go, GO_memRecord_active))
		if (!read_cycle(go, at, size, &ret->future[i]))
			return false;
	return true;
}

static void add_cycle(struct cycle *to, const struct cycle *c)
{
	to->allocs += c->allocs;
	to->frees += c->frees;
	to->alloc_bytes += c->alloc_bytes;
	to->free_bytes += c->free_bytes;
}

struct buckets {
	struct mw_go *go;
	struct mw_go_heap_profile *out;
	MW_VEC(struct record) records;
	struct mw_map64 seen;
};

static bool read_pcs(struct buckets *b, uint64_t va, uint64_t count)
{
	uint64_t pcs[MAX_STACK];

	if (!mw_target_read(b->go->target, va, pcs, count * sizeof(*pcs)))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t *place = mw_vec_push(&b->out->pcs);

		if (!place)
			return false;
		*place = pcs[i];
	}
	return true;
}

/** False when the bucket makes no sense. */
static bool read_bucket(struct buckets *b, uint64_t va)
{
	const struct mw_go *go = b->go;
	uint64_t stack = va + go_size(go, GO_bucket), count, size;
	struct mw_go_sampled *sampled;
	struct record record, *place;
	size_t first = b->out->pcs.n;

	if (!go_read(go, va, GO_bucket_nstk, &count) || count > MAX_STACK ||
	    !go_read(go, va, GO_bucket_size, &size) ||
	    !read_record(go, stack + 8 * count, size, &record) ||
	    !read_pcs(b, stack, count))
		return false;
	sampled = mw_vec_push(&b->out->list);
	if (!sampled)
		return false;
	*sampled = (struct mw_go_sampled){ .first = first,
					   .count = (uint32_t)count,
					   .size = size };
	place = mw_vec_push(&b->records);
	if (!place) {
		b->out->list.n--;
		return false;
	}
	*place = record;
	return true;
}

static struct mw_error *read_buckets(struct buckets *b)
{
	const struct mw_go *go = b->go;
	uint64_t bucket;

	if (!go_has(go, GO_memRecord_future) || !go_has(go, GO_bucket_nstk) ||
	    go_size(go, GO_memRecord_active) < 16 ||
	    go_size(go, GO_memRecord_future) <
		    FUTURES * go_size(go, GO_memRecord_active) ||
	    !go->buckets[0] ||
	    !mw_target_read_u64(go->target, go->buckets[0], &bucket))
		return NULL;
	b->out->is_found = true;
	while (bucket && b->seen.count < MAX_BUCKETS &&
	       b->out->pcs.n < MAX_PCS) {
		uint64_t *place = mw_map64_at(&b->seen, bucket);

		if (!place)
			return mw_error_nomem();
		if ((*place)++)
			break; // a cycle
		if (!go_in_chunk(go, bucket) || !read_bucket(b, bucket))
			b->out->torn++;
		if (!go_read(go, bucket, GO_bucket_allnext, &bucket))
			break;
	}
	return NULL;
}

/**
 * What a program is shown: what was active at the last collection but one; or,
 * as long as there is nothing of it, all.
 */
static void take_figures(struct buckets *b)
{
	bool clear = true;

	for (size_t i = 0; i < b->records.n && clear; i++)
		clear = !b->records.v[i].active.allocs &&
			!b->records.v[i].active.frees;
	b->out->is_first_cycle = clear;
	for (size_t i = 0; i < b->records.n; i++) {
		struct mw_go_sampled *to = &b->out->list.v[i];
		struct cycle sum = b->records.v[i].active;

		for (int k = 0; clear && k < FUTURES; k++)
			add_cycle(&sum, &b->records.v[i].future[k]);
		to->allocs = sum.allocs;
		to->frees = sum.frees;
		to->alloc_bytes = sum.alloc_bytes;
		to->free_bytes = sum.free_bytes;
	}
}

struct mw_error *mw_go_heap_profile_read(struct mw_go *go,
					 struct mw_go_heap_profile *ret)
{
	struct mw_go_heap_profile profile = { 0 };
	struct buckets b = { .go = go, .out = &profile };
	struct mw_error *error = go_open_funcs(go);

	if (!error)
		error = read_buckets(&b);
	if (!error)
		take_figures(&b);
	mw_vec_free(&b.records);
	mw_map64_free(&b.seen);
	if (error) {
		mw_go_heap_profile_free(&profile);
		return error;
	}
	profile.has_rate = go_profile_rate(go, &profile.rate);
	*ret = profile;
	return NULL;
}

void mw_go_heap_profile_free(struct mw_go_heap_profile *profile)
{
	mw_vec_free(&profile->list);
	mw_vec_free(&profile->pcs);
}

/** As Go converts: towards 0, and what does not fit becomes the smallest. */
static int64_t to_integer(double value)
{
	return value < 9223372036854775808.0 ? (int64_t)value : INT64_MIN;
}

void mw_go_scale_sample(uint64_t objects, uint64_t bytes, uint64_t rate,
			int64_t *ret_objects, int64_t *ret_bytes)
{
	double scale, size;

	*ret_objects = *ret_bytes = 0;
	if (objects == 0 || bytes == 0)
		return;
	if (rate <= 1) {
		*ret_objects = (int64_t)objects;
		*ret_bytes = (int64_t)bytes;
		return;
	}
	// An allocation of that size is sampled with this probability.
	size = (double)(int64_t)bytes / (double)(int64_t)objects;
	scale = 1 / (1 - exp(-size / (double)rate));
	*ret_objects = to_integer((double)(int64_t)objects * scale);
	*ret_bytes = to_integer((double)(int64_t)bytes * scale);
}

/* Stacks */

/**
 * The function of a return address, and the address of its call: that is the
 * byte before it, but at a function's first one, where stacks begin.
 */
static bool find_call(struct mw_go_funcs *funcs, uint64_t pc,
		      struct mw_go_func *ret, uint64_t *ret_pc)
{
	if (!mw_go_func_of(funcs, pc, ret))
		return false;
	*ret_pc = pc > ret->entry ? pc - 1 : pc;
	return true;
}

/**
 * Whether the call of @next is the one that those of @line were inlined into,
 * so that the runtime has noted both.
 */
static bool is_noted(struct mw_go_funcs *funcs, const struct mw_go_func *func,
		     const struct mw_go_line *lines, size_t count,
		     uint64_t next)
{
	struct mw_go_line others[MW_GO_MAX_LINES];
	struct mw_go_func other;
	size_t n;

	if (!find_call(funcs, next, &other, &next) ||
	    other.entry != func->entry)
		return false;
	n = mw_go_lines(funcs, &other, next, others, MW_GO_MAX_LINES);
	// Wrappers between the two may have been left out.
	return n > 0 && n < count &&
	       strcmp(lines[count - n].function, others[0].function) == 0 &&
	       lines[count - n].line == others[0].line;
}

void mw_go_stack_lines(struct mw_go_funcs *funcs, const uint64_t *pcs,
		       size_t count,
		       bool (*visit)(const struct mw_go_line *line,
				     size_t index, void *ctx),
		       void *ctx)
{
	for (size_t i = 0; i < count; i++) {
		struct mw_go_line lines[MW_GO_MAX_LINES];
		struct mw_go_func func;
		uint64_t pc;
		size_t n;

		if (!find_call(funcs, pcs[i], &func, &pc))
			continue;
		n = mw_go_lines(funcs, &func, pc, lines, MW_GO_MAX_LINES);
		for (size_t k = 0; k < n; k++) {
			// The runtime leaves them out, but for the one where
			// the stack begins.
			if (k > 0 && lines[k].is_wrapper)
				continue;
			if (strcmp(lines[k].function, "runtime.goexit") == 0)
				continue;
			if (!visit(&lines[k], i, ctx))
				return;
			if (k == 0 && n > 1 && i + 1 < count &&
			    is_noted(funcs, &func, lines, n, pcs[i + 1]))
				break;
		}
	}
}
