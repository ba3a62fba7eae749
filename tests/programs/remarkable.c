/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A C program with one remarkable thing about its memory, by its argument. A
 * second argument makes it unremarkable.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1u << 20)

static char *blocks[65536];

static void *map(size_t bytes, int flags, int fd)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

/** 32 MiB of blocks are freed, but for the last. */
static void slack(bool trimmed)
{
	for (int i = 0; i < 32768; i++)
		memset(blocks[i] = malloc(1000), 1, 1000);
	for (int i = 0; i < 32767; i++)
		free(blocks[i]);
	if (trimmed)
		malloc_trim(0);
}

/** 3 MiB of blocks are freed: more than 5 % of all, but what every program has. */
static void crumbs(bool none)
{
	for (int i = 0; i < 3072; i++)
		memset(blocks[i] = malloc(1000), 1, 1000);
	for (int i = 0; !none && i < 3071; i++)
		free(blocks[i]);
}

/** Every second block is freed: no page is free. */
static void holes(bool full)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	for (int i = 0; i < 65536; i++)
		memset(blocks[i] = malloc(500), 1, 500);
	for (int i = 0; !full && i < 65536; i += 2)
		free(blocks[i]);
}

static void anonymous(bool untouched)
{
	char *at = map(32 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!untouched)
		memset(at, 1, 32 * MIB);
}

/** A file of the size of a small database, read through a mapping. */
static char *map_file(int flags)
{
	char name[] = "/var/tmp/remarkable-XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || posix_fallocate(fd, 0, 32 * MIB) != 0)
		abort();
	unlink(name);
	return map(32 * MIB, flags, fd);
}

static void write_to(char *at)
{
	for (size_t i = 0; i < 32 * MIB; i += 4096)
		at[i] = 1;
}

static void file(bool untouched)
{
	char *at = map_file(MAP_SHARED);

	if (!untouched)
		write_to(at);
}

/** 64 MiB of a file are read, and nothing of it is mapped. */
static void cached(bool unread)
{
	static char piece[MIB];
	char name[] = "/var/tmp/remarkable-XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0)
		abort();
	unlink(name);
	for (int i = 0; !unread && i < 64; i++)
		if (write(fd, piece, sizeof(piece)) != (ssize_t)sizeof(piece))
			abort();
	// What is clean can be dropped.
	if (fsync(fd) != 0)
		abort();
}

/** A file's pages that are the process's own; or half of them are. */
static void copied(bool half)
{
	char *at = map_file(MAP_PRIVATE);
	volatile char sum = 0;

	if (!half)
		write_to(at);
	for (size_t i = 0; half && i < 32 * MIB; i += 4096)
		if (i % 8192 == 0)
			at[i] = 1;
		else
			sum = (char)(sum + at[i]);
}

