/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_go_goroutines.h"
#include "mw_guard.h"

void goroutines_free(struct goroutines *g)
{
	goroutines_free_locals(g);
	for (size_t i = 0; g->texts && i < g->all.traces.n; i++)
		mw_free(g->texts[i]);
	mw_free(g->texts);
	mw_free(g->tops);
	for (size_t i = 0; i < g->place_texts.n; i++)
		mw_free(g->place_texts.v[i]);
	mw_vec_free(&g->place_texts);
	mw_map64_free(&g->places);
	mw_go_goroutines_free(&g->all);
	mw_go_close(g->go);
}

bool goroutines_wanted(const struct goroutines *g,
		       const struct mw_go_goroutine *one)
{
	if (g->only_one)
		return one->id == g->id && !one->is_dead;
	return g->everyone || (!one->is_dead && !one->is_system);
}

bool goroutines_waited(const struct goroutines *g,
		       const struct mw_go_goroutine *one, uint64_t *ret)
{
	if (!one->waiting_since_ns || one->waiting_since_ns > g->now_ns)
		return false;
	*ret = g->now_ns - one->waiting_since_ns;
	return true;
}

bool goroutines_used(const struct mw_go_goroutine *one, uint64_t *ret)
{
	if (one->sp < one->stack_lo || one->sp > one->stack_hi || !one->sp)
		return false;
	*ret = one->stack_hi - one->sp;
	return true;
}

const char *goroutines_place(struct goroutines *g, uint64_t pc)
{
	uint64_t *known = mw_map64_find(&g->places, pc);
	struct mw_go_line line = { .file = "?" };
	struct mw_go_funcs *funcs;
	struct mw_go_func func;
	char *text, **place;

	if (known)
		return g->place_texts.v[*known - 1];
	mw_error_free(mw_go_functions(g->go, &funcs));
	if (mw_go_func_of(funcs, pc - 1, &func)) {
		struct mw_go_line lines[MW_GO_MAX_LINES];

		mw_go_lines(funcs, &func, pc - 1, lines, MW_GO_MAX_LINES);
		line = lines[0];
	}
	text = mw_format("%s:%u", line.file, line.line);
	place = text ? mw_vec_push(&g->place_texts) : NULL;
	known = place ? mw_map64_at(&g->places, pc) : NULL;
	if (!known) {
		if (place)
			g->place_texts.n--;
		mw_free(text);
		return NULL;
	}
	*place = text;
	*known = g->place_texts.n;
	return text;
}

/* Traces as text */

struct text {
	MW_VEC(char) bytes;
	bool failed;
};

static void append(struct text *t, const char *more)
{
	for (; *more && !t->failed; more++) {
		char *c = mw_vec_push(&t->bytes);

		if (c)
			*c = *more;
		else
			t->failed = true;
	}
}

static bool append_line(const struct mw_go_line *line, void *ctx)
{
	struct text *t = ctx;
	char number[16];

	snprintf(number, sizeof(number), ":%u", line->line);
	if (t->bytes.n > 0)
		append(t, "\n");
	append(t, line->function);
	append(t, " ");
	append(t, line->file);
	append(t, number);
	return !t->failed;
}

bool goroutines_is_hidden(const char *function)
{
	return strcmp(function, "runtime.goexit") == 0;
}

static bool append_shown(const struct mw_go_line *line, size_t frame,
			 void *ctx)
{
	(void)frame;
	return goroutines_is_hidden(line->function) || append_line(line, ctx);
}

const char *goroutines_text(struct goroutines *g, uint32_t trace)
{
	struct text t = { 0 };
	struct mw_error *error;

	if (trace == MW_GO_NO_TRACE)
		return "";
	if (!g->texts)
		g->texts = mw_calloc(g->all.traces.n, sizeof(*g->texts));
	if (!g->texts || g->texts[trace])
		return g->texts ? g->texts[trace] : NULL;
	error = mw_go_trace_lines(g->go, &g->all, &g->all.traces.v[trace],
				  append_shown, &t);
	mw_error_free(error);
	if (!error && !t.failed)
		g->texts[trace] = mw_strndup(t.bytes.v ? t.bytes.v : "",
					     t.bytes.n);
	mw_vec_free(&t.bytes);
	return g->texts[trace];
}

