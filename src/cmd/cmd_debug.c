/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_debug.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "mw_elf_debuglink.h"
#include "mw_guard.h"

#define DEBUG_FOLDER "/usr/lib/debug"

/** Open the file at @path, which is freed, if it is that of @link; else -1. */
static int try(char *path, const struct mw_elf_debuglink *link)
{
	int fd = -1;

	if (path)
		mw_error_free(mw_target_open_regular(path, &fd, NULL));
	mw_free(path);
	if (fd >= 0 && !mw_elf_debuglink_is(link, fd))
		mw_closep(&fd);
	return fd;
}

/** /usr/lib/debug/.build-id/ab/cdef….debug */
static char *build_id_path(const struct mw_elf_debuglink *link)
{
	char digits[2 * sizeof(link->build_id) + 1];

	for (size_t i = 0; i < link->build_id_bytes; i++)
		snprintf(digits + 2 * i, 3, "%02x", link->build_id[i]);
	return mw_format(DEBUG_FOLDER "/.build-id/%.2s/%s.debug", digits,
			 digits + 2);
}

int cmd_open_debug_file(const char *path, int fd)
{
	struct mw_elf_debuglink link = { 0 };
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path) : 1, debug = -1;

	mw_error_free(mw_elf_debuglink_read(fd, &link));
	if (!slash)
		path = ".";
	if (link.build_id_bytes > 1)
		debug = try(build_id_path(&link), &link);
	if (debug < 0 && link.name[0])
		debug = try(mw_format("%.*s/%s", folder, path, link.name),
			    &link);
	if (debug < 0 && link.name[0])
		debug = try(mw_format("%.*s/.debug/%s", folder, path,
				      link.name), &link);
	if (debug < 0 && link.name[0] && *path == '/')
		debug = try(mw_format(DEBUG_FOLDER "%.*s/%s", folder, path,
				      link.name), &link);
	return debug;
}

/**
 * Open @path, which is freed and which a stranger's file names, if a regular
 * file is there; -1 otherwise. To open a device may do something.
 */
static int open_named(char *path)
{
	MW_CLEANUP(mw_closep) int place =
		path ? open(path, O_PATH | O_CLOEXEC) : -1;
	MW_CLEANUP(mw_freep) char *again =
		mw_format("/proc/self/fd/%d", place);
	struct stat st;

	mw_free(path);
	return place >= 0 && again && fstat(place, &st) == 0 &&
			       S_ISREG(st.st_mode)
		       ? open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
		       : -1;
}

bool cmd_open_split_file(void *ctx, const char *folder, const char *name,
			 unsigned n, int *ret_fd)
{
	const char *path = ctx, *slash = strrchr(path, '/');
	int length = slash ? (int)(slash - path) + 1 : 0;

	if (!name) {
		*ret_fd = open_named(mw_format("%s.dwp", path));
		return n == 0;
	}
	if (name[0] == '/') {
		*ret_fd = open_named(mw_strdup(name));
		return n == 0;
	}
	if (n == 0)
		*ret_fd = open_named(mw_format("%.*s%s", length, path, name));
	else if (n == 1 && folder)
		*ret_fd = open_named(
			folder[0] == '/' ? mw_format("%s/%s", folder, name)
					 : mw_format("%.*s%s/%s", length, path,
						     folder, name));
	else
		return false;
	return true;
}

/** Those of the debug file; none when it does not number sections alike. */
static struct mw_error *load_separate(const struct mw_elf_file *file, int fd,
				      struct mw_elf_symbols *ret)
{
	MW_CLEANUP(mw_elf_file_closep) struct mw_elf_file *debug = NULL;
	struct mw_error *error = mw_elf_file_open(fd, &debug);

	if (error || !mw_elf_same_sections(file, debug))
		return error;
	return mw_elf_symbols_load(debug, MW_ELF_SYMTAB, ret);
}

struct mw_error *cmd_load_symbols(struct mw_elf_file *file, const char *path,
				  int fd, unsigned otherwise,
				  struct mw_elf_symbols *ret)
{
	MW_CLEANUP(mw_closep) int debug = -1;
	struct mw_elf_symbols symbols = { 0 };
	struct mw_error *error = NULL;

	if (mw_elf_file_section_of_type(file, SHT_SYMTAB))
		return mw_elf_symbols_load(file, MW_ELF_SYMTAB | otherwise, ret);
	debug = cmd_open_debug_file(path, fd);
	if (debug >= 0)
		error = load_separate(file, debug, &symbols);
	if (error && error->code == MW_E_NOMEM)
		return error;
	mw_error_free(error); // a damaged one is none
	if (symbols.list.n == 0) {
		mw_elf_symbols_free(&symbols);
		return mw_elf_symbols_load(file, otherwise, ret);
	}
	*ret = symbols;
	return NULL;
}
