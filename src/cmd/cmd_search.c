/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd_find.h"
#include "cmd_names.h"
#include "mw_guard.h"

static bool as_hex, as_pointer, ignore_case, only_count;
static uint64_t limit = 1000;

enum column {
	ADDRESS, ACCOUNT, SYMBOL, VALUE, TEXT, OFFSET, PERMS, PATH,
};

static const struct mw_column columns[] = {
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "where the match begins" },
	[ACCOUNT] = { "account", "ACCOUNT", MW_UNIT_TEXT,
		      "whose byte that is, by the ledger" },
	[SYMBOL] = { "symbol", "SYMBOL", MW_UNIT_TEXT,
		     "the variable or function there, and how far into it" },
	[VALUE] = { "value", "POINTS TO", MW_UNIT_ADDRESS,
		    "the pointer that was found" },
	[TEXT] = { "text", "TEXT", MW_UNIT_TEXT,
		   "the match with what stands around it on its page; bytes "
		   "that are not printable as dots" },
	[OFFSET] = { "offset", NULL, MW_UNIT_BYTES,
		     "of the match in the mapping" },
	[PERMS] = { "perms", NULL, MW_UNIT_TEXT, "of the mapping" },
	[PATH] = { "path", NULL, MW_UNIT_TEXT, "of the mapping" },
};

static void help(FILE *out)
{
	cmd_print_columns(out, columns, MW_COUNT(columns));
	fputs("\nTEXT is looked for in all memory that may be read, or in "
	      "what was chosen, where it is\nresident: on both sides of a "
	      "page's or mapping's end, too, and also where matches\n"
	      "overlap. With --hex, it is bytes in hexadecimal, ? for any "
	      "digit (\"de ad ?? ef\");\nwith --pointer, an address, or "
	      "START-END for pointers to any byte in between; these\ntwo may "
	      "also stand in front of TARGET.\n", out);
}

/* What is looked for */

static struct mw_error *make_needle(const char *text, struct mw_needle **ret)
{
	uint64_t first, end;
	struct mw_error *error;

	if (as_hex + as_pointer + ignore_case > 1)
		return mw_error_new(MW_E_USAGE, "only one of --hex, --pointer "
				    "and --ignore-case makes sense");
	if (as_hex)
		return mw_needle_hex(text, ret);
	if (!as_pointer)
		return mw_needle_text(text, strlen(text), ignore_case, ret);
	if (cmd_parse_address(text, &first))
		return mw_needle_words(first, first, ret);
	error = cmd_parse_range(text, &first, &end);
	if (error)
		return mw_error_prefix(error, "--pointer");
	return mw_needle_words(first, end - 1, ret);
}

/* Telling */

/** What stands around the hit at @va, as text. */
static void describe(struct cmd_bytes *bytes, uint64_t va, size_t match_bytes,
		     char text[static 65])
{
	enum { BEFORE = 16, ROOM = 64 };
	uint64_t page = mw_align_down(va, MW_PAGE_BYTES);
	uint64_t from = mw_max(page, va - mw_min(va, BEFORE));
	uint64_t end = page + MW_PAGE_BYTES;
	uint8_t around[ROOM];
	size_t count;

	if (va + match_bytes > end)
		end = va + match_bytes;
	count = mw_min(end - from, ROOM);
	if (!cmd_bytes_read(bytes, from, around, count)) {
		// Less may be there: a section may end here.
		from = va;
		count = mw_min(match_bytes, ROOM);
		if (!cmd_bytes_read(bytes, from, around, count))
			count = 0;
	}
	for (size_t i = 0; i < count; i++)
		text[i] = around[i] >= 0x20 && around[i] < 0x7f
				  ? (char)around[i]
				  : '.';
	text[count] = '\0';
}

/** "NAME+OFFSET" of what holds @va; NULL if nothing does, or no memory. */
static char *symbol_at(struct cmd_names *names, uint64_t va)
{
	struct cmd_name name;

	if (!cmd_names_at(names, va, &name))
		return NULL;
	return va > name.start ? mw_format("%s+0x%" PRIx64, name.text,
					   va - name.start)
			       : mw_strdup(name.text);
}

