/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <unistd.h>

#include "cmd_go_goroutines.h"
#include "cmd_go_profile.h"
#include "mw_guard.h"
#include "mw_kernel.h"

static unsigned by;
static bool backtrace, all, locals;
static uint64_t only;

/** Figures of all goroutines together. */
struct sums {
	uint64_t user, system, dead, torn;
	uint64_t stack_bytes, used_bytes, dead_stack_bytes;
};

static struct sums sum_up(const struct goroutines *g)
{
	struct sums s = { .torn = g->all.torn };

	for (size_t i = 0; i < g->all.list.n; i++) {
		const struct mw_go_goroutine *one = &g->all.list.v[i];
		uint64_t bytes = one->stack_hi - one->stack_lo, used;

		if (one->is_dead) {
			s.dead++;
			s.dead_stack_bytes += bytes;
			continue;
		}
		s.user += !one->is_system;
		s.system += one->is_system;
		s.stack_bytes += bytes;
		if (goroutines_used(one, &used))
			s.used_bytes += used;
	}
	return s;
}

static void print_sums(const struct goroutines *g, const struct mw_style *style)
{
	struct sums s = sum_up(g);
	char stacks[32], used[32], dead[32];

	printf("goroutines %" PRIu64 "  of the runtime %" PRIu64
	       "  stacks %s, used %s  dead %" PRIu64 ", stacks kept %s\n\n",
	       s.user, s.system,
	       mw_format_bytes(stacks, s.stack_bytes, style->exact_bytes),
	       mw_format_bytes(used, s.used_bytes, style->exact_bytes), s.dead,
	       mw_format_bytes(dead, s.dead_stack_bytes, style->exact_bytes));
}

static void json_sums(struct mw_json *json, const struct goroutines *g)
{
	struct sums s = sum_up(g);
	const struct {
		const char *name;
		uint64_t value;
	} members[] = {
		{ "goroutines", s.user },
		{ "system_goroutines", s.system },
		{ "dead_goroutines", s.dead },
		{ "torn_goroutines", s.torn },
		{ "stack_bytes", s.stack_bytes },
		{ "stack_used_bytes", s.used_bytes },
		{ "dead_stack_bytes", s.dead_stack_bytes },
	};

	mw_json_key(json, "totals");
	mw_json_object(json);
	for (size_t i = 0; i < MW_COUNT(members); i++)
		mw_json_member_u64(json, members[i].name, members[i].value);
	mw_json_end(json);
}

static struct mw_error *json_locals(struct mw_json *json, struct goroutines *g)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_error *error = goroutines_fill_locals(g, &table);

	if (error)
		return error;
	mw_json_key(json, "locals");
	mw_json_object(json);
	mw_json_table(json, &table);
	mw_json_end(json);
	return NULL;
}

static bool is_wanted(const struct mw_go_goroutine *one, const void *ctx)
{
	return goroutines_wanted(ctx, one);
}

static struct mw_error *write_profile(struct goroutines *g,
				      struct mw_target *target)
{
	MW_CLEANUP(profile_free) struct profile p = { .target = target,
						      .go = g->go };
	struct mw_error *error = profile_begin(&p);

	if (!error)
		error = mw_go_functions(g->go, &p.funcs);
	if (!error)
		error = profile_goroutines(&p, &g->all, is_wanted, g);
	if (!error && p.failed)
		error = mw_error_nomem();
	return error ? error : profile_write(&p, STDOUT_FILENO);
}

static struct mw_error *emit(const struct cmd_call *call, struct goroutines *g,
			     struct mw_target *target, uint64_t stopped_ns,
			     uint64_t begun_ns)
{
	MW_CLEANUP(mw_table_deinit) struct mw_table table = { 0 };
	struct mw_error *error;
	struct mw_json json;

	if (call->as_pprof)
		return write_profile(g, target);
	if (call->format == MW_FORMAT_TEXT)
		print_sums(g, &call->style);
	if (call->format == MW_FORMAT_TEXT && backtrace &&
	    (by == BY_GOROUTINE || by == BY_STACK))
		return goroutines_dump(g, call->verbose, by == BY_STACK);
	if (call->format == MW_FORMAT_CSV && locals) {
		error = goroutines_fill_locals(g, &table);
	} else if (by == BY_GOROUTINE) {
		goroutines_columns(&table, backtrace);
		error = goroutines_fill(g, backtrace, &table);
	} else {
		goroutines_group_columns(by, &table, backtrace);
		error = goroutines_fill_groups(g, by, backtrace, &table);
	}
	if (error)
		return error;
	if (call->format != MW_FORMAT_JSON) {
		cmd_emit_table(call, &table, target, g->go, 0, 0);
		return NULL;
	}
	cmd_json_begin(&json, call, target, g->go, stopped_ns,
		       mw_kernel_now() - begun_ns);
	json_sums(&json, g);
	mw_json_table(&json, &table);
	if (locals)
		error = json_locals(&json, g);
	cmd_json_end(&json, target);
	return error;
}

