/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that keeps changing, in the way that its argument says:
 *
 *	threads	makes threads that end again
 *	exec	replaces itself, over and over
 *	fork	makes children that end again
 *	map	maps, touches and unmaps memory
 *	signals	counts the real-time signals that it gets
 *	many N	has N threads that sleep
 *	arenas N	makes N threads, each of which takes a new arena of malloc
 *	maps N	has N mappings
 *	sparse	has a page in each of 32 places for huge pages; others that these
 *		were given meanwhile go when it is asked
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void count(int signal)
{
	(void)signal;
	signals++;
}

static void *nothing(void *arg)
{
	return arg;
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

#define HUGE ((size_t)2 << 20)
static char *sparse;

static int make_sparse(void)
{
	char *at = mmap(NULL, 33 * HUGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return 1;
	sparse = at + (HUGE - (uintptr_t)at % HUGE) % HUGE;
	return 0;
}

static void report(void)
{
	if (sparse) {
		madvise(sparse, 32 * HUGE, MADV_DONTNEED);
		for (size_t i = 0; i < 32; i++)
			sparse[i * HUGE] = 1;
		fprintf(stderr, "sparse %p\n", (void *)sparse);
	}
	fprintf(stderr, "signals %d\nend 0\n", (int)signals);
}

static int many(int threads)
{
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&id, &attr, sleep_for_ever, NULL) != 0)
			return 1;
	return 0;
}

static void *take_arena(void *arg)
{
	void *volatile block = malloc(100);

	free(block);
	return sleep_for_ever(arg);
}

/** One after the other, so that there are new ones for a while. */
static int arenas(int threads)
{
	pthread_attr_t attr;
	pthread_t id;

	mallopt(M_ARENA_MAX, threads + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (int i = 0; i < threads; i++) {
		if (pthread_create(&id, &attr, take_arena, NULL) != 0)
			return 1;
		usleep(200);
	}
	return 0;
}

static int maps(int count)
{
	size_t page = 4096;
	char *at = mmap(NULL, 2 * page * (size_t)count, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return 1;
	for (int i = 0; i < count; i += 2) {
		char *part = at + (size_t)i * 2 * page;

		part[0] = 1;
		if (mprotect(part, 2 * page, PROT_READ) != 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int number = argc > 2 ? atoi(argv[2]) : 0;
	struct sigaction action = { .sa_handler = count };

	if (strcmp(what, "exec") == 0) {
		// Only the first of many programs says that it is there.
		if (number == 0)
			report();
		execl("/proc/self/exe", argv[0], "exec", "1", (char *)NULL);
		return 1;
	}
	if ((strcmp(what, "many") == 0 && many(number) != 0) ||
	    (strcmp(what, "maps") == 0 && maps(number) != 0) ||
	    (strcmp(what, "sparse") == 0 && make_sparse() != 0))
		return 1;
	sigemptyset(&action.sa_mask);
	action.sa_flags = SA_RESTART;
	sigaction(SIGRTMIN, &action, NULL);
	report();
	if (strcmp(what, "arenas") == 0 && arenas(number) != 0)
		return 1;
	for (;;) {
		pthread_t id;

		if (strcmp(what, "threads") == 0) {
			if (pthread_create(&id, NULL, nothing, NULL) == 0)
				pthread_join(id, NULL);
		} else if (strcmp(what, "fork") == 0) {
			if (fork() == 0)
				_exit(0);
			wait(NULL);
		} else if (strcmp(what, "map") == 0) {
			char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (at == MAP_FAILED)
				return 1;
			memset(at, 1, 1 << 20);
			munmap(at, 1 << 20);
		} else {
			if (getchar() == EOF)
				return 0;
			report();
		}
	}
}
