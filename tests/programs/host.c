// SPDX-License-Identifier: Apache-2.0

// A C program that has Go in a shared object: its path is the argument.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void (*figures)(void);

	if (!library) {
		fprintf(stderr, "host: %s\n", dlerror());
		return 1;
	}
	*(void **)&figures = dlsym(library, "Figures");
	figures();
	return 0;
}
