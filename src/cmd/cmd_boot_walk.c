/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_boot.h"
#include "mw_guard.h"
#include "mw_kernel.h"

/*
 * From stage to stage. What changes between two stops belongs to the innermost
 * stage that has begun and not ended: a package's initialisation, or a call
 * such as mallocinit's. What belongs to none is told with the next point that
 * is reached, or in a row of its own in front of the next call.
 *
 * A package's initialisation ends when the next stage begins. Up to Go 1.12 it
 * first calls the packages that it imports: there, and only there, it is called
 * by something else than doInit, and ends when it returns.
 */

/* Telling */

static struct mw_error *tell(struct boot *boot, const struct boot_run *run)
{
	if (boot->until && run->stage &&
	    boot_is_called(run->stage, run->function, boot->until))
		boot->is_done = true;
	return boot_rows_add(boot, run);
}

/** Tell what the innermost stage did: it has ended. */
static struct mw_error *end_innermost(struct boot *boot)
{
	struct boot_run run = boot->open.v[--boot->open.n];
	struct mw_error *error = tell(boot, &run);

	boot_run_deinit(&run);
	return error;
}

/** Innermost first, packages whose end is where the next stage begins. */
static struct mw_error *end_inits(struct boot *boot)
{
	struct mw_error *error = NULL;

	while (boot->open.n > 0 && !error &&
	       boot->open.v[boot->open.n - 1].is_init &&
	       !boot->open.v[boot->open.n - 1].return_va)
		error = end_innermost(boot);
	return error;
}

/** A row for what happened before @stage and belongs to no stage. */
static struct mw_error *tell_rest(struct boot *boot, const char *stage,
				  const struct mw_trace_event *event)
{
	MW_CLEANUP(boot_run_deinit) struct boot_run run = {
		.own_stage = mw_format("before %s", stage),
		.function = "",
		.what = "what went on since the stage before",
		.begun_ns = boot->before_ns,
	};
	struct mw_error *error;

	if (!run.own_stage)
		return mw_error_nomem();
	error = boot_attribute(boot, &run, event);
	if (!error && boot_has_changes(&run))
		error = boot_rows_add(boot, &run);
	return error;
}

/* Stages */

static struct mw_error *reach_point(struct boot *boot,
				    const struct boot_stage *stage,
				    bool has_owner,
				    const struct mw_trace_event *event)
{
	MW_CLEANUP(boot_run_deinit) struct boot_run run = {
		.stage = stage->name,
		.function = stage->function,
		.what = stage->what,
		.va = stage->va,
		.begun_ns = event->ran_ns,
	};
	struct mw_error *error = NULL;

	if (!has_owner)
		error = boot_attribute(boot, &run, event);
	if (!error)
		error = tell(boot, &run);
	// With a stage that was asked for: another program may have it.
	boot->is_done |= stage->is_last && !boot->until;
	return error;
}

/** The address that the function just entered will return to; 0: unknown. */
static uint64_t return_address(struct boot *boot,
			       const struct mw_trace_event *event)
{
	uint64_t va;

	return mw_target_read_u64(boot->books.target, event->sp, &va) ? va : 0;
}

/** Watch a place. One where there is no code is never reached: no error. */
static struct mw_error *watch(struct boot *boot, uint64_t va)
{
	struct mw_error *error = mw_trace_watch(boot->trace, va);

	if (!error || error->code != MW_E_RANGE)
		return error;
	mw_error_free(error);
	return NULL;
}

/** A stage begins that goes on until it returns or the next one begins. */
static struct mw_error *begin(struct boot *boot, const struct boot_run *run)
{
	struct boot_run *place = mw_vec_push(&boot->open);

	if (!place)
		return mw_error_nomem();
	*place = *run;
	if (!run->return_va)
		return NULL;
	return watch(boot, run->return_va);
}

