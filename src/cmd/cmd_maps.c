/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_books.h"
#include "mw_guard.h"

static bool by_page, no_smaps;

/* Mappings */

enum column {
	START, END, PERMS, VSZ, RSS, DIRTY, SWAP, HUGE, LOCKED, LAZY_FREE,
	ZERO, HUGETLB, OFFSET, DEV, INODE, OWNER, PATH,
};

static const struct mw_column columns[] = {
	[START] = { "start", "START", MW_UNIT_ADDRESS,
		    "first address" },
	[END] = { "end", "END", MW_UNIT_ADDRESS,
		  "address behind the last one" },
	[PERMS] = { "perms", "PERM", MW_UNIT_TEXT,
		    "r may be read, w written, x executed; p private: what is "
		    "written stays here; s shared: others see it" },
	[VSZ] = { "vsz_bytes", "SIZE", MW_UNIT_BYTES,
		  "address space; costs nothing until it is touched" },
	[RSS] = { "rss_bytes", "RSS", MW_UNIT_BYTES,
		  "resident: pages that are in memory and mapped here" },
	[DIRTY] = { "dirty_bytes", "DIRTY", MW_UNIT_BYTES,
		    "of RSS, what was written to: it must be swapped or "
		    "written back before its memory can be used again" },
	[SWAP] = { "swap_bytes", "SWAP", MW_UNIT_BYTES, "in swap" },
	[HUGE] = { "huge_bytes", "HUGE", MW_UNIT_BYTES,
		   "of RSS, what is mapped as transparent huge pages" },
	[LOCKED] = { "locked_bytes", "LOCKED", MW_UNIT_BYTES,
		     "of RSS, what mlock keeps in memory" },
	[LAZY_FREE] = { "lazy_free_bytes", "LAZYFREE", MW_UNIT_BYTES,
			"of RSS, what was given back with MADV_FREE and is "
			"taken when memory gets short" },
	[ZERO] = { "zero_bytes", "ZERO", MW_UNIT_BYTES,
		   "pages read but never written, which all are one page of "
		   "zeros in the kernel; not in RSS" },
	[HUGETLB] = { "hugetlb_bytes", "HUGETLB", MW_UNIT_BYTES,
		      "pages of the hugetlb pool; not in RSS" },
	[OFFSET] = { "offset", NULL, MW_UNIT_BYTES,
		     "where in the file the mapping begins" },
	[DEV] = { "dev", NULL, MW_UNIT_TEXT,
		  "device of the file, major:minor in hexadecimal" },
	[INODE] = { "inode", NULL, MW_UNIT_COUNT,
		    "number of the file on its device; 0: no file" },
	[OWNER] = { "owner", "OWNER", MW_UNIT_TEXT,
		    "what the memory is for: sections of which file, Go's "
		    "heap, the stack or guard of which thread, …" },
	[PATH] = { "path", "PATH", MW_UNIT_TEXT,
		   "the file, or the name that the kernel gives it" },
};

/** Columns of figures that a table shows only when any is not 0. */
static bool is_optional(size_t column)
{
	return column >= SWAP && column <= HUGETLB;
}

static void help(FILE *out)
{
	cmd_print_columns(out, columns, MW_COUNT(columns));
	fputs("\nDirty, locked and lazily freed pages are told by smaps only. "
	      "Reading it holds the\ntarget's memory map locked, up to some "
	      "tens of milliseconds a gigabyte; --no-smaps\nleaves these "
	      "columns empty.\n", out);
}

/** Add @text to the list in @owner, once. False without memory. */
static bool add_owner(char **owner, const char *text)
{
	char *longer;

	if (!*owner) {
		*owner = mw_strdup(text);
		return *owner;
	}
	if (strstr(*owner, text))
		return true;
	longer = mw_format("%s, %s", *owner, text);
	if (!longer)
		return false;
	mw_free(*owner);
	*owner = longer;
	return true;
}

/** The claims that touch a mapping, walked in step with the mappings. */
struct owners {
	const struct mw_claim *claims;
	size_t count, at;
	const struct mw_ledger_share *shares;
	size_t share_count, share_at;
	const struct mw_ledger_account *accounts;
};

/** The most that is told of one mapping. */
#define OWNERS 4

/**
 * What a mapping is for: the names of its claims; for an ELF file also its
 * sections; without claims the account that it has as a whole.
 */
