/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_find.h"

#include "mw_guard.h"
#include "mw_parallel.h"

/** Present bytes that one job looks through. */
#define JOB_BYTES MW_MIB(16)
/** Jobs between two looks at the limit and the progress. */
#define BATCH_JOBS 16

/**
 * A part of what is read. It finds the matches that begin in it, and reads so
 * far behind its end that it sees those whole.
 */
struct cmd_find_job {
	size_t first, count; /* in cmd_find.pieces */
	uint64_t end; /* matches begin before it */
	uint64_t bytes;
	MW_VEC(uint64_t) hits;
	uint64_t hit_count;
	uint64_t lost_bytes;
	struct mw_error *error;
	const struct cmd_find *search;
};

/** Count the hit at @va, and keep it if it may be told. */
static bool take_hit(struct cmd_find_job *job, uint64_t va)
{
	uint64_t *hit;

	job->hit_count++;
	if (job->hits.n >= job->search->most)
		return true;
	hit = mw_vec_push(&job->hits);
	if (hit)
		*hit = va;
	else
		job->error = mw_error_nomem();
	return hit != NULL;
}

static bool look(void *ctx, const struct mw_piece *piece)
{
	struct cmd_find_job *job = ctx;
	const struct cmd_find *s = job->search;
	uint64_t va = piece->va - piece->before;
	size_t bytes = piece->bytes + piece->before, at = 0, count;
	size_t places[256];
	const uint8_t *data;

	if (!piece->data) {
		if (cmd_is_lost(piece))
			job->lost_bytes += piece->bytes;
		return true;
	}
	data = piece->data - piece->before;
	if (va >= job->end)
		return true;
	if (job->hits.n >= s->most) {
		// None of those that are left will be told.
		bytes = mw_min(bytes, job->end - va +
					      mw_needle_bytes(s->needle) - 1);
		job->hit_count += mw_needle_count(s->needle, data, bytes, va);
		return true;
	}
	while ((count = mw_needle_find_some(s->needle, data, bytes, va, &at,
					    places, MW_COUNT(places))) > 0)
		for (size_t i = 0; i < count; i++) {
			if (va + places[i] >= job->end)
				return true;
			if (!take_hit(job, va + places[i]))
				return false;
		}
	return true;
}

static void run_job(size_t number, void *ctx)
{
	struct cmd_find_job *job = &((struct cmd_find_job *)ctx)[number];
	struct mw_stream stream = {
		.from_files = cmd_choice.from_files,
		.before_bytes = mw_needle_bytes(job->search->needle) - 1,
		.piece = look,
		.ctx = job,
	};
	struct mw_error *error =
		cmd_bytes_stream(job->search->bytes,
				 job->search->pieces.v + job->first,
				 job->count, &stream);

	if (job->error)
		mw_error_free(error);
	else
		job->error = error;
}

static bool add_piece(struct cmd_find *s, uint64_t start, uint64_t end,
		      enum mw_bytes_kind kind)
{
	struct mw_extent *piece = mw_vec_push(&s->pieces);

	if (!piece)
		return false;
	*piece = (struct mw_extent){ start, end, kind };
	s->jobs.v[s->jobs.n - 1].count++;
	return true;
}

/** The last job ends at @va in extent @i: have it read what a match needs. */
static bool end_job(struct cmd_find *s, size_t i, uint64_t va)
{
	const struct mw_extents *all = &s->bytes->extents;
	uint64_t more = mw_needle_bytes(s->needle) - 1;

	s->jobs.v[s->jobs.n - 1].end = va;
	while (more > 0 && i < all->list.n) {
		const struct mw_extent *e = &all->list.v[i++];
		uint64_t take = mw_min(more, e->end - va);

		if (e->end == va)
			continue;
		if (e->start > va || !cmd_is_read(e))
			break;
		if (!add_piece(s, va, va + take, e->kind))
			return false;
		va += take;
		more -= take;
	}
	return true;
}

/** Cut all that is read into jobs. */
static bool make_jobs(struct cmd_find *s)
{
	const struct mw_extents *all = &s->bytes->extents;
	struct cmd_find_job *job = NULL;

	for (size_t i = 0; i < all->list.n; i++) {
		struct mw_extent e = all->list.v[i];

		while (cmd_is_read(&e) && e.start < e.end) {
			uint64_t take;

			if (!job) {
				job = mw_vec_push(&s->jobs);
				if (!job)
					return false;
				*job = (struct cmd_find_job){
					.first = s->pieces.n,
					.search = s,
				};
			}
			take = mw_min(e.end - e.start,
				      JOB_BYTES - job->bytes);
			if (!add_piece(s, e.start, e.start + take, e.kind))
				return false;
			e.start += take;
			job->bytes += take;
			job->end = e.start;
			if (job->bytes < JOB_BYTES)
				continue;
			if (!end_job(s, i, e.start))
				return false;
			job = NULL;
		}
	}
	return true;
}

/** Take over the hits of a job that is done. */
static struct mw_error *take_hits(struct cmd_find *s, struct cmd_find_job *job)
{
	struct mw_error *error = mw_steal(job->error);

	s->hit_count += job->hit_count;
	s->lost_bytes += job->lost_bytes;
	for (size_t i = 0; !error && i < job->hits.n && s->hits.n < s->most;
	     i++) {
		uint64_t *hit = mw_vec_push(&s->hits);

		if (hit)
			*hit = job->hits.v[i];
		else
			error = mw_error_nomem();
	}
	mw_vec_free(&job->hits);
	return error;
}

struct mw_error *cmd_find_run(struct cmd_find *s)
{
	struct cmd_progress progress;
	struct mw_error *error = NULL;

	if (!make_jobs(s))
		return mw_error_nomem();
	cmd_progress_begin(&progress, "searched",
			   cmd_bytes_to_read(s->bytes));
	for (size_t at = 0; !error && at < s->jobs.n;) {
		size_t n = mw_min(BATCH_JOBS, s->jobs.n - at);

		// Enough, and whether there are more has not been seen yet.
		if (s->most > 0 && s->hits.n == s->most) {
			s->is_cut = true;
			break;
		}
		mw_parallel(mw_target_workers(s->bytes->books.target), n,
			    run_job, s->jobs.v + at);
		for (; n > 0; n--, at++) {
			struct mw_error *failed = take_hits(s, &s->jobs.v[at]);

			cmd_progress_add(&progress, s->jobs.v[at].bytes);
			if (error)
				mw_error_free(failed);
			else
				error = failed;
		}
	}
	cmd_progress_end(&progress);
	return error;
}

void cmd_find_deinit(struct cmd_find *s)
{
	for (size_t i = 0; i < s->jobs.n; i++) {
		mw_vec_free(&s->jobs.v[i].hits);
		mw_error_free(s->jobs.v[i].error);
	}
	mw_vec_free(&s->jobs);
	mw_vec_free(&s->pieces);
	mw_vec_free(&s->hits);
}
