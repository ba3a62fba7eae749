/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "gort_stats.h"

/*
 * Histograms of runtime/metrics, with the bounds that they have there.
 *
 * By size (metrics.go): a bucket for each size class, from one byte more than
 * the class before it, and one for what is larger than all.
 *
 * By time (histogram.go, timeHistogram): counts of durations by their highest
 * bits. Durations below 2^(min_bits - 1) ns are divided into 2^sub_bits equal
 * buckets, and so is each power of two from there. Below the first are those
 * that are negative; what is too long has a count of its own since 1.20, and
 * was counted in the last bucket before.
 */

static struct mw_error *add(struct mw_go_memstats *stats,
			    struct mw_go_figure *f, double from, double below,
			    uint64_t count)
{
	struct mw_go_bucket *place;

	f->value += count;
	if (count == 0)
		return NULL;
	place = mw_vec_push(&stats->buckets);
	if (!place)
		return mw_error_nomem();
	*place = (struct mw_go_bucket){ from, below, count };
	f->bucket_count++;
	return NULL;
}

static void begin(const struct mw_go_memstats *stats, struct mw_go_figure *f)
{
	f->is_known = f->is_histogram = true;
	f->note = "a histogram: this is the number of its samples";
	f->first_bucket = stats->buckets.n;
}

struct mw_error *go_size_histogram(const struct mw_go *go,
				   const uint64_t *counts, uint64_t large,
				   struct mw_go_memstats *stats,
				   struct mw_go_figure *f)
{
	const struct go_stat_vars *vars = &go->stat_vars;
	struct mw_error *error = NULL;
	double from = 1;

	if (!vars->classes) {
		f->note = "the table of size classes was not found";
		return NULL;
	}
	begin(stats, f);
	for (size_t i = 1; i < vars->classes && !error; i++) {
		double below = (double)vars->class_bytes[i] + 1;

		error = add(stats, f, from, below, counts[i]);
		from = below;
	}
	return error ? error : add(stats, f, from, INFINITY, large);
}

/** How many counts there are tells how they are divided. */
static const struct times {
	unsigned counts, min_bits, sub_bits;
} layouts[] = {
	{ 720, 5, 4 }, /* 1.16 to 1.19 */
	{ 160, 9, 2 }, /* since 1.20 */
};
#define MAX_COUNTS 720

/** Where the bucket with this index begins, in seconds. */
static double begins(const struct times *t, size_t index)
{
	uint64_t sub = index & ((UINT64_C(1) << t->sub_bits) - 1);
	uint64_t power = index >> t->sub_bits;
	unsigned shift = t->min_bits - 1 - t->sub_bits;

	// The first power of two is that below which nothing is told apart.
	if (power > 0) {
		sub |= UINT64_C(1) << t->sub_bits;
		shift += (unsigned)power - 1;
	}
	return (double)(sub << shift) / 1e9;
}

struct mw_error *go_time_histogram(const struct mw_go *go, uint64_t va,
				   struct mw_go_memstats *stats,
				   struct mw_go_figure *f)
{
	uint64_t counts[MAX_COUNTS], underflow, overflow = 0;
	const struct times *t = NULL;
	bool has_overflow = go_has(go, GO_timeHistogram_overflow);
	struct mw_error *error;

	for (size_t i = 0; i < MW_COUNT(layouts); i++)
		if (go_size(go, GO_timeHistogram_counts) ==
		    8 * layouts[i].counts)
			t = &layouts[i];
	if (!t || !go_read_now(go, va + go_off(go, GO_timeHistogram_counts),
			       counts, 8 * t->counts) ||
	    !go_now(go, va, GO_timeHistogram_underflow, &underflow) ||
	    (has_overflow &&
	     !go_now(go, va, GO_timeHistogram_overflow, &overflow))) {
		f->note = "the histogram was not found";
		return NULL;
	}
	begin(stats, f);
	error = add(stats, f, -INFINITY, begins(t, 0), underflow);
	for (size_t i = 0; i < t->counts && !error; i++) {
		bool is_last = i + 1 == t->counts && !has_overflow;

		error = add(stats, f, begins(t, i),
			    is_last ? INFINITY : begins(t, i + 1), counts[i]);
	}
	return error ? error : add(stats, f, begins(t, t->counts), INFINITY,
				   overflow);
}
