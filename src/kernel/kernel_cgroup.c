/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "kernel_cgroup.h"
#include "kernel_parse.h"

/*
 * Version 1 writes "no limit" as the largest multiple of a page in a signed
 * word; what is near it is no limit either.
 */
#define NO_LIMIT (UINT64_C(1) << 62)

/* linux/magic.h */
#define CGROUP_MAGIC 0x27e0eb
#define CGROUP2_MAGIC 0x63677270

/** Where a group's directory is. */
struct place {
	char *point; /* where its hierarchy is mounted */
	char *dir;
};

static void place_free(struct place *place)
{
	mw_free(place->point);
	mw_free(place->dir);
	place->point = place->dir = NULL;
}

char *mw_cgroup_slurp(int dir_fd, const char *name, size_t *ret_bytes)
{
	char *text = NULL;

	mw_error_free(mw_kernel_slurp(dir_fd, name, name, &text, ret_bytes));
	return text;
}

/** Read a limit or a usage; @none when the file is not there. */
static uint64_t read_number(int dir_fd, const char *name, uint64_t none)
{
	size_t bytes;
	MW_CLEANUP(mw_freep) char *text = mw_cgroup_slurp(dir_fd, name, &bytes);

	return text ? mw_parse_limit(text, bytes) : none;
}

static uint64_t read_usage(int fd, unsigned version)
{
	uint64_t bytes = read_number(fd, version == 2
						 ? "memory.current"
						 : "memory.usage_in_bytes", 0);

	return bytes == UINT64_MAX ? 0 : bytes;
}

/** The least of a group's limits; @ret_file is left alone without one. */
static uint64_t read_limit(int fd, unsigned version, const char **ret_file)
{
	static const char *const files[][3] = {
		{ "memory.limit_in_bytes" },
		{ "memory.max", "memory.high" },
	};
	uint64_t least = UINT64_MAX;

	for (const char *const *file = files[version == 2]; *file; file++) {
		uint64_t bytes = read_number(fd, *file, UINT64_MAX);

		if (bytes < NO_LIMIT && bytes < least) {
			least = bytes;
			*ret_file = *file;
		}
	}
	return least;
}

/** What of the group's memory is in swap, and how much may be. */
static void read_swap(int fd, struct mw_cgroup *g)
{
	uint64_t both;

	g->swap_limit_bytes = UINT64_MAX;
	if (g->version == 2) {
		g->swap_bytes = read_number(fd, "memory.swap.current", 0);
		g->swap_limit_bytes = read_number(fd, "memory.swap.max",
						  UINT64_MAX);
		return;
	}
	// Version 1 limits memory and swap together.
	both = read_number(fd, "memory.memsw.limit_in_bytes", UINT64_MAX);
	if (both < NO_LIMIT)
		g->swap_limit_bytes = g->limit_bytes == UINT64_MAX
					      ? both
					      : both - mw_min(both,
							      g->limit_bytes);
}

/**
 * Find group @path through the mounts of a process: ours (@pid 0), or those of
 * @pid, which may be in a container whose groups are not mounted here.
 */
static void find_place(pid_t pid, unsigned version, const char *path,
		       struct place *ret)
{
	MW_CLEANUP(mw_freep) char *mounts = NULL;
	char name[32] = "/proc/self/mountinfo", root[32] = "";
	size_t bytes;

	if (pid) {
		snprintf(name, sizeof(name), "/proc/%d/mountinfo", pid);
		snprintf(root, sizeof(root), "/proc/%d/root", pid);
	}
	mounts = mw_cgroup_slurp(AT_FDCWD, name, &bytes);
	if (!mounts || !mw_parse_cgroup_mount(mounts, bytes, version, path,
					      &ret->point, &ret->dir) || !pid)
		return;

	struct place there = {
		.point = mw_format("%s%s", root, ret->point),
		.dir = mw_format("%s%s", root, ret->dir),
	};

	place_free(ret);
	*ret = there;
	if (!there.point || !there.dir)
		place_free(ret);
}

static int open_dir(const char *dir)
{
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/** Of a container's file system, nothing but control groups is believed. */
static bool is_cgroup(int fd, unsigned version)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       fs.f_type == (version == 2 ? CGROUP2_MAGIC : CGROUP_MAGIC);
}