static bool has_wanted(const struct goroutines *g)
{
	for (size_t i = 0; i < g->all.list.n; i++)
		if (goroutines_wanted(g, &g->all.list.v[i]))
			return true;
	return false;
}

static struct mw_error *read_all(const struct cmd_call *call,
				 struct goroutines *g,
				 struct mw_target *target)
{
	struct mw_error *error = mw_go_open(target, &g->go);

	// Other cores than snapshots do not tell when they were written.
	g->now_ns = mw_target_info(target)->kind == MW_TARGET_PROCESS
			    ? mw_kernel_now()
			    : mw_target_info(target)->snapshot_monotonic_ns;
	if (error)
		return error;
	if (!g->go)
		return cmd_no_go(call, target);
	error = mw_go_goroutines_read(g->go, &g->all);
	if (!error && g->only_one && !has_wanted(g))
		error = mw_error_new(MW_E_NOT_FOUND, "no goroutine has the "
				     "number %" PRIu64 ", or it has ended",
				     g->id);
	if (!error && locals)
		error = goroutines_read_locals(g, target);
	if (!error && g->all.torn)
		mw_target_note(target, "%zu goroutines came or changed while "
			       "they were read and are left out; %s",
			       (size_t)g->all.torn, cmd_torn_remedy(target));
	return error;
}

static struct mw_error *take_options(const struct cmd_call *call,
				     struct goroutines *g)
{
	if (call->as_pprof && isatty(STDOUT_FILENO))
		return mw_error_new(MW_E_USAGE, "a profile is no text: send it "
				    "to a file or a program");
	if (call->as_pprof && (locals || by != BY_GOROUTINE))
		return mw_error_new(MW_E_USAGE, "a profile has the stacks of "
				    "all: leave out --by and --locals");
	if (locals && by != BY_GOROUTINE)
		return mw_error_new(MW_E_USAGE, "--locals are those of each "
				    "goroutine: leave out --by");
	backtrace |= locals;
	g->everyone = all;
	g->id = only;
	g->only_one = only > 0;
	return NULL;
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(mw_target_closep) struct mw_target *target = NULL;
	MW_CLEANUP(goroutines_free) struct goroutines g = { 0 };
	uint64_t begun_ns = mw_kernel_now(), stopped_ns = 0;
	struct mw_error *error = take_options(call, &g);

	if (!error)
		error = cmd_open_target(call, &target);
	if (!error)
		error = read_all(call, &g, target);
	// What is looked up later lies in the program's file.
	if (target)
		stopped_ns = mw_target_release(target);
	if (error)
		return error;
	cmd_print_notes(target);
	return emit(call, &g, target, stopped_ns, begun_ns);
}

static void help(FILE *out)
{
	goroutines_help(out);
	fputs("\nColumns of --locals, in JSON a table of its own:\n", out);
	goroutines_locals_help(out);
}

static const char *const ways[] = { "goroutine", "state", "creator",
				    "function",	 "stack", "size", NULL };

static const struct cmd_option options[] = {
	{ .name = "by",
	  .argument = "goroutine|state|creator|function|stack|size",
	  .choices = ways, .choice = &by,
	  .help = "a row for each goroutine (default), or for all that\n"
		  "share a state, the go statement that made them, the\n"
		  "function they run, the backtrace, or the stack's size" },
	{ .name = "backtrace", .flag = &backtrace,
	  .help = "the backtraces, too; in text as Go prints them, which\n"
		  "leaves out the runtime's inner frames but with --verbose" },
	{ .name = "locals", .flag = &locals,
	  .help = "with each line of a backtrace its arguments, results and\n"
		  "variables and what they hold; needs debug information" },
	{ .name = "id", .argument = "N", .number = &only,
	  .help = "only the goroutine with this number" },
	{ .name = "all", .flag = &all,
	  .help = "also the runtime's own goroutines and dead ones, whose\n"
		  "stacks are kept for the next" },
	{ 0 },
};

const struct cmd_command cmd_go_goroutines = {
	.name = "go goroutines",
	.operands = "TARGET",
	.summary = "goroutines: state, what they wait for, stacks, backtraces",
	.shared = CMD_FORMAT | CMD_CSV | CMD_PPROF | CMD_CAPTURE |
		  CMD_VERBOSE,
	.options = options,
	.run = run,
	.help = help,
};
