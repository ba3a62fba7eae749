/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_code.h"
#include "cmd_debug.h"
#include "cmd_names.h"
#include "cmd_object.h"
#include "cmd_ranges.h"
#include "mw_guard.h"
#include "mw_kernel.h"
#include "mw_lines.h"
#include "mw_text.h"

static const char *const syntaxes[] = { "go", "intel", "att", "auto", NULL };
#define SYNTAX_AUTO 3

static unsigned syntax = SYNTAX_AUTO;
static uint64_t most_instructions = 40;
static const char *section_name;

#define LONGEST_INSN 15

enum column {
	FUNCTION, FILE_NAME, LINE, PLACE, ADDRESS, BYTES, INSN, COMMENT,
	COLUMNS, /* but object files have more */
	RELOCATIONS = COLUMNS, SECTION,
	OBJECT_COLUMNS,
};

static const struct mw_column columns[] = {
	[FUNCTION] = { "function", NULL, MW_UNIT_TEXT,
		       "the function, or the one that was inlined here" },
	[FILE_NAME] = { "file", NULL, MW_UNIT_TEXT, "source file" },
	[LINE] = { "line", NULL, MW_UNIT_COUNT, "line in the source file" },
	[PLACE] = { "place", "LINE", MW_UNIT_TEXT,
		    "name of the source file, and the line" },
	[ADDRESS] = { "address", "ADDRESS", MW_UNIT_ADDRESS,
		      "of the instruction" },
	[BYTES] = { "bytes", "BYTES", MW_UNIT_TEXT, "machine code" },
	[INSN] = { "instruction", "INSTRUCTION", MW_UNIT_TEXT,
		   "what it does, with names for addresses" },
	[COMMENT] = { "comment", "REFERS TO", MW_UNIT_TEXT,
		      "string literal, or section, that it refers to" },
	[RELOCATIONS] = { "relocations", "RELOCATIONS", MW_UNIT_TEXT,
			  "of an object file: what the linker will put there" },
	[SECTION] = { "section", NULL, MW_UNIT_TEXT,
		      "of an object file: what the address counts in" },
};

/** What is being disassembled. */
struct work {
	struct mw_target *target;
	struct cmd_names *names;
	struct cmd_object *object; /* NULL: its code is where it runs */
	struct cmd_name what; /* text NULL: code without a name */
	struct mw_go_func func;
	bool is_go;
	bool is_open; /* where it ends is not known */
	struct mw_lines *lines; /* or NULL */
	uint64_t lines_bias;	/* address for them = va + lines_bias */
	int fd;			/* what they are read from */
	struct cmd_code code;
	size_t insn; /* the one that is being told */
};

static void work_deinit(struct work *work)
{
	mw_lines_close(work->lines);
	mw_closep(&work->fd);
	cmd_code_free(&work->code);
	cmd_object_close(work->object);
	cmd_names_close(work->names);
	mw_target_close(work->target);
}

/* What to disassemble */

static struct mw_error *find_linked(struct work *work, const char *text)
{
	struct mw_error *error = cmd_names_find(work->names, text, &work->what);
	uint64_t va;

	if (error && error->code != MW_E_NOMEM && cmd_parse_address(text, &va)) {
		mw_error_free(error);
		error = NULL;
		if (!cmd_names_at(work->names, va, &work->what))
			work->what = (struct cmd_name){ .start = va };
	}
	return error;
}

static struct mw_error *find_code(struct work *work, const char *text)
{
	struct mw_error *error =
		work->object ? cmd_object_find(work->object, work->names, text,
					       section_name, &work->what)
			     : find_linked(work, text);

	if (error || work->what.bytes)
		return error;
	// Assembler's labels have no size; an address may have no name.
	work->is_open = true;
	work->what.bytes = most_instructions * LONGEST_INSN;
	return NULL;
}

/** The instructions, fewer where code without a name ends before. */
static struct mw_error *read_code(struct work *work)
{
	uint64_t bytes = work->what.bytes;
	size_t most = work->is_open ? most_instructions : SIZE_MAX;
	struct mw_error *error;

