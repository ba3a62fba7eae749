/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_output.h"

static const char *output;
static bool force, with_index;

static void help(FILE *out)
{
	fputs("\nThe bytes of all ranges one after the other. Where memory is "
	      "not resident, and so\nnot read, there are zeros: holes in the "
	      "file. With --all, only what is read is\nwritten; FILE.index "
	      "tells where which address lies: a JSON table, in which absent\n"
	      "memory has no offset. FILE may be read by its owner only and "
	      "is written whole or\nnot at all.\n", out);
}

/* The index */

static const struct mw_column columns[] = {
	{ "start", NULL, MW_UNIT_ADDRESS, NULL },
	{ "end", NULL, MW_UNIT_ADDRESS, NULL },
	{ "offset", NULL, MW_UNIT_BYTES, NULL },
	{ "state", NULL, MW_UNIT_TEXT, NULL },
	{ "perms", NULL, MW_UNIT_TEXT, NULL },
	{ "path", NULL, MW_UNIT_TEXT, NULL },
};

/** A stretch of one mapping that is, or is not, in the file. */
struct entry {
	uint64_t start, end, offset;
	const struct mw_mapping *mapping; /* may be NULL */
	enum mw_bytes_kind kind;
	bool is_absent;
};

struct dump {
	const struct cmd_call *call;
	struct cmd_bytes *bytes;
	struct cmd_progress progress;
	struct mw_output *file; /* NULL: standard output */
	MW_VEC(struct entry) entries;
	uint64_t offset; /* in the output */
	uint64_t lost_bytes;
	struct mw_error *error;
};

static void add_entry(struct dump *d, const struct entry *fresh)
{
	struct entry *last =
		d->entries.n ? &d->entries.v[d->entries.n - 1] : NULL;

	if (last && last->end == fresh->start && last->kind == fresh->kind &&
	    last->mapping == fresh->mapping &&
	    last->is_absent == fresh->is_absent) {
		last->end = fresh->end;
		return;
	}
	last = mw_vec_push(&d->entries);
	if (last)
		*last = *fresh;
	else if (!d->error)
		d->error = mw_error_nomem();
}

/** Enter @piece, which begins at @offset of the file, cut by mappings. */
static void enter(struct dump *d, const struct mw_piece *piece,
		  uint64_t offset)
{
	const struct mw_mappings *maps =
		mw_target_mappings(d->bytes->books.target);
	uint64_t end = piece->va + piece->bytes;

	for (uint64_t va = piece->va; va < end && !d->error;) {
		const struct mw_mapping *m =
			d->bytes->file_section ? NULL
					       : mw_mappings_find(maps, va);
		struct entry entry = {
			.start = va,
			.end = m ? mw_min(end, m->end) : end,
			.offset = offset + (va - piece->va),
			.mapping = m,
			.kind = piece->kind,
			.is_absent = !piece->data,
		};

		add_entry(d, &entry);
		va = entry.end;
	}
}

static struct mw_error *write_all(struct mw_output *file, const void *from,
				  size_t bytes)
{
	const char *at = from;

	while (bytes > 0) {
		ssize_t put = write(mw_output_fd(file), at, bytes);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return mw_error_errno(errno, "%s", output);
		at += put;
		bytes -= (size_t)put;
	}
	return NULL;
}

static bool fill_row(struct mw_cell *cells, const struct entry *e,
		     const struct mw_mappings *maps)
{
	const struct mw_mapping *m = e->mapping;
	char perms[5] = "";

	if (m)
		snprintf(perms, sizeof(perms), "%c%c%c%c",
			 m->perms & MW_PERM_R ? 'r' : '-',
			 m->perms & MW_PERM_W ? 'w' : '-',
			 m->perms & MW_PERM_X ? 'x' : '-',
			 m->perms & MW_PERM_SHARED ? 's' : 'p');
	mw_cell_value(&cells[0], e->start);
	mw_cell_value(&cells[1], e->end);
	if (!e->is_absent)
		mw_cell_value(&cells[2], e->offset);
	return mw_cell_text(&cells[3], mw_bytes_kind_name(e->kind)) &&
	       mw_cell_text(&cells[4], perms) &&
	       mw_cell_text(&cells[5], m ? mw_mapping_path(maps, m) : "");
}

static struct mw_error *print_index(const struct dump *d, FILE *out)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	const struct mw_target *target = d->bytes->books.target;
	const struct mw_target_info *info = mw_target_info(target);
	struct mw_json json;

	mw_table_init(&table, columns, MW_COUNT(columns));
	for (size_t i = 0; i < d->entries.n; i++) {
		struct mw_cell *cells = mw_table_add(&table);

		if (!cells || !fill_row(cells, &d->entries.v[i],
					mw_target_mappings(target)))
			return mw_error_nomem();
	}
	mw_json_init(&json, out);
	mw_json_object(&json);
	mw_json_member_text(&json, "schema", "memwhy.dump-index/1");
	mw_json_member_u64(&json, "pid", (uint64_t)info->pid);
	mw_json_member_text(&json, "exe", info->exe);
	mw_json_member_u64(&json, "file_bytes", d->offset);
	mw_json_table(&json, &table);
	mw_json_end(&json);
	return NULL;
}