static bool fill_row(struct mw_cell *cells, const struct cmd_find *s,
		     struct cmd_names *names, uint64_t va,
		     const char *account)
{
	struct cmd_bytes *bytes = s->bytes;
	const struct mw_mappings *maps =
		mw_target_mappings(bytes->books.target);
	const struct mw_mapping *m =
		bytes->file_section ? NULL : mw_mappings_find(maps, va);
	MW_CLEANUP(mw_freep) char *symbol =
		names ? symbol_at(names, va) : NULL;
	char text[65], perms[5];
	uint64_t value;

	mw_cell_value(&cells[ADDRESS], va);
	describe(bytes, va, mw_needle_bytes(s->needle), text);
	if (as_pointer && cmd_bytes_read(bytes, va, &value, sizeof(value)))
		mw_cell_value(&cells[VALUE], value);
	if (m) {
		snprintf(perms, sizeof(perms), "%c%c%c%c",
			 m->perms & MW_PERM_R ? 'r' : '-',
			 m->perms & MW_PERM_W ? 'w' : '-',
			 m->perms & MW_PERM_X ? 'x' : '-',
			 m->perms & MW_PERM_SHARED ? 's' : 'p');
		mw_cell_value(&cells[OFFSET], va - m->start);
	}
	return mw_cell_text(&cells[TEXT], text) &&
	       (!symbol || mw_cell_text(&cells[SYMBOL], symbol)) &&
	       (!account || mw_cell_text(&cells[ACCOUNT], account)) &&
	       (!m || (mw_cell_text(&cells[PERMS], perms) &&
		       mw_cell_text(&cells[PATH], mw_mapping_path(maps, m))));
}

static struct mw_error *fill(struct cmd_rows *rows, const struct cmd_find *s,
			     const mw_account_id *ids)
{
	MW_CLEANUP(cmd_names_closep) struct cmd_names *names = NULL;
	const struct mw_ledger_account *accounts = NULL;
	struct mw_error *error = NULL;
	size_t count = 0;

	if (s->hits.n > 0 && !s->bytes->file_section)
		error = cmd_names_open(s->bytes->books.target, &names);
	if (error)
		return error;

	if (s->bytes->books.ledger)
		accounts = mw_ledger_accounts(s->bytes->books.ledger, &count);
	for (size_t i = 0; i < s->hits.n; i++) {
		struct mw_cell *cells = cmd_rows_add(rows);
		const char *account = accounts && ids[i] != CMD_NO_ACCOUNT
					      ? accounts[ids[i]].name
					      : NULL;

		if (!cells || !fill_row(cells, s, names, s->hits.v[i],
					account))
			return mw_error_nomem();
	}
	return NULL;
}

static void show_columns(struct mw_column *shown, const struct cmd_call *call)
{
	memcpy(shown, columns, sizeof(columns));
	if (as_pointer)
		shown[TEXT].heading = NULL;
	else
		shown[VALUE].heading = NULL;
	if (call->verbose) {
		shown[PERMS].heading = "PERM";
		shown[PATH].heading = "PATH";
	}
}

static bool has_symbols(const struct mw_table *table)
{
	for (size_t at = SYMBOL; at < table->cells.n; at += MW_COUNT(columns))
		if (!table->cells.v[at].empty)
			return true;
	return false;
}

static const struct mw_column count_columns[] = {
	{ "hits", "HITS", MW_UNIT_COUNT, "number of matches" },
};

static struct mw_error *tell(const struct cmd_call *call, struct cmd_find *s)
{
	MW_CLEANUP(mw_freep) mw_account_id *ids =
		mw_calloc(s->hits.n, sizeof(*ids));
	struct mw_column shown[MW_COUNT(columns)];
	struct cmd_rows rows = { 0 };
	struct mw_error *error = NULL;

