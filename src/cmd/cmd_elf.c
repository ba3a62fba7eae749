/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cmd_elf.h"
#include "mw_guard.h"

static bool show_header, show_sections, show_segments, show_dynamic,
	show_notes, show_layout, show_symbols, show_go;
static const char *image_name;

static const struct cmd_option options[] = {
	{ .name = "header", .flag = &show_header, .help = "the ELF header" },
	{ .name = "sections", .letter = 'S', .flag = &show_sections,
	  .help = "the sections" },
	{ .name = "segments", .letter = 'l', .flag = &show_segments,
	  .help = "the program headers, with the sections in each" },
	{ .name = "dynamic", .letter = 'd', .flag = &show_dynamic,
	  .help = "the dynamic section" },
	{ .name = "notes", .letter = 'n', .flag = &show_notes,
	  .help = "the notes" },
	{ .name = "layout", .flag = &show_layout,
	  .help = "what each byte of the file is for" },
	{ .name = "symbols", .letter = 's', .flag = &show_symbols,
	  .help = "the symbol tables (not shown unless asked for)" },
	{ .name = "go", .flag = &show_go,
	  .help = "of a Go program: version, modules, build settings, and what\n"
		  "each package takes in the file" },
	{ .name = "image", .argument = "NAME", .text = &image_name,
	  .help = "of a process or core: this image: a shared object (libc),\n"
		  "the executable, vdso" },
	{ 0 },
};

/** All tables in the order in which they are shown. */
static const struct {
	const struct cmd_elf_table *table;
	const bool *asked;
	bool unasked; /* shown, too, when none is asked for */
} tables[] = {
	{ &cmd_elf_sections, &show_sections, true },
	{ &cmd_elf_segments, &show_segments, true },
	{ &cmd_elf_dynamic, &show_dynamic, true },
	{ &cmd_elf_notes, &show_notes, true },
	{ &cmd_elf_layout, &show_layout, true },
	{ &cmd_elf_symbols, &show_symbols, false },
	{ &cmd_elf_go_modules, &show_go, true },
	{ &cmd_elf_go_settings, &show_go, true },
	{ &cmd_elf_go_packages, &show_go, false },
};

/** How many parts are asked for; 0: those that are shown unasked. */
static unsigned asked_count(void)
{
	unsigned count = show_header;

	for (size_t i = 0; i < MW_COUNT(tables); i++)
		// Go's are asked for together.
		if (i == 0 || tables[i].asked != tables[i - 1].asked)
			count += *tables[i].asked;
	return count;
}

static bool is_shown(const struct cmd_elf *elf, size_t i)
{
	if (tables[i].asked == &show_go && !elf->go && !show_go)
		return false;
	return *tables[i].asked || (tables[i].unasked && asked_count() == 0);
}

/** Which columns are worth their room in text: those that have anything. */
static void hide_empty(const struct cmd_elf_table *t,
		       const struct mw_table *table, struct mw_column *columns)
{
	for (size_t c = 0; c < table->column_count; c++) {
		bool any = false;

		for (size_t at = c; !any && at < table->cells.n;
		     at += table->column_count)
			any = table->cells.v[at].value ||
			      (table->cells.v[at].text &&
			       *table->cells.v[at].text);
		columns[c] = t->columns[c];
		if (!any)
			columns[c].heading = NULL;
	}
}

#define MOST_COLUMNS 32

static void emit_text(const struct cmd_elf *elf, const struct cmd_elf_table *t,
		      struct mw_table *table)
{
	const struct mw_style *style = &elf->call->style;
	struct mw_column columns[MOST_COLUMNS];
	size_t rows = mw_table_rows(table);

	printf("%s%s%s%s", asked_count() == 1 ? "" : "\n",
	       style->color ? "\033[1m" : "", t->title,
	       style->color ? "\033[0m" : "");
	if (rows == 0) {
		puts(": none");
		return;
	}
	printf(", %zu\n", rows);
	hide_empty(t, table, columns);
	table->columns = columns;
	mw_table_emit_text(table, stdout, style);
	table->columns = t->columns;
}

static struct mw_error *emit_table(const struct cmd_elf *elf,
				   const struct cmd_elf_table *t,
				   struct mw_json *json)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_error *error;

	mw_table_init(&table, t->columns,
		      t->column_count -
			      (elf->target ? 0 : t->process_columns));
	error = t->fill(elf, &table);
	if (error)
		return error;
	switch (elf->call->format) {
	case MW_FORMAT_TEXT:
		emit_text(elf, t, &table);
		break;
	case MW_FORMAT_CSV:
		mw_table_emit_csv(&table, stdout);
		break;
	case MW_FORMAT_JSON:
		mw_json_key(json, t->key);
		mw_json_object(json);
		mw_json_table(json, &table);
		mw_json_end(json);
		break;
	}
	return NULL;
}

static struct mw_error *emit_tables(const struct cmd_elf *elf,
				    struct mw_json *json)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; !error && i < MW_COUNT(tables); i++) {
		if (!is_shown(elf, i))
			continue;
		error = emit_table(elf, tables[i].table, json);
		// CSV has room for one.
		if (elf->call->format == MW_FORMAT_CSV)
			break;
	}
	return error;
}

