/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_go_profile.h"

#include <stdlib.h>
#include <string.h>

#include "cmd_go_open.h"
#include "mw_go_profile.h"
#include "mw_go_unwind.h"
#include "mw_guard.h"
#include "mw_output.h"

static const char *output;
static bool force;
static unsigned sort_by;

/* Columns; of each value what is its own, and with what it calls */

static const struct mw_column heap_columns[] = {
	{ "function", "FUNCTION", MW_UNIT_TEXT,
	  "where the objects were allocated" },
	{ "inuse_space", "IN USE", MW_UNIT_BYTES,
	  "bytes allocated by the function itself and not freed" },
	{ "inuse_space_cum", "CUM", MW_UNIT_BYTES,
	  "the same with what it calls" },
	{ "inuse_objects", "OBJECTS", MW_UNIT_COUNT,
	  "objects allocated and not freed" },
	{ "inuse_objects_cum", NULL, MW_UNIT_COUNT,
	  "the same with what it calls" },
	{ "alloc_space", "ALLOCATED", MW_UNIT_BYTES,
	  "bytes allocated since the start" },
	{ "alloc_space_cum", "CUM", MW_UNIT_BYTES,
	  "the same with what it calls" },
	{ "alloc_objects", NULL, MW_UNIT_COUNT,
	  "objects allocated since the start" },
	{ "alloc_objects_cum", NULL, MW_UNIT_COUNT,
	  "the same with what it calls" },
};

static const struct mw_column goroutine_columns[] = {
	{ "function", "FUNCTION", MW_UNIT_TEXT, "where goroutines are" },
	{ "goroutines", "GOROUTINES", MW_UNIT_COUNT,
	  "that are in the function itself" },
	{ "goroutines_cum", "CUM", MW_UNIT_COUNT,
	  "that are in it or in what it calls" },
};

/** The values of a heap sample as pprof orders them, and our columns do. */
enum heap_value { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE };
static const size_t heap_order[] = { INUSE_SPACE, INUSE_OBJECTS, ALLOC_SPACE,
				     ALLOC_OBJECTS };

/* The heap */

struct heap_sample {
	struct profile *profile;
	const uint64_t *pcs;
	int64_t values[PROFILE_VALUES];
};

static bool add_heap_line(const struct mw_go_line *line, size_t index,
			  void *ctx)
{
	struct heap_sample *s = ctx;

	profile_line(s->profile, line, s->pcs[index] - 1, s->values);
	return !s->profile->failed;
}

static bool is_runtime(struct mw_go_funcs *funcs, uint64_t pc)
{
	struct mw_go_func func;
	struct mw_go_line line;

	return mw_go_func_of(funcs, pc, &func) &&
	       mw_go_lines(funcs, &func, pc, &line, 1) == 1 &&
	       (strncmp(line.function, "runtime.", 8) == 0 ||
		strncmp(line.function, "internal/runtime/", 17) == 0);
}

/** How many of the innermost places are the runtime's: they are left out. */
static size_t runtime_head(struct mw_go_funcs *funcs, const uint64_t *pcs,
			   size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_runtime(funcs, pcs[i]))
			return i;
	return 0;
}

static void add_heap_sample(struct profile *p,
			    const struct mw_go_heap_profile *heap,
			    const struct mw_go_sampled *s)
{
	static const uint64_t nowhere; // of a sample whose stack is not known
	const uint64_t *pcs = s->count > 0 ? &heap->pcs.v[s->first] : &nowhere;
	size_t head = runtime_head(p->funcs, pcs, s->count);
	struct heap_sample sample = { p, pcs + head, { 0 } };
	struct mw_pprof_label label = { .key = "bytes" };
	uint64_t rate = heap->rate;

	mw_go_scale_sample(s->allocs, s->alloc_bytes, rate,
			   &sample.values[ALLOC_OBJECTS],
			   &sample.values[ALLOC_SPACE]);
	mw_go_scale_sample(s->allocs - s->frees,
			   s->alloc_bytes - s->free_bytes, rate,
			   &sample.values[INUSE_OBJECTS],
			   &sample.values[INUSE_SPACE]);
	profile_sample(p);
	mw_go_stack_lines(p->funcs, sample.pcs, s->count - head,
			  add_heap_line, &sample);
	if (p->depth == 0 && head > 0) {
		sample.pcs = pcs;
		mw_go_stack_lines(p->funcs, pcs, s->count, add_heap_line,
				  &sample);
	}
	if (s->allocs)
		label.number = (int64_t)(s->alloc_bytes / s->allocs);
	profile_end(p, sample.values, &label, label.number != 0);
}

