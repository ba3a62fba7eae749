/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cmd_debug.h"
#include "cmd_syms.h"
#include "cmd_values.h"
#include "mw_guard.h"
#include "mw_vars.h"

/*
 * What variables hold: by their types in DWARF; where there is none, by what
 * their bytes look like, and as bytes.
 */

#define MOST_VALUE 1024 /* bytes of text */
#define MOST_GUESS 128	/* bytes of a string that is guessed */
#define MOST_RAW 32

struct reader {
	struct syms *syms;
	struct mw_target *memory;
	struct cmd_values known;
	struct syms_value *values;
};

/* Without a type */

/** Whether all of it is text, and at least @least bytes. */
static bool is_text(const uint8_t *bytes, size_t count, size_t least)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] >= 0x7f || bytes[i] == 0 ||
		    (bytes[i] < 0x20 && !strchr("\t\n\r", bytes[i])))
			return false;
	return count >= least;
}

/** A pointer and a length, where there is that much text. */
static bool guess_string(struct reader *r, const uint64_t *words,
			 struct mw_text *to)
{
	uint8_t text[MOST_GUESS];
	uint64_t take = mw_min(words[1], sizeof(text));

	if (take == 0 || words[1] > MW_GIB(1) ||
	    !mw_target_read(r->memory, words[0], text, take) ||
	    memchr(text, 0, take))
		return false;
	mw_text_quote(to, text, take, take < words[1]);
	return true;
}

static bool is_readable(struct reader *r, uint64_t va)
{
	uint8_t byte;

	return mw_target_read(r->memory, va, &byte, 1);
}

/** The name of the type that Go's @words look like, or NULL. */
static const char *guess_go(struct reader *r, const uint64_t *words,
			    uint64_t bytes, struct mw_text *to)
{
	uint64_t type;

	if (bytes == 16) {
		if (cmd_values_dynamic(&r->known, words[0], words[1], to))
			return "interface?";
		if (r->known.types &&
		    mw_target_read_u64(r->memory, words[0] + 8, &type) &&
		    mw_go_types_has(r->known.types, type) &&
		    cmd_values_dynamic(&r->known, type, words[1], to))
			return "interface?";
		if (guess_string(r, words, to))
			return "string?";
	}
	if (bytes == 24 && words[1] <= words[2] && words[2] > 0 &&
	    words[2] < MW_GIB(64) && is_readable(r, words[0])) {
		mw_text_add(to, "len %" PRIu64 " cap %" PRIu64 " at 0x%" PRIx64,
			    words[1], words[2], words[0]);
		return "slice?";
	}
	return NULL;
}

static void add_raw(const uint8_t *bytes, uint64_t count, uint64_t of,
		    struct mw_text *to)
{
	for (uint64_t i = 0; i < count; i++)
		mw_text_add(to, i ? " %02x" : "%02x", bytes[i]);
	if (count < of)
		mw_text_add(to, " …");
}

/** What the bytes look like, or the bytes. */
static const char *guess(struct reader *r, const struct syms_row *row,
			 struct mw_text *to)
{
	uint8_t bytes[MOST_GUESS];
	uint64_t take = mw_min(row->bytes, sizeof(bytes)), words[3] = { 0 };
	const uint8_t *nul;
	const char *type;

	if (!mw_target_read(r->memory, row->address, bytes, take)) {
		mw_text_add(to, "(not readable)");
		return NULL;
	}
	memcpy(words, bytes, mw_min(take, sizeof(words)));
	if (r->syms->images.v[row->image].is_go) {
		type = guess_go(r, words, row->bytes, to);
		if (type)
			return type;
	}
	nul = memchr(bytes, 0, take);
	if (nul && row->bytes != 8 &&
	    is_text(bytes, (size_t)(nul - bytes), 4)) {
		mw_text_quote(to, bytes, (size_t)(nul - bytes), false);
		return "char[]?";
	}
	if (row->bytes != 8 && row->bytes != 4) {
		add_raw(bytes, mw_min(take, MOST_RAW), row->bytes, to);
		return NULL;
	}
	mw_text_add(to, "0x%" PRIx64, words[0]);
	if (row->bytes == 8 && words[0] >= MW_PAGE_BYTES) {
		mw_text_add(to, " ");
		if (!cmd_values_name(&r->known, words[0], to))
			to->v[--to->n] = '\0';
	}
	return NULL;
}

/* All of them */

static bool has_value(const struct syms_row *row)
{
	return row->kind == SYMS_DATA && row->bytes > 0;
}

static bool keep(struct syms_value *value, struct mw_text *text,
		 const char *type, const struct mw_text *type_text)
{
	if (text->v)
		value->text = mw_strdup(text->v);
	if (type_text && type_text->v)
		type = type_text->v;
	if (type)
		value->type = mw_strdup(type);
	return !text->failed && (!text->v || value->text) &&
	       (!type || value->type);
}