	if (work->object)
		return cmd_object_read(work->object, work->what.start, bytes,
				       most, &work->code);
	while ((error = cmd_code_read(work->target, work->what.start, bytes,
				      most, &work->code))) {
		if (error->code != MW_E_NOT_FOUND || !work->is_open ||
		    bytes <= 1)
			return work->what.text
				       ? mw_error_prefix(error, "%s",
							 work->what.text)
				       : error;
		mw_error_free(error);
		bytes /= 2;
	}
	return NULL;
}

/** What the lines call the address 0 of the code. */
static uint64_t lines_bias(const struct work *work)
{
	const struct mw_elf_section *section;
	uint32_t index;

	if (!work->object)
		return -work->what.image->bias;
	section = cmd_object_section(work->object, &index);
	return mw_lines_section(work->lines, index) - section->addr;
}

/** Where lines of C and the like come from. */
static void open_lines(struct work *work)
{
	const struct mw_image *image = work->what.image;
	struct mw_error *error;
	bool is_open;
	size_t count;
	int debug;

	if (work->object)
		image = mw_target_images(work->target, &count);
	if (work->is_go || !image)
		return;
	error = mw_target_open_image(work->target, image, &work->fd);
	is_open = !error;
	if (!error)
		error = mw_lines_open(work->fd, &work->lines);
	if (error && is_open) {
		debug = cmd_open_debug_file(image->path, work->fd);
		mw_closep(&work->fd);
		work->fd = debug;
		if (debug >= 0) {
			mw_error_free(error);
			error = mw_lines_open(debug, &work->lines);
		}
	}
	if (error && is_open && error->code != MW_E_NOT_FOUND)
		mw_target_note(work->target, "%s: no lines: %s", image->path,
			       error->message);
	mw_error_free(error); // without them, there are none
	if (work->lines)
		work->lines_bias = lines_bias(work);
}

/* Names and comments */

/** Whether @va is inside of the function: where a jump goes to. */
static bool is_inside(const struct work *work, uint64_t va)
{
	return work->what.text && va != work->what.start &&
	       va - work->what.start < work->what.bytes &&
	       !(work->object &&
		 cmd_object_is_relocated(work->object, &work->code, work->insn,
					 va));
}

static bool name_of(void *ctx, uint64_t va, char *to, size_t size)
{
	struct work *work = ctx;
	struct cmd_name name;

	if (is_inside(work, va))
		return false;
	if (work->object)
		return cmd_object_name(work->object, &work->code, work->insn,
				       va, to, size);
	if (!cmd_names_at(work->names, va, &name))
		return false;
	if (va == name.start)
		snprintf(to, size, "%s", name.text);
	else
		snprintf(to, size,
			 syntax == MW_SYNTAX_GO ? "%s+%" PRIu64
						: "%s+0x%" PRIx64,
			 name.text, va - name.start);
	return true;
}

#define MOST_LITERAL 64

/** Whether it is text; @bytes is cut to whole printable characters. */
static bool is_text(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] < 0x20 && !strchr("\t\n\r", bytes[i]))
			return false;
	return count > 0;
}

/** A string literal of the program at the address that @i loads, or NULL. */
static char *literal(struct work *work, size_t i)
{
	uint8_t bytes[MOST_LITERAL];
	uint64_t length = cmd_code_length(&work->code, i);
	uint64_t take = length ? mw_min(length, MOST_LITERAL) : MOST_LITERAL;
	struct mw_text text = { .limit = 4 * MOST_LITERAL };
	const uint8_t *nul;

	if (!mw_target_read(work->target, work->code.insns[i].data, bytes, take))
		return NULL;
	// Go's strings have a length, C's end with a NUL.
	nul = memchr(bytes, 0, take);
	if (!work->is_go) {
		if (!nul || nul - bytes < 2)
			return NULL;
		take = (uint64_t)(nul - bytes);
		length = take;
	} else if (!length || nul) {
		return NULL;
	}
	if (!is_text(bytes, take))
		return NULL;
	mw_text_quote(&text, bytes, take, take < length);
	return text.v; // handed over
}

