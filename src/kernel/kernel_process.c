/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel_int.h"
#include "kernel_parse.h"

/** flags of /proc/PID/stat, field 9 (include/linux/sched.h) */
#define PF_KTHREAD 0x00200000u

static bool is_kernel_thread(const char *stat)
{
	const char *at = strrchr(stat, ')');
	char state;
	int parent, group, session, tty, tpgid;
	unsigned flags;

	return at && sscanf(at + 1, " %c %d %d %d %d %d %u", &state, &parent,
			    &group, &session, &tty, &tpgid, &flags) == 7 &&
	       (flags & PF_KTHREAD);
}

/**
 * A main thread may end while the others run on; then its own memory map is
 * gone and that of any other thread must be used.
 */
static bool find_live_task(struct mw_process *process)
{
	MW_CLEANUP(mw_closep) int fd = openat(process->dir_fd, "task",
					      O_RDONLY | O_DIRECTORY |
						      O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	fd = -1;
	while (!found && (entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		char name[64];
		char byte;

		if (tid <= 0 || tid == process->pid)
			continue;
		snprintf(name, sizeof(name), "task/%d", tid);
		int task_fd = openat(process->dir_fd, name,
				     O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (task_fd < 0)
			continue;
		int maps_fd = openat(task_fd, "maps", O_RDONLY | O_CLOEXEC);
		found = maps_fd >= 0 && read(maps_fd, &byte, 1) == 1;
		if (maps_fd >= 0)
			close(maps_fd);
		if (found) {
			process->task = tid;
			process->proc_fd = task_fd;
		} else {
			close(task_fd);
		}
	}
	closedir(dir);
	return found;
}

static struct mw_error *no_such_process(pid_t pid)
{
	if (kill(pid, 0) == 0 || errno == EPERM)
		return mw_error_new(
			MW_E_PERMISSION,
			"process %d exists, but /proc does not show it (mounted "
			"with hidepid): run as its user or as root", pid);
	return mw_error_new(MW_E_NOT_FOUND, "no process %d", pid);
}

static struct mw_error *check_has_memory(struct mw_process *process,
					 const char *stat, char state)
{
	char byte;
	int fd = openat(process->proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	int errnum = errno;

	if (fd < 0 && errnum != ESRCH)
		return mw_error_errno(errnum, "process %d belongs to another "
				      "user or is protected; its memory may "
				      "not be read: run as its user or as root",
				      process->pid);

	ssize_t got = fd >= 0 ? read(fd, &byte, 1) : 0;
	if (fd >= 0)
		close(fd);
	if (got == 1)
		return NULL;
	if (is_kernel_thread(stat))
		return mw_error_new(MW_E_UNSUPPORTED,
				    "process %d is a kernel thread: it has no "
				    "memory of its own", process->pid);
	if (find_live_task(process))
		return NULL;
	if (state == 'Z' || state == 'X')
		return mw_error_new(MW_E_GONE,
				    "process %d is a zombie: it has ended and "
				    "its memory is gone, only its parent has "
				    "not asked for its exit status",
				    process->pid);
	return mw_error_new(MW_E_GONE, "process %d has no memory: it is "
			    "ending", process->pid);
}

struct mw_error *mw_process_open(pid_t pid, struct mw_process **ret)
{
	MW_CLEANUP(mw_process_closep) struct mw_process *process =
		mw_calloc(1, sizeof(*process));
	MW_CLEANUP(mw_freep) char *stat = NULL;
	struct mw_status status = { 0 };
	char name[64];
	size_t bytes;

	if (!process)
		return mw_error_nomem();
	process->pid = process->task = pid;
	process->proc_fd = process->mem_fd = process->pagemap_fd = -1;
	snprintf(name, sizeof(name), "/proc/%d", pid);
	process->dir_fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process->dir_fd < 0)
		return errno == ENOENT ? no_such_process(pid)
				       : mw_error_errno(errno, "%s", name);

	struct mw_error *error = mw_kernel_slurp(process->dir_fd, "stat",
						 name, &stat, &bytes);
	// With hidepid the folder may be there, and nothing in it.
	if (error && error->code == MW_E_NOT_FOUND) {
		mw_error_free(error);
		return no_such_process(pid);
	}
	if (!error)
		error = mw_parse_stat(stat, bytes, &status);
	if (error)
		return error;
	process->start_ticks = status.start_ticks;

	// find_live_task() replaces proc_fd.
	process->proc_fd = process->dir_fd;
	error = check_has_memory(process, stat, status.state);
	if (error)
		return error;
	*ret = mw_steal(process);
	return NULL;
}

void mw_process_close(struct mw_process *process)
{
	if (!process)
		return;
	if (process->proc_fd >= 0 && process->proc_fd != process->dir_fd)
		close(process->proc_fd);
	if (process->dir_fd >= 0)
		close(process->dir_fd);
	if (process->mem_fd >= 0)
		close(process->mem_fd);
	if (process->pagemap_fd >= 0)
		close(process->pagemap_fd);
	mw_free(process);
}

struct mw_error *mw_process_status(struct mw_process *process,
				   struct mw_status *ret)
{
	MW_CLEANUP(mw_freep) char *stat = NULL;
	MW_CLEANUP(mw_freep) char *text = NULL;
	struct mw_status status = { 0 };
	size_t bytes;

	struct mw_error *error = mw_kernel_slurp(process->dir_fd, "stat",
						 "/proc/PID/stat", &stat,
						 &bytes);
	if (!error)
		error = mw_parse_stat(stat, bytes, &status);
	if (error)
		return error;
	error = mw_kernel_slurp(process->proc_fd, "status",
				"/proc/PID/status", &text, &bytes);
	if (error)
		return error;
	mw_parse_status(text, bytes, &status);
	*ret = status;
	return NULL;
}

struct mw_error *mw_process_exe(struct mw_process *process, char **ret_path,
				uint64_t *ret_inode, uint64_t *ret_dev)
{
	char path[4096];
	struct stat st;
	ssize_t len = readlinkat(process->proc_fd, "exe", path, sizeof(path));

	if (len < 0)
		return mw_error_errno(errno, "/proc/%d/exe", process->pid);

	char *copy = mw_strndup(path, (size_t)len);
	if (!copy)
		return mw_error_nomem();
	if (fstatat(process->proc_fd, "exe", &st, 0) == 0) {
		*ret_inode = st.st_ino;
		*ret_dev = st.st_dev;
	} else {
		*ret_inode = *ret_dev = 0;
	}
	*ret_path = copy;
	return NULL;
}

struct mw_error *mw_process_auxv(struct mw_process *process, uint8_t **ret,
				 size_t *ret_bytes)
{
	return mw_kernel_slurp(process->proc_fd, "auxv", "/proc/PID/auxv",
			       (char **)ret, ret_bytes);
}
