/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks that glibc took from mmap one by one, however small, many of them
 * aligned, grown or shrunk since:
 *
 *	mmapped THRESHOLD BLOCKS
 *
 * says on stderr how many there are by mallinfo(), and sleeps.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static void check(char *block)
{
	if (!block)
		exit(1);
	*block = 1;
}

int main(int argc, char **argv)
{
	size_t least = argc > 1 ? (size_t)atoi(argv[1]) : 2048;
	size_t count = argc > 2 ? (size_t)atoi(argv[2]) : 1000;
	char **blocks = sbrk((intptr_t)(count * sizeof(*blocks)));

	mallopt(M_MMAP_MAX, 1 << 20);
	mallopt(M_MMAP_THRESHOLD, (int)least);
	for (size_t i = 0; i < count; i++) {
		size_t bytes = least + next_random() % 12000;

		blocks[i] = next_random() % 8 == 0
				    ? memalign(64u << next_random() % 9, bytes)
				    : malloc(bytes);
		check(blocks[i]);
	}
	for (size_t i = 0; i < count; i++) {
		unsigned choice = next_random() % 10;

		if (choice < 2) {
			free(blocks[i]);
		} else if (choice < 5) {
			blocks[i] = realloc(blocks[i],
					    least + next_random() % 30000);
			check(blocks[i]);
		}
	}
	// They are fewer than 2 GiB; mallinfo2() came with 2.33.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	struct mallinfo info = mallinfo();
#pragma GCC diagnostic pop
	fprintf(stderr, "hblks %d\nhblkhd %d\nend 0\n", info.hblks,
		info.hblkhd);
	pause();
	return 0;
}