static char *object_comment(struct work *work, size_t i)
{
	uint8_t bytes[MOST_LITERAL];
	struct mw_text text = { .limit = 4 * MOST_LITERAL };
	const char *section = NULL;
	size_t length = cmd_object_data(work->object, &work->code, i, bytes,
					sizeof(bytes), &section);

	if (length < 2 || !is_text(bytes, length))
		return section ? mw_strdup(section) : NULL;
	mw_text_quote(&text, bytes, length, false);
	return text.v; // handed over
}

static char *comment(struct work *work, size_t i)
{
	const struct mw_insn *insn = &work->code.insns[i];
	const struct mw_elf_section *section;
	const struct mw_image *image;
	char *text = NULL;

	if (work->object)
		return object_comment(work, i);
	if (!insn->has_data)
		return NULL;
	if (insn->move == MW_MOVE_ADDRESS)
		text = literal(work, i);
	image = cmd_image_at(work->target, insn->data);
	section = image ? cmd_section_at(image, insn->data) : NULL;
	return text || !section ? text : mw_strdup(section->name);
}

/* Rows */

static bool fill_line(struct work *work, uint64_t va, struct mw_cell *cells)
{
	const char *file = NULL, *function = work->what.text, *slash;
	struct mw_go_line line;
	uint32_t number = 0;

	if (work->is_go &&
	    mw_go_lines(cmd_names_go(work->names), &work->func, va, &line,
			1) > 0) {
		file = line.file;
		number = line.line;
		function = line.function;
	} else if (work->lines) {
		mw_lines_at(work->lines, va + work->lines_bias, &file,
			    &number);
	}
	if (function && !mw_cell_text(&cells[FUNCTION], function))
		return false;
	if (!file)
		return true;
	slash = strrchr(file, '/');
	char *place = mw_format("%s:%u", slash ? slash + 1 : file, number);
	bool ok = place && mw_cell_text(&cells[FILE_NAME], file) &&
		  mw_cell_text(&cells[PLACE], place);
	mw_cell_value(&cells[LINE], number);
	mw_free(place);
	return ok;
}

/** What only object files have. */
static bool fill_object(struct work *work, size_t i, struct mw_cell *cells)
{
	uint32_t index;
	MW_CLEANUP(mw_freep) char *relocations =
		cmd_object_relocations(work->object, &work->code, i);

	return mw_cell_text(&cells[SECTION],
			    cmd_object_section(work->object, &index)->name) &&
	       (!relocations ||
		mw_cell_text(&cells[RELOCATIONS], relocations));
}

static bool fill_row(struct work *work, size_t i, struct mw_cell *cells)
{
	const struct mw_insn *insn = &work->code.insns[i];
	const uint8_t *code = work->code.raw + (insn->va - work->code.start);
	const struct mw_insn_names names = { name_of, work };
	char text[MW_INSN_TEXT], hex[2 * LONGEST_INSN + 1];
	MW_CLEANUP(mw_freep) char *remark = comment(work, i);

	work->insn = i;
	for (size_t k = 0; k < insn->bytes; k++)
		snprintf(hex + 2 * k, 3, "%02x", code[k]);
	mw_insn_format(code, insn, (enum mw_syntax)syntax, &names, text);
	mw_cell_value(&cells[ADDRESS], insn->va);
	return mw_cell_text(&cells[BYTES], hex) &&
	       mw_cell_text(&cells[INSN], text) &&
	       (!remark || mw_cell_text(&cells[COMMENT], remark)) &&
	       (!work->object || fill_object(work, i, cells)) &&
	       fill_line(work, insn->va, cells);
}

/** The image with the code. */
static const struct mw_image *image_of(const struct work *work, uint64_t va)
{
	size_t count;

	return work->object ? mw_target_images(work->target, &count)
			    : cmd_image_at(work->target, va);
}

