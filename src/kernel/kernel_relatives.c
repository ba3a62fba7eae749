/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel_int.h"
#include "mw_guard.h"
#include "mw_mem.h"

/*
 * Who may share pages with a process since fork(). A process that has called
 * execve() shares none, so all of them run the same executable.
 */

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/** Whether the two are called alike, for what else is told of nobody else's. */
static bool is_called(int proc_fd, const char *pid, const char *comm)
{
	MW_CLEANUP(mw_freep) char *other = NULL;
	char name[sizeof("/comm") + 256];
	size_t bytes;
	struct mw_error *error;

	snprintf(name, sizeof(name), "%s/comm", pid);
	error = mw_kernel_slurp(proc_fd, name, "comm", &other, &bytes);
	if (error) {
		mw_error_free(error);
		return false;
	}
	return strcmp(other, comm) == 0;
}

bool mw_kernel_has_relatives(const struct mw_process *process)
{
	MW_CLEANUP(close_dirp) DIR *dir = opendir("/proc");
	MW_CLEANUP(mw_freep) char *comm = NULL;
	struct stat exe, other;
	struct dirent *entry;
	struct mw_error *error;
	char name[sizeof("/exe") + 256];
	size_t bytes;

	error = mw_kernel_slurp(process->proc_fd, "comm", "comm", &comm,
				&bytes);
	if (error || !dir || fstatat(process->proc_fd, "exe", &exe, 0) != 0) {
		mw_error_free(error);
		return true; // nobody knows
	}
	while ((entry = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    atoi(entry->d_name) == process->pid)
			continue;
		snprintf(name, sizeof(name), "%s/exe", entry->d_name);
		if (fstatat(dirfd(dir), name, &other, 0) == 0) {
			if (other.st_ino == exe.st_ino &&
			    other.st_dev == exe.st_dev)
				return true;
		} else if (errno == EACCES &&
			   is_called(dirfd(dir), entry->d_name, comm)) {
			return true;
		}
	}
	return false;
}
