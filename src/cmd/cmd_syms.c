/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "cmd_syms.h"
#include "mw_guard.h"
#include "mw_kernel.h"

static const char *const orders[] = { "address", "size", "name", "package",
				      NULL };
static const char *const when[] = { "auto", "yes", "no", NULL };
enum when { AUTO, YES, NO };
/** Reading types takes time, and nobody reads thousands of values. */
#define MOST_VALUES 200

enum order { BY_ADDRESS, BY_SIZE, BY_NAME, BY_PACKAGE };

static struct syms_filter filter;
static unsigned order, values_when;
static const char *image_name, *literal;

enum column {
	ADDRESS, SIZE, TYPE, SECTION, IMAGE, PACKAGE, TID, RESIDENT, NAME,
	VALUE_TYPE, VALUE, COLUMNS,
};

static const struct mw_column columns[] = {
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "where it is, in the process or as the file has it; of "
		      "TLS, its offset there unless TID is told" },
	[SIZE] = { "size_bytes", "SIZE", MW_UNIT_BYTES, "its size" },
	[TYPE] = { "type", "T", MW_UNIT_TEXT,
		   "the letter of nm(1): t code, d data, b zeroed, r read-only, "
		   "u and w undefined; capital: global" },
	[SECTION] = { "section", "SECTION", MW_UNIT_TEXT,
		      "ELF section; UND, ABS, COM" },
	[PACKAGE] = { "package", "PACKAGE", MW_UNIT_TEXT, "of Go: its path" },
	[NAME] = { "name", "NAME", MW_UNIT_TEXT, "as the linker has it" },
	[IMAGE] = { "image", "IMAGE", MW_UNIT_TEXT,
		    "the file that it belongs to" },
	[TID] = { "tid", "TID", MW_UNIT_COUNT,
		     "of TLS: whose variable it is, the main thread's, where "
		     "that is known" },
	[RESIDENT] = { "resident_bytes", "RES", MW_UNIT_BYTES,
		       "of a process: what of it is in memory" },
	[VALUE_TYPE] = { "value_type", "HOLDS", MW_UNIT_TEXT,
			 "of a variable, by DWARF; with a question mark, what "
			 "its bytes look like where there is none" },
	[VALUE] = { "value", "VALUE", MW_UNIT_TEXT,
		    "what a variable holds now, or at first in a file; bytes "
		    "when its type is not known" },
};

/* Order */

static int by_address(const void *a, const void *b)
{
	const struct syms_row *x = a, *y = b;

	if (x->has_address != y->has_address)
		return x->has_address ? 1 : -1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->bytes != y->bytes ? (x->bytes < y->bytes ? -1 : 1)
				    : strcmp(x->name, y->name);
}

static int by_size(const void *a, const void *b)
{
	const struct syms_row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return by_address(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct syms_row *x = a, *y = b;
	int result = strcmp(x->name, y->name);

	return result ? result : by_address(a, b);
}

static int by_package(const void *a, const void *b)
{
	const struct syms_row *x = a, *y = b;
	int result = strcmp(x->package, y->package);

	return result ? result : by_address(a, b);
}

static void sort(struct syms *syms)
{
	static int (*const functions[])(const void *a, const void *b) = {
		[BY_ADDRESS] = by_address,
		[BY_SIZE] = by_size,
		[BY_NAME] = by_name,
		[BY_PACKAGE] = by_package,
	};

	if (syms->rows.n)
		qsort(syms->rows.v, syms->rows.n, sizeof(*syms->rows.v),
		      functions[order]);
}

/* The table */

static uint64_t resident(const struct syms *syms, size_t *hint,
			 const struct syms_row *row)
{
	struct mw_tally tally = { 0 };
	uint64_t end;

	if (mw_end(row->address, row->bytes, &end))
		mw_pages_tally(mw_target_pages(syms->target), hint,
			       row->address, end, &tally);
	return tally.rss_bytes;
}

static void fill_row(const struct syms *syms, size_t *hint,
		     const struct syms_row *row, struct mw_cell *cells)
{
	static const char letters[][2] = {
#define LETTER(i) [i] = { i, '\0' }
		LETTER('?'), LETTER('A'), LETTER('B'), LETTER('C'),
		LETTER('D'), LETTER('E'), LETTER('I'), LETTER('N'),
		LETTER('P'), LETTER('R'), LETTER('T'), LETTER('U'),
		LETTER('V'), LETTER('W'), LETTER('a'), LETTER('b'),
		LETTER('d'), LETTER('e'), LETTER('i'), LETTER('n'),
		LETTER('p'), LETTER('r'), LETTER('t'), LETTER('u'),
		LETTER('v'), LETTER('w'),
#undef LETTER
	};
	const struct mw_image *image = syms->images.v[row->image].image;

	mw_cell_borrow(&cells[NAME], row->name);
	mw_cell_borrow(&cells[SECTION], row->section);
	mw_cell_borrow(&cells[PACKAGE], row->package);
	mw_cell_borrow(&cells[TYPE], letters[row->type]);
	mw_cell_value(&cells[SIZE], row->bytes);
	if (row->has_address)
		mw_cell_value(&cells[ADDRESS], row->address);
	if (!image)
		return;
	mw_cell_borrow(&cells[IMAGE], image->name);
	if (row->is_tls)
		mw_cell_value(&cells[TID],
			      (uint64_t)mw_target_info(syms->target)->pid);
	if (row->kind != SYMS_OTHER)
		mw_cell_value(&cells[RESIDENT], resident(syms, hint, row));
}

static bool fill(const struct syms *syms, const struct syms_value *values,
		 struct mw_table *table)
{
	size_t hint = 0;

	for (size_t i = 0; i < syms->rows.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells)
			return false;
		fill_row(syms, &hint, &syms->rows.v[i], cells);
		if (values && values[i].type)
			mw_cell_borrow(&cells[VALUE_TYPE], values[i].type);
		if (values && values[i].text)
			mw_cell_borrow(&cells[VALUE], values[i].text);
	}
	return true;
}