	if (!ids)
		return mw_error_nomem();
	if (s->hits.n > 0 && !s->bytes->file_section)
		error = cmd_account_of(call, &s->bytes->books, s->hits.v,
				       s->hits.n, ids);
	if (error)
		return error;
	show_columns(shown, call);
	if (only_count) {
		cmd_rows_begin(&rows, call, s->bytes, count_columns, 1);
		struct mw_cell *cells = cmd_rows_add(&rows);

		if (cells)
			mw_cell_value(cells, s->hit_count);
		else
			error = mw_error_nomem();
	} else {
		cmd_rows_begin(&rows, call, s->bytes, shown,
			       MW_COUNT(columns));
		error = fill(&rows, s, ids);
		if (!has_symbols(&rows.table))
			shown[SYMBOL].heading = NULL;
	}
	cmd_bytes_release(s->bytes);
	cmd_note_absent(s->bytes, s->lost_bytes, "searched");
	if (!only_count && (s->is_cut || s->hit_count > s->hits.n))
		mw_target_note(s->bytes->books.target, "only the first %zu "
			       "hits are told; --limit=0 tells all",
			       s->hits.n);
	if (only_count && call->format == MW_FORMAT_TEXT)
		printf("%" PRIu64 "\n", s->hit_count);
	else if (!error && (s->hits.n > 0 || call->format != MW_FORMAT_TEXT))
		cmd_rows_end(&rows);
	mw_table_deinit(&rows.table);
	if (!error && s->hit_count == 0 && !only_count)
		fputs("memwhy: no hits\n", stderr);
	return error;
}

static struct mw_error *search_for(const struct cmd_call *call,
				   const char *text, struct cmd_bytes *bytes)
{
	MW_CLEANUP(mw_needle_freep) struct mw_needle *needle = NULL;
	MW_CLEANUP(cmd_find_deinit) struct cmd_find s = {
		.bytes = bytes,
		.most = only_count ? 0 : limit ? limit : SIZE_MAX,
	};
	struct mw_error *error = make_needle(text, &needle);

	s.needle = needle;
	if (!error)
		error = cmd_bytes_take(call, true, bytes);
	if (!error)
		error = cmd_find_run(&s);
	if (!error)
		error = tell(call, &s);
	return error;
}

/** Whether there is what @call names as its target. */
static bool has_target(const struct cmd_call *call)
{
	pid_t pid;
	struct mw_error *error = cmd_find_target(call, &pid);
	bool found = !error && (pid || access(call->target, F_OK) == 0);

	mw_error_free(error);
	return found;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_bytes_free) struct cmd_bytes bytes = { 0 };
	struct cmd_call turned = *call;
	const char *text = call->operands[0];
	struct mw_error *error = search_for(call, text, &bytes);

	// `search --hex "de ad" TARGET` reads as if the option had a value.
	if (error && (as_hex || as_pointer) && !bytes.books.target &&
	    (error->code == MW_E_NOT_FOUND || error->code == MW_E_USAGE)) {
		struct mw_error *other;

		turned.target = text;
		other = search_for(&turned, call->target, &bytes);
		// When neither will do, the error is that of what was meant.
		if (!other || bytes.books.target ||
		    (has_target(&turned) && !has_target(call))) {
			mw_error_free(error);
			error = other;
		} else {
			mw_error_free(other);
		}
	}
	if (!error)
		cmd_print_notes(bytes.books.target);
	return error;
}

static const struct cmd_option options[] = {
	{ .name = "hex", .flag = &as_hex,
	  .help = "TEXT is bytes in hexadecimal, ? for any digit" },
	{ .name = "pointer", .flag = &as_pointer,
	  .help = "TEXT is an address, or START-END: find the aligned words\n"
		  "that point there" },
	{ .name = "ignore-case", .letter = 'i', .flag = &ignore_case,
	  .help = "ASCII letters match in any case" },
	{ .name = "count", .letter = 'c', .flag = &only_count,
	  .help = "only the number of matches" },
	{ .name = "limit", .argument = "N", .number = &limit,
	  .help = "tell at most N matches (default: 1000; 0: all)" },
	CMD_RANGE_OPTIONS,
	{ 0 },
};

const struct cmd_command cmd_search = {
	.name = "search",
	.operands = "TARGET TEXT",
	.summary = "where text, bytes or pointers stand in memory",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_VERBOSE | CMD_FILES,
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
	.help = help,
};
