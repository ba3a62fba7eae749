/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ptrace.h>

#include "mw_guard.h"
#include "mw_kernel.h"

/*
 * Threads are born traced (PTRACE_O_TRACECLONE), and so are processes that the
 * program forks, which have the replaced bytes in their copy of the code: these
 * are put right and let go. One made by vfork shares the program's memory until
 * it calls exec, and is not traced at all.
 */
#define OPTIONS                                                  \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEFORK)

/** The child: wait to be traced, then become the program. */
static _Noreturn void become(char *const argv[], int ready, int failed)
{
	char byte;
	int errnum;

	if (read(ready, &byte, 1) == 1)
		execvp(argv[0], argv);
	errnum = errno;
	if (write(failed, &errnum, sizeof(errnum)) < 0)
		_exit(126);
	_exit(127);
}

/** Let the child that is traced now call exec, and wait until it has. */
static struct mw_error *wait_for_exec(struct mw_trace *trace, const char *name,
				      int ready, int failed,
				      struct mw_trace_event *ret)
{
	struct mw_error *error = NULL;
	int errnum;

	if (write(ready, "", 1) != 1)
		return mw_error_errno(errno, "starting %s", name);
	trace->resumed_ns = mw_kernel_now();
	for (bool happened = false; !happened && !trace->ended && !error;)
		error = mw_trace_take_next(trace, &happened, ret);
	if (error || !trace->ended)
		return error;
	if (read(failed, &errnum, sizeof(errnum)) == sizeof(errnum))
		return mw_error_errno(errnum, "%s: cannot be started", name);
	return mw_error_new(MW_E_GONE, "%s: ended before it was started", name);
}

static struct mw_error *start(struct mw_trace *trace, char *const argv[],
			      struct mw_trace_event *ret)
{
	int ready[2] = { -1, -1 }, failed[2] = { -1, -1 };
	struct trace_thread *thread = mw_vec_push(&trace->threads);
	struct mw_error *error = NULL;

	if (!thread)
		return mw_error_nomem();
	if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0)
		error = mw_error_errno(errno, "pipe");
	trace->pid = error ? -1 : fork();
	if (trace->pid == 0) {
		close(ready[1]);
		become(argv, ready[0], failed[1]);
	}
	if (!error && trace->pid < 0)
		error = mw_error_errno(errno, "fork");
	if (!error) {
		close(failed[1]);
		failed[1] = -1;
		mw_trace_pass_signals(trace->pid);
		*thread = (struct trace_thread){ .tid = trace->pid,
						 .runs = true };
		if (ptrace(PTRACE_SEIZE, trace->pid, NULL,
			   (void *)OPTIONS) != 0)
			error = mw_error_errno(errno, "%s: cannot be traced "
					       "(another debugger holds "
					       "memwhy, or the system forbids "
					       "it)", argv[0]);
	}
	if (!error)
		error = wait_for_exec(trace, argv[0], ready[1], failed[0],
				      ret);
	for (int i = 0; i < 2; i++) {
		mw_closep(&ready[i]);
		mw_closep(&failed[i]);
	}
	return error;
}

struct mw_error *mw_trace_start(char *const argv[], bool registers,
				struct mw_trace **ret,
				struct mw_trace_event *ret_event)
{
	MW_CLEANUP(mw_trace_freep) struct mw_trace *trace =
		mw_calloc(1, sizeof(*trace));
	struct mw_error *error;

	if (!trace)
		return mw_error_nomem();
	trace->pid = -1;
	trace->has_registers = registers && mw_trace_registers_work();
	error = start(trace, argv, ret_event);
	if (error)
		return error;
	// The time of the program begins here.
	trace->ran_ns = ret_event->ran_ns = 0;
	*ret = mw_steal(trace);
	return NULL;
}
