/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_ledger_words.h"
#include "mw_guard.h"

/** "arena of threads 12, 34 and 5 more" */
static char *of_threads(const struct mw_alloc_arena *a)
{
	size_t named = mw_min(a->threads, MW_ALLOC_TIDS);
	char *text;

	if (a->threads == 0)
		return mw_strdup("an arena that no thread uses now");
	text = mw_format("arena of thread%s %d", a->threads == 1 ? "" : "s",
			 a->tids[0]);
	for (size_t i = 1; text && i < named; i++) {
		MW_CLEANUP(mw_freep) char *before = text;

		text = mw_format("%s%s %d", before,
				 i + 1 == a->threads ? " and" : ",",
				 a->tids[i]);
	}
	if (text && a->threads > named) {
		MW_CLEANUP(mw_freep) char *before = text;

		text = mw_format("%s and %" PRIu64 " more", before,
				 a->threads - named);
	}
	return text;
}

/** Whose an arena of threads is, where its allocator's walker can tell. */
static char *gloss_arena(const struct cmd_books *books, const char *path)
{
	size_t count;
	const struct mw_alloc_arena *const *arenas =
		mw_alloc_arenas(books->alloc, &count);
	bool any = false;

	// Where no thread is known of any arena, none can be called unused.
	for (size_t i = 0; i < count; i++)
		any = any || arenas[i]->tids[0];
	for (size_t i = 0; any && i < count; i++) {
		MW_CLEANUP(mw_freep) char *name =
			mw_format("malloc/%s/%s", arenas[i]->allocator,
				  arenas[i]->name);

		if (name && strcmp(name, path) == 0 &&
		    strncmp(arenas[i]->name, "thread-", 7) == 0)
			return of_threads(arenas[i]);
	}
	return NULL;
}

/** "7 stacks of 8.00 MiB" */
static char *gloss_stacks(const struct cmd_books *books)
{
	uint64_t least = UINT64_MAX, most = 0;
	struct mw_native_stack s;
	size_t count = 0, kept = 0;
	char bytes[32], more[48] = "";

	for (size_t i = 0; mw_native_thread_stack(books->native, i, &s); i++) {
		uint64_t size = s.end - s.guard_end;

		count++;
		kept += s.tid == 0;
		least = mw_min(least, size);
		most = mw_max(most, size);
	}
	if (count == 0)
		return NULL;
	if (kept)
		snprintf(more, sizeof(more), ", %zu of them of ended threads",
			 kept);
	return mw_format("%zu stack%s of %s%s%s", count, count == 1 ? "" : "s",
			 least == most ? "" : "up to ",
			 mw_format_bytes(bytes, most, false), more);
}

char *cmd_live_gloss(const struct cmd_books *books, const char *path)
{
	if (strcmp(path, "stack/threads") == 0)
		return gloss_stacks(books);
	return strncmp(path, "malloc/", 7) == 0 ? gloss_arena(books, path)
						: NULL;
}

/* Address space */

/** VSZ, by whether it costs anything; the parts are all of it. */
struct address_space {
	uint64_t inaccessible_bytes; /* PROT_NONE, and not resident */
	uint64_t untouched_bytes;    /* neither resident nor swapped */
	uint64_t resident_bytes, swapped_bytes;
};

static bool is_closed(const struct mw_mapping *m)
{
	return !(m->perms & (MW_PERM_R | MW_PERM_W | MW_PERM_X));
}

static struct address_space split(const struct cmd_books *books)
{
	const struct mw_mappings *maps = mw_target_mappings(books->target);
	struct mw_tally totals = mw_ledger_totals(books->ledger);
	struct address_space parts = {
		.resident_bytes = totals.rss_bytes,
		.swapped_bytes = totals.swap_bytes,
	};
	size_t hint = 0;
	uint64_t told;

	for (size_t i = 0; i < maps->list.n; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		struct mw_tally tally = { 0 };

		if (!is_closed(m))
			continue;
		mw_pages_tally(mw_target_pages(books->target), &hint, m->start,
			       m->end, &tally);
		parts.inaccessible_bytes += m->end - m->start -
					    tally.rss_bytes - tally.swap_bytes;
	}
	told = parts.inaccessible_bytes + parts.resident_bytes +
	       parts.swapped_bytes;
	// A process may drop pages while it is looked at.
	if (totals.vsz_bytes > told)
		parts.untouched_bytes = totals.vsz_bytes - told;
	return parts;
}

void cmd_address_space_print(const struct cmd_books *books,
			     const struct mw_style *style)
{
	struct address_space parts = split(books);
	bool exact = style->exact_bytes;
	char closed[32], untouched[32], rss[32], swap[32];
	MW_CLEANUP(mw_freep) char *text = mw_format(
		"Address space is not memory: %s of it are only reserved "
		"(without access rights), %s could be used but were never "
		"touched or are in a file only, %s are resident, %s swapped "
		"out.",
		mw_format_bytes(closed, parts.inaccessible_bytes, exact),
		mw_format_bytes(untouched, parts.untouched_bytes, exact),
		mw_format_bytes(rss, parts.resident_bytes, exact),
		mw_format_bytes(swap, parts.swapped_bytes, exact));

	putchar('\n');
	if (text)
		mw_print_wrapped(stdout, text, 0, 0, style->width);
}

void cmd_address_space_json(struct mw_json *json,
			    const struct cmd_books *books)
{
	struct address_space parts = split(books);

	mw_json_key(json, "address_space");
	mw_json_object(json);
	mw_json_member_u64(json, "inaccessible_bytes",
			   parts.inaccessible_bytes);
	mw_json_member_u64(json, "untouched_bytes", parts.untouched_bytes);
	mw_json_member_u64(json, "resident_bytes", parts.resident_bytes);
	mw_json_member_u64(json, "swapped_bytes", parts.swapped_bytes);
	mw_json_end(json);
}
