/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "kernel_int.h"
#include "kernel_parse.h"
#include "kernel_threads.h"

struct mw_error *mw_kernel_tids(struct mw_process *process, pid_t **ret_tids,
				size_t *ret_count)
{
	MW_VEC(pid_t) tids = { 0 };
	int fd = openat(process->dir_fd, "task",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		int errnum = errno;

		if (fd >= 0)
			close(fd);
		return mw_error_errno(errnum == ENOENT ? ESRCH : errnum,
				      "/proc/%d/task", process->pid);
	}
	while ((entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		pid_t *place = tid > 0 ? mw_vec_push(&tids) : NULL;

		if (tid > 0 && !place) {
			closedir(dir);
			mw_vec_free(&tids);
			return mw_error_nomem();
		}
		if (place)
			*place = tid;
	}
	closedir(dir);
	*ret_tids = tids.v;
	*ret_count = tids.n;
	return NULL;
}

/** Read a small file of one thread into @text; its length, 0 on failure. */
static size_t read_task_file(struct mw_process *process, pid_t tid,
			     const char *file, char *text, size_t size)
{
	char name[64];

	snprintf(name, sizeof(name), "task/%d/%s", tid, file);
	MW_CLEANUP(mw_closep) int fd = openat(process->dir_fd, name,
					      O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, text, size - 1) : 0;

	if (got < 0)
		got = 0;
	text[got] = '\0';
	return (size_t)got;
}

uint64_t mw_kernel_robust_list(pid_t tid)
{
	void *head = NULL;
	size_t bytes = 0;

	return syscall(SYS_get_robust_list, tid, &head, &bytes) == 0
		       ? (uint64_t)(uintptr_t)head
		       : 0;
}

char mw_kernel_thread_state(struct mw_process *process, pid_t tid)
{
	char text[512];
	size_t got = read_task_file(process, tid, "stat", text, sizeof(text));
	const char *at = got ? memrchr(text, ')', got) : NULL;

	return at && at[1] == ' ' ? at[2] : 0;
}

struct mw_error *mw_process_threads(struct mw_process *process,
				    struct mw_threads *ret)
{
	MW_CLEANUP(mw_freep) pid_t *tids = NULL;
	struct mw_threads threads = { 0 };
	size_t count;

	struct mw_error *error = mw_kernel_tids(process, &tids, &count);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		struct mw_thread *thread = mw_vec_push(&threads.list);
		char text[512];

		if (!thread) {
			mw_threads_free(&threads);
			return mw_error_nomem();
		}
		*thread = (struct mw_thread){ .tid = tids[i] };
		mw_parse_syscall(text,
				 read_task_file(process, tids[i], "syscall",
						text, sizeof(text)),
				 thread);
		thread->state = thread->has_sp ? 'S' : 'R';
		thread->robust_list = mw_kernel_robust_list(tids[i]);
	}
	*ret = threads;
	return NULL;
}

void mw_threads_free(struct mw_threads *threads)
{
	mw_vec_free(&threads->list);
}
