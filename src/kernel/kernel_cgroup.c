/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel_int.h"
#include "kernel_parse.h"

/*
 * Version 1 writes "no limit" as the largest multiple of a page in a signed
 * word; what is near it is no limit either.
 */
#define NO_LIMIT (UINT64_C(1) << 62)

/** A file as text; NULL when it cannot be read, or without memory. */
static char *slurp(int dir_fd, const char *name, size_t *ret_bytes)
{
	char *text = NULL;

	mw_error_free(mw_kernel_slurp(dir_fd, name, name, &text, ret_bytes));
	return text;
}

/** Read a limit or a usage; @none when the file is not there. */
static uint64_t read_number(int dir_fd, const char *name, uint64_t none)
{
	size_t bytes;
	MW_CLEANUP(mw_freep) char *text = slurp(dir_fd, name, &bytes);

	return text ? mw_parse_limit(text, bytes) : none;
}

/**
 * The directory of group @path below a mount of @root at @point; NULL when it
 * is not below that. Of a group outside of our namespace the kernel writes a
 * path that begins with "/..".
 */
static char *group_path(const char *root, const char *point, const char *path)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, "/..", 3) == 0 || strncmp(path, root, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return NULL;
	path += len;
	return mw_format("%s%s", point, strcmp(path, "/") == 0 ? "" : path);
}

/** The tightest limit of the group and of those above it, up to the mount. */
static uint64_t tightest(const char *dir, const char *point)
{
	size_t top = strlen(point);
	MW_CLEANUP(mw_freep) char *at = mw_strdup(dir);
	uint64_t least = UINT64_MAX;

	while (at && strlen(at) >= top) {
		MW_CLEANUP(mw_freep) char *name = mw_format("%s/memory.max",
							     at);
		char *slash = strrchr(at, '/');

		if (name)
			least = mw_min(least, read_number(AT_FDCWD, name,
							  UINT64_MAX));
		if (!slash)
			break;
		*slash = '\0';
	}
	return least;
}

static void read_group(int fd, const char *point, struct mw_cgroup *g)
{
	bool is_2 = g->version == 2;
	size_t bytes;
	MW_CLEANUP(mw_freep) char *stat = slurp(fd, "memory.stat", &bytes);

	g->limit_bytes = UINT64_MAX;
	g->current_bytes = read_number(fd, is_2 ? "memory.current"
						: "memory.usage_in_bytes", 0);
	if (!stat || g->current_bytes == UINT64_MAX)
		g->current_bytes = 0;
	if (stat)
		mw_parse_memory_stat(stat, bytes, g);
	if (is_2) {
		g->limit_bytes = tightest(g->path, point);
	} else {
		g->kernel_bytes = read_number(fd, "memory.kmem.usage_in_bytes",
					      0);
		g->sock_bytes =
			read_number(fd, "memory.kmem.tcp.usage_in_bytes", 0);
	}
	if (g->limit_bytes >= NO_LIMIT)
		g->limit_bytes = UINT64_MAX;
}

struct mw_error *mw_kernel_cgroup(pid_t pid, struct mw_cgroup *ret)
{
	MW_CLEANUP(mw_cgroup_free) struct mw_cgroup g = { 0 };
	MW_CLEANUP(mw_freep) char *own = NULL, *mounts = NULL, *path = NULL;
	MW_CLEANUP(mw_freep) char *root = NULL, *point = NULL;
	MW_CLEANUP(mw_closep) int fd = -1;
	size_t bytes, path_bytes;
	const char *at;
	char name[32];

	*ret = g;
	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	own = slurp(AT_FDCWD, name, &bytes);
	if (!own || !mw_parse_cgroup(own, bytes, &g.version, &at, &path_bytes))
		return NULL;
	path = mw_strndup(at, path_bytes);
	if (!path)
		return mw_error_nomem();
	mounts = slurp(AT_FDCWD, "/proc/self/mountinfo", &bytes);
	if (!mounts || !mw_parse_cgroup_mount(mounts, bytes, g.version, &root,
					      &point))
		return NULL;
	g.path = group_path(root, point, path);
	if (!g.path)
		return NULL;
	fd = open(g.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	read_group(fd, point, &g);
	if (g.current_bytes == 0)
		return NULL;
	*ret = g;
	g.path = NULL;
	return NULL;
}

void mw_cgroup_free(struct mw_cgroup *group)
{
	mw_free(mw_steal(group->path));
}
