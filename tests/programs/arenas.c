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
 *	aligned	blocks from posix_memalign first, some of them freed again
 *	remap	let mapped blocks grow and shrink first
 *	mapped	have blocks of a page mapped, one by one, first
 *	ended	let all threads end first, and free most of their blocks
 *	fork	the same in a child, which allocates and reports in its stead
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
#include <sys/wait.h>
#include <unistd.h>

struct figures { /* struct mallinfo2 */
	size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks,
		uordblks, fordblks, keepcost;
};

/*
 * mallinfo2() came with 2.33. What is built with an old C library finds it in a
 * newer one when it runs; a static program has what it was built with.
 */
#ifndef STATIC
struct figures mallinfo2_(void) __asm__("mallinfo2") __attribute__((weak));
#elif __GLIBC_PREREQ(2, 33)
struct figures mallinfo2_(void) __asm__("mallinfo2");
#else
static struct figures (*const mallinfo2_)(void) = NULL;
#endif

enum { MAX_THREADS = 256, ALIGNED = 400, MAX_MAPPED = 64, PAGES = 300 };

static unsigned blocks = 2000, mapped = 5;
static pthread_barrier_t done, go_on;
static pthread_t workers[MAX_THREADS + 1];
static char *mapped_blocks[MAX_MAPPED];
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
	pthread_barrier_wait(&go_on);
	return NULL;
}

static struct figures ask_malloc(void)
{
	if (mallinfo2_)
		return mallinfo2_();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	struct mallinfo m = mallinfo();
#pragma GCC diagnostic pop
	return (struct figures){
		(unsigned)m.arena, (unsigned)m.ordblks,
		(unsigned)m.smblks, (unsigned)m.hblks,
		(unsigned)m.hblkhd, (unsigned)m.usmblks,
		(unsigned)m.fsmblks, (unsigned)m.uordblks,
		(unsigned)m.fordblks, (unsigned)m.keepcost,
	};
}

static void report(unsigned threads)
{
	struct figures f = ask_malloc();
	size_t count = 0, bytes = 0;

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

static void use_aligned(void)
{
	static char *aligned[ALIGNED];

	for (size_t i = 0; i < ALIGNED; i++) {
		size_t bytes = 1 + i * 997 % 9000;

		if (posix_memalign((void **)&aligned[i],
				   (size_t)16 << i % 9, bytes) == 0)
			memset(aligned[i], 2, bytes);
	}
	for (size_t i = 0; i < ALIGNED; i += 3)
		free(aligned[i]);
}

/** Let blocks grow, where they are or elsewhere, and shrink. */
static void remap(void)
{
	for (unsigned i = 0; i < mapped; i++) {
		size_t bytes = malloc_usable_size(mapped_blocks[i]);

		mapped_blocks[i] = realloc(mapped_blocks[i],
					   i % 2 ? bytes * 3
						 : bytes - 50000);
		mapped_blocks[i][bytes - 50001] = 1;
	}
}

static void map_pages(void)
{
	static char *pages[PAGES];

	mallopt(M_MMAP_THRESHOLD, 4000);
	for (size_t i = 0; i < PAGES; i++)
		pages[i] = memset(malloc(4001 + i * 10), 3, 4001);
	for (size_t i = 0; i < PAGES; i += 5)
		free(pages[i]);
}

/** What is freed at the end of a heap makes it shrink. */
static void end_threads(unsigned threads)
{
	pthread_barrier_wait(&go_on);
	for (unsigned t = 1; t <= threads; t++) {
		pthread_join(workers[t], NULL);
		for (unsigned i = 0; i < blocks; i++) {
			if (i % 100 == 7)
				continue;
			free(tables[t][i]);
			tables[t][i] = NULL;
		}
	}
}

/** The threads' arenas live on in a child, without their threads. */
static void fork_once(unsigned threads)
{
	pid_t child = fork();

	if (child > 0) {
		waitpid(child, NULL, 0);
		_exit(0);
	}
	for (unsigned i = 0; i < blocks; i++)
		memset(malloc(16 + i % 700), 4, 16);
	fprintf(stderr, "child %d\n", getpid());
	report(threads);
}

static void act(const char *word, unsigned threads)
{
	if (strcmp(word, "fork\n") == 0) {
		fork_once(threads);
		return;
	}
	if (strcmp(word, "trim\n") == 0)
		malloc_trim(0);
	else if (strcmp(word, "info\n") == 0) {
		free(malloc(60000));
		malloc_info(0, stderr);
	} else if (strcmp(word, "aligned\n") == 0)
		use_aligned();
	else if (strcmp(word, "remap\n") == 0)
		remap();
	else if (strcmp(word, "mapped\n") == 0)
		map_pages();
	else if (strcmp(word, "ended\n") == 0)
		end_threads(threads);
	report(threads);
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	char line[64];

	if (argc > 2)
		blocks = (unsigned)atoi(argv[2]);
	if (argc > 3)
		mapped = (unsigned)atoi(argv[3]);
	if (threads > MAX_THREADS || mapped > MAX_MAPPED)
		return 2;
	setvbuf(stdin, line, _IOLBF, sizeof(line));
	pthread_barrier_init(&done, NULL, threads + 1);
	pthread_barrier_init(&go_on, NULL, threads + 1);
	for (unsigned i = 1; i <= threads; i++)
		pthread_create(&workers[i], NULL, work,
			       (void *)(uintptr_t)i);
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

		mapped_blocks[i] = memset(block, 1, 5000);
	}
	report(threads);
	char input[64];
	while (fgets(input, sizeof(input), stdin))
		act(input, threads);
	return 0;
}
