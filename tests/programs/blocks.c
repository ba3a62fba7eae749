/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of many sizes from several threads, some of them freed, whichever
 * malloc the program has. Reported is what the program holds by its own count,
 * and what the allocator says of itself where it has something to say:
 *
 *	blocks, usable		blocks held, and malloc_usable_size() of them
 *	je_allocated ...	jemalloc: mallctl("stats.…")
 *	je_threads_N		jemalloc: threads of arena N
 *	je_hpa_dirty, _active	jemalloc: bytes of its HPA, of all arenas
 *	je_hpa_sec, _pieces	what is kept in front of it; pieces of 2 MiB
 *	tc_in_use ...		TCMalloc: MallocExtension_GetNumericProperty()
 *
 * Each line on standard input asks once more: "trim" gives back what can be.
 *
 *	blocks [THREADS [BLOCKS [LARGE]]]
 *	blocks churn: four threads that never rest
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Weak: there in one of the allocators. */
int mallctl(const char *, void *, size_t *, void *, size_t)
	__attribute__((weak));
int MallocExtension_GetNumericProperty(const char *, size_t *)
	__attribute__((weak));
void MallocExtension_ReleaseFreeMemory(void) __attribute__((weak));
void mi_collect(bool) __attribute__((weak));

enum { MAX_THREADS = 64 };

static unsigned blocks = 4000, large = 5;
static pthread_barrier_t done;
static char **tables[MAX_THREADS + 1];
static size_t held[MAX_THREADS + 1], usable[MAX_THREADS + 1];

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static size_t pick(uint32_t *seed)
{
	uint32_t r = next_random(seed);

	return r % 8 < 5 ? 1 + r % 200 : r % 8 < 7 ? 200 + r % 3000
						   : 3000 + r % 40000;
}

static void add(unsigned number, void *block)
{
	held[number]++;
	usable[number] += malloc_usable_size(block);
}

static void fill(unsigned number)
{
	uint32_t seed = number + 1;
	char **table = malloc(blocks * sizeof(*table));

	for (unsigned i = 0; i < blocks; i++) {
		size_t bytes = pick(&seed);

		table[i] = malloc(bytes);
		memset(table[i], 0x5a, bytes);
	}
	for (unsigned i = 0; i < blocks; i++)
		if (next_random(&seed) % 3 == 0 || i / 64 % 7 == 3) {
			free(table[i]);
			table[i] = NULL;
		}
	add(number, table);
	for (unsigned i = 0; i < blocks; i++)
		if (table[i])
			add(number, table[i]);
	tables[number] = table;
}

static void *work(void *arg)
{
	fill((unsigned)(uintptr_t)arg);
	pthread_barrier_wait(&done);
	for (;;)
		pause();
	return NULL;
}

static void *churn(void *arg)
{
	static __thread char *slots[2000];
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	for (;;) {
		char **slot = &slots[next_random(&seed) % 2000];

		free(*slot);
		*slot = malloc(pick(&seed));
		**slot = 1;
	}
	return NULL;
}

static void ask_jemalloc(const char *name)
{
	char text[64];
	size_t value = 0, bytes = sizeof(value);

	snprintf(text, sizeof(text), "stats.%s", name);
	if (mallctl(text, &value, &bytes, NULL, 0) == 0)
		fprintf(stderr, "je_%s %zu\n", name, value);
}

/** How many threads are assigned to each arena. */
static void ask_jemalloc_threads(void)
{
	unsigned arenas = 0, threads;
	size_t bytes = sizeof(arenas);
	char text[64];

	mallctl("arenas.narenas", &arenas, &bytes, NULL, 0);
	for (unsigned i = 0; i < arenas; i++) {
		snprintf(text, sizeof(text), "stats.arenas.%u.nthreads", i);
		bytes = sizeof(threads);
		if (mallctl(text, &threads, &bytes, NULL, 0) == 0)
			fprintf(stderr, "je_threads_%u %u\n", i, threads);
	}
}

static size_t ask_hpa(unsigned arena, const char *name)
{
	char text[96];
	size_t value = 0, bytes = sizeof(value);

	snprintf(text, sizeof(text), "stats.arenas.%u.hpa_%s", arena, name);
	return mallctl(text, &value, &bytes, NULL, 0) == 0 ? value : 0;
}

/** In all slabs, huge or not. */
static size_t ask_hpa_slabs(unsigned arena, const char *name)
{
	size_t sum = 0;
	char text[64];

	for (int huge = 0; huge < 2; huge++) {
		const char *end = huge ? "huge" : "nonhuge";

		snprintf(text, sizeof(text), "shard.full_slabs.%s_%s", name,
			 end);
		sum += ask_hpa(arena, text);
		snprintf(text, sizeof(text), "shard.empty_slabs.%s_%s", name,
			 end);
		sum += ask_hpa(arena, text);
		for (int i = 0; i < 64; i++) {
			snprintf(text, sizeof(text),
				 "shard.nonfull_slabs.%d.%s_%s", i, name, end);
			sum += ask_hpa(arena, text);
		}
	}
	return sum;
}

