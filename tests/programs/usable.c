// SPDX-License-Identifier: Apache-2.0

// What malloc_usable_size() says of each size that is an argument.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		void *block = malloc(strtoul(argv[i], NULL, 0));

		printf("%s %zu\n", argv[i], malloc_usable_size(block));
	}
	return 0;
}
