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

size_t mw_parallel_workers(bool all)
{
	size_t count = 1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = (size_t)CPU_COUNT(&set);
	if (!all)
		count = (count + 1) / 2;
	return count < MAX_THREADS ? count : MAX_THREADS;
}

void mw_parallel(size_t workers, size_t jobs,
		 void (*run)(size_t job, void *ctx), void *ctx)
{
	struct work work = { .jobs = jobs, .run = run, .ctx = ctx };
	pthread_t threads[MAX_THREADS - 1];
	size_t want = workers < MAX_THREADS ? workers : MAX_THREADS;
	size_t started = 0;

	if (want > jobs)
		want = jobs;
	while (started + 1 < want &&
	       pthread_create(&threads[started], NULL, take_jobs, &work) == 0)
		started++;
	take_jobs(&work);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}
