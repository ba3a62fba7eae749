/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd_go_goroutines.h"
#include "cmd_values.h"
#include "mw_go_locate.h"
#include "mw_guard.h"

/*
 * Arguments and variables of goroutines' frames. Each stack is walked once
 * more, since only a goroutine's own frames have its values.
 */

#define MOST_VALUE 256 /* bytes of text */
#define MOST_TYPE 256
/** More text of all together is left out. */
#define MOST_BYTES MW_MIB(64)

/** A line of a backtrace. */
struct place {
	struct mw_go_line line;
	size_t frame; /* in the trace */
};

struct locals_reader {
	struct goroutines *g;
	struct mw_target *target;
	uint64_t bias; /* of the executable */
	struct cmd_values values;
	struct mw_vars_memory memory;
	uint64_t bytes; /* of text so far */
	uint64_t moved; /* goroutines that had other frames by now */
	/* Of the trace that was walked last: */
	uint32_t trace;
	MW_VEC(struct place) places;
	/* Of the goroutine: */
	size_t goroutine;
	const struct mw_go_goroutine *one;
	size_t frame;
	bool has_moved;
	bool failed; /* no memory */
	struct mw_error *error;
};

const char *goroutines_kind(enum mw_local_kind kind)
{
	static const char *const names[] = {
		[MW_LOCAL_ARGUMENT] = "arg",
		[MW_LOCAL_RESULT] = "result",
		[MW_LOCAL_VARIABLE] = "var",
	};

	return names[kind];
}

/* Which line a variable belongs to */

static bool note_place(const struct mw_go_line *line, size_t frame, void *ctx)
{
	struct locals_reader *r = ctx;
	struct place *place;

	if (goroutines_is_hidden(line->function))
		return true;
	place = mw_vec_push(&r->places);
	r->failed |= !place;
	if (place)
		*place = (struct place){ *line, frame };
	return place != NULL;
}

static struct mw_error *find_places(struct locals_reader *r, uint32_t trace)
{
	const struct mw_go_goroutines *all = &r->g->all;

	if (r->trace == trace)
		return NULL;
	r->places.n = 0;
	r->trace = trace;
	return mw_go_trace_lines(r->g->go, all, &all->traces.v[trace],
				 note_place, r);
}

/**
 * The number of the line of @local's function in the frame being read; false
 * when the backtrace has none, as for the compiler's wrappers.
 */
static bool line_of(const struct locals_reader *r, const struct mw_local *local,
		    uint32_t *ret)
{
	for (size_t i = 0; i < r->places.n; i++) {
		const struct place *place = &r->places.v[i];
		const char *name = place->line.function;

		if (place->frame != r->frame)
			continue;
		// The function table and DWARF name inlined calls alike.
		if (local->depth == 0
			    ? !place->line.is_inlined
			    : local->function &&
				      strcmp(local->function, name) == 0) {
			*ret = (uint32_t)i;
			return true;
		}
	}
	return false;
}

/* Taking them */

static const char *type_name(struct locals_reader *r, uint64_t type)
{
	struct goroutines *g = r->g;
	uint64_t *number = mw_map64_at(&g->type_numbers, type);

	if (number && !*number) {
		struct mw_text text = { .limit = MOST_TYPE };
		char **place;

		mw_vars_type_name(g->vars, type, &text);
		place = text.failed ? NULL : mw_vec_push(&g->types);
		if (place)
			*place = mw_strdup(text.v ? text.v : "?");
		mw_text_free(&text);
		if (!place || !*place) {
			g->types.n -= place != NULL;
			return NULL;
		}
		*number = g->types.n;
	}
	return number ? g->types.v[*number - 1] : NULL;
}

