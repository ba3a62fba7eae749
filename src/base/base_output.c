/* SPDX-License-Identifier: Apache-2.0 */
#include "mw_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mw_guard.h"

struct mw_output {
	char *path;
	const char *name; /* the last part of @path */
	char *temporary; /* the name it has meanwhile; NULL: none */
	int fd, dir_fd;
	bool force, committed;
};

/**
 * What may not be replaced. A rename would put a file in the place of a
 * device, as root even of /dev/null, or of the link /dev/stdout.
 */
static struct mw_error *check_place(const struct mw_output *output)
{
	struct stat st;

	if (fstatat(output->dir_fd, output->name, &st,
		    AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? NULL
				       : mw_error_errno(errno, "%s",
							output->path);
	if (S_ISLNK(st.st_mode))
		return mw_error_new(MW_E_USAGE, "%s: is a link; give the name "
				    "of the file that it leads to, or another",
				    output->path);
	if (!S_ISREG(st.st_mode))
		return mw_error_new(MW_E_USAGE, "%s: is there and not a "
				    "regular file", output->path);
	if (!output->force)
		return mw_error_new(MW_E_USAGE, "%s: is there already; --force "
				    "replaces it", output->path);
	return NULL;
}

static struct mw_error *open_folder(struct mw_output *output)
{
	const char *slash = strrchr(output->path, '/');
	MW_CLEANUP(mw_freep) char *folder =
		!slash			? mw_strdup(".")
		: slash == output->path ? mw_strdup("/")
					: mw_strndup(output->path,
						     (size_t)(slash -
							      output->path));

	if (!folder)
		return mw_error_nomem();
	output->name = slash ? slash + 1 : output->path;
	if (!*output->name)
		return mw_error_new(MW_E_USAGE, "%s: not the name of a file",
				    output->path);
	output->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return output->dir_fd < 0 ? mw_error_errno(errno, "%s", folder) : NULL;
}

/** Hidden, and short enough for any file system. */
static bool make_name(struct mw_output *output)
{
	static unsigned serial;

	mw_free(output->temporary);
	output->temporary = mw_format(".%.200s.%d-%u.tmp", output->name,
				      getpid(), serial++);
	return output->temporary;
}

static struct mw_error *open_named(struct mw_output *output)
{
	enum { TRIES = 100 };

	for (int i = 0; i < TRIES; i++) {
		if (!make_name(output))
			return mw_error_nomem();
		output->fd = openat(output->dir_fd, output->temporary,
				    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
				    0600);
		if (output->fd >= 0 || errno != EEXIST)
			break;
	}
	if (output->fd >= 0)
		return NULL;
	int errnum = errno;
	mw_free(mw_steal(output->temporary));
	return mw_error_errno(errnum, "%s", output->path);
}

struct mw_error *mw_output_open(const char *path, bool force,
				struct mw_output **ret)
{
	MW_CLEANUP(mw_output_freep) struct mw_output *output =
		mw_calloc(1, sizeof(*output));
	struct mw_error *error;

	if (!output)
		return mw_error_nomem();
	output->fd = output->dir_fd = -1;
	output->force = force;
	output->path = mw_strdup(path);
	if (!output->path)
		return mw_error_nomem();
	if (strcmp(path, "-") == 0)
		return mw_error_new(MW_E_USAGE, "-: a file is needed (one of "
				    "this name is ./-)");
	error = open_folder(output);
	if (!error)
		error = check_place(output);
	if (error)
		return error;
	output->fd = openat(output->dir_fd, ".",
			    O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (output->fd < 0) {
		error = open_named(output);
		if (error)
			return error;
	}
	*ret = mw_steal(output);
	return NULL;
}

int mw_output_fd(const struct mw_output *output)
{
	return output->fd;
}

/** Give the nameless file @name; false with errno. */
static bool link_as(const struct mw_output *output, const char *name)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
	return linkat(AT_FDCWD, self, output->dir_fd, name,
		      AT_SYMLINK_FOLLOW) == 0;
}

/** Give it the name it shall have; false with errno. */
static bool take_place(struct mw_output *output)
{
	if (!output->temporary && !output->force)
		return link_as(output, output->name);
	if (!output->temporary &&
	    (!make_name(output) || !link_as(output, output->temporary)))
		return false;
	if (output->force)
		return renameat(output->dir_fd, output->temporary,
				output->dir_fd, output->name) == 0;
	if (renameat2(output->dir_fd, output->temporary, output->dir_fd,
		      output->name, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	// A file system without it: a link never replaces anything.
	return linkat(output->dir_fd, output->temporary, output->dir_fd,
		      output->name, 0) == 0 &&
	       unlinkat(output->dir_fd, output->temporary, 0) == 0;
}

struct mw_error *mw_output_commit(struct mw_output *output)
{
	if (fsync(output->fd) != 0)
		return mw_error_errno(errno, "%s", output->path);
	if (!take_place(output))
		return mw_error_errno(errno, "%s", output->path);
	output->committed = true;
	// So that the name is on the disk, too. Some file systems cannot.
	if (fsync(output->dir_fd) != 0 && errno != EINVAL)
		return mw_error_errno(errno, "folder of %s", output->path);
	return NULL;
}

void mw_output_free(struct mw_output *output)
{
	if (!output)
		return;
	if (output->temporary && !output->committed)
		unlinkat(output->dir_fd, output->temporary, 0);
	mw_closep(&output->fd);
	mw_closep(&output->dir_fd);
	mw_free(output->temporary);
	mw_free(output->path);
	mw_free(output);
}
