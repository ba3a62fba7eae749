/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_findings.h"
#include "cmd_go_goroutines.h"

/* A stack of this size was grown several times: they begin with 2 KiB or 8. */
#define GROWN_BYTES MW_KIB(16)

/* At least so much does the descriptor of a dead goroutine take. */
#define G_BYTES 400

static int by_name(const void *a, const void *b)
{
	const struct mw_share *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/** Add up what has the same name, and keep the largest. */
static void keep_largest(struct mw_share *all, size_t count,
			 struct mw_share ret[MW_SHARES])
{
	size_t groups = 0;

	if (count)
		qsort(all, count, sizeof(*all), by_name);
	for (size_t i = 0; i < count; i++) {
		if (groups && strcmp(all[groups - 1].name, all[i].name) == 0) {
			all[groups - 1].count += all[i].count;
			all[groups - 1].bytes += all[i].bytes;
		} else {
			all[groups++] = all[i];
		}
	}
	for (size_t k = 0; k < mw_min(groups, MW_SHARES); k++) {
		struct mw_share *best = &all[0];

		for (size_t i = 1; i < groups; i++)
			if (all[i].count > best->count)
				best = &all[i];
		if (best->count == 0)
			break;
		ret[k] = *best;
		best->count = 0;
	}
}

static void add_stack(struct mw_go_situation *go,
		      const struct mw_go_goroutines *all,
		      const struct mw_go_goroutine *g)
{
	uint64_t bytes = g->stack_hi - g->stack_lo, used;

	if (g->is_dead) {
		go->dead++;
		go->dead_stack_bytes += bytes;
		return;
	}
	go->goroutines += !g->is_system;
	go->stack_bytes += bytes;
	if (bytes < GROWN_BYTES || !goroutines_used(g, &used))
		return;
	go->grown++;
	go->grown_bytes += bytes;
	go->grown_used_bytes += used;
	if (g->trace == MW_GO_NO_TRACE)
		return;
	const struct mw_go_trace *trace = &all->traces.v[g->trace];

	if (trace->largest && trace->largest_bytes > go->grown_at.bytes)
		go->grown_at = (struct mw_share){
			.name = trace->largest,
			.count = trace->goroutines,
			.bytes = trace->largest_bytes,
		};
}

static struct mw_error *group(struct mw_go_situation *go,
			      const struct mw_go_goroutines *all)
{
	struct mw_share *shares = mw_calloc(all->list.n + 1, sizeof(*shares));
	size_t creators = 0, waits = 0;

	if (!shares)
		return mw_error_nomem();
	for (size_t i = 0; i < all->list.n; i++) {
		const struct mw_go_goroutine *g = &all->list.v[i];

		if (!g->is_dead && !g->is_system && *g->creator)
			shares[creators++] = (struct mw_share){
				.name = g->creator,
				.count = 1,
				.bytes = g->stack_hi - g->stack_lo,
			};
	}
	keep_largest(shares, creators, go->creators);
	for (size_t i = 0; i < all->list.n; i++) {
		const struct mw_go_goroutine *g = &all->list.v[i];

		if (!g->is_dead && !g->is_system && *g->wait_reason)
			shares[waits++] = (struct mw_share){
				.name = g->wait_reason,
				.count = 1,
			};
	}
	keep_largest(shares, waits, go->waits);
	mw_free(shares);
	return NULL;
}

struct mw_error *cmd_findings_goroutines(const struct cmd_books *books,
					 struct cmd_findings *f)
{
	const struct mw_go_info *info = mw_go_info(books->go);
	struct mw_situation *s = &f->situation;
	uint64_t stacks = cmd_findings_rss(books, "go/stacks/used") +
			  cmd_findings_rss(books, "go/stacks/unused");
	struct mw_error *error;

	if (!cmd_findings_matter(s, stacks) &&
	    !cmd_findings_matter(s, info->dead_goroutines * G_BYTES))
		return NULL;
	error = mw_go_goroutines_read(books->go, &f->goroutines);
	if (error)
		return error;
	s->go.has_goroutines = true;
	for (size_t i = 0; i < f->goroutines.list.n; i++)
		add_stack(&s->go, &f->goroutines, &f->goroutines.list.v[i]);
	return group(&s->go, &f->goroutines);
}
