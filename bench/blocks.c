/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap of small blocks of glibc's malloc, for bench/malloc:
 *
 *	blocks MIB KIND [THREADS]
 *
 * KIND is `kept`: all in use; `holes`: every fourth freed, in the order of
 * addresses; `shuffled`: the same in an order of chance, by which the lists of
 * free blocks go to and fro. Prints "ready" and waits to be killed.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t bytes_wanted;
static const char *kind;

static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(*state >> 33);
}

static void *fill(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	size_t count = 0, room = bytes_wanted / 32;
	// From mmap, so that it stands apart from the blocks.
	void **table = malloc(room * sizeof(*table));

	for (size_t bytes = 0; bytes < bytes_wanted && count < room; count++) {
		size_t size = 1 + next_random(&seed) % 100;

		table[count] = malloc(size);
		memset(table[count], 0x5a, size);
		bytes += size < 24 ? 32 : (size + 23) & ~(size_t)15;
	}
	if (strcmp(kind, "shuffled") == 0)
		for (size_t i = count - 1; i > 0; i--) {
			size_t k = next_random(&seed) % (i + 1);
			void *swap = table[i];

			table[i] = table[k];
			table[k] = swap;
		}
	for (size_t i = 0; strcmp(kind, "kept") != 0 && i < count; i += 4)
		free(table[i]);
	free(table);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
	pthread_t thread[64];

	if (argc < 3 || threads < 1 || threads > 64)
		return 2;
	bytes_wanted = ((size_t)atol(argv[1]) << 20) / threads;
	kind = argv[2];
	for (unsigned i = 1; i < threads; i++)
		pthread_create(&thread[i], NULL, fill, (void *)(uintptr_t)i);
	fill(NULL);
	for (unsigned i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
	// Without stdio: its buffer would make malloc merge the fastbins.
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	for (;;)
		pause();
}