/** Open the directory of group @path; -1 when it cannot be seen. */
static int open_group(pid_t pid, unsigned version, const char *path,
		      struct place *place)
{
	int fd = -1;

	find_place(0, version, path, place);
	if (place->dir)
		fd = open_dir(place->dir);
	if (fd >= 0)
		return fd;
	place_free(place);
	find_place(pid, version, path, place);
	if (place->dir)
		fd = open_dir(place->dir);
	if (fd >= 0 && !is_cgroup(fd, version))
		mw_closep(&fd);
	return fd;
}

/**
 * From the group at @place up to the mount, go to the one that has the least
 * room left below its limit: that is the one which counts. Without any limit
 * stay.
 */
static int go_to_limit(int fd, const struct place *place, struct mw_cgroup *g)
{
	MW_CLEANUP(mw_freep) char *at = mw_strdup(place->dir);
	size_t top = strlen(place->point);
	uint64_t least_room = UINT64_MAX;
	int best = fd;

	while (at) {
		const char *file;
		uint64_t limit = read_limit(fd, g->version, &file);
		uint64_t used = read_usage(fd, g->version);
		uint64_t room = limit > used ? limit - used : 0;
		char *slash = strrchr(at, '/');
		bool is_better = limit != UINT64_MAX && room < least_room;
		int above = -1;

		if (is_better) {
			least_room = room;
			mw_free(g->path);
			g->path = mw_strdup(at);
			if (best != fd)
				mw_closep(&best);
			best = fd;
		}
		if (slash && (size_t)(slash - at) >= top) {
			*slash = '\0';
			above = openat(fd, "..", O_PATH | O_DIRECTORY |
						 O_CLOEXEC);
		}
		if (fd != best)
			mw_closep(&fd);
		if (above < 0)
			break;
		fd = above;
	}
	return best;
}

static void read_group(int fd, struct mw_cgroup *g)
{
	size_t bytes;
	MW_CLEANUP(mw_freep) char *stat = mw_cgroup_slurp(fd, "memory.stat",
							  &bytes);
	uint64_t limit;

	if (!stat)
		return;
	g->current_bytes = read_usage(fd, g->version);
	g->limit_bytes = UINT64_MAX;
	mw_parse_memory_stat(stat, bytes, g);
	// What memory.stat said comes from above what can be seen.
	limit = read_limit(fd, g->version, &g->limit_file);
	if (g->limit_bytes < limit && g->limit_bytes < NO_LIMIT)
		g->limit_file = "hierarchical_memory_limit";
	else
		g->limit_bytes = limit;
	read_swap(fd, g);
	if (g->version == 1) {
		g->kernel_bytes = read_number(fd, "memory.kmem.usage_in_bytes",
					      0);
		g->sock_bytes =
			read_number(fd, "memory.kmem.tcp.usage_in_bytes", 0);
	}
}

struct mw_error *mw_kernel_cgroup(pid_t pid, struct mw_cgroup *ret)
{
	MW_CLEANUP(mw_cgroup_free) struct mw_cgroup g = { 0 };
	MW_CLEANUP(mw_freep) char *own = NULL, *path = NULL;
	MW_CLEANUP(place_free) struct place place = { 0 };
	MW_CLEANUP(mw_closep) int fd = -1;
	size_t bytes, path_bytes;
	const char *at;
	char name[32];

	*ret = g;
	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	own = mw_cgroup_slurp(AT_FDCWD, name, &bytes);
	if (!own || !mw_parse_cgroup(own, bytes, &g.version, &at, &path_bytes))
		return NULL;
	path = mw_strndup(at, path_bytes);
	if (!path)
		return mw_error_nomem();
	fd = open_group(pid, g.version, path, &place);
	if (fd < 0)
		return NULL;
	g.path = mw_strdup(place.dir);
	fd = go_to_limit(fd, &place, &g);
	if (!g.path)
		return mw_error_nomem();
	read_group(fd, &g);
	if (g.current_bytes == 0)
		return NULL;
	// Without a limit it is no container, and may have all processes.
	if (g.limit_bytes != UINT64_MAX)
		mw_cgroup_read_members(fd, pid, &g);
	*ret = g;
	g.path = NULL;
	return NULL;
}

void mw_cgroup_free(struct mw_cgroup *group)
{
	mw_free(mw_steal(group->path));
}