static void ask_jemalloc_hpa(void)
{
	unsigned arenas = 0;
	size_t bytes = sizeof(arenas), active = 0, dirty = 0, sec = 0;
	size_t pieces = 0;

	mallctl("arenas.narenas", &arenas, &bytes, NULL, 0);
	for (unsigned i = 0; i < arenas; i++) {
		active += 4096 * ask_hpa_slabs(i, "nactive");
		dirty += 4096 * ask_hpa_slabs(i, "ndirty");
		pieces += ask_hpa_slabs(i, "npageslabs");
		sec += ask_hpa(i, "sec_bytes");
	}
	fprintf(stderr, "je_hpa_active %zu\nje_hpa_dirty %zu\n"
			"je_hpa_sec %zu\nje_hpa_pieces %zu\n",
		active, dirty, sec, pieces);
}

static void ask_tcmalloc(const char *name, const char *property)
{
	size_t value;

	if (MallocExtension_GetNumericProperty(property, &value))
		fprintf(stderr, "tc_%s %zu\n", name, value);
}

static void report(unsigned threads)
{
	size_t count = 0, bytes = 0;

	if (mallctl) {
		uint64_t epoch = 1;
		size_t n = sizeof(epoch);

		mallctl("epoch", &epoch, &n, &epoch, n);
		ask_jemalloc("allocated");
		ask_jemalloc("active");
		ask_jemalloc("metadata");
		ask_jemalloc("resident");
		ask_jemalloc("mapped");
		ask_jemalloc("retained");
		ask_jemalloc_threads();
		ask_jemalloc_hpa();
	}
	if (MallocExtension_GetNumericProperty) {
		ask_tcmalloc("in_use", "generic.current_allocated_bytes");
		ask_tcmalloc("heap", "generic.heap_size");
		ask_tcmalloc("free", "tcmalloc.pageheap_free_bytes");
		ask_tcmalloc("unmapped", "tcmalloc.pageheap_unmapped_bytes");
		ask_tcmalloc("thread", "tcmalloc.current_total_thread_cache_"
				       "bytes");
		ask_tcmalloc("central", "tcmalloc.central_cache_free_bytes");
		ask_tcmalloc("transfer", "tcmalloc.transfer_cache_free_bytes");
	}
	for (unsigned i = 0; i <= threads; i++) {
		count += held[i];
		bytes += usable[i];
	}
	fprintf(stderr, "blocks %zu\nusable %zu\nend 0\n", count, bytes);
}

/** Free all that one of the threads holds. */
static void drop(unsigned number)
{
	for (unsigned i = 0; i < blocks; i++)
		free(tables[number][i]);
	memset(tables[number], 0, blocks * sizeof(*tables[number]));
	held[number] = 1;
	usable[number] = malloc_usable_size(tables[number]);
}

static void trim(void)
{
	if (mallctl)
		mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	else if (MallocExtension_ReleaseFreeMemory)
		MallocExtension_ReleaseFreeMemory();
	else if (mi_collect)
		mi_collect(true);
}

int main(int argc, char **argv)
{
	bool is_churn = argc > 1 && strcmp(argv[1], "churn") == 0;
	unsigned threads = argc > 1 && !is_churn ? (unsigned)atoi(argv[1]) : 4;
	char input[64];

	if (argc > 2)
		blocks = (unsigned)atoi(argv[2]);
	if (argc > 3)
		large = (unsigned)atoi(argv[3]);
	if (threads > MAX_THREADS)
		return 2;
	// So that standard streams need no block later.
	setvbuf(stdin, NULL, _IONBF, 0);
	pthread_barrier_init(&done, NULL, threads + 1);
	for (unsigned i = 1; i <= threads; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, is_churn ? churn : work,
			       (void *)(uintptr_t)i);
	}
	if (!is_churn && threads)
		pthread_barrier_wait(&done);
	fill(0);
	for (unsigned i = 0; i < large; i++) {
		char *block = malloc((256 << 10) + 1000000 * i);

		memset(block, 1, 5000);
		add(0, block);
	}
	report(threads);
	while (fgets(input, sizeof(input), stdin)) {
		if (strcmp(input, "trim\n") == 0)
			trim();
		if (strcmp(input, "drop\n") == 0)
			drop(0);
		report(threads);
	}
	return 0;
}
