/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "findings_int.h"
#include "mw_mem.h"

static void add_tally(struct mw_tally *sum, const struct mw_tally *tally)
{
	sum->vsz_bytes += tally->vsz_bytes;
	sum->rss_bytes += tally->rss_bytes;
	sum->swap_bytes += tally->swap_bytes;
}

bool find_is_below(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 &&
	       (name[len] == '\0' || name[len] == '/');
}

struct mw_tally find_below(const struct mw_situation *s, const char *name)
{
	struct mw_tally sum = { 0 };

	for (size_t i = 0; i < s->account_count; i++)
		if (find_is_below(s->accounts[i].name, name))
			add_tally(&sum, &s->accounts[i].tally);
	return sum;
}

struct mw_tally find_between(const struct mw_situation *s, const char *prefix,
			     const char *suffix)
{
	size_t head = strlen(prefix), tail = strlen(suffix);
	struct mw_tally sum = { 0 };

	for (size_t i = 0; i < s->account_count; i++) {
		const char *name = s->accounts[i].name;
		size_t len = strlen(name);

		if (len >= head + tail && memcmp(name, prefix, head) == 0 &&
		    strcmp(name + len - tail, suffix) == 0)
			add_tally(&sum, &s->accounts[i].tally);
	}
	return sum;
}

uint64_t find_tmpfs_bytes(const struct mw_situation *s)
{
	uint64_t named = find_below(s, "shm").rss_bytes;
	uint64_t bytes = s->shmem_bytes > named ? s->shmem_bytes - named : 0;

	return bytes < FIND_LEAST_BYTES
		       ? 0
		       : mw_min(bytes, find_below(s, "file").rss_bytes);
}

size_t find_largest(const struct mw_situation *s, const char *prefix, bool swap,
		    struct mw_share ret[MW_SHARES])
{
	size_t n = 0;

	memset(ret, 0, MW_SHARES * sizeof(*ret));
	for (size_t i = 0; i < s->account_count; i++) {
		const struct mw_ledger_account *a = &s->accounts[i];
		uint64_t bytes = swap ? a->tally.swap_bytes
				      : a->tally.rss_bytes;
		size_t at = n;

		if (bytes == 0 || (*prefix && !find_is_below(a->name, prefix)))
			continue;
		while (at > 0 && ret[at - 1].bytes < bytes)
			at--;
		if (at == MW_SHARES)
			continue;
		if (n < MW_SHARES)
			n++;
		memmove(&ret[at + 1], &ret[at], (n - 1 - at) * sizeof(*ret));
		ret[at] = (struct mw_share){ .name = a->name, .bytes = bytes };
	}
	return n;
}

void find_say(char **ret, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	mw_free(*ret);
	*ret = mw_vformat(fmt, args);
	va_end(args);
}

void find_add(char **text, const char *fmt, ...)
{
	char *old = *text, *more;
	va_list args;

	if (!old)
		return;
	va_start(args, fmt);
	more = mw_vformat(fmt, args);
	va_end(args);
	*text = more ? mw_format("%s%s", old, more) : NULL;
	mw_free(more);
	mw_free(old);
}

bool find_go_is(const char *version, unsigned minor, unsigned from,
		unsigned to)
{
	unsigned long parts[2] = { 0 };
	const char *at;
	char *end;

	if (strncmp(version, "go1.", 4) != 0)
		return false;
	at = version + 4;
	parts[0] = strtoul(at, &end, 10);
	if (end == at)
		return false;
	// "go1.24" is 1.24.0 up to 1.20; "go1.24rc1" came before it.
	if (*end == '.')
		parts[1] = strtoul(end + 1, NULL, 10);
	return parts[0] == minor && parts[1] >= from && parts[1] <= to;
}

void find_add_largest(char **ret, const struct mw_situation *s,
		      const char *prefix)
{
	struct mw_share largest[MW_SHARES];
	size_t n = find_largest(s, prefix, false, largest);
	// What is below file/ is a path.
	size_t skip = strlen(prefix) + (strcmp(prefix, "file") != 0);

	for (size_t i = 0; i < n; i++)
		find_add(ret, "%s %s (%s)", i ? "," : "",
			 largest[i].name + skip, BYTES(largest[i].bytes));
}
