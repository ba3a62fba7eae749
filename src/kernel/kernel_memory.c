/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "kernel_int.h"

size_t mw_process_read(struct mw_process *process, uint64_t va, void *to,
		       size_t bytes)
{
	struct mw_remote range = { va, to, bytes };

	return mw_process_read_many(process, &range, 1);
}

size_t mw_process_read_many(struct mw_process *process,
			    const struct mw_remote *ranges, size_t count)
{
	enum { BATCH = 256 }; // at most IOV_MAX, 1024
	size_t done = 0;

	for (size_t at = 0; at < count;) {
		struct iovec remote[BATCH], local[BATCH];
		size_t n = 0, want = 0;

		for (; n < BATCH && at + n < count; n++) {
			const struct mw_remote *r = &ranges[at + n];

			remote[n].iov_base = (void *)(uintptr_t)r->va;
			local[n].iov_base = r->to;
			remote[n].iov_len = local[n].iov_len = r->bytes;
			want += r->bytes;
		}

		ssize_t got = process_vm_readv(process->task, local, n, remote,
					       n, 0);
		if (got > 0)
			done += (size_t)got;
		if (got < 0 || (size_t)got < want)
			break;
		at += n;
	}
	return done;
}

bool mw_process_may_share(const struct mw_process *process)
{
	return process->mem_fd >= 0;
}

bool mw_process_may_read(struct mw_process *process)
{
	// An empty remote range passes the permission check and reads nothing.
	char byte;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { NULL, 0 };

	return process_vm_readv(process->task, &local, 1, &remote, 1, 0) >= 0;
}

static bool is_same_file(int fd, const struct mw_mapping *mapping)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_ino == mapping->inode &&
	       major(st.st_dev) == mapping->dev_major &&
	       minor(st.st_dev) == mapping->dev_minor;
}

static bool ends_with(const char *text, const char *tail)
{
	size_t len = strlen(text), tail_len = strlen(tail);

	return len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

/**
 * Whether @fd, opened by the path of @mapping, is the mapped file. Stacked
 * file systems (overlayfs, btrfs) show another device in maps than fstat()
 * does; there a path that the kernel does not call deleted must do.
 */
static bool is_plausible_file(int fd, const char *path,
			      const struct mw_mapping *mapping)
{
	struct stat st;

	if (is_same_file(fd, mapping))
		return true;
	return fstat(fd, &st) == 0 && !ends_with(path, " (deleted)") &&
	       (major(st.st_dev) == 0 || mapping->dev_major == 0);
}

static int open_regular(int dir_fd, const char *name)
{
	// A hostile path may name a FIFO or a device: look before opening.
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0) != 0 || !S_ISREG(st.st_mode))
		return -1;
	return openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
					    O_NOCTTY);
}

struct mw_error *mw_process_open_file(struct mw_process *process,
				      const struct mw_mappings *mappings,
				      const struct mw_mapping *mapping,
				      int *ret_fd)
{
	const char *path = mw_mapping_path(mappings, mapping);
	char name[4200];
	int fd;

	snprintf(name, sizeof(name), "map_files/%lx-%lx", mapping->start,
		 mapping->end);
	fd = open_regular(process->dir_fd, name);
	if (fd >= 0) {
		*ret_fd = fd;
		return NULL;
	}

	if (path[0] == '/') {
		snprintf(name, sizeof(name), "root%s", path);
		fd = open_regular(process->proc_fd, name);
		if (fd >= 0 && is_plausible_file(fd, path, mapping)) {
			*ret_fd = fd;
			return NULL;
		}
		if (fd >= 0)
			close(fd);
	}

	fd = open_regular(process->proc_fd, "exe");
	if (fd >= 0 && is_same_file(fd, mapping)) {
		*ret_fd = fd;
		return NULL;
	}
	if (fd >= 0)
		close(fd);
	return mw_error_new(MW_E_NOT_FOUND, "%s: the mapped file cannot be "
			    "had", path);
}
