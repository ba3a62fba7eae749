/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For bench/search.
 *
 *   resident hold KIND MIB     a process with MIB MiB of memory, noise or text
 *                              (lines of letters); prints its address and waits
 *   resident copy PID ADDRESS MIB   copies that memory once, as
 *                              process_vm_readv() does: the least that any
 *                              look at it takes
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

static int hold(const char *kind, size_t bytes)
{
	uint64_t *words = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t x = 88172645463325252u;

	if (words == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < bytes / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = *kind == 'n' ? x
			   : i % 10 == 9
				   ? 0x0a61616161616161
				   : (x & 0x0f0f0f0f0f0f0f0f) +
					     0x6161616161616161;
	}
	memcpy((char *)words + bytes / 3, "a needle in a haystack", 22);
	printf("%lx\n", (unsigned long)words);
	fflush(stdout);
	getchar();
	return 0;
}

static int copy(int pid, uintptr_t start, size_t bytes)
{
	enum { PIECE = 512 << 10 };
	static char room[PIECE];

	for (size_t at = 0; at < bytes; at += PIECE) {
		struct iovec to = { room, PIECE };
		struct iovec from = { (void *)(start + at), PIECE };

		if (process_vm_readv(pid, &to, 1, &from, 1, 0) != PIECE) {
			perror("process_vm_readv");
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], strtoul(argv[3], NULL, 10) << 20);
	if (argc == 5 && strcmp(argv[1], "copy") == 0)
		return copy(atoi(argv[2]), strtoul(argv[3], NULL, 16),
			    strtoul(argv[4], NULL, 10) << 20);
	return 2;
}