static void json_file_target(const struct cmd_elf *elf, struct mw_json *json)
{
	const char *slash = strrchr(elf->path, '/');

	mw_json_key(json, "target");
	mw_json_object(json);
	mw_json_member_text(json, "kind", "file");
	mw_json_key(json, "pid");
	mw_json_null(json);
	mw_json_member_text(json, "comm", slash ? slash + 1 : elf->path);
	mw_json_member_text(json, "exe", elf->path);
	mw_json_member_u64(json, "bits", elf->file->is_64 ? 64 : 32);
	mw_json_member_u64(json, "page_bytes", MW_PAGE_BYTES);
	mw_json_key(json, "go");
	mw_json_null(json);
	mw_json_end(json);
	mw_json_key(json, "capture");
	mw_json_null(json);
}

static void json_begin(const struct cmd_elf *elf, struct mw_json *json)
{
	if (elf->target) {
		cmd_json_begin(json, elf->call, elf->target, NULL, 0,
			       elf->wall_ns);
	} else {
		cmd_json_schema(json, elf->call);
		json_file_target(elf, json);
	}
	mw_json_member_text(json, "image", elf->path);
	mw_json_key(json, "summary");
	cmd_elf_summary_json(elf, json);
	if (show_go || asked_count() == 0) {
		mw_json_key(json, "go");
		cmd_elf_go_json(elf, json);
	}
	if (show_header || asked_count() == 0) {
		mw_json_key(json, "header");
		cmd_elf_header_json(elf, json);
	}
}

static void json_end(const struct cmd_elf *elf, struct mw_json *json)
{
	const char *const *notes;
	size_t count = 0;

	mw_json_key(json, "problems");
	mw_json_array(json);
	for (size_t i = 0; i < elf->file->problems.n; i++)
		mw_json_text(json, elf->file->problems.v[i]->message);
	mw_json_end(json);
	// "notes" are the file's here.
	mw_json_key(json, "target_notes");
	mw_json_array(json);
	notes = elf->target ? mw_target_notes(elf->target, &count) : NULL;
	for (size_t i = 0; i < count; i++)
		mw_json_text(json, notes[i]);
	mw_json_end(json);
	mw_json_end(json);
}

static struct mw_error *emit(const struct cmd_elf *elf)
{
	struct mw_json json;
	struct mw_error *error;

	switch (elf->call->format) {
	case MW_FORMAT_JSON:
		json_begin(elf, &json);
		error = emit_tables(elf, &json);
		if (!error)
			json_end(elf, &json);
		return error;
	case MW_FORMAT_CSV:
		if (show_header)
			cmd_elf_header_csv(elf, stdout);
		break;
	case MW_FORMAT_TEXT:
		if (asked_count() == 0) {
			cmd_elf_summary_text(elf, stdout);
			puts("\nELF header");
		}
		if (show_header || asked_count() == 0)
			cmd_elf_header_text(elf, stdout);
		if (elf->go && asked_count() == 0)
			puts("\nGo");
		if (elf->go || show_go)
			cmd_elf_go_text(elf, stdout);
		break;
	}
	return emit_tables(elf, NULL);
}

/** The first problem is the command's error, the others are notes. */
static struct mw_error *report_problems(struct cmd_elf *elf)
{
	struct mw_error **problems = elf->file->problems.v;

	if (elf->file->problems.n == 0)
		return NULL;
	fflush(stdout);
	for (size_t i = 1; i < elf->file->problems.n; i++) {
		fputs("memwhy: note: ", stderr);
		mw_print_escaped(stderr, problems[i]->message);
		putc('\n', stderr);
	}
	return mw_error_prefix(mw_steal(problems[0]), "%s", elf->path);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_elf_close) struct cmd_elf elf = { 0 };
	uint64_t start = now_ns();
	struct mw_error *error;

	if (call->format == MW_FORMAT_CSV && asked_count() != 1)
		return mw_error_new(MW_E_USAGE, "--format=csv is for one table: "
				    "--sections, --segments, …");
	error = cmd_elf_open(call, image_name, &elf);
	if (error)
		return error;
	if (show_go || (asked_count() == 0 && cmd_elf_looks_go(&elf)))
		error = cmd_elf_load_go(&elf, show_go);
	if (error)
		return error;
	if (elf.target) {
		mw_target_release(elf.target);
		cmd_print_notes(elf.target);
	}
	elf.wall_ns = now_ns() - start;
	error = emit(&elf);
	return error ? error : report_problems(&elf);
}

static void help(FILE *out)
{
	fputs("\nTARGET may be an ELF file of any machine, too. Without an "
	      "option that chooses, all\nis shown but the symbols.\n", out);
	for (size_t i = 0; i < MW_COUNT(tables); i++) {
		fprintf(out, "\n%s:\n", tables[i].table->title);
		cmd_print_columns(out, tables[i].table->columns,
				  tables[i].table->column_count);
	}
}

const struct cmd_command cmd_elf = {
	.name = "elf",
	.operands = "TARGET",
	.summary = "an ELF file: headers, sections, segments, layout, notes",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_FILES,
	.options = options,
	.run = run,
	.help = help,
};
