/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "kernel_int.h"

/*
 * /proc/PID/pagemap: bit 63 of a page's word tells that it is present, bit 56
 * that no other process maps it (Linux 4.2), bit 61 that it is a file's.
 */
#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_FILE (UINT64_C(1) << 61)
#define PM_EXCLUSIVE (UINT64_C(1) << 56)
#define WORDS 8192

struct mw_error *mw_process_shared_pages(struct mw_process *process,
					 uint64_t start, uint64_t end,
					 struct mw_pages *ret)
{
	MW_CLEANUP(mw_closep) int fd =
		openat(process->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	MW_CLEANUP(mw_freep) uint64_t *words =
		mw_calloc(WORDS, sizeof(*words));

	if (fd < 0)
		return mw_error_errno(errno, "/proc/%d/pagemap", process->pid);
	if (!words)
		return mw_error_nomem();
	while (start < end) {
		uint64_t want = mw_min((end - start) >> MW_PAGE_SHIFT, WORDS);
		ssize_t got = pread(fd, words, want * sizeof(*words),
				    (off_t)(start >> MW_PAGE_SHIFT) * 8);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return mw_error_errno(errno, "/proc/%d/pagemap",
					      process->pid);
		if (got < 8)
			break; // the mapping is gone
		for (size_t i = 0; i < (size_t)got / 8; i++) {
			uint64_t va = start + (i << MW_PAGE_SHIFT);

			if ((words[i] & (PM_PRESENT | PM_EXCLUSIVE)) ==
				    PM_PRESENT &&
			    !mw_pages_add(ret, va, va + MW_PAGE_BYTES,
					  MW_PAGE_PRESENT))
				return mw_error_nomem();
		}
		start += (uint64_t)got / 8 << MW_PAGE_SHIFT;
	}
	return NULL;
}

bool mw_process_has_now(const struct mw_process *process, uint64_t va)
{
	MW_CLEANUP(mw_closep) int fd =
		openat(process->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t word;

	return fd >= 0 &&
	       pread(fd, &word, sizeof(word),
		     (off_t)(va >> MW_PAGE_SHIFT) * 8) == sizeof(word) &&
	       (word & (PM_PRESENT | PM_EXCLUSIVE | PM_FILE)) ==
		       (PM_PRESENT | PM_EXCLUSIVE);
}

/** The states of pages from the one at @va on; how many were read. */
static size_t read_states(struct mw_process *process, uint64_t va,
			  uint64_t *states, size_t want)
{
	ssize_t got = pread(process->pagemap_fd, states, want * sizeof(*states),
			    (off_t)(va >> MW_PAGE_SHIFT) * 8);

	return got < 0 ? 0 : (size_t)got / sizeof(*states);
}

size_t mw_process_still_present(struct mw_process *process, uint64_t va,
				size_t bytes)
{
	enum { MANY = 256 };
	size_t there = 0;

	// Where nothing is known of sharing, nothing is read.
	if (process->mem_fd < 0)
		return 0;
	while (there < bytes) {
		uint64_t states[MANY];
		size_t want = mw_min((bytes - there) >> MW_PAGE_SHIFT, MANY);
		size_t got = read_states(process, va + there, states, want);

		if (got == 0)
			return there;
		for (size_t i = 0; i < got; i++) {
			if (!(states[i] & PM_PRESENT))
				return there;
			there += MW_PAGE_BYTES;
		}
	}
	return there;
}

static size_t read_through_file(struct mw_process *process, uint64_t va,
				void *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t got = pread(process->mem_fd, (uint8_t *)to + done,
				    bytes - done, (off_t)(va + done));

		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

/** How many of the pages, from the first on, are shared or not as that is. */
static size_t count_alike(const uint64_t *states, size_t count)
{
	size_t n = 1;

	while (n < count && !((states[n] ^ states[0]) & PM_EXCLUSIVE))
		n++;
	return n;
}

size_t mw_process_read_shared(struct mw_process *process, uint64_t va,
			      void *to, size_t bytes)
{
	enum { MANY = 256 };
	uint64_t states[MANY], at = va, end = va + bytes;

	while (process->is_stopped && at < end) {
		uint64_t first = mw_align_down(at, MW_PAGE_BYTES);
		size_t want = (mw_align_up(end, MW_PAGE_BYTES) - first) >>
			      MW_PAGE_SHIFT;
		size_t count = read_states(process, first, states,
					   mw_min(want, MANY));

		if (count == 0)
			break;
		for (size_t i = 0, n; i < count; i += n) {
			uint8_t *here = (uint8_t *)to + (at - va);
			size_t take, got;

			n = count_alike(states + i, count - i);
			take = mw_min(first + ((i + n) << MW_PAGE_SHIFT), end) -
			       at;
			got = states[i] & PM_EXCLUSIVE
				      ? mw_process_read(process, at, here, take)
				      : read_through_file(process, at, here,
							  take);
			at += got;
			if (got < take)
				return at - va;
		}
	}
	return at - va + read_through_file(process, at,
					   (uint8_t *)to + (at - va), end - at);
}
