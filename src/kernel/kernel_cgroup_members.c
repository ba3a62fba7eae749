/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel_cgroup.h"
#include "kernel_parse.h"

/* Groups can be nested deeper and hold more; then the figures say "at least". */
enum { MOST_LEVELS = 16, MOST_PROCESSES = 4096 };

/* What x86-64 gives each thread (THREAD_SIZE, arch/x86/include/asm). */
#define KERNEL_STACK MW_KIB(16)

static bool read_status(pid_t pid, struct mw_status *ret)
{
	MW_CLEANUP(mw_freep) char *status = NULL, *stat = NULL;
	char name[32];
	size_t bytes;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	status = mw_cgroup_slurp(AT_FDCWD, name, &bytes);
	if (!status)
		return false;
	mw_parse_status(status, bytes, ret);
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	stat = mw_cgroup_slurp(AT_FDCWD, name, &bytes);
	if (stat)
		mw_error_free(mw_parse_stat(stat, bytes, ret));
	return true;
}

/** Keep the largest of the others. */
static void add_other(struct mw_cgroup *g, pid_t pid,
		      const struct mw_status *status)
{
	size_t at = MW_CGROUP_OTHERS;

	while (at > 0 &&
	       g->others[at - 1].anon_bytes < status->rss_anon_bytes)
		at--;
	if (at == MW_CGROUP_OTHERS)
		return;
	memmove(&g->others[at + 1], &g->others[at],
		(MW_CGROUP_OTHERS - 1 - at) * sizeof(g->others[0]));
	g->others[at] = (struct mw_cgroup_other){
		.pid = pid,
		.anon_bytes = status->rss_anon_bytes,
	};
	memcpy(g->others[at].comm, status->comm, sizeof(status->comm));
}

static void add_process(struct mw_cgroup *g, pid_t own, pid_t pid)
{
	struct mw_status status = { 0 };

	g->processes++;
	// The kernel writes 0 for one that this namespace has no PID for.
	if (pid == 0 || g->processes > MOST_PROCESSES ||
	    !read_status(pid, &status))
		return;
	g->members.kernel_stack_bytes += status.threads * KERNEL_STACK;
	g->members.page_table_bytes += status.page_table_bytes;
	if (pid != own)
		add_other(g, pid, &status);
}

static void add_processes(int dir_fd, pid_t own, struct mw_cgroup *g)
{
	size_t bytes;
	MW_CLEANUP(mw_freep) char *text = mw_cgroup_slurp(dir_fd,
							  "cgroup.procs",
							  &bytes);
	const char *at = text, *end = text ? text + bytes : NULL;
	uint64_t pid;

	while (at < end && mw_parse_u64(&at, end, 10, &pid)) {
		if (pid <= INT32_MAX)
			add_process(g, own, (pid_t)pid);
		if (at < end)
			at++;
	}
}

/** Take the group at @dir_fd, and those below it while there are @levels. */
static void add_groups(int dir_fd, pid_t own, unsigned levels,
		       struct mw_cgroup *g)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		mw_closep(&fd);
		return;
	}
	add_processes(dir_fd, own, g);
	while (levels > 0 && g->processes < MOST_PROCESSES &&
	       (entry = readdir(dir))) {
		MW_CLEANUP(mw_closep) int below = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		below = openat(dir_fd, entry->d_name,
			       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			add_groups(below, own, levels - 1, g);
	}
	closedir(dir);
}

void mw_cgroup_read_members(int dir_fd, pid_t own, struct mw_cgroup *group)
{
	add_groups(dir_fd, own, MOST_LEVELS, group);
}
