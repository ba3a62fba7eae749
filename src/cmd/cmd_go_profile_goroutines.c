/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_go_profile.h"
#include "mw_guard.h"

/* The goroutine profile: a sample for all that share a stack and labels. */

struct goroutine_group {
	uint32_t trace, label_set;
	int64_t count;
};

struct groups {
	MW_VEC(struct goroutine_group) list;
	struct mw_map64 numbers; /* of both -> place in list + 1 */
};

static bool count_one(struct groups *groups, const struct mw_go_goroutine *g)
{
	uint64_t key = (uint64_t)g->trace << 32 | g->label_set;
	uint64_t *number = mw_map64_at(&groups->numbers, key);

	if (number && !*number) {
		struct goroutine_group *group = mw_vec_push(&groups->list);

		if (!group)
			return false;
		*group = (struct goroutine_group){ g->trace, g->label_set, 0 };
		*number = groups->list.n;
	}
	if (number)
		groups->list.v[*number - 1].count++;
	return number;
}

struct sample {
	struct profile *profile;
	int64_t value;
	const uint64_t *pcs;
	size_t frame; /* of the line before */
};

static bool add_line(const struct mw_go_line *line, size_t frame, void *ctx)
{
	struct sample *s = ctx;

	// The outermost function of a frame may be a wrapper, which is left out.
	if (frame != s->frame)
		profile_frame(s->profile);
	s->frame = frame;
	if (strcmp(line->function, "runtime.goexit") != 0)
		profile_line(s->profile, line, s->pcs[frame], &s->value);
	return !s->profile->failed;
}

static struct mw_error *add_group(struct profile *p,
				  const struct mw_go_goroutines *all,
				  const struct goroutine_group *group)
{
	const struct mw_go_trace *trace = &all->traces.v[group->trace];
	const struct mw_go_label_set *set =
		group->label_set == MW_GO_NO_LABELS
			? NULL
			: &all->label_sets.v[group->label_set];
	size_t count = set ? set->count : 0;
	MW_CLEANUP(mw_freep) struct mw_pprof_label *labels =
		mw_calloc(count + 1, sizeof(*labels));
	struct sample s = {
		.profile = p,
		.value = group->count,
		.pcs = &all->pcs.v[trace->first],
	};
	struct mw_error *error;

	if (!labels)
		return mw_error_nomem();
	for (size_t i = 0; i < count; i++) {
		labels[i].key = all->labels.v[set->first + i].key;
		labels[i].text = all->labels.v[set->first + i].value;
	}
	profile_sample(p);
	error = mw_go_trace_lines(p->go, all, trace, add_line, &s);
	profile_end(p, &group->count, labels, count);
	return error;
}

static struct mw_error *add_groups(struct profile *p,
				   const struct mw_go_goroutines *all,
				   const struct groups *groups)
{
	struct mw_error *error = NULL;

	p->values = 1;
	mw_pprof_period(p->pprof, "goroutine", "count", 1);
	mw_pprof_sample_type(p->pprof, "goroutine", "count");
	for (size_t i = 0; i < groups->list.n && !error && !p->failed; i++)
		error = add_group(p, all, &groups->list.v[i]);
	return error;
}

struct mw_error *
profile_goroutines(struct profile *p, const struct mw_go_goroutines *all,
		   bool (*is_wanted)(const struct mw_go_goroutine *one,
				     const void *ctx),
		   const void *ctx)
{
	struct groups groups = { 0 };
	struct mw_error *error;
	uint64_t unknown = 0;
	bool ok = true;

	for (size_t i = 0; i < all->list.n && ok; i++) {
		const struct mw_go_goroutine *g = &all->list.v[i];

		if (g->is_dead || !is_wanted(g, ctx))
			continue;
		if (g->trace == MW_GO_NO_TRACE)
			unknown++;
		else
			ok = count_one(&groups, g);
	}
	error = ok ? add_groups(p, all, &groups) : mw_error_nomem();
	if (unknown)
		mw_target_note(p->target, "%" PRIu64 " goroutines just run "
			       "and are left out; --stop gives all", unknown);
	mw_vec_free(&groups.list);
	mw_map64_free(&groups.numbers);
	return error;
}
