/* SPDX-License-Identifier: Apache-2.0 */
/* An executable with a table of 24 MiB, all of which it reads; or none. */
#include <stdio.h>

__asm__(".section .rodata\n"
	"table: .fill 24 << 20, 1, 7\n"
	".previous\n");
extern const volatile char table[24 << 20];

int main(int argc, char **argv)
{
	unsigned sum = 0;

	(void)argv;
	for (size_t i = 0; argc < 2 && i < sizeof(table); i += 4096)
		sum += (unsigned)table[i];
	fprintf(stderr, "sum %u\nend 0\n", sum);
	getchar();
	return 0;
}
