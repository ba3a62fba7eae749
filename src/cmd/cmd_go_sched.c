/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cmd_go_open.h"
#include "mw_go_sched.h"
#include "mw_guard.h"
#include "mw_kernel.h"

static unsigned by;
enum { BY_THREAD, BY_PROCESSOR };

enum m_column {
	M, TID, STATE, THREAD_STATE, P, G, FUNCTION, AT, RUNNING, LOCKED,
	LOCKS, M_COLUMNS,
};

static const struct mw_column m_columns[M_COLUMNS] = {
	[M] = { "m", "M", MW_UNIT_NUMBER, "the runtime's number of the thread" },
	[TID] = { "tid", "TID", MW_UNIT_COUNT, "the kernel's number of it" },
	[STATE] = { "state", "STATE", MW_UNIT_TEXT,
		    "running: a goroutine; syscall, cgo: the goroutine is in "
		    "a system call, in C; spinning: looks for work; idle: "
		    "parked; locked: waits for its goroutine; extra: for "
		    "threads that C makes; runtime: the runtime's own work" },
	[THREAD_STATE] = { "thread_state", "T", MW_UNIT_TEXT,
			   "as the kernel has it: R runs, S sleeps, D waits "
			   "for a device, T is stopped" },
	[P] = { "p", "P", MW_UNIT_COUNT, "the processor that it has" },
	[G] = { "g", "G", MW_UNIT_COUNT, "the goroutine that it has" },
	[FUNCTION] = { "function", "FUNCTION", MW_UNIT_TEXT,
		       "what that was started to run, or the thread itself" },
	[AT] = { "at", "AT", MW_UNIT_TEXT, "who made the system call" },
	[RUNNING] = { "running_ns", "RUNNING", MW_UNIT_NS,
		      "it runs the same goroutine, without a break, at least "
		      "that long; long ones hold others up" },
	[LOCKED] = { "locked_g", "LOCKED", MW_UNIT_COUNT,
		     "the goroutine that is locked to it" },
	[LOCKS] = { "locks", NULL, MW_UNIT_COUNT,
		    "locks of the runtime that it holds" },
};

enum p_column {
	ID, STATUS, MACHINE, RUNNABLE, TICKS, SYSCALLS, WORKER, P_COLUMNS,
};

static const struct mw_column p_columns[P_COLUMNS] = {
	[ID] = { "p", "P", MW_UNIT_COUNT, "number of the processor" },
	[STATUS] = { "status", "STATUS", MW_UNIT_TEXT,
		     "idle, running, syscall, gcstop, dead" },
	[MACHINE] = { "m", "M", MW_UNIT_NUMBER, "the thread that has it" },
	[RUNNABLE] = { "runnable", "RUNNABLE", MW_UNIT_COUNT,
		       "goroutines in its queue" },
	[TICKS] = { "sched_ticks", "SCHEDULED", MW_UNIT_COUNT,
		    "how often it was given another goroutine" },
	[SYSCALLS] = { "syscall_ticks", "SYSCALLS", MW_UNIT_COUNT,
		       "how often one came back from a system call" },
	[WORKER] = { "gc_worker", "GC", MW_UNIT_TEXT,
		     "it marks: dedicated, fractional, or as it is idle" },
};

static void help(FILE *out)
{
	cmd_print_columns(out, m_columns, M_COLUMNS);
	fputs("\nAnd of processors (in JSON always, as \"processors\"):\n", out);
	cmd_print_columns(out, p_columns, P_COLUMNS);
}

static bool put_text(struct mw_cell *cell, const char *text)
{
	return !*text || mw_cell_text(cell, text);
}

static bool fill_m(struct mw_cell *cells, const struct mw_go_m *m)
{
	char state[2] = { m->thread_state, '\0' };

	if (!cells)
		return false;
	mw_cell_number(&cells[M], MW_NUMBER_INTEGER, MW_UNIT_COUNT,
		       (uint64_t)m->id);
	if (m->id < 0) // those that are only kept in reserve have none
		cells[M].empty = true;
	if (m->tid)
		mw_cell_value(&cells[TID], m->tid);
	if (m->has_p)
		mw_cell_value(&cells[P], m->p);
	if (m->g)
		mw_cell_value(&cells[G], m->g);
	if (m->running_ns)
		mw_cell_value(&cells[RUNNING], m->running_ns);
	if (m->locked_g)
		mw_cell_value(&cells[LOCKED], m->locked_g);
	mw_cell_value(&cells[LOCKS], m->locks);
	return mw_cell_text(&cells[STATE], mw_go_m_state_name(m->state)) &&
	       put_text(&cells[THREAD_STATE], state) &&
	       put_text(&cells[FUNCTION], m->function) &&
	       put_text(&cells[AT], m->at);
}