static struct mw_error *reach_stage(struct boot *boot,
				    struct boot_stage *stage,
				    const struct mw_trace_event *event)
{
	bool has_owner = boot->open.n > 0;
	// Then what has changed in stages that go on is told, too.
	bool is_end = stage->is_last ||
		      (stage->how != BOOT_CALL && boot->until &&
		       boot_is_called(stage->name, stage->function,
				      boot->until));
	struct mw_error *error = NULL;

	stage->is_reached = true;
	if (stage->how != BOOT_THREAD)
		error = end_inits(boot);
	while (is_end && boot->open.n > 0 && !error)
		error = end_innermost(boot);
	if (error)
		return error;
	if (stage->how != BOOT_CALL)
		return reach_point(boot, stage, has_owner, event);
	if (!has_owner)
		error = tell_rest(boot, stage->name, event);
	if (error)
		return error;
	return begin(boot, &(struct boot_run){
				   .stage = stage->name,
				   .function = stage->function,
				   .what = stage->what,
				   .va = stage->va,
				   .begun_ns = event->ran_ns,
				   .return_va = return_address(boot, event),
				   .sets_up_go = stage->sets_up_go,
			   });
}

/** Whether code at @va belongs to the function that works off all inits. */
static bool is_in_do_init(const struct boot *boot, uint64_t va)
{
	struct mw_go_func func;

	return mw_go_func_of(boot->plan.funcs, va - 1 - boot->plan.bias,
			     &func) &&
	       strncmp(mw_go_func_name(boot->plan.funcs, &func),
		       "runtime.doInit", 14) == 0;
}

static struct mw_error *reach_init(struct boot *boot, struct boot_init *init,
				   uint64_t return_va,
				   const struct mw_trace_event *event)
{
	bool has_owner = boot->open.n > 0;
	struct boot_run *last = has_owner ? &boot->open.v[boot->open.n - 1]
					  : NULL;
	struct mw_error *error = NULL;

	if (init->is_reached)
		return NULL;
	init->is_reached = true;
	if (last && last->is_init && strcmp(last->stage, init->stage) == 0)
		return NULL; // another function of the same package
	error = end_inits(boot);
	if (!error && !has_owner)
		error = tell_rest(boot, init->stage, event);
	if (error)
		return error;
	return begin(boot, &(struct boot_run){
				   .stage = init->stage,
				   .function = init->function,
				   .what = "variables and init functions of "
					   "the package",
				   .va = init->va,
				   .begun_ns = event->ran_ns,
				   .return_va = return_va,
				   .is_init = true,
			   });
}

/** What is about to be called at the one instruction that calls all inits. */
static struct mw_error *reach_init_call(struct boot *boot,
					const struct mw_trace_event *event)
{
	struct boot_init *init;
	uint64_t va;

	if (!mw_target_read_u64(boot->books.target, event->rdx, &va))
		return NULL;
	init = boot_plan_init(&boot->plan, va);
	return init ? reach_init(boot, init, 0, event) : NULL;
}

/** The function entered at @va, where inits are watched one by one. */
static struct mw_error *reach_init_entry(struct boot *boot,
					 struct boot_init *init,
					 const struct mw_trace_event *event)
{
	uint64_t va = return_address(boot, event);

	if (va && is_in_do_init(boot, va))
		va = 0;
	return reach_init(boot, init, va, event);
}

/**
 * How many stages go on when those have ended that return to where @event is:
 * the innermost such one, and all in it. (The stack may have been moved since,
 * so its pointer tells nothing.)
 */
static size_t open_after(const struct boot *boot,
			 const struct mw_trace_event *event)
{
	for (size_t i = boot->open.n; i-- > 0;)
		if (boot->open.v[i].return_va == event->va)
			return i;
	return boot->open.n;
}

static struct mw_error *on_place(struct boot *boot,
				 const struct mw_trace_event *event)
{
	struct boot_init *init = boot_plan_init(&boot->plan, event->va);
	size_t left = open_after(boot, event);
	struct mw_error *error;

	for (size_t i = left; i < boot->open.n; i++)
		boot->go_is_set_up |= boot->open.v[i].sets_up_go;
	error = boot_take(boot, event);
	while (boot->open.n > left && !error) {
		error = end_innermost(boot);
		boot_settle(boot, event);
	}
	for (size_t i = 0; i < boot->plan.stages.n && !error; i++)
		if (boot->plan.stages.v[i].va == event->va &&
		    !boot->plan.stages.v[i].is_reached) {
			error = reach_stage(boot, &boot->plan.stages.v[i],
					    event);
			boot_settle(boot, event);
		}
	if (!error && event->va == boot->plan.init_call)
		error = reach_init_call(boot, event);
	else if (!error && init)
		error = reach_init_entry(boot, init, event);
	boot_settle(boot, event);
	return error;
}

