/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An executable with a table of 24 MiB, all of which it reads; with "zeroed"
 * it writes to variables of 24 MiB instead, with another argument it does none.
 */
#include <stdio.h>
#include <string.h>

__asm__(".section .rodata\n"
	"table: .fill 24 << 20, 1, 7\n"
	".previous\n");
extern const volatile char table[24 << 20];
static volatile char variables[24 << 20];

int main(int argc, char **argv)
{
	unsigned sum = 0;

	for (size_t i = 0; argc < 2 && i < sizeof(table); i += 4096)
		sum += (unsigned)table[i];
	if (argc > 1 && strcmp(argv[1], "zeroed") == 0)
		for (size_t i = 0; i < sizeof(variables); i += 4096)
			variables[i] = 1;
	fprintf(stderr, "sum %u\nend 0\n", sum);
	getchar();
	return 0;
}
