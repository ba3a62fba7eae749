/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of a few sizes that nothing else asks for, whichever malloc the
 * program has; of each size every fourth one is freed again. Reported are for
 * each size N:
 *
 *	held_N		blocks held
 *	usable_N	malloc_usable_size() of one
 *	some_N		the address of one
 *	large_I		addresses of the largest blocks, the largest first
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 6, LARGE = 4 };

static const struct {
	size_t bytes, count;
} sizes[SIZES] = {
	{ 40, 4000 }, { 424, 2000 }, { 1000, 400 }, { 5000, 200 },
	{ 20000, 80 }, { 100000, 20 },
};

static char **tables[SIZES];
static char *large[LARGE];

int main(void)
{
	setvbuf(stdin, NULL, _IONBF, 0);
	for (int s = 0; s < SIZES; s++) {
		tables[s] = malloc(sizes[s].count * sizeof(char *));
		for (size_t i = 0; i < sizes[s].count; i++) {
			tables[s][i] = malloc(sizes[s].bytes);
			memset(tables[s][i], 0x5a, sizes[s].bytes);
		}
		for (size_t i = 0; i < sizes[s].count; i += 4) {
			free(tables[s][i]);
			tables[s][i] = NULL;
		}
	}
	for (int i = 0; i < LARGE; i++) {
		large[i] = malloc((size_t)(LARGE - i) * 3000000);
		strcpy(large[i], "the beginning of a large block");
	}
	for (int s = 0; s < SIZES; s++) {
		size_t n = sizes[s].bytes;

		fprintf(stderr, "held_%zu %zu\nusable_%zu %zu\nsome_%zu %p\n",
			n, sizes[s].count - (sizes[s].count + 3) / 4, n,
			malloc_usable_size(tables[s][1]), n,
			(void *)tables[s][1]);
	}
	for (int i = 0; i < LARGE; i++)
		fprintf(stderr, "large_%d %p\n", i, (void *)large[i]);
	fprintf(stderr, "end 0\n");
	(void)getchar();
	return 0;
}