static bool describe(struct owners *o, size_t index,
		     const struct mw_mapping *m, char **ret)
{
	size_t names = 0;

	while (o->at < o->count &&
	       o->claims[o->at].start + o->claims[o->at].bytes <= m->start)
		o->at++;
	for (size_t i = o->at; i < o->count && o->claims[i].start < m->end &&
			       names < OWNERS; i++) {
		const struct mw_claim *c = &o->claims[i];

		if (!c->what || c->start + c->bytes <= m->start)
			continue;
		if (!add_owner(ret, c->what))
			return false;
		names++;
	}
	while (o->share_at < o->share_count &&
	       o->shares[o->share_at].mapping < index)
		o->share_at++;
	for (size_t i = o->share_at, n = 0;
	     i < o->share_count && o->shares[i].mapping == index && n < OWNERS;
	     i++, n++) {
		const struct mw_ledger_account *a =
			&o->accounts[o->shares[i].account];
		bool is_section = strcmp(a->parent, "binary") == 0 ||
				  strncmp(a->parent, "library/", 8) == 0;

		if ((is_section && !add_owner(ret, a->leaf)) ||
		    (!is_section && names == 0 && !add_owner(ret, a->name)))
			return false;
	}
	return true;
}

/** Bytes of a mapping's zero pages. */
static uint64_t zero_bytes(const struct mw_pages *pages, size_t *hint,
			   const struct mw_mapping *m)
{
	uint64_t bytes = 0;

	for (size_t i = *hint = mw_pages_after_hint(pages, m->start, *hint);
	     i < pages->runs.n && mw_run_start(pages->runs.v[i]) < m->end; i++)
		if (mw_run_state(pages->runs.v[i]) & MW_PAGE_ZERO)
			bytes += mw_min(m->end, mw_run_end(pages->runs.v[i])) -
				 mw_max(m->start,
					mw_run_start(pages->runs.v[i]));
	return bytes;
}

static bool fill_row(struct mw_cell *cells, const struct cmd_books *books,
		     size_t index, struct owners *owners, size_t *hint)
{
	const struct mw_mappings *maps = mw_target_mappings(books->target);
	const struct mw_mapping *m = &maps->list.v[index];
	const struct mw_smaps_figures *smaps =
		books->smaps ? &books->smaps[index] : NULL;
	MW_CLEANUP(mw_freep) char *owner = NULL;
	struct mw_tally tally = { 0 };
	const struct mw_target_info *info = mw_target_info(books->target);
	size_t tally_hint = *hint;
	char perms[5], dev[32];

	snprintf(perms, sizeof(perms), "%c%c%c%c",
		 m->perms & MW_PERM_R ? 'r' : '-',
		 m->perms & MW_PERM_W ? 'w' : '-',
		 m->perms & MW_PERM_X ? 'x' : '-',
		 m->perms & MW_PERM_SHARED ? 's' : 'p');
	snprintf(dev, sizeof(dev), "%02x:%02x", m->dev_major, m->dev_minor);
	mw_pages_tally(mw_target_pages(books->target), &tally_hint, m->start,
		       m->end, &tally);
	mw_cell_value(&cells[START], m->start);
	mw_cell_value(&cells[END], m->end);
	mw_cell_value(&cells[VSZ], mw_mapping_bytes(m));
	mw_cell_value(&cells[RSS], tally.rss_bytes + m->unplaced_rss_bytes);
	mw_cell_value(&cells[SWAP], tally.swap_bytes + m->unplaced_swap_bytes);
	mw_cell_value(&cells[ZERO],
		      zero_bytes(mw_target_pages(books->target), hint, m));
	mw_cell_value(&cells[OFFSET], m->offset);
	// A core has names of files only; the target numbers them itself.
	mw_cell_value(&cells[INODE],
		      info->kind == MW_TARGET_CORE && !info->is_snapshot
			      ? 0
			      : m->inode);
	if (smaps) {
		mw_cell_value(&cells[DIRTY], smaps->dirty_bytes);
		mw_cell_value(&cells[LOCKED], smaps->locked_bytes);
		mw_cell_value(&cells[LAZY_FREE], smaps->lazy_free_bytes);
		mw_cell_value(&cells[HUGE], smaps->huge_bytes);
		mw_cell_value(&cells[HUGETLB], smaps->hugetlb_bytes);
	}
	return describe(owners, index, m, &owner) &&
	       mw_cell_text(&cells[PERMS], perms) &&
	       mw_cell_text(&cells[DEV], dev) &&
	       mw_cell_text(&cells[OWNER], owner ? owner : "") &&
	       mw_cell_text(&cells[PATH], mw_mapping_path(maps, m));
}

static struct mw_error *fill_maps(struct mw_table *table,
				  const struct cmd_books *books)
{
	size_t hint = 0, count;
	struct owners owners = { 0 };

	owners.claims = mw_ledger_claims(books->ledger, &owners.count);
	owners.shares = mw_ledger_shares(books->ledger, &owners.share_count);
	owners.accounts = mw_ledger_accounts(books->ledger, &count);
	for (size_t i = 0;
	     i < mw_target_mappings(books->target)->list.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_row(cells, books, i, &owners, &hint))
			return mw_error_nomem();
	}
	return NULL;
}

/* Pages */