/* Places */

/**
 * Watch the stages to come: a few ahead, so that one which is left out does no
 * harm, and not all, since only four places can be watched without a trace. One
 * is for the return from a stage, and one from runtime.main on for the inits.
 */
static struct mw_error *watch_ahead(struct boot *boot, size_t most)
{
	size_t last = 0, ahead = 0;

	for (size_t i = 0; i < boot->plan.stages.n; i++)
		if (boot->plan.stages.v[i].is_reached)
			last = i;
	for (size_t i = last; i < boot->plan.stages.n && ahead < most; i++) {
		const struct boot_stage *stage = &boot->plan.stages.v[i];
		struct mw_error *error;

		if (stage->is_reached)
			continue;
		error = watch(boot, stage->va);
		if (error)
			return error;
		ahead++;
	}
	return NULL;
}

/** From runtime.main on: the inits, by one place or by many. */
static struct mw_error *watch_inits(struct boot *boot)
{
	boot->inits_watched = true;
	if (boot->plan.init_call &&
	    mw_trace_watch_on(boot->trace, boot->plan.init_call))
		return NULL;
	boot->plan.init_call = 0;
	for (size_t i = 0; i < boot->plan.inits.n; i++) {
		struct mw_error *error =
			watch(boot, boot->plan.inits.v[i].va);
		if (error)
			return error;
	}
	return NULL;
}

static bool is_at_runtime_main(const struct boot *boot, uint64_t va)
{
	for (size_t i = 0; i < boot->plan.stages.n; i++)
		if (boot->plan.stages.v[i].va == va)
			return strcmp(boot->plan.stages.v[i].name,
				      "runtime.main") == 0;
	return false;
}

/** The program stands at its first instruction. */
static struct mw_error *begin_program(struct boot *boot,
				      const struct mw_trace_event *event)
{
	struct boot_stage entry = {
		BOOT_ENTRY, "", "the kernel has mapped the program, the "
		"loader if it has one, the vdso and a stack",
		.how = BOOT_POINT, .va = event->va,
	};
	struct mw_error *error;

	for (size_t i = 0; i < boot->open.n; i++)
		boot_run_deinit(&boot->open.v[i]);
	boot->open.n = 0;
	for (size_t i = 0; i < boot->accounts.n; i++)
		boot->accounts.v[i].now = (struct mw_tally){ 0 };
	boot->go_is_set_up = boot->inits_watched = false;
	boot->before_ns = event->ran_ns;
	boot->before_cpu_ns = event->cpu_ns;
	boot_plan_free(&boot->plan);
	boot->plan = (struct boot_plan){ 0 };
	error = boot_take(boot, event);
	if (!error)
		error = boot_plan_make(boot->books.target, &boot->plan);
	if (!error && boot->until)
		error = boot_plan_check(&boot->plan, boot->until);
	if (error)
		return error;
	entry.is_last = boot->plan.stages.n == 0;
	error = reach_point(boot, &entry, false, event);
	return error ? error : watch_ahead(boot, 3);
}

static struct mw_error *step(struct boot *boot,
			     const struct mw_trace_event *event)
{
	struct mw_error *error;

	if (event->kind == MW_TRACE_EXEC)
		return begin_program(boot, event);
	error = on_place(boot, event);
	if (!error && is_at_runtime_main(boot, event->va))
		error = watch_inits(boot);
	if (!error)
		error = watch_ahead(boot, boot->inits_watched ? 2 : 3);
	return error;
}

struct mw_error *boot_walk(struct boot *boot, struct mw_trace_event *event)
{
	struct mw_error *error = NULL;

	while (event->kind != MW_TRACE_ENDED) {
		uint64_t begun = mw_kernel_now();

		error = step(boot, event);
		boot->held_ns += mw_kernel_now() - begun;
		if (error || boot->is_done)
			return error;
		error = mw_trace_next(boot->trace, event);
		if (error)
			return error;
	}
	return NULL;
}
