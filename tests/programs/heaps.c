/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc's main heap in unusual states. What mallinfo2() says is reported.
 *
 *	heaps KIND [NUMBER]
 *
 * plain	blocks of many sizes, some of them freed
 * nobreak	something is mapped in the way of the program break
 * sbrk		somebody else moves the break
 * split	the program has the kernel treat parts of large blocks otherwise
 * second	a second C library (dlmopen) has blocks, too
 * overrun	the heads of NUMBER blocks are overwritten
 * zeros	the same, with zeros
 * top		the main arena's top leads nowhere
 * tops		those of threads' arenas lead to where the next heap may be
 * rings	fastbins' lists are bent into rings
 * cachering	so is a list of a thread's cache
 * churn	threads allocate and free without a pause
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 20000, HEAP_MAX = 64 << 20 };

static char *blocks[BLOCKS];
static char *volatile some[5];

static void report(void)
{
	struct mallinfo2 f = mallinfo2();

	fprintf(stderr, "arena %zu\nhblks %zu\nhblkhd %zu\nfsmblks %zu\n"
		"uordblks %zu\nfordblks %zu\nkeepcost %zu\nend 0\n", f.arena,
		f.hblks, f.hblkhd, f.fsmblks, f.uordblks, f.fordblks,
		f.keepcost);
}

static void fill(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		size_t bytes = 1 + (size_t)i * 37 % 3000;

		blocks[i] = malloc(bytes);
		memset(blocks[i], 0x31, bytes);
	}
}

static void block_break(void)
{
	uintptr_t at = ((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095;

	mmap((void *)at, 4096, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static void use_second(void)
{
	void *library = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	void *(*other)(size_t) = library ? (void *(*)(size_t))(uintptr_t)dlsym(
						   library, "malloc")
					 : NULL;

	for (int i = 0; other && i < 5000; i++)
		memset(other(100 + i % 900), 3, 100);
}

/** Huge pages, a stack with its guard, and a stretch that is read-only. */
static void split(void)
{
	char *huge = aligned_alloc(2 << 20, 8 << 20);
	char *stack = aligned_alloc(65536, 1 << 20);
	char *middle = malloc(4 << 20);

	madvise(huge, 8 << 20, MADV_HUGEPAGE);
	mprotect(stack, 4096, PROT_NONE);
	mprotect(middle - 16 + (1 << 20), 1 << 20, PROT_READ);
	memset(huge, 1, 8 << 20);
	memset(stack + 4096, 1, (1 << 20) - 4096);
	memset(middle, 1, 1 << 19);
}

static void overrun(int number, int with)
{
	for (int i = 1; i < BLOCKS; i += BLOCKS / number)
		if (blocks[i])
			memset(blocks[i] + malloc_usable_size(blocks[i]),
			       with, 8);
}

/** What was freed last leads back to 16 bytes below its bin: where top is. */
static void lose_top(void)
{
	uintptr_t wild = 0x123450;
	void *volatile *freed;

	for (int i = 0; i < 3; i++)
		some[i] = malloc(50000);
	free(some[1]);
	freed = (void *volatile *)some[1];
	memcpy(freed[1], &wild, sizeof(wild));
}

static void *lose_own_top(void *ready)
{
	void *volatile own[3];
	void *volatile *freed;
	uintptr_t next;

	for (int i = 0; i < 3; i++)
		own[i] = malloc(20000);
	free(own[1]);
	freed = (void *volatile *)own[1];
	next = ((uintptr_t)own[0] & ~(uintptr_t)(HEAP_MAX - 1)) + HEAP_MAX;
	*(volatile uintptr_t *)freed[1] = next;
	pthread_barrier_wait(ready);
	for (;;)
		pause();
	return NULL;
}

static void lose_tops(void)
{
	pthread_barrier_t ready;
	pthread_t thread;

	pthread_barrier_init(&ready, NULL, 7);
	for (int i = 0; i < 6; i++)
		pthread_create(&thread, NULL, lose_own_top, &ready);
	pthread_barrier_wait(&ready);
}

/** Of five blocks in a cache, let the third one lead back to the first. */
static void bend_cache(void)
{
	volatile uintptr_t *third;

	for (int i = 0; i < 5; i++)
		some[i] = malloc(900);
	for (int i = 0; i < 5; i++)
		free(some[i]);
	third = (volatile uintptr_t *)some[2];
	*third = (uintptr_t)some[4] ^ (uintptr_t)third >> 12;
}

/** Free many small blocks, and let each tenth lead to itself. */
static void bend(void)
{
	char *small[1000];

	for (int i = 0; i < 1000; i++)
		small[i] = malloc(24);
	for (int i = 0; i < 1000; i += 2)
		free(small[i]);
	for (int i = 200; i < 1000; i += 20) {
		uintptr_t at = (uintptr_t)small[i];
		uintptr_t link = (at - 16) ^ at >> 12;

		memcpy(small[i], &link, sizeof(link));
	}
}

static void *churn(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	static __thread char *mine[5000];

	for (;;) {
		seed = seed * 1664525 + 1013904223;
		char **at = &mine[(seed >> 8) % 5000];

		if (*at) {
			free(*at);
			*at = NULL;
		} else {
			size_t bytes = (seed >> 4) % 8 ? 16 + (seed >> 9) % 300
						       : (seed >> 9) % 100000;
			*at = malloc(bytes + 64);
			memset(*at, 1, 64);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "plain";
	int number = argc > 2 ? atoi(argv[2]) : 1;

	if (strcmp(kind, "nobreak") == 0)
		block_break();
	fill();
	for (int i = 0; i < BLOCKS; i += 3) {
		free(blocks[i]);
		blocks[i] = NULL;
	}
	memset(malloc(500000), 1, 10000);
	if (strcmp(kind, "sbrk") == 0) {
		memset(sbrk(10000), 0x31, 10000);
		fill();
	} else if (strcmp(kind, "split") == 0) {
		split();
	} else if (strcmp(kind, "second") == 0) {
		use_second();
	} else if (strcmp(kind, "overrun") == 0) {
		overrun(number, 0xff);
	} else if (strcmp(kind, "zeros") == 0) {
		overrun(number, 0);
	} else if (strcmp(kind, "churn") == 0) {
		for (uintptr_t i = 1; i <= 3; i++) {
			pthread_t thread;

			pthread_create(&thread, NULL, churn, (void *)i);
		}
	}
	if (strcmp(kind, "tops") == 0) {
		lose_tops(); // mallinfo2() would not survive it
		fprintf(stderr, "end 0\n");
	} else {
		report();
	}
	if (strcmp(kind, "rings") == 0)
		bend();
	else if (strcmp(kind, "cachering") == 0)
		bend_cache();
	else if (strcmp(kind, "top") == 0)
		lose_top();
	for (;;)
		pause();
}
