/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_INT_H
#define KERNEL_INT_H

#include "mw_guard.h"
#include "mw_kernel.h"

struct mw_process {
	pid_t pid;
	/*
	 * The task whose memory is read: the PID, or one of its threads when
	 * the main thread has ended before the others.
	 */
	pid_t task;
	int proc_fd; /* /proc/PID, or /proc/PID/task/TID */
	int dir_fd; /* /proc/PID */
	int mem_fd; /* -1: no page is known to be shared since fork() */
	int pagemap_fd; /* -1: as mem_fd */
	uint64_t start_ticks;
	bool is_stopped; /* by a struct mw_stop */
};

/**
 * Read a file below @dir_fd whole. *@ret is NUL-terminated, caller frees.
 * An error names @what.
 */
MW_MUST_USE struct mw_error *mw_kernel_slurp(int dir_fd, const char *name,
					     const char *what, char **ret,
					     size_t *ret_bytes);

/**
 * Read a file below @dir_fd in pieces that end with a line end and hand each
 * to @parse.
 */
MW_MUST_USE struct mw_error *
mw_kernel_lines(int dir_fd, const char *name, const char *what,
		struct mw_error *(*parse)(const char *text, size_t bytes,
					  void *ctx),
		void *ctx);

#endif