/** Text has no room for columns that tell nothing. */
static void choose_columns(const struct syms *syms, bool has_values,
			   struct mw_column shown[COLUMNS])
{
	bool any_package = false, any_tls = false;

	memcpy(shown, columns, sizeof(columns));
	for (size_t i = 0; i < syms->rows.n && !(any_package && any_tls); i++) {
		any_package |= *syms->rows.v[i].package != '\0';
		any_tls |= syms->rows.v[i].is_tls;
	}
	if (!any_package || filter.package)
		shown[PACKAGE].heading = NULL;
	if (syms->images.n <= 1)
		shown[IMAGE].heading = NULL;
	if (!any_tls)
		shown[TID].heading = NULL;
	if (!syms->target)
		shown[RESIDENT].heading = NULL;
	if (!has_values)
		shown[VALUE_TYPE].heading = shown[VALUE].heading = NULL;
}

static void problems(const struct syms *syms)
{
	for (size_t i = 0; i < syms->images.n; i++) {
		const struct mw_elf_file *file = syms->images.v[i].file;

		for (size_t k = 0; file && k < file->problems.n; k++) {
			fputs("memwhy: note: ", stderr);
			mw_print_escaped(stderr,
					 file->problems.v[k]->message);
			putc('\n', stderr);
		}
	}
}

static void emit(const struct cmd_call *call, const struct syms *syms,
		 struct mw_table *table, bool has_values, uint64_t stopped,
		 uint64_t begun)
{
	struct mw_column shown[COLUMNS];

	problems(syms);
	if (syms->target)
		cmd_print_notes(syms->target);
	if (call->format == MW_FORMAT_TEXT) {
		choose_columns(syms, has_values, shown);
		table->columns = shown;
	}
	cmd_emit_table(call, table, syms->target, NULL, stopped,
		       mw_kernel_now() - begun);
}

static bool wants_values(const struct syms *syms)
{
	uint64_t count = syms_variables(syms);

	return count > 0 && (values_when == YES ||
			     (values_when == AUTO && count <= MOST_VALUES));
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(syms_close) struct syms syms = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	uint64_t begun = mw_kernel_now(), stopped = 0;
	struct syms_value *values = NULL;
	struct mw_error *error = syms_open(call, image_name, &syms);

	if (!error && literal)
		return syms_literal(&syms, literal, begun);
	if (!error)
		error = syms_load(&syms, &filter);
	if (!error)
		sort(&syms);
	if (!error && wants_values(&syms))
		error = syms_values(&syms, &values);
	if (syms.target)
		stopped = mw_target_release(syms.target);
	if (error)
		return error;
	mw_table_init(&table, columns, COLUMNS);
	if (fill(&syms, values, &table))
		emit(call, &syms, &table, values != NULL, stopped, begun);
	else
		error = mw_error_nomem();
	syms_values_free(values, syms.rows.n);
	return error;
}

static void help(FILE *out)
{
	cmd_print_columns(out, columns, COLUMNS);
	syms_literal_help(out);
}

static const struct cmd_option options[] = {
	{ .name = "section", .argument = "NAME", .text = &filter.section,
	  .help = "only of this section: .data, .bss, .text, …" },
	{ .name = "package", .argument = "PATH", .text = &filter.package,
	  .help = "only of this Go package" },
	{ .name = "match", .argument = "TEXT|REGEX", .text = &filter.match,
	  .help = "only names that contain TEXT; when none does, those\n"
		  "that match it as an extended regular expression" },
	{ .name = "sort", .argument = "address|size|name|package",
	  .choices = orders, .choice = &order,
	  .help = "order (default: address)" },
	{ .name = "values", .argument = "auto|yes|no", .choices = when,
	  .choice = &values_when,
	  .help = "what variables hold (auto: when there are at most 200)" },
	{ .name = "literal", .argument = "TEXT", .text = &literal,
	  .help = "instead: where TEXT stands among the constants, and the\n"
		  "functions and variables that refer to it" },
	{ .name = "all", .flag = &filter.all,
	  .help = "also symbols that only name a file or a section" },
	{ .name = "image", .argument = "NAME", .text = &image_name,
	  .help = "of a process: this file instead of the executable,\n"
		  "or all" },
	{ 0 },
};

const struct cmd_command cmd_syms = {
	.name = "syms",
	.operands = "TARGET",
	.summary = "symbols: section, size, package, and what variables hold",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_FILES,
	.options = options,
	.run = run,
	.help = help,
};
