/* SPDX-License-Identifier: Apache-2.0 */
#include "leaks_int.h"

#include "mw_guard.h"
#include "mw_search.h"

/* The search, level by level. */

/** A window with this many lost blocks is read at once. */
#define MANY_LOST 8

struct mw_error *mw_leaks_new(const struct mw_leaks_options *options,
			      struct mw_leaks **ret)
{
	struct mw_leaks *leaks = mw_calloc(1, sizeof(*leaks));

	if (!leaks)
		return mw_error_nomem();
	leaks->options = *options;
	*ret = leaks;
	return NULL;
}

void mw_leaks_free(struct mw_leaks *leaks)
{
	if (!leaks)
		return;
	leaks_free_blocks(leaks);
	leaks_scan_free(leaks);
	mw_vec_free(&leaks->leaders);
	mw_free(leaks);
}

/**
 * Blocks to which only inner pointers lead may be lost; what they lead to may
 * be, too.
 */
static void find_possible(struct mw_leaks *l)
{
	l->level = LEAKS_POSSIBLE;
	for (size_t i = 0; i < l->windows.n; i++) {
		struct leaks_ref ref = { l->windows.v[i], 0 };

		for (; ref.index < ref.window->count; ref.index++) {
			enum leaks_state state = leaks_state(&ref);

			if (state == LEAKS_UNREACHED || state >= LEAKS_REACHED)
				continue;
			leaks_set_state(&ref, LEAKS_POSSIBLE);
			leaks_queue(l, &ref);
		}
	}
	leaks_settle(l);
}

/* Lost blocks */

/** Follow what the lost block at @ref leads to. */
static void follow(struct mw_leaks *l, const struct leaks_ref *ref)
{
	l->leader = *ref;
	l->held_blocks = l->held_bytes = 0;
	leaks_queue(l, ref);
	leaks_settle(l);
}

static uint32_t count_in(const struct leaks_window *w, enum leaks_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->count; i++)
		count += (w->blocks[i] & LEAKS_STATE_MASK) == (uint32_t)state;
	return count;
}

/**
 * In ascending order, let each lost block to which none before it leads be
 * definitely lost. So none leads to one behind it, and of a ring the lowest is
 * taken, but one may still lead to one before it.
 */
static void find_definite(struct mw_leaks *l)
{
	l->level = LEAKS_FOLLOWED;
	for (size_t i = 0; i < l->windows.n; i++) {
		struct leaks_ref ref = { l->windows.v[i], 0 };
		uint32_t lost = count_in(ref.window, LEAKS_UNREACHED);

		for (; lost > 0 && ref.index < ref.window->count;
		     ref.index++) {
			if (leaks_state(&ref) != LEAKS_UNREACHED)
				continue;
			if (lost >= MANY_LOST)
				leaks_load(l, ref.window);
			leaks_set_state(&ref, LEAKS_DEFINITE);
			follow(l, &ref);
		}
	}
}

static void add_leader(struct mw_leaks *l, const struct leaks_ref *ref)
{
	struct leaks_leader *leader = mw_vec_push(&l->leaders);

	if (leader)
		*leader = (struct leaks_leader){ leaks_va(ref), l->held_blocks,
						 l->held_bytes };
	else
		l->no_memory = true;
}

/**
 * In descending order, so that those which lead to others come first, let what
 * definite leaks lead to be indirectly lost, and count it.
 */
static void find_indirect(struct mw_leaks *l)
{
	l->level = LEAKS_INDIRECT;
	for (size_t i = l->windows.n; i-- > 0;) {
		struct leaks_ref ref = { l->windows.v[i], 0 };
		uint32_t lost = count_in(ref.window, LEAKS_DEFINITE);

		for (ref.index = ref.window->count;
		     lost > 0 && ref.index-- > 0;) {
			if (leaks_state(&ref) != LEAKS_DEFINITE)
				continue;
			if (lost >= MANY_LOST)
				leaks_load(l, ref.window);
			follow(l, &ref);
			if (l->held_blocks > 0)
				add_leader(l, &ref);
		}
	}
}

struct mw_error *mw_leaks_search(struct mw_leaks *l,
				 const struct mw_extents *roots,
				 const struct mw_extents *code,
				 const uint64_t *words, size_t count)
{
	struct mw_error *error = leaks_seal(l);

	if (error || l->windows.n == 0)
		return error;
	error = leaks_scan_init(l);
	if (error)
		return error;
	l->level = LEAKS_REACHED;
	for (size_t i = 0; i < count; i++)
		leaks_meet(l, words[i]);
	leaks_scan_extents(l, roots);
	leaks_scan_code(l, code);
	leaks_settle(l);
	find_possible(l);
	find_definite(l);
	if (l->has_indirect)
		find_indirect(l);
	return l->no_memory ? mw_error_nomem() : NULL;
}

/** What is below the definite leak at @va; NULL: nothing. */
static const struct leaks_leader *find_leader(const struct mw_leaks *l,
					      uint64_t va)
{
	size_t at = mw_first(i, 0, l->leaders.n, l->leaders.v[i].va <= va);

	return at < l->leaders.n && l->leaders.v[at].va == va
		       ? &l->leaders.v[at]
		       : NULL;
}

struct mw_leak mw_leaks_of(const struct mw_leaks *l, uint64_t va)
{
	struct mw_leak leak = { MW_LEAK_NONE, 0, 0 };
	const struct leaks_leader *leader;
	struct leaks_ref ref;
	uint64_t offset;

	if (!leaks_find(l, va, &ref, &offset) || offset > 0)
		return leak;
	switch (leaks_state(&ref)) {
	case LEAKS_POSSIBLE:
		leak.kind = MW_LEAK_POSSIBLE;
		break;
	case LEAKS_INDIRECT:
		leak.kind = MW_LEAK_INDIRECT;
		break;
	case LEAKS_DEFINITE:
		leak.kind = MW_LEAK_DEFINITE;
		leader = find_leader(l, va);
		if (leader) {
			leak.indirect_blocks = leader->blocks;
			leak.indirect_bytes = leader->bytes;
		}
		break;
	default:
		break;
	}
	return leak;
}
