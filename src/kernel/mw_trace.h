/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_TRACE_H
#define MW_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mw_error.h"

/*
 * A program that memwhy starts itself and holds at places in its code.
 *
 * A place is watched by one of the processor's four debug registers, which
 * changes nothing in the program. Only when none is free, or the machine has
 * none, one byte of its code is replaced until it is reached; the page is the
 * program's own copy from then on.
 *
 * The program is a child of the caller, with its standard input, output and
 * error, its terminal and its environment. Until mw_trace_release() it dies
 * with the caller (PTRACE_O_EXITKILL): it would stumble over a place that
 * nobody watches any more. Signals reach it as if it were not traced; those
 * that another process sends to the caller are passed on.
 */
struct mw_trace;

enum mw_trace_kind {
	MW_TRACE_PLACE, /* a thread is about to execute a watched place */
	MW_TRACE_EXEC,	/* the program was replaced by another; no places left */
	MW_TRACE_ENDED,
};

struct mw_trace_event {
	enum mw_trace_kind kind;
	pid_t tid;
	uint64_t va; /* of the place; after an exec, of the first instruction */
	uint64_t sp;
	uint64_t rdx; /* where Go passes the closure that is called */
	int status; /* MW_TRACE_ENDED: as wait(2) has it */
	uint64_t ran_ns; /* since it was started, but for what it was held */
	uint64_t cpu_ns; /* processor time of all its threads so far, or 0 */
};

/**
 * Start the program @argv[0], found as execvp(3) does, with @argv (ends with
 * NULL). It stands before its first instruction, and @ret_event tells where.
 * Debug registers are used with @registers only.
 *
 * Errors: those of execve(2); MW_E_PERMISSION where nothing may be traced.
 * Stops:  the program, until mw_trace_next() or mw_trace_release().
 */
MW_MUST_USE struct mw_error *mw_trace_start(char *const argv[],
					    bool registers,
					    struct mw_trace **ret,
					    struct mw_trace_event *ret_event);

pid_t mw_trace_pid(const struct mw_trace *trace);

/** How many pages of code memwhy has made the program's own so far. */
uint64_t mw_trace_pages_written(const struct mw_trace *trace);

/**
 * Watch @va, until a thread is there. While the program is held only. One that
 * is watched already stays so.
 *
 * Errors: MW_E_RANGE when there is no code at @va, as far as that is looked at.
 */
MW_MUST_USE struct mw_error *mw_trace_watch(struct mw_trace *trace,
					    uint64_t va);
/** The same for good; @va needs a debug register. False: there is none. */
bool mw_trace_watch_on(struct mw_trace *trace, uint64_t va);

/**
 * Let the program run until something happens; all its threads are held then.
 * A thread in an uninterruptible wait may go on to be in it.
 *
 * Errors: MW_E_SYSTEM, MW_E_NOMEM; the program is to be released or killed.
 */
MW_MUST_USE struct mw_error *mw_trace_next(struct mw_trace *trace,
					   struct mw_trace_event *ret);

/** Take back all that was changed and let the program run, untraced. */
void mw_trace_release(struct mw_trace *trace);

/** Wait until a released program ends, passing signals on; as wait(2). */
MW_MUST_USE struct mw_error *mw_trace_wait(struct mw_trace *trace,
					   int *ret_status);

/** Kill the program, whether it is held or released, and wait for its end. */
void mw_trace_kill(struct mw_trace *trace);

/** Forget it; one that was neither released nor has ended is killed. */
void mw_trace_free(struct mw_trace *trace);

static inline void mw_trace_freep(struct mw_trace **trace)
{
	mw_trace_free(*trace);
	*trace = NULL;
}

#endif