static bool keep_local(struct locals_reader *r, const struct mw_local *local,
		       uint32_t line)
{
	const struct mw_go_line *at = &r->places.v[line].line;
	struct mw_text value = { .limit = MOST_VALUE };
	struct goroutines_local *kept;
	const char *type = type_name(r, local->type);

	mw_locals_value(r->g->vars, local, &r->memory, &value);
	kept = value.failed || !type ? NULL : mw_vec_push(&r->g->locals);
	if (kept)
		*kept = (struct goroutines_local){
			.goroutine = r->goroutine,
			.line = line,
			.kind = local->kind,
			.is_there = mw_local_is_there(local),
			.name = local->name,
			.type = type,
			.value = mw_strdup(value.v ? value.v : ""),
			.function = at->function,
			.file = at->file,
			.file_line = at->line,
		};
	r->bytes += sizeof(*kept) + value.n;
	mw_text_free(&value);
	return kept && kept->value;
}

static bool take_local(const struct mw_local *local, void *ctx)
{
	struct locals_reader *r = ctx;
	uint32_t line;

	if (!line_of(r, local, &line))
		return true;
	// Not there yet.
	if (local->is_fixed && local->kind == MW_LOCAL_VARIABLE &&
	    local->line >= r->places.v[line].line.line)
		return true;
	r->failed = !keep_local(r, local, line);
	return !r->failed;
}

static bool is_full(const struct locals_reader *r)
{
	return r->bytes > MOST_BYTES;
}

/** Frames are the same as when the trace was taken, or the rest is left out. */
static bool take_frame(const struct mw_go_frame *frame, void *ctx)
{
	struct locals_reader *r = ctx;
	const struct mw_go_goroutines *all = &r->g->all;
	const struct mw_go_trace *trace = &all->traces.v[r->one->trace];
	const struct mw_locals_frame at = {
		.pc = frame->pc - r->bias,
		.is_caller = frame->line_pc != frame->pc,
		.cfa = frame->sp + frame->bytes,
		.registers = frame->registers,
	};

	// It may begin on the stack of a signal handler.
	if (frame->sp < r->one->stack_lo || frame->sp >= r->one->stack_hi)
		return true;
	if (r->frame >= trace->count ||
	    all->pcs.v[trace->first + r->frame] != frame->line_pc) {
		r->has_moved = true;
		return false;
	}
	r->error = mw_locals_visit(r->g->vars, &at, &r->memory, take_local, r);
	r->frame++;
	return !r->error && !r->failed && !is_full(r);
}

/* All */

static struct mw_error *read_goroutine(struct locals_reader *r)
{
	struct mw_go_goroutine now;
	struct mw_error *error;
	bool is_found;

	if (r->one->trace == MW_GO_NO_TRACE)
		return NULL;
	error = find_places(r, r->one->trace);
	if (error)
		return error;
	r->frame = 0;
	r->has_moved = false;
	error = mw_go_goroutine_walk(r->g->go, r->one->address, take_frame, r,
				     &now, &is_found);
	r->moved += r->has_moved || (!error && !is_found);
	if (!error)
		error = r->error;
	return !error && r->failed ? mw_error_nomem() : error;
}

static struct mw_error *open_vars(struct locals_reader *r)
{
	size_t count;
	const struct mw_image *images = mw_target_images(r->target, &count);
	struct mw_error *error;

	for (size_t i = 0; i < count; i++) {
		if (images[i].kind != MW_IMAGE_EXECUTABLE)
			continue;
		error = mw_target_open_image(r->target, &images[i],
					     &r->g->vars_fd);
		r->g->has_vars_fd = !error;
		if (error)
			return error;
		r->bias = images[i].bias;
		return mw_vars_open(r->g->vars_fd, &r->g->vars);
	}
	return mw_error_new(MW_E_NOT_FOUND, "the executable was not found");
}

static struct mw_error *read_all(struct locals_reader *r)
{
	struct mw_go_goroutines *all = &r->g->all;
	struct mw_error *error = open_vars(r);

