/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Never rests, and leaves its memory such that a copy tells whether all of it
 * is of one moment:
 *
 * - step: words that count up, all of a page before those of the next. So the
 *   pages hold one number up to some page, and that less 1 from it on;
 * - left, right: a page at random has each word set in left, then in right. So
 *   they differ in at most one word;
 * - slots: filled with a number and let go of again (MADV_DONTNEED), half of
 *   them at a time. So a word is 0 or numbers[slot].
 *
 * With the argument "fork", a child shares what is there at the beginning.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	PAGE_WORDS = 512,
	STEP_PAGES = 2048,
	PAIR_PAGES = 4096,
	SLOTS = 32,
	SLOT_PAGES = 128,
};

typedef _Atomic uint64_t word;

static word *step, *left, *right, *slots, *numbers;

static word *map(size_t pages)
{
	word *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void set(word *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_release);
}

static void *count(void *ctx)
{
	for (uint64_t round = 2;; round++)
		for (size_t i = 0; i < STEP_PAGES * PAGE_WORDS; i++)
			set(step + i, round);
	return ctx;
}

static void *write_pairs(void *ctx)
{
	uint64_t x = 1;

	for (;;) {
		size_t at;

		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		at = (x >> 33) % PAIR_PAGES * PAGE_WORDS;
		for (size_t i = 0; i < PAGE_WORDS; i++) {
			set(left + at + i, x);
			set(right + at + i, x);
		}
		// So that most pages are the same for a while.
		usleep(100);
	}
	return ctx;
}

static void *use_slots(void *ctx)
{
	for (uint64_t number = 1;; number++) {
		size_t full = number % SLOTS, empty = (full + SLOTS / 2) % SLOTS;
		word *slot = slots + full * SLOT_PAGES * PAGE_WORDS;

		set(numbers + full, number);
		for (size_t i = 0; i < SLOT_PAGES * PAGE_WORDS; i++)
			set(slot + i, number);
		madvise((void *)(slots + empty * SLOT_PAGES * PAGE_WORDS),
			SLOT_PAGES * 4096, MADV_DONTNEED);
		set(numbers + empty, 0);
	}
	return ctx;
}

int main(int argc, char **argv)
{
	void *(*const work[])(void *) = { count, write_pairs, use_slots };
	pthread_t thread;

	(void)argv;
	step = map(STEP_PAGES);
	left = map(PAIR_PAGES);
	right = map(PAIR_PAGES);
	slots = map(SLOTS * SLOT_PAGES);
	numbers = map(1);
	for (size_t i = 0; i < STEP_PAGES * PAGE_WORDS; i++)
		set(step + i, 1);
	for (size_t i = 0; i < PAIR_PAGES * PAGE_WORDS; i++) {
		set(left + i, i);
		set(right + i, i);
	}
	if (argc > 1 && fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	for (size_t i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, work[i], NULL) != 0)
			return 1;
	fprintf(stderr, "step %p\nleft %p\nright %p\nslots %p\nnumbers %p\n",
		(void *)step, (void *)left, (void *)right, (void *)slots,
		(void *)numbers);
	fprintf(stderr, "step_pages %d\npair_pages %d\nslot_count %d\n"
		"slot_pages %d\nend 0\n", STEP_PAGES, PAIR_PAGES, SLOTS,
		SLOT_PAGES);
	for (;;)
		pause();
}
