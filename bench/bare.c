/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a tool must do to tell the resident set of a process page by
 * page: read /proc/PID/maps, and run PAGEMAP_SCAN over all of it in steps of
 * 64 MiB. What memwhy takes is held against this.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct page_region {
	uint64_t start, end, categories;
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages,
		category_inverted, category_mask, category_anyof_mask,
		return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#define PRESENT 8
#define SWAPPED 16
#define ZERO 32
#define REGIONS 4096

static struct page_region regions[REGIONS];
static uint64_t pages, swapped;

static void scan(int fd, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t stop = end - start > 64 << 20 ? start + (64 << 20)
						       : end;
		struct pm_scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = stop,
			.vec = (uintptr_t)regions,
			.vec_len = REGIONS,
			.category_anyof_mask = PRESENT | SWAPPED,
			.return_mask = PRESENT | SWAPPED | ZERO,
		};
		int n = ioctl(fd, PAGEMAP_SCAN, &arg);

		if (n < 0) {
			perror("PAGEMAP_SCAN");
			exit(1);
		}
		for (int i = 0; i < n; i++) {
			uint64_t count =
				(regions[i].end - regions[i].start) / 4096;

			if ((regions[i].categories & (PRESENT | ZERO)) ==
			    PRESENT)
				pages += count;
			if (regions[i].categories & SWAPPED)
				swapped += count;
		}
		start = n == REGIONS ? regions[n - 1].end : stop;
	}
}

int main(int argc, char **argv)
{
	char path[64];
	char *text = NULL;
	size_t used = 0, size = 0;
	ssize_t got;
	uint64_t from = 0, to = 0;

	if (argc != 2)
		return 2;
	snprintf(path, sizeof(path), "/proc/%s/maps", argv[1]);
	int fd = open(path, O_RDONLY);
	do {
		if (size - used < 65536) {
			size = size ? 2 * size : 262144;
			text = realloc(text, size);
		}
		got = read(fd, text + used, size - used - 1);
		used += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	close(fd);
	if (used == 0)
		return 1;
	text[used] = '\0';

	snprintf(path, sizeof(path), "/proc/%s/pagemap", argv[1]);
	fd = open(path, O_RDONLY);
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		char *at;
		uint64_t start = strtoull(line, &at, 16);
		uint64_t end = strtoull(at + 1, &at, 16);

		if (start >> 63)
			continue;
		// Mappings that adjoin are scanned at once.
		if (start != to) {
			scan(fd, from, to);
			from = start;
		}
		to = end;
	}
	scan(fd, from, to);
	printf("%lu bytes resident, %lu in swap\n", pages * 4096,
	       swapped * 4096);
	return 0;
}
