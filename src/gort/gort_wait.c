/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_goroutines.h"

/*
 * Why a goroutine waits. Up to Go 1.10 g.waitreason is a string; since then a
 * number in runtime.waitReasonStrings, which differs between releases, so the
 * target's own array is read. It begins with "" and this:
 */
static const char first_reason[] = "GC assist marking";
#define MAX_REASON 64

/* A debugger has such arrays, too, of other releases. */
#define MAX_ARRAYS 16

struct search {
	struct mw_go *go;
	uint64_t found[MAX_ARRAYS];
	unsigned right[MAX_ARRAYS]; /* reasons that fit */
	size_t count;
};

/** @at points to the header of the second string, behind an empty one. */
static bool is_array(struct search *s, const uint8_t *at)
{
	char text[sizeof(first_reason)] = { 0 };

	return mw_u64(at + 8) == sizeof(first_reason) - 1 &&
	       mw_u64(at - 8) == 0 &&
	       mw_target_read(s->go->target, mw_u64(at), text,
			      sizeof(first_reason) - 1) &&
	       strcmp(text, first_reason) == 0;
}

static void search_range(struct search *s, const struct go_range *range)
{
	// Pieces overlap by the three words that are looked at.
	enum { PIECE = 4096, OVERLAP = 24 };
	uint8_t bytes[PIECE + OVERLAP];

	for (uint64_t va = mw_align_up(range->start, 8);
	     va < range->end; va += PIECE) {
		size_t take = mw_min(range->end - va, sizeof(bytes));

		if (!mw_target_read(s->go->target, va, bytes, take)) {
			take = mw_min(take, PIECE);
			if (!mw_target_read(s->go->target, va, bytes, take))
				continue;
		}
		for (size_t at = 8; at + 16 <= take && at < PIECE + 8; at += 8)
			if (is_array(s, bytes + at) && s->count < MAX_ARRAYS)
				s->found[s->count++] = va + at - 16;
	}
}

/** Keep the text of the string header at @va; NULL if it is none. */
static const char *read_reason(struct mw_go *go, uint64_t va)
{
	uint64_t header[2];
	char text[MAX_REASON + 1] = { 0 };

	if (!mw_target_read(go->target, va, header, sizeof(header)) ||
	    header[1] > MAX_REASON ||
	    (header[1] && !mw_target_read(go->target, header[0], text,
					  header[1])))
		return NULL;
	return header[1] ? go_keep_text(go->funcs, header[0], text) : "";
}

/** What some of the runtime's goroutines wait for while they wait. */
static const struct {
	const char *function, *reason;
} known[] = {
	{ "runtime.forcegchelper", "force gc (idle)" },
	{ "runtime.bgsweep", "GC sweep wait" },
	{ "runtime.bgscavenge", "GC scavenge wait" },
};

static const char *known_reason(struct mw_go *go, uint64_t g)
{
	const struct go_known_pc *start;
	uint64_t pc, status;
	const char *name;

	if (!go_read(go, g, GO_g_atomicstatus, &status) ||
	    (status & ~GO_G_SCAN) != GO_G_WAITING ||
	    !go_read(go, g, GO_g_startpc, &pc))
		return NULL;
	start = go_look_up(go, pc);
	name = start ? mw_go_func_name(go->funcs, &start->func) : "";
	for (size_t i = 0; i < MW_COUNT(known); i++)
		if (strcmp(name, known[i].function) == 0)
			return known[i].reason;
	return NULL;
}

static struct mw_error *try_on(struct mw_go *go, uint64_t index, uint64_t g,
			       void *ctx)
{
	struct search *s = ctx;
	const char *reason = known_reason(go, g);
	uint64_t number;

	(void)index;
	if (!reason || !go_read(go, g, GO_g_waitreason, &number))
		return NULL;
	for (size_t i = 0; i < s->count; i++) {
		const char *text = read_reason(
			go, s->found[i] + 16 * (number & 0xff));

		s->right[i] += text && strcmp(text, reason) == 0;
	}
	return NULL;
}

/** The array that fits best what is known; the only one needs not. */
static uint64_t choose(struct search *s)
{
	enum { FIRST_GOROUTINES = 32 }; // the runtime's own are among them
	struct mw_go *go = s->go;
	struct go_slice allgs;
	size_t best = 0;

	if (s->count > 1 && go->allgs && go_read_slice(go, go->allgs, &allgs))
		mw_error_free(go_each_pointer(
			go, allgs.ptr, mw_min(allgs.len, FIRST_GOROUTINES),
			try_on, s));
	for (size_t i = 1; i < s->count; i++)
		if (s->right[i] > s->right[best])
			best = i;
	return s->count == 1 || s->right[best] ? s->found[best] : 0;
}

void go_find_wait_reasons(struct mw_go *go)
{
	struct search s = { .go = go };

	if (go->wait_reasons_sought)
		return;
	go->wait_reasons_sought = true;
	search_range(&s, &go->module.data);
	if (s.count == 0)
		search_range(&s, &go->module.noptrdata);
	go->wait_reasons = choose(&s);
}

const char *go_wait_reason(struct mw_go *go, uint64_t g)
{
	const char *text = NULL;
	uint64_t number;

	if (go_size(go, GO_g_waitreason) == 16)
		text = read_reason(go, g + go_off(go, GO_g_waitreason));
	else if (go->wait_reasons &&
		 go_read(go, g, GO_g_waitreason, &number))
		text = read_reason(go, go->wait_reasons + 16 * (number & 0xff));
	return text ? text : "?";
}