static const struct mw_column page_columns[] = {
	{ "start", "START", MW_UNIT_ADDRESS, NULL },
	{ "pages", "PAGES", MW_UNIT_COUNT, NULL },
	{ "perms", "PERM", MW_UNIT_TEXT, NULL },
	{ "accounts", "BYTES BY ACCOUNT", MW_UNIT_TEXT, NULL },
	{ "path", "PATH", MW_UNIT_TEXT, NULL },
};

/** What is on the page that begins at entry @i, as text; NULL: no memory. */
static char *describe_page(const struct mw_ledger_page *pages, size_t count,
			   size_t i, const struct mw_ledger_account *accounts)
{
	char *text = mw_strdup("");
	uint64_t va = pages[i].va;

	for (; text && i < count && pages[i].va == va; i++) {
		char *longer = mw_format("%s%s%s %u", text, *text ? ", " : "",
					 accounts[pages[i].account].name,
					 pages[i].bytes);
		mw_free(text);
		text = longer;
	}
	return text;
}

static struct mw_error *fill_pages(struct mw_table *table,
				   const struct cmd_books *books)
{
	const struct mw_mappings *maps = mw_target_mappings(books->target);
	size_t count, account_count;
	const struct mw_ledger_page *pages =
		mw_ledger_pages(books->ledger, &count);
	const struct mw_ledger_account *accounts =
		mw_ledger_accounts(books->ledger, &account_count);
	const struct mw_mapping *last_mapping = NULL;
	struct mw_cell *last = NULL;
	uint64_t next_va = 0;

	for (size_t i = 0; i < count;) {
		const struct mw_mapping *m =
			mw_mappings_find(maps, pages[i].va);
		MW_CLEANUP(mw_freep) char *text =
			describe_page(pages, count, i, accounts);
		uint64_t va = pages[i].va;
		char perms[5];

		if (!text)
			return mw_error_nomem();
		// Alike neighbours share a row.
		if (last && va == next_va && m == last_mapping &&
		    strcmp(last[3].text, text) == 0) {
			last[1].value++;
		} else {
			last = mw_table_add(table);
			if (!last)
				return mw_error_nomem();
			snprintf(perms, sizeof(perms), "%c%c%c%c",
				 m->perms & MW_PERM_R ? 'r' : '-',
				 m->perms & MW_PERM_W ? 'w' : '-',
				 m->perms & MW_PERM_X ? 'x' : '-',
				 m->perms & MW_PERM_SHARED ? 's' : 'p');
			mw_cell_value(&last[0], va);
			mw_cell_value(&last[1], 1);
			if (!mw_cell_text(&last[2], perms) ||
			    !mw_cell_text(&last[3], text) ||
			    !mw_cell_text(&last[4], mw_mapping_path(maps, m)))
				return mw_error_nomem();
		}
		last_mapping = m;
		next_va = va + MW_PAGE_BYTES;
		while (i < count && pages[i].va == va)
			i++;
	}
	return NULL;
}

/** Hide the optional columns that have nothing to tell, in text only. */
static void hide_empty(struct mw_column *shown, const struct mw_table *table,
		       const struct cmd_call *call)
{
	// The owner tells most of what the path does, and is shorter.
	if (!call->verbose)
		shown[PATH].heading = NULL;
	for (size_t c = 0; c < table->column_count; c++) {
		bool any = !is_optional(c);

		for (size_t at = c; !any && at < table->cells.n;
		     at += table->column_count)
			any = table->cells.v[at].value != 0;
		if (!any)
			shown[c].heading = NULL;
	}
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_books_free) struct cmd_books books = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_column shown[MW_COUNT(columns)];
	unsigned flags = by_page ? CMD_BOOKS_PAGES
				 : CMD_BOOKS_MAPPINGS |
					   (no_smaps ? 0 : CMD_BOOKS_SMAPS);
	struct mw_error *error = cmd_books_take(call, flags, &books);

	if (error)
		return error;
	cmd_print_notes(books.target);
	if (by_page) {
		mw_table_init(&table, page_columns, MW_COUNT(page_columns));
		error = fill_pages(&table, &books);
	} else {
		memcpy(shown, columns, sizeof(columns));
		mw_table_init(&table, shown, MW_COUNT(columns));
		error = fill_maps(&table, &books);
		if (!error)
			hide_empty(shown, &table, call);
	}
	if (!error)
		cmd_emit_table(call, &table, books.target, books.go,
			       books.stopped_ns, books.wall_ns);
	return error;
}

static const struct cmd_option options[] = {
	{ .name = "by-page", .flag = &by_page,
	  .help = "a row for each resident page, with what is on it" },
	{ .name = "no-smaps", .flag = &no_smaps,
	  .help = "do not read smaps: dirty, huge and locked are left out" },
	{ 0 },
};

const struct cmd_command cmd_maps = {
	.name = "maps",
	.operands = "TARGET",
	.summary = "every mapping with its owner and what of it is resident",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_VERBOSE,
	.options = options,
	.run = run,
	.help = help,
};