static void describe_heap(struct profile *p, uint64_t rate)
{
	mw_pprof_period(p->pprof, "space", "bytes", (int64_t)rate);
	mw_pprof_sample_type(p->pprof, "alloc_objects", "count");
	mw_pprof_sample_type(p->pprof, "alloc_space", "bytes");
	mw_pprof_sample_type(p->pprof, "inuse_objects", "count");
	mw_pprof_sample_type(p->pprof, "inuse_space", "bytes");
	mw_pprof_default_type(p->pprof, "inuse_space");
}

/** Say what a reader could misunderstand. */
static void note_heap(struct mw_target *target,
		      const struct mw_go_heap_profile *heap)
{
	if (!heap->has_rate)
		mw_target_note(target, "runtime.MemProfileRate was not found: "
			       "taken for 524288, which is its default");
	if (heap->has_rate && heap->rate == 0)
		mw_target_note(target, "runtime.MemProfileRate is 0 by now: "
			       "what was sampled before is told as it is");
	if (heap->torn)
		mw_target_note(target, "%zu samples were damaged, or changed "
			       "while they were read, and are left out",
			       (size_t)heap->torn);
	if (heap->list.n > 0 && heap->is_first_cycle)
		mw_target_note(target, "no collection has ended yet: garbage "
			       "counts as in use");
}

/**
 * Whether there is a sample of the program's own: a few of the runtime's start
 * are taken before it knows that nothing asks for them.
 */
static bool has_samples(struct profile *p,
			const struct mw_go_heap_profile *heap)
{
	for (size_t i = 0; i < heap->pcs.n; i++)
		if (!is_runtime(p->funcs, heap->pcs.v[i]))
			return true;
	return false;
}

/** Why there is no heap profile; NULL when there is one. */
static struct mw_error *no_heap(struct profile *p,
				const struct mw_go_heap_profile *heap)
{
	bool is_off = heap->has_rate && heap->rate == 0;

	if (heap->list.n > 0 && (!is_off || has_samples(p, heap)))
		return NULL;
	if (is_off)
		return mw_error_new(MW_E_NOT_FOUND, "the program takes no heap "
				    "profile: runtime.MemProfileRate is 0, as "
				    "the linker sets it where nothing can ask "
				    "for one; import net/http/pprof or "
				    "runtime/pprof");
	return mw_error_new(MW_E_NOT_FOUND, "the program has no heap profile: "
			    "nothing has been sampled yet");
}

static struct mw_error *fill_heap(struct profile *p)
{
	MW_CLEANUP(mw_go_heap_profile_free) struct mw_go_heap_profile heap = {
		0
	};
	struct mw_error *error = mw_go_heap_profile_read(p->go, &heap);

	if (!error)
		error = no_heap(p, &heap);
	if (error)
		return error;
	note_heap(p->target, &heap);
	if (!heap.has_rate)
		heap.rate = 512 << 10;
	p->values = 4;
	describe_heap(p, heap.rate);
	for (size_t i = 0; i < heap.list.n && !p->failed; i++)
		add_heap_sample(p, &heap, &heap.list.v[i]);
	return NULL;
}

/* Goroutines */

/** As the program's own profile has it: the runtime's are in none. */
static bool is_user(const struct mw_go_goroutine *one, const void *ctx)
{
	(void)ctx;
	return !one->is_system;
}

static struct mw_error *fill_goroutines(struct profile *p)
{
	MW_CLEANUP(mw_go_goroutines_free) struct mw_go_goroutines all = { 0 };
	struct mw_error *error = mw_go_goroutines_read(p->go, &all);

	return error ? error : profile_goroutines(p, &all, is_user, NULL);
}

/* Output */

static int64_t sort_key(const struct profile_function *f, bool is_heap)
{
	return f->flat[is_heap ? heap_order[sort_by] : 0];
}

static int compare(const void *a, const void *b, void *is_heap)
{
	const struct profile_function *x = a, *y = b;
	int64_t p = sort_key(x, *(bool *)is_heap);
	int64_t q = sort_key(y, *(bool *)is_heap);

	if (p != q)
		return p < q ? 1 : -1;
	return strcmp(x->name, y->name);
}

