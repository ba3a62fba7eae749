/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that sleep at known depths of their stacks, one with a stack of its
 * own size, one that has ended; reported are their TIDs and where their frames
 * begin.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 4 };

static pthread_barrier_t ready;
static __thread char local[3000];

struct thread {
	int number;
	long tid;
	void *frame;
};

static void descend(struct thread *self, int depth)
{
	volatile char room[8000];

	memset((char *)room, depth, sizeof(room));
	if (depth > 0) {
		descend(self, depth - 1);
		room[0]++;
		return;
	}
	self->frame = (void *)room;
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
}

static void *run(void *arg)
{
	struct thread *self = arg;

	memset(local, self->number, sizeof(local));
	self->tid = syscall(SYS_gettid);
	descend(self, 4 * self->number);
	return NULL;
}

static void *end_at_once(void *arg)
{
	char room[100000];

	memset(room, 1, sizeof(room));
	return arg ? room : NULL;
}

int main(void)
{
	static struct thread threads[THREADS];
	pthread_attr_t attr;
	pthread_t id;

	pthread_barrier_init(&ready, NULL, THREADS + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 1 << 20);
	for (int i = 0; i < THREADS; i++) {
		threads[i].number = i;
		if (pthread_create(&id, &attr, run, &threads[i]) != 0)
			return 1;
	}
	pthread_barrier_wait(&ready);
	if (pthread_create(&id, &attr, end_at_once, NULL) != 0 ||
	    pthread_join(id, NULL) != 0)
		return 1;
	for (int i = 0; i < THREADS; i++)
		fprintf(stderr, "tid%d %ld\nframe%d 0x%lx\n", i, threads[i].tid,
			i, (unsigned long)threads[i].frame);
	fprintf(stderr, "end 0\n");
	while (getchar() != EOF)
		;
	return 0;
}
