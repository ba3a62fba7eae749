/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernel_parse.h"
#include "mw_guard.h"

/** Whether @word is one of a list with commas. */
static bool in_list(const char *list, const char *end, const char *word)
{
	size_t len = strlen(word);

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const char *stop = comma ? comma : end;

		if ((size_t)(stop - list) == len &&
		    memcmp(list, word, len) == 0)
			return true;
		list = stop + 1;
	}
	return false;
}

/*
 * Lines "ID:controllers:path" (cgroups(7)). In version 2 the ID is 0 and there
 * are no controllers; a system can have both, and then version 1 has the memory
 * where it names it.
 */
bool mw_parse_cgroup(const char *text, size_t bytes, unsigned *ret_version,
		     const char **ret_path, size_t *ret_path_bytes)
{
	const char *end = text + bytes;
	unsigned version = 0;

	for (const char *line = text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *list, *path;
		unsigned found = 0;

		if (!eol)
			eol = end;
		list = memchr(line, ':', (size_t)(eol - line));
		path = list ? memchr(list + 1, ':', (size_t)(eol - list - 1))
			    : NULL;
		if (path && in_list(list + 1, path, "memory"))
			found = 1;
		else if (path && path == list + 1 && list == line + 1 &&
			 *line == '0')
			found = 2;
		if (path && path + 1 < eol && path[1] == '/' && found &&
		    (version == 0 || found < version)) {
			version = found;
			*ret_path = path + 1;
			*ret_path_bytes = (size_t)(eol - path - 1);
		}
		line = eol + 1;
	}
	if (version)
		*ret_version = version;
	return version != 0;
}

/** A field of mountinfo, in which blanks and the like stand as \\040. */
static char *unescape(const char *at, const char *end)
{
	char *text = mw_alloc((size_t)(end - at) + 1), *to = text;

	if (!text)
		return NULL;
	while (at < end) {
		if (*at == '\\' && end - at >= 4 && at[1] >= '0' &&
		    at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
		    at[3] >= '0' && at[3] <= '7') {
			*to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 |
				       (at[3] - '0'));
			at += 4;
		} else {
			*to++ = *at++;
		}
	}
	*to = '\0';
	return text;
}

enum { FIELDS = 32 };

/** Cut a line at its blanks; how many fields there are. */
static size_t cut(const char *line, const char *eol,
		  const char *fields[static FIELDS + 1])
{
	size_t n = 0;

	while (line < eol && n < FIELDS) {
		const char *blank = memchr(line, ' ', (size_t)(eol - line));

		fields[n++] = line;
		line = blank ? blank + 1 : eol + 1;
	}
	fields[n] = line;
	return n;
}

static bool is_word(const char *const *field, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(field[1] - field[0]) == len + 1 &&
	       memcmp(field[0], word, len) == 0;
}

/**
 * The directory of group @path below a mount of @root at @point; NULL when it
 * is not below that, or without memory. The kernel writes a group that is not
 * below the reader's own namespace with "/.." in front, in both files alike.
 */
static char *group_dir(const char *root, const char *point, const char *path)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return NULL;
	path += len;
	// From here on down only; ".." would leave the mount.
	if (strncmp(path, "/..", 3) == 0)
		return NULL;
	return mw_format("%s%s", point, strcmp(path, "/") == 0 ? "" : path);
}

/** Whether a mount is one of the hierarchy that has the memory controller. */
static bool is_hierarchy(const char *const *f, size_t fields, unsigned version)
{
	size_t dash = 6;

	while (dash < fields && !is_word(&f[dash], "-"))
		dash++;
	if (dash + 3 >= fields)
		return false;
	if (version == 2)
		return is_word(&f[dash + 1], "cgroup2");
	return is_word(&f[dash + 1], "cgroup") &&
	       in_list(f[dash + 3], f[dash + 4] - 1, "memory");
}

