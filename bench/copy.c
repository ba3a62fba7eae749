/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What copying the resident pages of a process takes at least: copy PID reads
 * /proc/PID/maps and pagemap, then copies every present page that can be read
 * with process_vm_readv, and prints the bytes, and the ns that this took: once
 * over and over into one buffer, once into memory that is new for each byte.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define PIECE (1u << 20)
#define BATCH 256

static struct iovec *runs;
static size_t count, room;
static uint64_t total;
static int pid;

static void add(uint64_t start, uint64_t end)
{
	total += end - start;
	for (; start < end; start += PIECE) {
		uint64_t bytes = end - start < PIECE ? end - start : PIECE;

		if (count == room) {
			room = room ? 2 * room : 4096;
			runs = realloc(runs, room * sizeof(*runs));
		}
		runs[count++] = (struct iovec){ (void *)start, bytes };
	}
}

static void find(int pagemap, uint64_t start, uint64_t end)
{
	static uint64_t words[4096];
	uint64_t from = 0;

	while (start < end) {
		uint64_t want = (end - start) / PAGE;
		ssize_t got = pread(pagemap, words,
				    (want < 4096 ? want : 4096) * 8,
				    (off_t)(start / PAGE * 8));

		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got / 8; i++, start += PAGE) {
			int present = words[i] >> 63;

			if (present && !from)
				from = start;
			if (!present && from) {
				add(from, start);
				from = 0;
			}
		}
	}
	if (from)
		add(from, end);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t copy(char *to, int reuse)
{
	uint64_t begun = now(), at = 0;
	struct iovec local[BATCH];

	for (size_t i = 0; i < count;) {
		size_t n = 0, used = 0;

		for (; i + n < count && n < BATCH &&
		       used + runs[i + n].iov_len <= PIECE; n++) {
			local[n] = (struct iovec){
				to + (reuse ? 0 : at) + used,
				runs[i + n].iov_len,
			};
			used += runs[i + n].iov_len;
		}
		if (process_vm_readv(pid, local, n, &runs[i], n, 0) !=
		    (ssize_t)used) {
			fprintf(stderr, "copy: %p\n", runs[i].iov_base);
			exit(1);
		}
		at += used;
		i += n;
	}
	return now() - begun;
}

int main(int argc, char **argv)
{
	char path[64], line[8192], perms[8], name[4096];
	unsigned long start, end;
	char *to;

	pid = argc > 1 ? atoi(argv[1]) : 0;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	int pagemap = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "r");
	if (pagemap < 0 || !maps)
		return 1;
	while (fgets(line, sizeof(line), maps)) {
		name[0] = '\0';
		sscanf(line, "%lx-%lx %7s %*s %*s %*s %4095s", &start, &end,
		       perms, name);
		if (perms[0] == 'r' && strncmp(name, "[v", 2) != 0)
			find(pagemap, start, end);
	}
	to = mmap(NULL, total + PIECE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(to, 1, PIECE);
	uint64_t reused = copy(to, 1);
	printf("%lu %lu %lu\n", total, reused, copy(to, 0));
	return 0;
}
