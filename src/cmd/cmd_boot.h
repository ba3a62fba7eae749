/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_BOOT_H
#define CMD_BOOT_H

#include "cmd_books.h"
#include "cmd_names.h"
#include "mw_trace.h"

/* What is known of a program before it has run, and where it is to be held. */

#define BOOT_ENTRY "kernel entry"

enum boot_how {
	BOOT_POINT,  /* told when it is reached */
	BOOT_CALL,   /* told when it has returned, with what it did */
	BOOT_THREAD, /* reached by another thread: does not end what goes on */
};

struct boot_stage {
	const char *name;
	const char *function; /* "" when not known */
	const char *what;
	enum boot_how how;
	bool sets_up_go; /* from its end on, the Go runtime can be read */
	bool is_last;
	uint64_t va;
	bool is_reached;
};

/** A function that initialises a package. */
struct boot_init {
	const char *function;
	char *stage; /* "init PACKAGE" */
	uint64_t va;
	bool is_reached;
};

struct boot_plan {
	struct mw_target *file; /* the executable, as it lies on the disk */
	struct cmd_names *names;
	struct mw_go_funcs *funcs; /* of @names; NULL: no Go program */
	uint64_t bias; /* address in the process - address in @file */
	MW_VEC(struct boot_stage) stages; /* in their order */
	MW_VEC(struct boot_init) inits;   /* ascending by va */
	uint64_t init_call; /* the instruction that calls each init, or 0 */
};

/**
 * Plan for the program in @target, a process that stands at the first
 * instruction.
 */
MW_MUST_USE struct mw_error *boot_plan_make(struct mw_target *target,
					    struct boot_plan *ret);
void boot_plan_free(struct boot_plan *plan);

/** The function that initialises a package at @va, or NULL. */
struct boot_init *boot_plan_init(const struct boot_plan *plan, uint64_t va);

/**
 * Whether @name can be reached: a stage of this program is called so, as it is
 * told, by its function, or for a package by its path; or, as long as it may
 * become another program, of any.
 *
 * Errors: MW_E_USAGE, with the stages that there are if others have @name.
 */
MW_MUST_USE struct mw_error *boot_plan_check(const struct boot_plan *plan,
					     const char *name);
bool boot_is_called(const char *stage, const char *function, const char *name);

/* What goes on */

struct boot_change {
	int64_t rss_bytes, vsz_bytes, swap_bytes;
};

/** A stage that has begun, and what is its own so far. */
struct boot_run {
	const char *stage; /* borrowed from the plan, or NULL: @own_stage */
	char *own_stage;
	const char *function, *what;
	uint64_t va;
	uint64_t begun_ns; /* of the program's time */
	uint64_t took_ns, cpu_ns;
	uint64_t return_va; /* 0: ends when the next begins */
	bool is_init, sets_up_go;
	MW_VEC(struct boot_change) changes; /* by index of the account */
};

void boot_run_deinit(struct boot_run *run);

struct boot_account {
	char *name;
	struct mw_tally before, now;
};

struct boot {
	const struct cmd_call *call;
	const char *until; /* NULL: to the last stage */
	struct mw_trace *trace;
	struct boot_plan plan;
	struct cmd_books books; /* the last ones */
	bool go_is_set_up, inits_watched;
	uint64_t before_ns, before_cpu_ns; /* times of the last books */
	uint64_t held_ns;   /* how long the program was held */
	MW_VEC(struct boot_account) accounts; /* the total first */
	MW_VEC(struct boot_run) open; /* the innermost last */
	struct mw_table table;
	bool is_done;	/* the stage asked for was told */
};

/** Take the books; to the innermost stage goes what has changed since. */
MW_MUST_USE struct mw_error *boot_take(struct boot *boot,
				       const struct mw_trace_event *event);

/** What has changed between the last two books is @run's. Error: MW_E_NOMEM. */
MW_MUST_USE struct mw_error *boot_attribute(struct boot *boot,
					    struct boot_run *run,
					    const struct mw_trace_event *event);

/** All that has changed up to @event is told, or belongs to a stage. */
void boot_settle(struct boot *boot, const struct mw_trace_event *event);

/** Let the program go from stage to stage until the last one is told. */
MW_MUST_USE struct mw_error *boot_walk(struct boot *boot,
				       struct mw_trace_event *event);

/* What is told */

/** A row for each account that has changed in @run, and one for the total. */
MW_MUST_USE struct mw_error *boot_rows_add(struct boot *boot,
					   const struct boot_run *run);
void boot_rows_end(struct boot *boot);
void boot_rows_help(FILE *out);

/** Whether anything has changed in @run. */
bool boot_has_changes(const struct boot_run *run);

#endif