static bool take_typed(struct reader *r, struct mw_vars *vars,
		       const struct mw_var *var)
{
	const struct mw_vars_memory memory = cmd_values_memory(&r->known);
	MW_CLEANUP(mw_text_free) struct mw_text type = { .limit = MOST_VALUE };
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = MOST_VALUE };
	const struct syms_row *row = &r->syms->rows.v[var->place];

	mw_vars_type_name(vars, var->type, &type);
	mw_vars_value(vars, var->type, &memory, row->address, &text);
	return keep(&r->values[var->place], &text, NULL, &type);
}

static bool take_guess(struct reader *r, size_t place)
{
	MW_CLEANUP(mw_text_free) struct mw_text text = { .limit = MOST_VALUE };
	const char *type = guess(r, &r->syms->rows.v[place], &text);

	return keep(&r->values[place], &text, type, NULL);
}

/** From the file or its debug file, then open as *@debug as long as @ret. */
static struct mw_error *open_vars(const struct syms_image *image, int *debug,
				  struct mw_vars **ret)
{
	struct mw_error *error = mw_vars_open(image->fd, ret);

	if (!error || error->code == MW_E_NOMEM)
		return error;
	*debug = cmd_open_debug_file(image->path, image->fd);
	if (*debug < 0)
		return error;
	mw_error_free(error);
	return mw_vars_open(*debug, ret);
}

/** From the file of @image or its debug file; *@ret is NULL without types. */
static struct mw_error *find_types(const struct syms_image *image, int *debug,
				   struct mw_vars **ret)
{
	struct mw_error *error;

	if (!image->file->is_64) {
		mw_elf_file_problem(
			image->file,
			mw_error_new(MW_E_UNSUPPORTED, "a 32-bit file: what "
				     "its variables hold is told as bytes, "
				     "without their types"));
		return NULL;
	}
	error = open_vars(image, debug, ret);
	if (error && error->code == MW_E_NOMEM)
		return error;
	if (error && error->code != MW_E_NOT_FOUND)
		mw_elf_file_problem(image->file,
				    mw_error_prefix(error, "no types of "
						    "variables"));
	else
		mw_error_free(error); // without them, by looks
	return NULL;
}

static struct mw_error *read_image(struct reader *r, uint32_t index)
{
	const struct syms *syms = r->syms;
	const struct syms_image *image = &syms->images.v[index];
	MW_CLEANUP(mw_closep) int debug = -1;
	MW_CLEANUP(mw_vars_closep) struct mw_vars *vars = NULL;
	MW_CLEANUP(mw_freep) struct mw_var *list =
		mw_calloc(syms->rows.n, sizeof(*list));
	const struct mw_vars_files files = { cmd_open_split_file,
					     (void *)image->path };
	struct mw_error *error;
	size_t count = 0;
	bool ok = true;

	if (!list)
		return mw_error_nomem();
	for (size_t i = 0; i < syms->rows.n; i++) {
		const struct syms_row *row = &syms->rows.v[i];

		if (row->image == index && has_value(row))
			list[count++] = (struct mw_var){
				.vaddr = row->address -
					 (row->is_tls ? image->tls
						      : image->bias),
				.is_tls = row->is_tls,
				.unit = *row->package ? row->package : NULL,
				.place = i,
			};
	}
	if (count == 0)
		return NULL;
	error = find_types(image, &debug, &vars);
	if (error)
		return error;
	if (vars) {
		mw_vars_use_files(vars, &files);
		mw_vars_find(vars, list, count);
	}
	if (vars && mw_vars_lacks_split(vars))
		mw_elf_file_problem(
			image->file,
			mw_error_new(MW_E_NOT_FOUND, "types of variables are "
				     "in files of their own (.dwo or .dwp, "
				     "split DWARF), some of which are not "
				     "there"));
	for (size_t i = 0; ok && i < count; i++)
		ok = list[i].is_found ? take_typed(r, vars, &list[i])
				      : take_guess(r, list[i].place);
	return ok ? NULL : mw_error_nomem();
}

uint64_t syms_variables(const struct syms *syms)
{
	uint64_t count = 0;

	for (size_t i = 0; i < syms->rows.n; i++)
		count += has_value(&syms->rows.v[i]);
	return count;
}

struct mw_error *syms_values(struct syms *syms, struct syms_value **ret)
{
	struct reader r = { .syms = syms, .memory = syms_memory(syms) };
	struct mw_error *error = NULL;

	r.values = mw_calloc(syms->rows.n, sizeof(*r.values));
	if (!r.values)
		return mw_error_nomem();
	if (r.memory)
		error = cmd_values_open(r.memory, &r.known);
	for (size_t i = 0; r.memory && !error && i < syms->images.n; i++)
		error = read_image(&r, (uint32_t)i);
	cmd_values_close(&r.known);
	if (error)
		syms_values_free(r.values, syms->rows.n);
	else
		*ret = r.values;
	return error;
}

void syms_values_free(struct syms_value *values, size_t count)
{
	for (size_t i = 0; values && i < count; i++) {
		mw_free(values[i].type);
		mw_free(values[i].text);
	}
	mw_free(values);
}
