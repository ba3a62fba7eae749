/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process with every kind of mapping that an ordinary user can make. Each is
 * reported as "name 0xADDRESS"; what could not be made, as "name 0".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

enum { PAGE = 4096, PAGES = 16, HUGE = 2 << 20 };

static void report(const char *name, const void *at)
{
	fprintf(stderr, "%s 0x%lx\n", name,
		at == MAP_FAILED ? 0 : (unsigned long)at);
}

static char *map(int prot, int flags, int fd)
{
	return mmap(NULL, PAGES * PAGE, prot, flags, fd, 0);
}

/** Write to every second page. */
static void touch(char *at)
{
	if (at != MAP_FAILED)
		for (int i = 0; i < PAGES; i += 2)
			at[i * PAGE] = 1;
}

static void *sleep_for_ever(void *arg)
{
	char room[64 << 10];

	memset(room, 1, sizeof(room));
	pthread_barrier_wait(arg);
	for (;;)
		pause();
	return room;
}

static volatile char sum;

int main(int argc, char **argv)
{
	int rw = PROT_READ | PROT_WRITE;
	char *at;

	at = map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(at);
	report("private", at);

	at = map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	report("none", at);

	// Read only: the kernel's zero page, which is not resident memory.
	at = map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (int i = 0; i < PAGES; i++)
		sum += at[i * PAGE];
	report("zero", at);

	at = map(rw, MAP_SHARED | MAP_ANONYMOUS, -1);
	touch(at);
	report("shared", at);

	int fd = memfd_create("kinds memfd", 0);
	if (ftruncate(fd, PAGES * PAGE) != 0)
		return 1;
	at = map(rw, MAP_SHARED, fd);
	touch(at);
	report("memfd", at);
	close(fd);

	int id = shmget(IPC_PRIVATE, PAGES * PAGE, IPC_CREAT | 0600);
	at = id < 0 ? MAP_FAILED : shmat(id, NULL, 0);
	touch(at);
	report("sysv", at);
	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);

	char name[64];
	snprintf(name, sizeof(name), "/memwhy-kinds-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0)
		at = map(rw, MAP_SHARED, fd);
	else
		at = MAP_FAILED;
	touch(at);
	report("posix", at);
	shm_unlink(name);

	// The file named by the caller: read, and written privately.
	fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	at = fd < 0 ? MAP_FAILED : map(rw, MAP_PRIVATE, fd);
	touch(at);
	report("file", at);
	at = fd < 0 ? MAP_FAILED : map(PROT_READ, MAP_SHARED, fd);
	if (at != MAP_FAILED)
		for (int i = 0; i < PAGES; i++)
			sum += at[i * PAGE];
	report("file_shared", at);

	at = map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(at);
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, PAGES * PAGE,
		  "kinds name") != 0)
		report("named", MAP_FAILED);
	else
		report("named", at);

	at = map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(at);
	report("locked", mlock(at, PAGES * PAGE) == 0 ? at : MAP_FAILED);

	at = map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	touch(at);
	madvise(at, PAGES * PAGE, MADV_FREE);
	report("lazy", at);

	at = mmap(NULL, 2 * HUGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at = (char *)(((unsigned long)at + HUGE - 1) & -(unsigned long)HUGE);
	madvise(at, HUGE, MADV_HUGEPAGE);
	memset(at, 1, HUGE);
	report("thp", at);

	at = mmap(NULL, HUGE, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
		  -1, 0);
	if (at != MAP_FAILED)
		at[0] = 1;
	report("hugetlb", at);

	pthread_barrier_t barrier;
	pthread_t thread;
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, sleep_for_ever, &barrier) != 0)
		return 1;
	pthread_barrier_wait(&barrier);

	at = malloc(1000);
	memset(at, 1, 1000);
	report("malloc", at);
	report("stack", &at);
	report("environ", getenv("PATH"));
	report("end", NULL);
	while (getchar() != EOF)
		;
	return 0;
}
