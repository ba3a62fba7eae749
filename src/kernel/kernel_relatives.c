/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel_int.h"
#include "mw_guard.h"
#include "mw_mem.h"

/*
 * Who may share pages with a process since fork(). A process that has called
 * execve() shares none, so all of them run the same executable.
 */

/** Whether the two are called alike, for what else is told of nobody else's. */
static bool is_called(pid_t pid, const char *comm)
{
	MW_CLEANUP(mw_freep) char *other = NULL;
	char name[64];
	size_t bytes;
	struct mw_error *error;

	snprintf(name, sizeof(name), "/proc/%d/comm", pid);
	error = mw_kernel_slurp(AT_FDCWD, name, name, &other, &bytes);
	if (error) {
		mw_error_free(error);
		return false;
	}
	return strcmp(other, comm) == 0;
}

static bool is_relative(pid_t pid, const struct stat *exe, const char *comm)
{
	struct stat other;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/exe", pid);
	if (stat(name, &other) == 0)
		return other.st_ino == exe->st_ino &&
		       other.st_dev == exe->st_dev;
	return errno == EACCES && is_called(pid, comm);
}

static bool has_relatives(const struct mw_process *process)
{
	MW_CLEANUP(mw_freep) char *comm = NULL;
	MW_CLEANUP(mw_freep) pid_t *pids = NULL;
	struct mw_error *error;
	struct stat exe;
	size_t bytes, count;

	error = mw_kernel_slurp(process->proc_fd, "comm", "comm", &comm,
				&bytes);
	if (!error)
		error = mw_kernel_list(&pids, &count);
	if (error || fstatat(process->proc_fd, "exe", &exe, 0) != 0) {
		mw_error_free(error);
		return true; // nobody knows
	}
	for (size_t i = 0; i < count; i++)
		if (pids[i] != process->pid &&
		    is_relative(pids[i], &exe, comm))
			return true;
	return false;
}

void mw_process_find_relatives(struct mw_process *process)
{
	if (process->mem_fd < 0 && has_relatives(process))
		mw_process_expect_relatives(process);
}

void mw_process_expect_relatives(struct mw_process *process)
{
	process->mem_fd = openat(process->proc_fd, "mem",
				 O_RDONLY | O_CLOEXEC);
	process->pagemap_fd = openat(process->proc_fd, "pagemap",
				     O_RDONLY | O_CLOEXEC);
}
