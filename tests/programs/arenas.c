/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc's malloc in use: arenas of several threads with blocks of many sizes,
 * free ones in caches and in every kind of bin, mapped blocks, also aligned
 * ones. What mallinfo2() says is reported; each line on standard input asks
 * for it once more:
 *
 *	(empty)	report
 *	trim	malloc_trim(0) first
 *	info	have the main arena sort its free blocks, and malloc_info()
 *	free	free every second block of each thread's large ones first
 *
 *	arenas [THREADS [BLOCKS [MAPPED [SBRK]]]]
 *
 * SBRK 1: somebody else moves the program break meanwhile.
 *
 * Built with an old C library it runs with any newer one.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct figures { /* struct mallinfo2 */
	size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks,
		uordblks, fordblks, keepcost;
};

#ifndef STATIC
/* Since 2.33. */
struct figures mallinfo2_(void) __asm__("mallinfo2") __attribute__((weak));
#endif

enum { MAX_THREADS = 256 };

static unsigned blocks = 2000, mapped = 5;
static pthread_barrier_t done, go_on;
static char **tables[MAX_THREADS + 1];
static size_t in_use[MAX_THREADS + 1], in_use_bytes[MAX_THREADS + 1];

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void fill(unsigned number)
{
	uint32_t seed = number + 1;
	char **table = malloc(blocks * sizeof(*table));

	for (unsigned i = 0; i < blocks; i++) {
		uint32_t r = next_random(&seed);
		size_t bytes = r % 8 < 5   ? 1 + r % 200
			       : r % 8 < 7 ? 200 + r % 3000
					   : 3000 + r % 40000;

		table[i] = malloc(bytes);
		memset(table[i], 0x5a, bytes);
	}
	// Runs of neighbours, and single ones, in an order of their own.
	for (unsigned i = 0; i < blocks; i++)
		if (next_random(&seed) % 3 == 0 || i / 64 % 7 == 3) {
			free(table[i]);
			table[i] = NULL;
		}
	in_use[number] = 1;
	in_use_bytes[number] = malloc_usable_size(table);
	for (unsigned i = 0; i < blocks; i++)
		if (table[i]) {
			in_use[number]++;
			in_use_bytes[number] += malloc_usable_size(table[i]);
		}
	tables[number] = table;
}

static void *work(void *arg)
{
	fill((unsigned)(uintptr_t)arg);
	pthread_barrier_wait(&done);
	for (;;) {
		pthread_barrier_wait(&go_on);
		for (;;)
			pause();
	}
	return NULL;
}

static void report(unsigned threads)
{
	struct figures f;
	size_t count = 0, bytes = 0;

#ifdef STATIC
	struct mallinfo2 m = mallinfo2();
	memcpy(&f, &m, sizeof(f));
#else
	if (mallinfo2_) {
		f = mallinfo2_();
	} else {
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
		struct mallinfo m = mallinfo();

		f = (struct figures){
			(unsigned)m.arena, (unsigned)m.ordblks,
			(unsigned)m.smblks, (unsigned)m.hblks,
			(unsigned)m.hblkhd, (unsigned)m.usmblks,
			(unsigned)m.fsmblks, (unsigned)m.uordblks,
			(unsigned)m.fordblks, (unsigned)m.keepcost,
		};
	}
#endif
	for (unsigned i = 0; i <= threads; i++) {
		count += in_use[i];
		bytes += in_use_bytes[i];
	}
	fprintf(stderr, "arena %zu\nhblks %zu\nhblkhd %zu\nfsmblks %zu\n"
		"uordblks %zu\nfordblks %zu\nkeepcost %zu\n", f.arena,
		f.hblks, f.hblkhd, f.fsmblks, f.uordblks, f.fordblks,
		f.keepcost);
	fprintf(stderr, "blocks %zu\nusable %zu\nend 0\n", count, bytes);
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	char line[64];

	if (argc > 2)
		blocks = (unsigned)atoi(argv[2]);
	if (argc > 3)
		mapped = (unsigned)atoi(argv[3]);
	if (threads > MAX_THREADS)
		return 2;
	setvbuf(stdin, line, _IOLBF, sizeof(line));
	pthread_barrier_init(&done, NULL, threads + 1);
	pthread_barrier_init(&go_on, NULL, threads + 1);
	for (unsigned i = 1; i <= threads; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, work, (void *)(uintptr_t)i);
	}
	if (threads)
		pthread_barrier_wait(&done);
	if (argc > 4 && atoi(argv[4])) {
		fill(0);
		tables[0] = NULL;
		memset(sbrk(10000), 0x31, 10000);
	}
	fill(0);
	for (unsigned i = 0; i < mapped; i++) {
		size_t bytes = (256 << 10) + 10000 * i;
		char *block = i % 3 == 2 ? memalign(16u << i % 12, bytes)
					 : malloc(bytes);

		memset(block, 1, 5000);
	}
	report(threads);
	char input[64];
	while (fgets(input, sizeof(input), stdin)) {
		if (strcmp(input, "trim\n") == 0)
			malloc_trim(0);
		if (strcmp(input, "info\n") == 0) {
			free(malloc(60000));
			malloc_info(0, stderr);
		}
		report(threads);
	}
	return 0;
}
