/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process whose bytes a test compares: pages of every state with known
 * content. Addresses are reported as "name 0xADDRESS".
 *
 *   bytes FILE   FILE has at least 16 pages; it is mapped and its first page
 *                touched, without read-ahead
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wchar.h>

enum { PAGE = 4096, PAGES = 16, NEEDLES = 64 << 20 };

const char literal[] = "a literal of the program that is easily found";
char variable[64] = "a variable that was set before it began";
char room[100000];
const wchar_t wide[] = L"wide characters of 32 bits";

static char *map(size_t bytes, int prot, int flags, int fd)
{
	char *at = mmap(NULL, bytes, prot, flags, fd, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return at;
}

static void report(const char *name, const void *at)
{
	fprintf(stderr, "%s 0x%lx\n", name, (unsigned long)at);
}

int main(int argc, char **argv)
{
	int rw = PROT_READ | PROT_WRITE;
	int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	char *sparse = map(PAGES * PAGE, rw, anonymous, -1);
	char *many = map(NEEDLES, rw, anonymous, -1);
	volatile char sum = 0;

	// Every second page is touched; a needle crosses two that adjoin.
	madvise(sparse, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i += 2)
		sprintf(sparse + i * PAGE, "page %d is there", i);
	memcpy(sparse + 5 * PAGE - 6, "across two pages", 16);
	memcpy(sparse + 7 * PAGE - 4, "halfway", 4);
	mprotect(sparse + 14 * PAGE, PAGE, PROT_NONE);

	// 64 MiB of noise with needles at odd places, across MiB borders too.
	uint64_t x = 88172645463325252u;
	for (size_t i = 0; i < NEEDLES / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(many + 8 * i, &x, 8);
	}
	for (size_t i = (1 << 20) - 11; i < NEEDLES - 64; i += (1 << 20) + 7)
		memcpy(many + i, "A needle. ", 10);
	for (size_t i = 1 << 19; i < NEEDLES - 64; i += 1 << 19)
		memcpy(many + i - 5, "crossing!!", 10);
	for (size_t i = 4096; i < NEEDLES - 64; i += 3 << 20)
		memcpy(many + i, &sparse, 8);

	if (fd >= 0) {
		char *file = map(PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd);

		madvise(file, PAGES * PAGE, MADV_RANDOM);
		// What faults the page in may bring its neighbours, too.
		sum += *(volatile char *)file;
		madvise(file + PAGE, (PAGES - 1) * PAGE, MADV_DONTNEED);
		report("file", file);
	}
	memset(room, 'r', 50000);
	memcpy(room + 50001, u"16 bits a character", 38);
	report("literal", literal);
	report("variable", variable);
	report("room", room);
	report("wide", wide);
	report("sparse", sparse);
	report("many", many);
	report("end", NULL);
	getchar();
	return variable[0] + room[0] + wide[0] + sum;
}