static struct mw_error *write_index(const struct dump *d,
				    struct mw_output *file)
{
	MW_CLEANUP(mw_fclosep) FILE *out = NULL;
	char *text = NULL;
	size_t bytes = 0;
	struct mw_error *error;

	out = open_memstream(&text, &bytes);
	if (!out)
		return mw_error_nomem();
	error = print_index(d, out);
	if (!error && fflush(out) != 0)
		error = mw_error_nomem();
	if (!error)
		error = write_all(file, text, bytes);
	mw_fclosep(&out);
	free(text);
	return error;
}

/* The bytes */

static void put(struct dump *d, const void *from, size_t bytes)
{
	if (d->file)
		d->error = write_all(d->file, from, bytes);
	else if (fwrite(from, 1, bytes, stdout) != bytes)
		d->error = mw_error_errno(errno, "standard output");
}

/** Leave out @bytes bytes: a hole in a file, zeros elsewhere. */
static void put_nothing(struct dump *d, uint64_t bytes)
{
	static const uint8_t zeros[65536];

	if (d->file) {
		if (lseek(mw_output_fd(d->file), (off_t)bytes, SEEK_CUR) < 0)
			d->error = mw_error_errno(errno, "%s", output);
		return;
	}
	while (bytes > 0 && !d->error) {
		size_t some = mw_min(bytes, sizeof(zeros));

		put(d, zeros, some);
		bytes -= some;
	}
}

static bool write_piece(void *ctx, const struct mw_piece *piece)
{
	struct dump *d = ctx;

	if (with_index)
		enter(d, piece, d->offset);
	if (piece->data) {
		put(d, piece->data, piece->bytes);
		cmd_progress_add(&d->progress, piece->bytes);
	} else if (!cmd_choice.all) {
		put_nothing(d, piece->bytes);
	}
	if (piece->data || !cmd_choice.all)
		d->offset += piece->bytes;
	if (cmd_is_lost(piece))
		d->lost_bytes += piece->bytes;
	return !d->error;
}

static struct mw_error *dump(struct dump *d, struct mw_output *index)
{
	struct mw_stream stream = {
		.from_files = cmd_choice.from_files,
		.piece = write_piece,
		.ctx = d,
	};
	struct mw_error *error;

	cmd_progress_begin(&d->progress, "written",
			   cmd_bytes_to_read(d->bytes));
	error = cmd_bytes_stream(d->bytes, d->bytes->extents.list.v,
				 d->bytes->extents.list.n, &stream);
	cmd_progress_end(&d->progress);
	cmd_bytes_release(d->bytes);
	if (error) {
		mw_error_free(d->error);
		return error;
	}
	error = mw_steal(d->error);
	if (!error && d->file &&
	    ftruncate(mw_output_fd(d->file), (off_t)d->offset) != 0)
		error = mw_error_errno(errno, "%s", output);
	if (!error && index) {
		error = write_index(d, index);
		if (!error)
			error = mw_output_commit(index);
	}
	if (!error && d->file)
		error = mw_output_commit(d->file);
	return error;
}

static struct mw_error *check_options(void)
{
	if (cmd_choice.all)
		with_index = true;
	if (with_index && !output)
		return mw_error_new(MW_E_USAGE, "an index needs a file beside "
				    "it: give --output=FILE");
	if (!output && isatty(STDOUT_FILENO))
		return mw_error_new(MW_E_USAGE, "raw bytes are not written to "
				    "a terminal: give --output=FILE or a "
				    "pipe, or look with `memwhy hexdump`");
	return NULL;
}

static struct mw_error *open_files(struct dump *d, struct mw_output **index)
{
	MW_CLEANUP(mw_freep) char *index_path = NULL;
	struct mw_error *error = NULL;

	if (output)
		error = mw_output_open(output, force, &d->file);
	if (error || !with_index)
		return error;
	index_path = mw_format("%s.index", output);
	if (!index_path)
		return mw_error_nomem();
	return mw_output_open(index_path, force, index);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_bytes_free) struct cmd_bytes bytes = { 0 };
	MW_CLEANUP(mw_output_freep) struct mw_output *index = NULL;
	struct dump d = { .call = call, .bytes = &bytes };
	struct mw_error *error = check_options();

	if (!error)
		error = open_files(&d, &index);
	if (!error)
		error = cmd_bytes_take(call, false, &bytes);
	if (!error)
		error = dump(&d, index);
	if (!error) {
		cmd_note_absent(&bytes, d.lost_bytes,
				cmd_choice.all
					? "written"
					: "read: zeros stand for them");
		cmd_print_notes(bytes.books.target);
	}
	mw_output_free(d.file);
	mw_vec_free(&d.entries);
	return error;
}

static const struct cmd_option options[] = {
	{ .name = "output", .letter = 'o', .argument = "FILE",
	  .text = &output,
	  .help = "write to FILE instead of standard output" },
	{ .name = "force", .flag = &force,
	  .help = "replace FILE if it is there" },
	{ .name = "index", .flag = &with_index,
	  .help = "also write FILE.index: which address lies where; with\n"
		  "--all, it is always written" },
	CMD_RANGE_OPTIONS,
	{ 0 },
};

const struct cmd_command cmd_dump = {
	.name = "dump",
	.operands = "TARGET",
	.summary = "raw bytes of memory, to a file or a pipe",
	.shared = CMD_CAPTURE | CMD_FILES,
	.options = options,
	.run = run,
	.help = help,
};