struct top {
	const char *first, *outside;
};

static bool note_top(const struct mw_go_line *line, size_t frame, void *ctx)
{
	struct top *top = ctx;

	(void)frame;
	if (!top->first)
		top->first = line->function;
	if (strncmp(line->function, "runtime.", 8) == 0)
		return true;
	top->outside = line->function;
	return false;
}

const char *goroutines_top(struct goroutines *g, uint32_t trace)
{
	struct top top = { 0 };

	if (trace == MW_GO_NO_TRACE)
		return "";
	if (!g->tops)
		g->tops = mw_calloc(g->all.traces.n, sizeof(*g->tops));
	if (!g->tops)
		return NULL;
	if (!g->tops[trace]) {
		mw_error_free(mw_go_trace_lines(g->go, &g->all,
						&g->all.traces.v[trace],
						note_top, &top));
		g->tops[trace] = top.outside ? top.outside
				 : top.first ? top.first
					     : "";
	}
	return g->tops[trace];
}

/* Dumps */

static bool is_exported(const char *name)
{
	return *name >= 'A' && *name <= 'Z';
}

/** "runtime.GC", "runtime.(*Func).Entry" */
static bool is_exported_of_runtime(const char *name)
{
	const char *rest = name + strlen("runtime.");
	const char *dot = strrchr(rest, '.');

	if (!dot)
		return is_exported(rest);
	return is_exported(dot + 1) &&
	       is_exported(rest + (strncmp(rest, "(*", 2) == 0 ? 2 : 0));
}

/**
 * Whether Go itself prints a frame (runtime/traceback.go: showfuncinfo): the
 * runtime's inner ones would only hide what the program does.
 */
static bool is_shown(const char *name, bool is_first)
{
	// One without a name has its address.
	if (strncmp(name, "runtime.", strlen("runtime.")) != 0)
		return strchr(name, '.') != NULL ||
		       strncmp(name, "0x", 2) == 0;
	return strcmp(name, "runtime.runFinalizers") == 0 ||
	       strcmp(name, "runtime.runCleanups") == 0 ||
	       (strcmp(name, "runtime.gopanic") == 0 && !is_first) ||
	       is_exported_of_runtime(name);
}

struct dump {
	const struct goroutines *g;
	bool whole; /* print all frames */
	unsigned printed;
	uint32_t line; /* that comes next */
	size_t goroutine; /* whose variables to print; SIZE_MAX: nobody's */
	size_t local;	  /* in g->locals: the first not printed yet */
};

static void print_local(const struct goroutines_local *local)
{
	printf("\t\t%s ", goroutines_kind(local->kind));
	mw_print_escaped(stdout, local->name);
	putchar(' ');
	mw_print_escaped(stdout, local->type);
	fputs(" = ", stdout);
	mw_print_escaped(stdout, local->value);
	putchar('\n');
}

/** Print those of the line, or skip them. */
static void print_locals(struct dump *dump, uint32_t line, bool is_shown)
{
	const struct goroutines *g = dump->g;

	for (; dump->local < g->locals.n; dump->local++) {
		const struct goroutines_local *local =
			&g->locals.v[dump->local];

		if (local->goroutine != dump->goroutine || local->line > line)
			break;
		// What is not known is of interest only of arguments.
		if (is_shown && (dump->whole || local->is_there ||
				 local->kind == MW_LOCAL_ARGUMENT))
			print_local(local);
	}
}

static bool print_line(const struct mw_go_line *line, size_t frame, void *ctx)
{
	struct dump *dump = ctx;
	const char *name = line->function;

	(void)frame;
	if (goroutines_is_hidden(name))
		return true;
	dump->line++;
	if (!dump->whole && !is_shown(name, dump->printed == 0)) {
		print_locals(dump, dump->line - 1, false);
		return true;
	}
	dump->printed++;
	mw_print_escaped(stdout,
			 strcmp(name, "runtime.gopanic") == 0 ? "panic" : name);
	fputs("(...)\n\t", stdout);
	mw_print_escaped(stdout, line->file);
	printf(":%u\n", line->line);
	print_locals(dump, dump->line - 1, true);
	return true;
}

