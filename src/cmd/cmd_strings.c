/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_strings.h"

static uint64_t least = 4;
static unsigned encoding;
static unsigned radix;

static const char *const encodings[] = { "s", "S", "l", "b", "L", "B", NULL };
static const char *const radixes[] = { "x", "d", "o", "n", NULL };

enum column { ADDRESS, BYTES, TEXT, ACCOUNT };

static const struct mw_column columns[] = {
	[ADDRESS] = { "address", NULL, MW_UNIT_ADDRESS,
		      "of the first character" },
	[BYTES] = { "length_bytes", NULL, MW_UNIT_BYTES,
		    "of the string in memory" },
	[TEXT] = { "text", NULL, MW_UNIT_TEXT, "the string" },
	[ACCOUNT] = { "account", NULL, MW_UNIT_TEXT,
		      "whose byte the first one is; with --verbose only" },
};

static void help(FILE *out)
{
	cmd_print_columns(out, columns, MW_COUNT(columns));
	fputs("\nWithout a choice, all memory that may be read is looked "
	      "through. Pages that are not\nresident are left out; a string "
	      "ends where they begin.\n", out);
}

/** A string that was found, when all are kept to be told their accounts. */
struct kept {
	uint64_t va;
	size_t text, count; /* in finder.texts */
};

struct finder {
	const struct cmd_call *call;
	struct cmd_bytes *bytes;
	struct cmd_progress progress;
	struct mw_strings strings;
	struct cmd_rows rows;
	MW_VEC(struct kept) kept;
	char *texts;
	size_t texts_bytes, texts_room;
	uint64_t lost;
	bool no_memory;
};

static void print_text(const struct cmd_call *call, uint64_t va,
		       const char *text, size_t count, const char *account)
{
	switch (radix) {
	case 0:
		printf("%7" PRIx64 " ", va);
		break;
	case 1:
		printf("%7" PRIu64 " ", va);
		break;
	case 2:
		printf("%7" PRIo64 " ", va);
		break;
	}
	if (account)
		printf("%s  ", account);
	// Bytes above 127 could be a terminal's control characters.
	if (!call->style.is_terminal)
		fwrite_unlocked(text, 1, count, stdout);
	for (size_t i = 0; call->style.is_terminal && i < count; i++)
		if ((uint8_t)text[i] > 0x7f)
			printf("\\x%02x", (uint8_t)text[i]);
		else
			putchar_unlocked(text[i]);
	putchar_unlocked('\n');
}

static bool print(struct finder *f, uint64_t va, const char *text,
		  size_t count, const char *account)
{
	MW_CLEANUP(mw_freep) char *copy = NULL;
	struct mw_cell *cells;

	if (f->call->format == MW_FORMAT_TEXT) {
		print_text(f->call, va, text, count, account);
		return !ferror(stdout);
	}
	copy = mw_strndup(text, count);
	cells = copy ? cmd_rows_add(&f->rows) : NULL;
	if (!cells || !mw_cell_text(&cells[TEXT], copy)) {
		f->no_memory = true;
		return false;
	}
	mw_cell_value(&cells[ADDRESS], va);
	mw_cell_value(&cells[BYTES],
		      count * mw_text_bytes(f->strings.encoding));
	if (account && !mw_cell_text(&cells[ACCOUNT], account))
		f->no_memory = true;
	return !f->no_memory && !ferror(stdout);
}

static bool found(void *ctx, uint64_t va, const char *text, size_t count)
{
	struct finder *f = ctx;

	return print(f, va, text, count, NULL);
}

/** Keep a string until its account is known. */
static bool keep(void *ctx, uint64_t va, const char *text, size_t count)
{
	struct finder *f = ctx;
	struct kept *kept;

	if (f->texts_bytes + count > f->texts_room) {
		size_t room = 2 * (f->texts_bytes + count);
		char *grown = mw_realloc(f->texts, room, 1);

		if (!grown) {
			f->no_memory = true;
			return false;
		}
		f->texts = grown;
		f->texts_room = room;
	}
	kept = mw_vec_push(&f->kept);
	if (!kept) {
		f->no_memory = true;
		return false;
	}
	*kept = (struct kept){ va, f->texts_bytes, count };
	memcpy(f->texts + f->texts_bytes, text, count);
	f->texts_bytes += count;
	return true;
}

static bool feed(void *ctx, const struct mw_piece *piece)
{
	struct finder *f = ctx;

	if (!piece->data) {
		if (cmd_is_lost(piece))
			f->lost += piece->bytes;
		return true;
	}
	cmd_progress_add(&f->progress, piece->bytes);
	return mw_strings_feed(&f->strings, piece->va, piece->data,
			       piece->bytes, piece->before);
}