static struct mw_error *fill_table(struct profile *p, bool is_heap,
				   struct mw_table *table)
{
	if (p->functions.n > 0)
		qsort_r(p->functions.v, p->functions.n,
			sizeof(*p->functions.v), compare, &is_heap);
	for (size_t i = 0; i < p->functions.n; i++) {
		const struct profile_function *f = &p->functions.v[i];
		struct mw_cell *cells = mw_table_add(table);

		if (!cells)
			return mw_error_nomem();
		mw_cell_borrow(&cells[0], f->name);
		for (size_t k = 0; k < p->values; k++) {
			size_t value = is_heap ? heap_order[k] : 0;

			mw_cell_value(&cells[1 + 2 * k],
				      (uint64_t)f->flat[value]);
			mw_cell_value(&cells[2 + 2 * k],
				      (uint64_t)f->cumulative[value]);
		}
	}
	return NULL;
}

static struct mw_error *emit_table(const struct cmd_call *call,
				   struct profile *p, const struct cmd_go *go,
				   bool is_heap)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_error *error;

	if (is_heap)
		mw_table_init(&table, heap_columns, MW_COUNT(heap_columns));
	else
		mw_table_init(&table, goroutine_columns,
			      MW_COUNT(goroutine_columns));
	error = fill_table(p, is_heap, &table);
	if (!error)
		cmd_emit_table(call, &table, go->target, go->go,
			       go->stopped_ns, go->wall_ns);
	return error;
}

static struct mw_error *write_file(struct profile *p)
{
	MW_CLEANUP(mw_output_freep) struct mw_output *file = NULL;
	struct mw_error *error = mw_output_open(output, force, &file);

	if (!error)
		error = profile_write(p, mw_output_fd(file));
	return error ? error : mw_output_commit(file);
}

/** The kind, the target: in either order. */
static bool take_operands(const struct cmd_call *call, struct cmd_call *own,
			  bool *ret_heap)
{
	const char *words[] = { call->target, call->operands[0] };

	*own = *call;
	for (size_t i = 0; i < MW_COUNT(words); i++) {
		*ret_heap = strcmp(words[i], "heap") == 0;
		own->target = words[1 - i];
		if (*ret_heap || strcmp(words[i], "goroutine") == 0)
			return true;
	}
	return false;
}

static struct mw_error *take(struct profile *p, bool is_heap)
{
	struct mw_error *error = profile_begin(p);

	if (!error)
		error = mw_go_functions(p->go, &p->funcs);
	if (!error)
		error = is_heap ? fill_heap(p) : fill_goroutines(p);
	if (!error && p->failed)
		error = mw_error_nomem();
	return error;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_go_close) struct cmd_go go = { 0 };
	MW_CLEANUP(profile_free) struct profile p = { 0 };
	struct cmd_call own;
	struct mw_error *error;
	bool is_heap;

	if (!take_operands(call, &own, &is_heap))
		return mw_error_new(MW_E_USAGE, "say which profile: heap or "
				    "goroutine");
	error = cmd_go_open(&own, &go);
	p.target = go.target;
	p.go = go.go;
	if (!error)
		error = take(&p, is_heap);
	if (go.target)
		cmd_go_release(&go);
	if (error)
		return error;
	cmd_print_notes(go.target);
	return output ? write_file(&p) : emit_table(&own, &p, &go, is_heap);
}

static void help(FILE *out)
{
	fputs("\nheap: what runtime/pprof writes: samples of all allocations, "
	      "as of the last collection\nbut one, scaled by the sampling "
	      "rate. goroutine: the stacks of all goroutines.\n\nColumns of "
	      "heap:\n", out);
	cmd_print_columns(out, heap_columns, MW_COUNT(heap_columns));
	fputs("\nColumns of goroutine:\n", out);
	cmd_print_columns(out, goroutine_columns, MW_COUNT(goroutine_columns));
}

static const char *const sorts[] = { "inuse_space", "inuse_objects",
				     "alloc_space", "alloc_objects", NULL };

static const struct cmd_option options[] = {
	{ .name = "output", .letter = 'o', .argument = "FILE",
	  .text = &output,
	  .help = "write it to FILE for `go tool pprof` and others, instead\n"
		  "of a table by function" },
	{ .name = "force", .flag = &force,
	  .help = "replace FILE if it is there" },
	{ .name = "sort",
	  .argument = "inuse_space|inuse_objects|alloc_space|alloc_objects",
	  .choices = sorts, .choice = &sort_by,
	  .help = "of the heap: what the table is sorted by" },
	{ 0 },
};

const struct cmd_command cmd_go_profile = {
	.name = "go profile",
	.operands = "heap|goroutine TARGET",
	.summary = "the heap or goroutine profile, for pprof or as a table",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE,
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
	.help = help,
};
