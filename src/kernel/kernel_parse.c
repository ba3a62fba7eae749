/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_parse.h"

#include <string.h>

bool mw_parse_u64(const char **at, const char *end, unsigned base,
		  uint64_t *ret)
{
	const char *c = *at;
	uint64_t value = 0;

	for (; c < end; c++) {
		unsigned digit;

		if (*c >= '0' && *c <= '9')
			digit = (unsigned)(*c - '0');
		else if (base == 16 && *c >= 'a' && *c <= 'f')
			digit = (unsigned)(*c - 'a') + 10;
		else
			break;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	if (c == *at)
		return false;
	*at = c;
	*ret = value;
	return true;
}

static bool take(const char **at, const char *end, char c)
{
	if (*at >= end || **at != c)
		return false;
	++*at;
	return true;
}

/*
 * start-end perms offset major:minor inode path
 * 00400000-004a0000 r-xp 00000000 fe:00 9978128                 /tmp/big
 */
static bool parse_maps_line(const char *at, const char *end,
			    struct mw_mapping *ret, const char **ret_path)
{
	struct mw_mapping m = { 0 };
	uint64_t major, minor;

	if (!mw_parse_u64(&at, end, 16, &m.start) || !take(&at, end, '-') ||
	    !mw_parse_u64(&at, end, 16, &m.end) || !take(&at, end, ' ') ||
	    end - at < 5)
		return false;
	m.perms = (uint8_t)((at[0] == 'r' ? MW_PERM_R : 0) |
			    (at[1] == 'w' ? MW_PERM_W : 0) |
			    (at[2] == 'x' ? MW_PERM_X : 0) |
			    (at[3] == 's' ? MW_PERM_SHARED : 0));
	at += 4;
	if (!take(&at, end, ' ') || !mw_parse_u64(&at, end, 16, &m.offset) ||
	    !take(&at, end, ' ') || !mw_parse_u64(&at, end, 16, &major) ||
	    !take(&at, end, ':') || !mw_parse_u64(&at, end, 16, &minor) ||
	    !take(&at, end, ' ') || !mw_parse_u64(&at, end, 10, &m.inode))
		return false;
	if (m.start >= m.end ||
	    !mw_is_aligned(m.start | m.end, MW_PAGE_BYTES) ||
	    major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	m.dev_major = (uint32_t)major;
	m.dev_minor = (uint32_t)minor;
	while (at < end && *at == ' ')
		at++;
	*ret = m;
	*ret_path = at;
	return true;
}

struct mw_error *mw_parse_maps(const char *text, size_t bytes,
			       struct mw_mappings *maps)
{
	const char *end = text + bytes;

	for (const char *line = text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *path;
		struct mw_mapping parsed;

		if (!eol)
			eol = end;
		size_t n = maps->list.n;
		if (parse_maps_line(line, eol, &parsed, &path) &&
		    (n == 0 || maps->list.v[n - 1].end <= parsed.start)) {
			struct mw_mapping *m = mw_mappings_add(
				maps, parsed.start, parsed.end, path,
				(size_t)(eol - path));

			if (!m)
				return mw_error_nomem();
			parsed.path = m->path;
			*m = parsed;
		}
		line = eol + 1;
	}
	return NULL;
}

/*
 * The fields of /proc/PID/stat that are used, counted as in
 * proc_pid_stat(5): state 3, ppid 4, pgrp 5, session 6, flags 9, num_threads
 * 20, starttime 22, startcode 26, startstack 28, start_brk 47, arg_start 48,
 * arg_end 49, env_start 50, env_end 51. The name in field 2 may hold blanks and brackets,
 * so counting begins behind the last bracket.
 */
struct mw_error *mw_parse_stat(const char *text, size_t bytes,
			       struct mw_status *status)
{
	const char *end = text + bytes;
	const char *at = memrchr(text, ')', bytes);

	if (!at || end - at < 4)
		return mw_error_new(MW_E_FORMAT,
				    "/proc/PID/stat has no process name");
	at += 2;
	status->state = *at++;

	for (int field = 4; field <= 51; field++) {
		uint64_t value = 0;
		bool negative;

		if (!take(&at, end, ' '))
			break;
		negative = take(&at, end, '-');
		if (!mw_parse_u64(&at, end, 10, &value))
			break;
		if (negative)
			continue;
		switch (field) {
		case 4:
			status->parent = (int32_t)value;
			break;
		case 5:
			status->group = (int32_t)value;
			break;
		case 6:
			status->session = (int32_t)value;
			break;
		case 20:
			status->threads = (uint32_t)mw_min(value, UINT32_MAX);
			break;
		case 22:
			status->start_ticks = value;
			break;
		case 26:
			status->start.start_code = value;
			break;
		case 28:
			status->start.start_stack = value;
			break;
		case 47:
			status->start.start_brk = value;
			break;
		case 48:
			status->start.arg_start = value;
			break;
		case 49:
			status->start.arg_end = value;
			break;
		case 50:
			status->start.env_start = value;
			break;
		case 51:
			status->start.env_end = value;
			break;
		}
	}
	return NULL;
}

/** Skip blanks, take a number of kB; 0 if there is none. */
static uint64_t kilobytes(const char *at, const char *end)
{
	uint64_t value = 0;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (!mw_parse_u64(&at, end, 10, &value) || value > UINT64_MAX >> 10)
		return 0;
	return MW_KIB(value);
}

/** Whether [@at, @end) begins with "@key:"; then *@at is moved behind it. */
static bool has_key(const char **at, const char *end, const char *key)
{
	size_t len = strlen(key);

	if ((size_t)(end - *at) <= len || memcmp(*at, key, len) != 0 ||
	    (*at)[len] != ':')
		return false;
	*at += len + 1;
	return true;
}

/** The first, real one. */
static void parse_id(const char *at, const char *end, uint32_t *ret)
{
	uint64_t id = 0;

	while (at < end && *at == '\t')
		at++;
	if (mw_parse_u64(&at, end, 10, &id))
		*ret = (uint32_t)id;
}

void mw_parse_status(const char *text, size_t bytes, struct mw_status *status)
{
	const struct {
		const char *key;
		uint64_t *value;
	} sizes[] = {
		{ "VmSize", &status->vsz_bytes },
		{ "VmRSS", &status->rss_bytes },
		{ "RssAnon", &status->rss_anon_bytes },
		{ "RssFile", &status->rss_file_bytes },
		{ "RssShmem", &status->rss_shmem_bytes },
		{ "VmHWM", &status->rss_peak_bytes },
		{ "VmSwap", &status->swap_bytes },
		{ "VmLck", &status->locked_bytes },
		{ "VmPTE", &status->page_table_bytes },
		{ "HugetlbPages", &status->hugetlb_bytes },
	};
	const char *end = text + bytes;

	for (const char *line = text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		const char *at = line;

		if (!eol)
			eol = end;
		line = eol + 1;
		if (has_key(&at, eol, "Name")) {
			while (at < eol && *at == '\t')
				at++;
			size_t len = mw_min((uint64_t)(eol - at),
					    sizeof(status->comm) - 1);

			memcpy(status->comm, at, len);
			status->comm[len] = '\0';
			continue;
		}
		if (has_key(&at, eol, "Uid")) {
			parse_id(at, eol, &status->uid);
			continue;
		}
		if (has_key(&at, eol, "Gid")) {
			parse_id(at, eol, &status->gid);
			continue;
		}
		for (size_t i = 0; i < MW_COUNT(sizes); i++)
			if (has_key(&at, eol, sizes[i].key)) {
				*sizes[i].value = kilobytes(at, eol);
				break;
			}
	}
}

static void parse_smaps_value(struct mw_smaps *s, const char *at,
			      const char *end)
{
	const struct {
		const char *key;
		uint64_t *value;
	} keys[] = {
		{ "Rss", &s->rss_bytes },
		{ "Pss", &s->pss_bytes },
		{ "Shared_Dirty", &s->shared_dirty_bytes },
		{ "Private_Dirty", &s->private_dirty_bytes },
		{ "LazyFree", &s->lazy_free_bytes },
		{ "AnonHugePages", &s->anon_huge_bytes },
		{ "ShmemPmdMapped", &s->shmem_huge_bytes },
		{ "FilePmdMapped", &s->file_huge_bytes },
		{ "Swap", &s->swap_bytes },
		{ "SwapPss", &s->swap_pss_bytes },
		{ "Locked", &s->locked_bytes },
		{ "KernelPageSize", &s->kernel_page_bytes },
	};

	if (has_key(&at, end, "Shared_Hugetlb") ||
	    has_key(&at, end, "Private_Hugetlb")) {
		s->hugetlb_bytes += kilobytes(at, end);
		return;
	}
	for (size_t i = 0; i < MW_COUNT(keys); i++)
		if (has_key(&at, end, keys[i].key)) {
			*keys[i].value = kilobytes(at, end);
			return;
		}
}

struct mw_error *mw_parse_smaps(const char *text, size_t bytes,
				struct mw_smaps_list *smaps)
{
	const char *end = text + bytes;

	for (const char *line = text; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		struct mw_mapping mapping;
		const char *path;

		if (!eol)
			eol = end;
		if (parse_maps_line(line, eol, &mapping, &path)) {
			struct mw_smaps *s = mw_vec_push(&smaps->list);

			if (!s)
				return mw_error_nomem();
			*s = (struct mw_smaps){
				.start = mapping.start,
				.end = mapping.end,
			};
		} else if (smaps->list.n > 0) {
			parse_smaps_value(&smaps->list.v[smaps->list.n - 1],
					  line, eol);
		}
		line = eol + 1;
	}
	return NULL;
}

/*
 * "running", "-1 SP PC", or "NUMBER ARG0 … ARG5 SP PC", the last eight in
 * hexadecimal (proc_pid_syscall(5)).
 */
void mw_parse_syscall(const char *text, size_t bytes, struct mw_thread *thread)
{
	const char *end = text + bytes;
	uint64_t last[2] = { 0 };
	int count = 0;

	for (const char *at = text; at < end;) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		const char *stop = blank ? blank : end;

		if (stop - at > 2 && at[0] == '0' && at[1] == 'x') {
			at += 2;
			last[0] = last[1];
			if (!mw_parse_u64(&at, stop, 16, &last[1]))
				return;
			count++;
		}
		at = stop + 1;
	}
	if (count >= 2) {
		thread->has_sp = true;
		thread->sp = last[0];
		thread->pc = last[1];
	}
}