static struct mw_error *open_object(struct work *work)
{
	if (cmd_is_object(work->target))
		return cmd_object_open(work->target, &work->object);
	return section_name
		       ? mw_error_new(MW_E_UNSUPPORTED, "--section is for "
				      "object files; addresses of this target "
				      "need none")
		       : NULL;
}

static struct mw_error *take(struct work *work, const struct cmd_call *call)
{
	struct mw_error *error = cmd_open_target(call, &work->target);

	if (!error)
		error = open_object(work);
	if (!error)
		error = cmd_names_open(work->target, &work->names);
	if (!error)
		error = find_code(work, call->operands[0]);
	if (!error)
		error = cmd_code_check(image_of(work, work->what.start));
	if (!error)
		error = mw_insn_open();
	if (error)
		return error;
	work->is_go = !work->object && cmd_names_go(work->names) &&
		      mw_go_func_of(cmd_names_go(work->names),
				    work->what.start, &work->func);
	if (syntax == SYNTAX_AUTO)
		syntax = work->is_go ? MW_SYNTAX_GO : MW_SYNTAX_INTEL;
	error = read_code(work);
	if (!error)
		open_lines(work);
	return error;
}

static void print_head(const struct work *work)
{
	const struct mw_image *image = image_of(work, work->code.start);
	uint32_t index;

	mw_print_escaped(stdout, work->what.text ? work->what.text
						 : "code without a name");
	printf("  %" PRIx64 "-%" PRIx64 "  %zu bytes, %zu instructions",
	       work->code.start, work->code.start + work->code.bytes,
	       (size_t)work->code.bytes, work->code.count);
	if (image) {
		fputs("  ", stdout);
		mw_print_escaped(stdout, image->name);
	}
	if (work->object) {
		fputs("  ", stdout);
		mw_print_escaped(stdout,
				 cmd_object_section(work->object,
						    &index)->name);
	}
	fputs("\n\n", stdout);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	MW_CLEANUP(work_deinit) struct work work = { .fd = -1 };
	uint64_t begun = mw_kernel_now(), stopped = 0;
	struct mw_error *error = take(&work, call);

	mw_table_init(&table, columns,
		      work.object ? OBJECT_COLUMNS : COLUMNS);
	for (size_t i = 0; !error && i < work.code.count; i++) {
		struct mw_cell *cells = mw_table_add(&table);

		if (!cells || !fill_row(&work, i, cells))
			error = mw_error_nomem();
	}
	if (work.target)
		stopped = mw_target_release(work.target);
	if (error)
		return error;
	cmd_print_notes(work.target);
	if (call->format == MW_FORMAT_TEXT)
		print_head(&work);
	cmd_emit_table(call, &table, work.target, NULL, stopped,
		       mw_kernel_now() - begun);
	return NULL;
}

static void help(FILE *out)
{
	fputs("\nFUNCTION is a name, as `memwhy syms`, a backtrace or the source "
	      "has it, or ADDRESS, in\nhexadecimal, which means the function "
	      "that holds it. Of an object file, an address\ncounts in its "
	      "section.\n", out);
	cmd_print_columns(out, columns, OBJECT_COLUMNS);
}

static const struct cmd_option options[] = {
	{ .name = "syntax", .argument = "go|intel|att|auto",
	  .choices = syntaxes, .choice = &syntax,
	  .help = "of instructions (auto: go for Go code, else intel)" },
	{ .name = "count", .argument = "N", .number = &most_instructions,
	  .help = "instructions to show of code without a size\n"
		  "(default: 40)" },
	{ .name = "section", .argument = "NAME", .text = &section_name,
	  .help = "of an object file: the section, or its number, that is "
		  "meant" },
	{ 0 },
};

const struct cmd_command cmd_disas = {
	.name = "disas",
	.operands = "TARGET FUNCTION|ADDRESS",
	.summary = "a function's instructions, with names, lines and literals",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE | CMD_FILES,
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
	.help = help,
};