/** Of what is locked little is there; or a file is, and all of it. */
static void locked_thinly(bool is_file)
{
	if (!is_file && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		abort();
	if (is_file) {
		if (mlock(map_file(MAP_SHARED), 32 * MIB) != 0)
			abort();
	} else {
		memset(map((size_t)256 * MIB, MAP_PRIVATE | MAP_ANONYMOUS |
			   MAP_NORESERVE, -1), 1, 4 * MIB);
	}
}

static void shared(bool untouched)
{
	int fd = memfd_create("ring", 0);
	char *at;

	if (fd < 0 || ftruncate(fd, 32 * MIB) != 0)
		abort();
	at = map(32 * MIB, MAP_SHARED, fd);
	if (!untouched)
		memset(at, 1, 32 * MIB);
}

/** What servers have for their workers, without a name; or little of it. */
static void pool(bool little)
{
	char *at = map(32 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);

	memset(at, 1, little ? 4 * MIB : 32 * MIB);
}

static void locked(bool free)
{
	char *at = map(4 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	memset(at, 1, 4 * MIB);
	if (!free && mlock(at, 4 * MIB) != 0)
		abort();
}

/** A page of each 2 MiB: as many page tables as memory. */
static void sparse(bool dense)
{
	size_t step = dense ? 4096 : 2 * MIB;
	char *at = map((size_t)1024 * 2 * MIB,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	madvise(at, (size_t)1024 * 2 * MIB, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 1024; i++)
		at[i * step] = 1;
}

/** Pages that may go, but have not. */
static void lazy(bool gone)
{
	char *at = map(32 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	memset(at, 1, 32 * MIB);
	if (madvise(at, 32 * MIB, gone ? MADV_DONTNEED : MADV_FREE) != 0)
		abort();
}

static pthread_barrier_t barrier;

static void *deep_thread(void *arg)
{
	char room[1 << 20];

	if (!*(bool *)arg)
		memset(room, 1, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
	return NULL;
}

static void *waiting_thread(void *arg)
{
	deep_thread(arg);
	pthread_barrier_wait(&barrier);
	pause();
	return NULL;
}

static void *arena_thread(void *arg)
{
	// Mixed with blocks that stay, so that nothing can be trimmed.
	char *mine[2048];

	for (int i = 0; i < 2048; i++)
		memset(mine[i] = malloc(500), 1, 500);
	for (int i = 0; !*(bool *)arg && i < 2048; i += 2)
		free(mine[i]);
	pthread_barrier_wait(&barrier);
	pause();
	return NULL;
}

static void run_threads(unsigned count, void *(*run)(void *), bool argument)
{
	static bool quiet;

	quiet = argument;
	pthread_barrier_init(&barrier, NULL, count + 1);
	for (unsigned i = 0; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, run, &quiet) != 0)
			abort();
	}
	pthread_barrier_wait(&barrier);
}

static void stacks(bool shallow)
{
	run_threads(16, waiting_thread, shallow);
}

/** The same of the first thread. */
static void stack(bool shallow)
{
	char room[6 * MIB];

	if (!shallow)
		memset(room, 1, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
}

static void arenas(bool few)
{
	mallopt(M_ARENA_MAX, 64);
	run_threads(12, arena_thread, few);
}

static void threads(bool few)
{
	run_threads(few ? 8 : 200, waiting_thread, true);
}

/** 48 MiB in pipes that nobody reads; or nothing. */
static void pipes(bool empty)
{
	static char piece[1 << 20];
	int ends[2];

	for (int i = 0; i < 48; i++)
		if (pipe(ends) != 0 ||
		    fcntl(ends[1], F_SETPIPE_SZ, (int)sizeof(piece)) < 0 ||
		    (!empty && write(ends[1], piece, sizeof(piece)) !=
				       (ssize_t)sizeof(piece)))
			abort();
}

/** 32 MiB of which the kernel is told that they are not needed now. */
static void paged_out(bool needed)
{
	char *at = map(32 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	// Something to compress, and no huge pages: these go one by one.
	madvise(at, 32 * MIB, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 32 * MIB; i += 64)
		at[i] = (char)(i >> 6);
	if (!needed && madvise(at, 32 * MIB, MADV_PAGEOUT) != 0)
		abort();
}

static void none(bool quiet)
{
	(void)quiet;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(bool);
	} cases[] = {
		{ "slack", slack },	{ "holes", holes },
		{ "anonymous", anonymous }, { "file", file },
		{ "shared", shared },	{ "locked", locked },
		{ "copied", copied },	{ "locked_thinly", locked_thinly },
		{ "sparse", sparse },	{ "lazy", lazy },
		{ "stacks", stacks },	{ "stack", stack },
		{ "arenas", arenas },	{ "pool", pool },
		{ "crumbs", crumbs },	{ "cached", cached },
		{ "threads", threads }, { "pipes", pipes },
		{ "paged_out", paged_out }, { "none", none },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (argc > 1 && strcmp(cases[i].name, argv[1]) == 0)
			cases[i].run(argc > 2);
	fputs("end 0\n", stderr);
	getchar();
	return 0;
}