static struct mw_error *print_trace(struct goroutines *g, uint32_t number,
				    struct dump *dump)
{
	const struct mw_go_trace *trace;
	struct mw_error *error;

	if (number == MW_GO_NO_TRACE) {
		puts("\t(its stack is not known: it runs just now)");
		return NULL;
	}
	trace = &g->all.traces.v[number];
	error = mw_go_trace_lines(g->go, &g->all, trace, print_line, dump);
	if (!error && !trace->is_whole)
		printf("\t(%s)\n", trace->end);
	return error;
}

static struct mw_error *print_creator(struct goroutines *g,
				      const struct mw_go_goroutine *one,
				      bool whole)
{
	const char *place;

	if (!*one->creator || !(whole || is_shown(one->creator, false)))
		return NULL;
	place = goroutines_place(g, one->go_pc);
	if (!place)
		return mw_error_nomem();
	fputs("created by ", stdout);
	mw_print_escaped(stdout, one->creator);
	if (one->parent_id)
		printf(" in goroutine %" PRIu64, one->parent_id);
	fputs("\n\t", stdout);
	mw_print_escaped(stdout, place);
	putchar('\n');
	return NULL;
}

/** What it waits for, or else its state. */
static void print_why(const char *state, const char *wait_reason)
{
	mw_print_escaped(stdout, wait_reason && *wait_reason ? wait_reason
							      : state);
}

static void print_state(const struct goroutines *g,
			const struct mw_go_goroutine *one)
{
	uint64_t waited;

	print_why(mw_go_state_name(one->status), one->wait_reason);
	if (goroutines_waited(g, one, &waited) &&
	    waited >= UINT64_C(60000000000))
		printf(", %" PRIu64 " minutes",
		       waited / UINT64_C(60000000000));
	if (one->is_locked)
		fputs(", locked to thread", stdout);
	if (one->bubble)
		printf(", synctest %s %" PRIu64,
		       one->is_in_group ? "group" : "bubble", one->bubble);
}

static struct mw_error *dump_each(struct goroutines *g, bool whole)
{
	struct mw_error *error = NULL;
	struct dump dump = { .g = g };

	for (size_t i = 0; i < g->all.list.n && !error; i++) {
		const struct mw_go_goroutine *one = &g->all.list.v[i];

		if (!goroutines_wanted(g, one) || one->is_dead)
			continue;
		dump.whole = whole || one->is_system;
		dump.printed = dump.line = 0;
		dump.goroutine = i;
		printf("goroutine %" PRIu64 " [", one->id);
		print_state(g, one);
		puts("]:");
		error = print_trace(g, one->trace, &dump);
		if (!error)
			error = print_creator(g, one, dump.whole);
		putchar('\n');
	}
	return error;
}

static struct mw_error *dump_stacks(struct goroutines *g, bool whole)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_error *error;

	// The order of the table, most goroutines first.
	goroutines_group_columns(BY_STACK, &table, false);
	error = goroutines_fill_groups(g, BY_STACK, false, &table);
	for (size_t at = 0; at < table.cells.n && !error;
	     at += table.column_count) {
		const struct mw_cell *row = &table.cells.v[at];
		struct dump dump = { g, .whole = whole, .goroutine = SIZE_MAX };

		printf("%" PRIu64 " goroutine%s [", row[STACK_COUNT].value,
		       row[STACK_COUNT].value == 1 ? "" : "s");
		print_why(row[STACK_STATE].text, row[STACK_WAIT_REASON].text);
		puts("]:");
		error = print_trace(g,
				    row[STACK_ID].empty
					    ? MW_GO_NO_TRACE
					    : (uint32_t)row[STACK_ID].value,
				    &dump);
		putchar('\n');
	}
	return error;
}

struct mw_error *goroutines_dump(struct goroutines *g, bool whole,
				 bool by_stack)
{
	return by_stack ? dump_stacks(g, whole) : dump_each(g, whole);
}
