/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel_int.h"

uint64_t mw_kernel_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void mw_kernel_pause(long ns)
{
	struct timespec wait = { 0, ns };

	nanosleep(&wait, NULL);
}

void mw_kernel_wait_for_end(pid_t pid, uint64_t ns)
{
	uint64_t due = mw_kernel_now() + ns, now;
	MW_CLEANUP(mw_closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	// Without one (Linux 5.2 and before, or it has ended), time alone.
	struct pollfd end = { .fd = fd, .events = POLLIN };

	while ((now = mw_kernel_now()) < due) {
		struct timespec left = {
			.tv_sec = (time_t)((due - now) / 1000000000),
			.tv_nsec = (long)((due - now) % 1000000000),
		};

		if (ppoll(&end, 1, &left, NULL) > 0)
			return;
	}
}

struct mw_error *mw_kernel_slurp(int dir_fd, const char *name,
				 const char *what, char **ret,
				 size_t *ret_bytes)
{
	enum { LIMIT = 16 << 20 }; // no such file is larger
	MW_CLEANUP(mw_closep) int fd = openat(dir_fd, name,
					      O_RDONLY | O_CLOEXEC);
	MW_CLEANUP(mw_freep) char *text = NULL;
	size_t used = 0, cap = 0;

	if (fd < 0)
		return mw_error_errno(errno, "%s", what);
	for (;;) {
		if (cap - used < 4096) {
			cap = cap ? cap * 2 : 8192;
			char *grown = mw_realloc(text, cap, 1);
			if (!grown)
				return mw_error_nomem();
			text = grown;
		}
		ssize_t got = read(fd, text + used, cap - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return mw_error_errno(errno, "%s", what);
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > LIMIT)
			return mw_error_new(MW_E_LIMIT, "%s: larger than %d "
					    "bytes", what, LIMIT);
	}
	text[used] = '\0';
	*ret_bytes = used;
	*ret = mw_steal(text);
	return NULL;
}

struct mw_error *
mw_kernel_lines(int dir_fd, const char *name, const char *what,
		struct mw_error *(*parse)(const char *text, size_t bytes,
					  void *ctx),
		void *ctx)
{
	enum { PIECE = 64 << 10 };
	MW_CLEANUP(mw_closep) int fd = openat(dir_fd, name,
					      O_RDONLY | O_CLOEXEC);
	MW_CLEANUP(mw_freep) char *text = mw_alloc(PIECE);
	size_t used = 0;

	if (fd < 0)
		return mw_error_errno(errno, "%s", what);
	if (!text)
		return mw_error_nomem();
	for (;;) {
		ssize_t got = read(fd, text + used, PIECE - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return mw_error_errno(errno, "%s", what);
		used += (size_t)got;

		char *eol = memrchr(text, '\n', used);
		size_t whole = got == 0 ? used
			       : eol	? (size_t)(eol + 1 - text)
					: 0;

		// A line longer than the piece (a path has at most 4 KiB, but
		// each byte may be written as four) would be an endless loop.
		if (whole == 0 && used == PIECE)
			whole = used;
		struct mw_error *error = parse(text, whole, ctx);
		if (error)
			return error;
		memmove(text, text + whole, used - whole);
		used -= whole;
		if (got == 0)
			return NULL;
	}
}
