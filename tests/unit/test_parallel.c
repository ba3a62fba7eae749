/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "mw_num.h"
#include "mw_parallel.h"
#include "mw_test.h"

enum { MAX_JOBS = 1000 };

/*
 * The linker sends calls of pthread_create() here, so that a system without
 * threads to give can be had for the asking.
 */
static int threads_left = -1; // negative: as many as wanted
static int threads_made;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *ctx);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *ctx);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *ctx)
{
	if (threads_left == 0)
		return EAGAIN;
	if (threads_left > 0)
		threads_left--;
	threads_made++;
	return __real_pthread_create(thread, attr, run, ctx);
}

struct record {
	atomic_uint runs[MAX_JOBS];
	pthread_t by[MAX_JOBS];
	atomic_size_t begun;
	size_t order[MAX_JOBS]; // order[n]: the job that began as the nth
};

static void run_job(size_t job, void *ctx)
{
	struct record *record = ctx;

	record->order[atomic_fetch_add(&record->begun, 1)] = job;
	record->by[job] = pthread_self();
	atomic_fetch_add(&record->runs[job], 1);
}

static void check_jobs(size_t jobs)
{
	static struct record record;

	memset(&record, 0, sizeof(record));
	threads_made = 0;
	mw_parallel(mw_parallel_workers(true), jobs, run_job, &record);
	ASSERT_EQ(jobs, atomic_load(&record.begun));
	for (size_t i = 0; i < MAX_JOBS; i++)
		ASSERT_EQ(i < jobs ? 1 : 0, atomic_load(&record.runs[i]));

	assert_in_range(threads_made, 0, 3);
	if (jobs > 0)
		assert_true((size_t)threads_made < jobs);
	if (threads_made > 0)
		return;
	// On one thread the order is known.
	for (size_t i = 0; i < jobs; i++) {
		ASSERT_EQ(i, record.order[i]);
		assert_true(pthread_equal(pthread_self(), record.by[i]));
	}
}

TEST(each_job_runs_exactly_once)
{
	const size_t jobs[] = { 0, 1, 2, 3, 4, 5, 63, MAX_JOBS };

	for (size_t i = 0; i < MW_COUNT(jobs); i++)
		for (int again = 0; again < 20; again++)
			check_jobs(jobs[i]);
}

TEST(it_works_without_threads)
{
	for (int left = 0; left < 3; left++)
		for (size_t jobs = 0; jobs < 10; jobs++) {
			threads_left = left;
			check_jobs(jobs);
			assert_in_range(threads_made, 0, left);
		}
	threads_left = 0;
	check_jobs(MAX_JOBS);
	ASSERT_EQ(0, threads_made);
	threads_left = -1;
}

TEST(one_processor_means_one_thread)
{
	cpu_set_t before, one;
	int cpu = 0;

	assert_int_equal(0, sched_getaffinity(0, sizeof(before), &before));
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(0, sched_setaffinity(0, sizeof(one), &one));
	ASSERT_EQ(1, mw_parallel_workers(true));
	ASSERT_EQ(1, mw_parallel_workers(false));
	check_jobs(100);
	ASSERT_EQ(0, threads_made);
	assert_int_equal(0, sched_setaffinity(0, sizeof(before), &before));
}

TEST(a_target_that_runs_keeps_half_of_the_processors)
{
	cpu_set_t set;
	size_t count;

	assert_int_equal(0, sched_getaffinity(0, sizeof(set), &set));
	count = (size_t)CPU_COUNT(&set);
	ASSERT_EQ(mw_min(count, 4), mw_parallel_workers(true));
	ASSERT_EQ(mw_min((count + 1) / 2, 4), mw_parallel_workers(false));
}

static void use_all(size_t job, void *ctx)
{
	atomic_size_t *sum = ctx;

	// A job may itself begin others.
	if (job < 4) {
		struct record *record = calloc(1, sizeof(*record));

		mw_parallel(2, 10, run_job, record);
		atomic_fetch_add(sum, atomic_load(&record->begun));
		free(record);
	}
	atomic_fetch_add(sum, job);
}

TEST(all_is_done_when_it_returns)
{
	for (int again = 0; again < 20; again++) {
		atomic_size_t sum = 0;

		mw_parallel(2, 100, use_all, &sum);
		ASSERT_EQ(99 * 100 / 2 + 40, atomic_load(&sum));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_job_runs_exactly_once),
		CASE(it_works_without_threads),
		CASE(one_processor_means_one_thread),
		CASE(a_target_that_runs_keeps_half_of_the_processors),
		CASE(all_is_done_when_it_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