static void begin_rows(struct finder *f)
{
	if (f->call->format != MW_FORMAT_TEXT)
		cmd_rows_begin(&f->rows, f->call, f->bytes, columns,
			       MW_COUNT(columns));
}

/** Tell all strings that were kept, with their accounts. */
static struct mw_error *print_kept(struct finder *f)
{
	size_t n = f->kept.n, count;
	MW_CLEANUP(mw_freep) uint64_t *vas = mw_calloc(n, sizeof(*vas));
	MW_CLEANUP(mw_freep) mw_account_id *ids = mw_calloc(n, sizeof(*ids));
	const struct mw_ledger_account *accounts;
	struct mw_error *error;

	if (!vas || !ids)
		return mw_error_nomem();
	for (size_t i = 0; i < n; i++)
		vas[i] = f->kept.v[i].va;
	error = cmd_account_of(f->call, &f->bytes->books, vas, n, ids);
	if (error)
		return error;
	begin_rows(f);
	accounts = mw_ledger_accounts(f->bytes->books.ledger, &count);
	for (size_t i = 0; i < n; i++) {
		const struct kept *k = &f->kept.v[i];

		if (!print(f, k->va, f->texts + k->text, k->count,
			   ids[i] == CMD_NO_ACCOUNT ? "-"
						    : accounts[ids[i]].name))
			break;
	}
	return f->no_memory ? mw_error_nomem() : NULL;
}

static struct mw_error *find(struct finder *f)
{
	struct mw_stream stream = {
		.from_files = cmd_choice.from_files,
		.before_bytes = mw_text_bytes(f->strings.encoding) - 1,
		.piece = feed,
		.ctx = f,
	};
	struct mw_error *error;

	cmd_progress_begin(&f->progress, "looked through",
			   cmd_bytes_to_read(f->bytes));
	error = cmd_bytes_stream(f->bytes, f->bytes->extents.list.v,
				 f->bytes->extents.list.n, &stream);
	cmd_progress_end(&f->progress);
	if (error)
		return error;
	mw_strings_end(&f->strings);
	if (f->strings.no_memory || f->no_memory)
		return mw_error_nomem();
	return f->call->verbose ? print_kept(f) : NULL;
}

static struct mw_error *run(const struct cmd_call *call)
{
	static const enum mw_text_encoding kinds[] = {
		MW_TEXT_7BIT, MW_TEXT_8BIT, MW_TEXT_16LE,
		MW_TEXT_16BE, MW_TEXT_32LE, MW_TEXT_32BE,
	};
	MW_CLEANUP(cmd_bytes_free) struct cmd_bytes bytes = { 0 };
	struct finder f = {
		.call = call,
		.bytes = &bytes,
		.strings = { .encoding = kinds[encoding], .least = least,
			     .found = call->verbose ? keep : found },
	};
	struct mw_error *error;

	if (least == 0 || least > MW_MIB(1))
		return mw_error_new(MW_E_USAGE, "--min-length=%" PRIu64
				    ": a string has 1 to 1048576 characters",
				    least);
	error = cmd_bytes_take(call, true, &bytes);
	if (error)
		return error;
	f.strings.ctx = &f;
	if (!call->verbose)
		begin_rows(&f);
	error = find(&f);
	cmd_bytes_release(&bytes);
	if (!error)
		cmd_note_absent(&bytes, f.lost, "looked through");
	if (!error && call->format != MW_FORMAT_TEXT)
		cmd_rows_end(&f.rows);
	if (!error)
		cmd_print_notes(bytes.books.target);
	mw_table_deinit(&f.rows.table);
	mw_strings_free(&f.strings);
	mw_vec_free(&f.kept);
	mw_free(f.texts);
	return error;
}

static const struct cmd_option options[] = {
	{ .name = "min-length", .letter = 'n', .argument = "N",
	  .number = &least,
	  .help = "strings of at least N characters (default: 4)" },
	{ .name = "encoding", .letter = 'e', .argument = "s|S|b|l|B|L",
	  .choices = encodings, .choice = &encoding,
	  .help = "characters of 7 bits (s, the default) or 8 (S), of 16\n"
		  "bits, big-endian (b) or little-endian (l), of 32 bits\n"
		  "(B, L)" },
	{ .name = "radix", .letter = 't', .argument = "x|d|o|n",
	  .choices = radixes, .choice = &radix,
	  .help = "addresses in hexadecimal (default), decimal or octal,\n"
		  "or none" },
	CMD_RANGE_OPTIONS,
	{ 0 },
};

const struct cmd_command cmd_strings = {
	.name = "strings",
	.operands = "TARGET",
	.summary = "printable strings in memory, with their addresses",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_VERBOSE | CMD_FILES,
	.options = options,
	.run = run,
	.help = help,
};