	if (error)
		return mw_error_prefix(error, "--locals needs what strip and "
				       "the linker's -s and -w leave out");
	error = cmd_values_open(r->target, &r->values);
	r->memory = cmd_values_memory(&r->values);
	for (size_t i = 0; i < all->list.n && !error && !is_full(r); i++) {
		r->goroutine = i;
		r->one = &all->list.v[i];
		if (goroutines_wanted(r->g, r->one))
			error = read_goroutine(r);
	}
	if (r->moved)
		mw_target_note(r->target, "%" PRIu64 " goroutines ran on while "
			       "they were read, and their variables are left "
			       "out; %s", r->moved, cmd_torn_remedy(r->target));
	if (is_full(r))
		mw_target_note(r->target, "variables are left out behind the "
			       "first %" PRIu64 " MiB; --id=N gives those of "
			       "one goroutine", MOST_BYTES >> 20);
	return error;
}

struct mw_error *goroutines_read_locals(struct goroutines *g,
					struct mw_target *target)
{
	struct locals_reader r = {
		.g = g,
		.target = target,
		.trace = MW_GO_NO_TRACE,
	};
	struct mw_error *error;

	error = read_all(&r);
	cmd_values_close(&r.values);
	mw_vec_free(&r.places);
	return error;
}

void goroutines_free_locals(struct goroutines *g)
{
	for (size_t i = 0; i < g->locals.n; i++)
		mw_free(g->locals.v[i].value);
	for (size_t i = 0; i < g->types.n; i++)
		mw_free(g->types.v[i]);
	mw_vec_free(&g->locals);
	mw_vec_free(&g->types);
	mw_map64_free(&g->type_numbers);
	mw_vars_close(g->vars);
	if (g->has_vars_fd)
		close(g->vars_fd);
}

/* A table of them */

enum column { ID, LINE, FUNCTION, PLACE, KIND, NAME, TYPE, VALUE, COLUMNS };

static const struct mw_column columns[] = {
	[ID] = { "id", "ID", MW_UNIT_COUNT, "number of the goroutine" },
	[LINE] = { "line", "LINE", MW_UNIT_COUNT,
		   "of its backtrace; 0: the innermost" },
	[FUNCTION] = { "function", "FUNCTION", MW_UNIT_TEXT,
		       "of that line" },
	[PLACE] = { "place", "AT", MW_UNIT_TEXT, "its file and line" },
	[KIND] = { "kind", "KIND", MW_UNIT_TEXT, "arg, result or var" },
	[NAME] = { "name", "NAME", MW_UNIT_TEXT, "of the variable" },
	[TYPE] = { "type", "TYPE", MW_UNIT_TEXT, "its type" },
	[VALUE] = { "value", "VALUE", MW_UNIT_TEXT,
		    "what it holds, or why that is not known" },
};

static bool fill_row(const struct goroutines *g,
		     const struct goroutines_local *local,
		     struct mw_cell *cells)
{
	char *place = mw_format("%s:%" PRIu32, local->file, local->file_line);
	bool ok = place && mw_cell_text(&cells[PLACE], place);

	mw_free(place);
	mw_cell_value(&cells[ID], g->all.list.v[local->goroutine].id);
	mw_cell_value(&cells[LINE], local->line);
	mw_cell_borrow(&cells[FUNCTION], local->function);
	mw_cell_borrow(&cells[KIND], goroutines_kind(local->kind));
	mw_cell_borrow(&cells[NAME], local->name);
	mw_cell_borrow(&cells[TYPE], local->type);
	mw_cell_borrow(&cells[VALUE], local->value);
	return ok;
}

struct mw_error *goroutines_fill_locals(struct goroutines *g,
					struct mw_table *table)
{
	mw_table_init(table, columns, COLUMNS);
	for (size_t i = 0; i < g->locals.n; i++) {
		struct mw_cell *cells = mw_table_add(table);

		if (!cells || !fill_row(g, &g->locals.v[i], cells))
			return mw_error_nomem();
	}
	return NULL;
}

void goroutines_locals_help(FILE *out)
{
	cmd_print_columns(out, columns, COLUMNS);
}