static bool fill_p(struct mw_cell *cells, const struct mw_go_p *p)
{
	if (!cells)
		return false;
	mw_cell_value(&cells[ID], p->id);
	if (p->has_m)
		mw_cell_number(&cells[MACHINE], MW_NUMBER_INTEGER,
			       MW_UNIT_COUNT, (uint64_t)p->m);
	mw_cell_value(&cells[RUNNABLE], p->runnable);
	mw_cell_value(&cells[TICKS], p->sched_ticks);
	mw_cell_value(&cells[SYSCALLS], p->syscall_ticks);
	return mw_cell_text(&cells[STATUS], p->status) &&
	       put_text(&cells[WORKER], p->gc_worker);
}

static bool fill(const struct mw_go_sched *sched, struct mw_table *ms,
		 struct mw_table *ps)
{
	mw_table_init(ms, m_columns, M_COLUMNS);
	mw_table_init(ps, p_columns, P_COLUMNS);
	for (size_t i = 0; i < sched->ms.n; i++)
		if (!fill_m(mw_table_add(ms), &sched->ms.v[i]))
			return false;
	for (size_t i = 0; i < sched->ps.n; i++)
		if (!fill_p(mw_table_add(ps), &sched->ps.v[i]))
			return false;
	return true;
}

static void emit_json(const struct cmd_call *call, const struct cmd_go *go,
		      const struct mw_go_sched *sched,
		      const struct mw_table *ms, const struct mw_table *ps)
{
	struct mw_json json;

	cmd_json_begin(&json, call, go->target, go->go, go->stopped_ns,
		       go->wall_ns);
	mw_json_key(&json, "totals");
	mw_json_object(&json);
	for (size_t i = 0; i < sched->figures.n; i++) {
		const struct mw_go_figure *f = &sched->figures.v[i];

		mw_json_key(&json, f->name);
		if (f->is_known)
			mw_json_u64(&json, f->value);
		else
			mw_json_null(&json);
	}
	mw_json_end(&json);
	mw_json_table(&json, by == BY_THREAD ? ms : ps);
	if (by == BY_THREAD) {
		mw_json_key(&json, "processors");
		mw_json_object(&json);
		mw_json_table(&json, ps);
		mw_json_end(&json);
	}
	cmd_json_end(&json, go->target);
}

static void print_totals(const struct mw_go_sched *sched)
{
	const char *between = "";

	for (size_t i = 0; i < sched->figures.n; i++) {
		const struct mw_go_figure *f = &sched->figures.v[i];

		// Those that are 0 say nothing, and zero Ps are impossible.
		if (!f->is_known || !f->value)
			continue;
		printf("%s%s %" PRIu64, between, f->name, f->value);
		between = "  ";
	}
	fputs("\n\n", stdout);
}

static struct mw_error *run(const struct cmd_call *call)
{
	MW_CLEANUP(cmd_go_close) struct cmd_go go = { 0 };
	MW_CLEANUP(mw_go_sched_free) struct mw_go_sched sched = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table ms = { 0 };
	MW_CLEANUP(mw_table_deinit) struct mw_table ps = { 0 };
	struct mw_error *error = cmd_go_open(call, &go);
	bool is_live = !error && mw_target_info(go.target)->kind ==
					 MW_TARGET_PROCESS;

	if (!error)
		error = mw_go_sched_read(go.go, is_live ? mw_kernel_now() : 0,
					 &sched);
	if (error)
		return error;
	cmd_go_release(&go);
	if (!fill(&sched, &ms, &ps))
		return mw_error_nomem();
	if (sched.torn)
		mw_target_note(go.target, "threads or processors changed while "
			       "they were read and are left out; %s",
			       cmd_torn_remedy(go.target));
	cmd_print_notes(go.target);
	if (call->format == MW_FORMAT_JSON) {
		emit_json(call, &go, &sched, &ms, &ps);
		return NULL;
	}
	if (call->format == MW_FORMAT_TEXT)
		print_totals(&sched);
	cmd_emit_table(call, by == BY_THREAD ? &ms : &ps, go.target, go.go, 0,
		       0);
	if (call->format == MW_FORMAT_TEXT && by == BY_THREAD) {
		putchar('\n');
		cmd_emit_table(call, &ps, go.target, go.go, 0, 0);
	}
	return NULL;
}

static const char *const ways[] = { "thread", "processor", NULL };

static const struct cmd_option options[] = {
	{ .name = "by", .argument = "thread|processor", .choices = ways,
	  .choice = &by,
	  .help = "which to list: threads and processors (default), or\n"
		  "only processors" },
	{ 0 },
};

const struct cmd_command cmd_go_sched = {
	.name = "go sched",
	.operands = "TARGET",
	.summary = "Go's threads, its processors, and what each is doing",
	.shared = CMD_FORMAT | CMD_CSV | CMD_CAPTURE,
	.options = options,
	.run = run,
	.help = help,
};
