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

struct search {
	struct mw_target *target;
	uint64_t found;
};

/** @at points to the header of the second string, behind an empty one. */
static bool is_array(struct search *s, const uint8_t *at)
{
	char text[sizeof(first_reason)] = { 0 };

	return mw_u64(at + 8) == sizeof(first_reason) - 1 &&
	       mw_u64(at - 8) == 0 &&
	       mw_target_read(s->target, mw_u64(at), text,
			      sizeof(first_reason) - 1) &&
	       strcmp(text, first_reason) == 0;
}

static void search_range(struct search *s, const struct go_range *range)
{
	// Pieces overlap by the three words that are looked at.
	enum { PIECE = 4096, OVERLAP = 24 };
	uint8_t bytes[PIECE + OVERLAP];

	for (uint64_t va = mw_align_up(range->start, 8);
	     !s->found && va < range->end; va += PIECE) {
		size_t take = mw_min(range->end - va, sizeof(bytes));

		if (!mw_target_read(s->target, va, bytes, take)) {
			take = mw_min(take, PIECE);
			if (!mw_target_read(s->target, va, bytes, take))
				continue;
		}
		for (size_t at = 8; at + 16 <= take && !s->found; at += 8)
			if (is_array(s, bytes + at))
				s->found = va + at - 16;
	}
}

void go_find_wait_reasons(struct mw_go *go)
{
	struct search s = { .target = go->target };

	if (go->wait_reasons_sought)
		return;
	go->wait_reasons_sought = true;
	search_range(&s, &go->module.data);
	if (!s.found)
		search_range(&s, &go->module.noptrdata);
	go->wait_reasons = s.found;
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