/*
 * 35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
 *
 * Fields 0 to 5, optional ones, a dash, then type, source and options of the
 * file system (proc_pid_mountinfo(5)).
 */
bool mw_parse_cgroup_mount(const char *text, size_t bytes, unsigned version,
			   const char *path, char **ret_point, char **ret_dir)
{
	const char *end = text + bytes;
	size_t best = SIZE_MAX;

	*ret_point = *ret_dir = NULL;
	for (const char *line = text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *f[FIELDS + 1];
		size_t n;

		if (!eol)
			eol = end;
		n = cut(line, eol, f);
		line = eol + 1;
		if (!is_hierarchy(f, n, version))
			continue;

		MW_CLEANUP(mw_freep) char *root = unescape(f[3], f[4] - 1);
		MW_CLEANUP(mw_freep) char *point = unescape(f[4], f[5] - 1);
		char *dir = root && point ? group_dir(root, point, path) : NULL;

		// The mount that shows the most groups above.
		if (!dir || strlen(root) >= best) {
			mw_free(dir);
			continue;
		}
		best = strlen(root);
		mw_free(*ret_point);
		mw_free(*ret_dir);
		*ret_point = mw_steal(point);
		*ret_dir = dir;
	}
	return *ret_dir != NULL;
}

/*
 * Lines "key value". Version 2 counts the groups below; version 1 does in the
 * keys that begin with total_.
 */
void mw_parse_memory_stat(const char *text, size_t bytes,
			  struct mw_cgroup *group)
{
	uint64_t active = 0, inactive = 0;
	const struct {
		const char *key[2];
		uint64_t *value;
	} keys[] = {
		{ { "total_rss", "anon" }, &group->anon_bytes },
		{ { "total_cache", "file" }, &group->file_bytes },
		{ { "total_shmem", "shmem" }, &group->shmem_bytes },
		{ { "total_inactive_file", "inactive_file" }, &inactive },
		{ { "total_active_file", "active_file" }, &active },
		{ { "total_swap", NULL }, &group->swap_bytes },
		{ { NULL, "slab_unreclaimable" }, &group->slab_kept_bytes },
		{ { NULL, "slab" }, &group->slab_bytes },
		{ { NULL, "sock" }, &group->sock_bytes },
		{ { NULL, "kernel_stack" }, &group->kernel_stack_bytes },
		{ { NULL, "pagetables" }, &group->page_table_bytes },
		{ { NULL, "kernel" }, &group->kernel_bytes },
		{ { "hierarchical_memory_limit", NULL }, &group->limit_bytes },
	};
	const char *end = text + bytes;

	for (const char *line = text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *blank;

		if (!eol)
			eol = end;
		blank = memchr(line, ' ', (size_t)(eol - line));
		for (size_t i = 0; blank && i < MW_COUNT(keys); i++) {
			const char *key = keys[i].key[group->version == 2];
			const char *at = blank + 1;

			if (key && strlen(key) == (size_t)(blank - line) &&
			    memcmp(line, key, strlen(key)) == 0)
				mw_parse_u64(&at, eol, 10, keys[i].value);
		}
		line = eol + 1;
	}
	// Each is at most what is there in all, so the sum holds.
	group->droppable_bytes = mw_min(active, group->file_bytes) +
				 mw_min(inactive, group->file_bytes -
					mw_min(active, group->file_bytes));
}

uint64_t mw_parse_limit(const char *text, size_t bytes)
{
	uint64_t limit = UINT64_MAX;

	mw_parse_u64(&text, text + bytes, 10, &limit);
	return limit;
}

void mw_parse_choice(const char *text, size_t bytes, char *ret, size_t room)
{
	const char *open = memchr(text, '[', bytes), *close = NULL;
	size_t len = 0;

	if (open)
		close = memchr(open, ']', (size_t)(text + bytes - open));
	if (close)
		len = mw_min((uint64_t)(close - open - 1), room - 1);
	if (len)
		memcpy(ret, open + 1, len);
	ret[len] = '\0';
}
