/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_int.h"
#include "kernel_parse.h"

struct mw_error *mw_kernel_list(pid_t **ret_pids, size_t *ret_count)
{
	MW_VEC(pid_t) pids = { 0 };
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		return mw_error_errno(errno, "/proc");
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid_t *pid = mw_vec_push(&pids);
		if (!pid) {
			closedir(dir);
			mw_vec_free(&pids);
			return mw_error_nomem();
		}
		*pid = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(dir);
	*ret_pids = pids.v;
	*ret_count = pids.n;
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool has_name(pid_t pid, const char *name)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	ssize_t len = readlink(path, text, sizeof(text) - 1);
	if (len > 0) {
		static const char deleted[] = " (deleted)";
		size_t tail = sizeof(deleted) - 1;

		text[len] = '\0';
		if ((size_t)len > tail &&
		    strcmp(text + len - tail, deleted) == 0)
			text[(size_t)len - tail] = '\0';
		if (strcmp(base_name(text), name) == 0)
			return true;
	}

	// argv[0], then comm: a script's or a renamed process's name.
	const char *files[] = { "cmdline", "comm" };
	for (size_t i = 0; i < MW_COUNT(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		MW_CLEANUP(mw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
		len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
		if (len <= 0)
			continue;
		text[len] = '\0';
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(i == 0 ? base_name(text) : text, name) == 0)
			return true;
	}
	return false;
}

/** Whether /proc/PID/maps can be read and holds something. */
static bool may_read(pid_t pid)
{
	char path[64], byte;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	MW_CLEANUP(mw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &byte, 1) == 1;
}

struct mw_error *mw_kernel_find(const char *name, pid_t *ret_pid)
{
	enum { SHOWN = 20 };
	MW_CLEANUP(mw_freep) pid_t *pids = NULL;
	MW_CLEANUP(mw_freep) char *found = mw_strdup("");
	const char *at = name;
	uint64_t number;
	size_t count, matches = 0;
	pid_t match = 0;

	if (!found)
		return mw_error_nomem();
	if (mw_parse_u64(&at, name + strlen(name), 10, &number) && !*at) {
		if (number == 0 || number > INT32_MAX)
			return mw_error_new(MW_E_NOT_FOUND, "no process %s",
					    name);
		*ret_pid = (pid_t)number;
		return NULL;
	}

	struct mw_error *error = mw_kernel_list(&pids, &count);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (pids[i] == getpid() || !has_name(pids[i], name))
			continue;
		match = pids[i];
		if (++matches > SHOWN)
			continue;
		char *more = mw_format("%s%s%d", found, matches > 1 ? ", " : "",
				       pids[i]);
		if (!more)
			return mw_error_nomem();
		mw_free(found);
		found = more;
	}
	if (matches == 0)
		return mw_error_new(MW_E_NOT_FOUND,
				    "no process has the name '%s'", name);
	if (matches > 1)
		return mw_error_new(MW_E_AMBIGUOUS,
				    "%zu processes have the name '%s': %s%s; "
				    "give one of these numbers", matches, name,
				    found, matches > SHOWN ? ", …" : "");
	*ret_pid = match;
	return NULL;
}

struct mw_error *mw_kernel_find_largest(pid_t *ret_pid)
{
	MW_CLEANUP(mw_freep) pid_t *pids = NULL;
	uint64_t largest = 0;
	size_t count;
	pid_t best = 0;

	struct mw_error *error = mw_kernel_list(&pids, &count);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		MW_CLEANUP(mw_freep) char *text = NULL;
		struct mw_status status = { 0 };
		char path[64];
		size_t bytes;

		if (pids[i] == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%d/status", pids[i]);
		error = mw_kernel_slurp(AT_FDCWD, path, path, &text, &bytes);
		if (error) {
			mw_error_free(error);
			continue;
		}
		mw_parse_status(text, bytes, &status);
		if (status.rss_bytes > largest && may_read(pids[i])) {
			largest = status.rss_bytes;
			best = pids[i];
		}
	}
	if (!best)
		return mw_error_new(MW_E_NOT_FOUND,
				    "there is no process whose memory this "
				    "user may read: give a process, or run as "
				    "root");
	*ret_pid = best;
	return NULL;
}
