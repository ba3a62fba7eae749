// SPDX-License-Identifier: Apache-2.0

// Addresses to be explained from outside: blocks of malloc, variables, stacks.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int data[4] = { 1, 2, 3, 4 };
int bss[5000];
const char rodata[] = "a constant";
static pthread_barrier_t ready;

static void say(const char *name, const void *p)
{
	fprintf(stderr, "%s 0x%lx\n", name, (unsigned long)p);
}

/** A block, and how much of it may be written to. */
static void say_block(const char *name, void *block)
{
	say(name, block);
	fprintf(stderr, "%s_usable %zu\n", name, malloc_usable_size(block));
}

static void *thread(void *arg)
{
	volatile char local[64] = "on a thread";
	char *block = malloc(200);

	(void)arg;
	memset(block, 1, 200);
	say("thread_local", (const void *)local);
	say_block("thread_block", block);
	fprintf(stderr, "tid %d\n", gettid());
	pthread_barrier_wait(&ready);
	pause();
	return block;
}

int main(void)
{
	volatile char local[64] = "on the main stack";
	char *block = malloc(100), *freed = malloc(3000), *wall = malloc(50);
	char *large = malloc(1 << 20);
	void *mapped = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t;

	memset(block, 1, 100);
	memset(wall, 1, 50);
	memset(mapped, 1, 4096);
	pthread_barrier_init(&ready, NULL, 2);
	pthread_create(&t, NULL, thread, NULL);
	pthread_barrier_wait(&ready);
	free(freed);
	say_block("block", block);
	say("freed", freed);
	say_block("large", large);
	say("mapped", mapped);
	say("local", (const void *)local);
	say("data", data);
	say("bss", &bss[3000]);
	say("rodata", rodata);
	say("main", (const void *)main);
	say("environ", getenv("PATH"));
	fprintf(stderr, "end 0\n");
	getchar();
	return local[0] + block[0] + wall[0] + large[0];
}
