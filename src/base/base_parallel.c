/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define MAX_THREADS 4

struct work {
	size_t jobs;
	atomic_size_t next;
	void (*run)(size_t job, void *ctx);
	void *ctx;
};

static void *take_jobs(void *ctx)
{
	struct work *work = ctx;
	size_t job;

	while ((job = atomic_fetch_add(&work->next, 1)) < work->jobs)
		work->run(job, work->ctx);
	return NULL;
}

size_t mw_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0
		       ? (size_t)CPU_COUNT(&set)
		       : 1;
}

void mw_parallel(size_t jobs, void (*run)(size_t job, void *ctx), void *ctx)
{
	// The target wants to run meanwhile.
	mw_parallel_on((mw_processors() + 1) / 2, jobs, run, ctx);
}

void mw_parallel_on(size_t want, size_t jobs,
		    void (*run)(size_t job, void *ctx), void *ctx)
{
	struct work work = { .jobs = jobs, .run = run, .ctx = ctx };
	pthread_t threads[MAX_THREADS - 1];
	size_t started = 0;

	if (want > MAX_THREADS)
		want = MAX_THREADS;
	if (want > jobs)
		want = jobs;
	while (started + 1 < want &&
	       pthread_create(&threads[started], NULL, take_jobs, &work) == 0)
		started++;
	take_jobs(&work);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}
