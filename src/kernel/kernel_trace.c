/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_trace.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "mw_kernel.h"

/** How long a thread may take to stop before it is left as it is. */
#define WAIT_NS UINT64_C(2000000000)

/* Threads */

static struct trace_thread *thread_of(struct mw_trace *trace, pid_t tid)
{
	for (size_t i = 0; i < trace->threads.n; i++)
		if (trace->threads.v[i].tid == tid)
			return &trace->threads.v[i];
	return NULL;
}

static void remove_thread(struct mw_trace *trace, pid_t tid)
{
	struct trace_thread *thread = thread_of(trace, tid);

	if (thread)
		*thread = trace->threads.v[--trace->threads.n];
}

static void resume(struct mw_trace *trace, pid_t tid, int number)
{
	struct trace_thread *thread = thread_of(trace, tid);

	// ESRCH: it was killed meanwhile, and its end will be told.
	ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)number);
	if (thread)
		thread->runs = true;
}

/** Whether @tid is a thread of the program, not a process that it forked. */
static bool is_own(const struct mw_trace *trace, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", trace->pid, tid);
	return access(path, F_OK) == 0;
}

static void let_go(struct mw_trace *trace, pid_t pid)
{
	// Not where the memory is shared: the program's places were lost.
	if (syscall(SYS_kcmp, trace->pid, pid, KCMP_VM, 0, 0) != 0)
		mw_trace_unpatch(trace, pid);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

/** A thread that is heard of for the first time: it stands at its start. */
static struct mw_error *meet(struct mw_trace *trace, pid_t tid)
{
	struct trace_thread *thread;

	if (!is_own(trace, tid)) {
		let_go(trace, tid);
		return NULL;
	}
	thread = mw_vec_push(&trace->threads);
	if (!thread)
		return mw_error_nomem();
	*thread = (struct trace_thread){ .tid = tid };
	mw_trace_set_registers(trace, tid);
	resume(trace, tid, 0);
	return NULL;
}

/**
 * The thread or process that @tid has just made. It stands still, and is met
 * here, so that nobody is left whom the program has and we do not know.
 */
static struct mw_error *meet_child(struct mw_trace *trace, pid_t tid)
{
	unsigned long child;
	int status;

	if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &child) != 0 ||
	    thread_of(trace, (pid_t)child) ||
	    waitpid((pid_t)child, &status, __WALL) != (pid_t)child ||
	    !WIFSTOPPED(status))
		return NULL;
	return meet(trace, (pid_t)child);
}

static bool makes_child(int status)
{
	return status >> 16 == PTRACE_EVENT_CLONE ||
	       status >> 16 == PTRACE_EVENT_FORK;
}

/* Stops */

/** What wait(2) said of one; true when it is at its end. */
static bool has_ended(struct mw_trace *trace, pid_t tid, int status)
{
	if (!WIFEXITED(status) && !WIFSIGNALED(status))
		return false;
	remove_thread(trace, tid);
	if (tid == trace->pid) {
		trace->ended = true;
		trace->end_status = status;
	}
	return true;
}

/** Keep how @thread has stopped, if that tells more than that it was halted. */
static void keep_status(struct trace_thread *thread, int status)
{
	thread->runs = false;
	thread->status = status;
	thread->has_status = status >> 8 != (SIGTRAP | PTRACE_EVENT_STOP << 8);
}

/** Halt the threads that run, and keep what else there is to tell of them. */
static void halt_all(struct mw_trace *trace)
{
	uint64_t deadline = mw_kernel_now() + WAIT_NS;

	for (size_t i = 0; i < trace->threads.n; i++)
		if (trace->threads.v[i].runs)
			ptrace(PTRACE_INTERRUPT, trace->threads.v[i].tid, NULL,
			       NULL);
	for (size_t i = 0; i < trace->threads.n;) {
		struct trace_thread *thread = &trace->threads.v[i];
		struct timespec pause = { 0, 20000 };
		int status;
		pid_t got;

		if (!thread->runs) {
			i++;
			continue;
		}
		got = waitpid(thread->tid, &status, __WALL | WNOHANG);
		if (got == thread->tid && has_ended(trace, got, status))
			continue;
		if (got == thread->tid) {
			keep_status(thread, status);
		} else if (got < 0 || mw_kernel_now() > deadline) {
			i++;
		} else {
			nanosleep(&pause, NULL);
		}
	}
}

/** Processor time of all threads of process @pid, also of those that ended. */
static uint64_t cpu_time(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &time) != 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void fill_event(struct mw_trace *trace, pid_t tid,
		       enum mw_trace_kind kind, struct mw_trace_event *ret)
{
	struct user_regs_struct regs = { 0 };

	ptrace(PTRACE_GETREGS, tid, NULL, &regs);
	*ret = (struct mw_trace_event){
		.kind = kind,
		.tid = tid,
		.va = regs.rip,
		.sp = regs.rsp,
		.rdx = regs.rdx,
		.ran_ns = trace->ran_ns,
		.cpu_ns = cpu_time(trace->pid),
	};
}

static void stop_clock(struct mw_trace *trace)
{
	uint64_t now = mw_kernel_now();

	trace->ran_ns += now - trace->resumed_ns;
	trace->resumed_ns = now;
}

/** The program is another one now, and has one thread, which called exec. */
static struct mw_error *take_exec(struct mw_trace *trace,
				  struct mw_trace_event *ret)
{
	struct trace_thread *thread;

	trace->threads.n = 0;
	mw_trace_forget_places(trace);
	thread = mw_vec_push(&trace->threads);
	if (!thread)
		return mw_error_nomem();
	*thread = (struct trace_thread){ .tid = trace->pid };
	fill_event(trace, trace->pid, MW_TRACE_EXEC, ret);
	return NULL;
}

/**
 * Deal with a stop of a thread. Either it runs again, or *@ret_happened is set
 * and @ret tells what has happened.
 */
static struct mw_error *take_stop(struct mw_trace *trace, pid_t tid, int status,
				  bool *ret_happened,
				  struct mw_trace_event *ret)
{
	struct trace_thread *thread = thread_of(trace, tid);
	int number = WSTOPSIG(status), event = status >> 16;
	uint64_t va;

	if (event == PTRACE_EVENT_EXEC && tid == trace->pid) {
		*ret_happened = true;
		return take_exec(trace, ret);
	}
	if (!thread)
		return meet(trace, tid);
	thread->runs = thread->has_status = false;
	if (event == PTRACE_EVENT_STOP && number != SIGTRAP) {
		// Halted by job control: it stays so until SIGCONT.
		ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		thread->runs = true;
	} else if (event) {
		struct mw_error *error =
			makes_child(status) ? meet_child(trace, tid) : NULL;

		resume(trace, tid, 0);
		return error;
	} else if (number == SIGTRAP && mw_trace_take_place(trace, tid, &va)) {
		if (!va) {
			resume(trace, tid, 0);
			return NULL;
		}
		*ret_happened = true;
		fill_event(trace, tid, MW_TRACE_PLACE, ret);
		ret->va = va;
	} else {
		resume(trace, tid, number);
	}
	return NULL;
}

/** What was kept when all threads were halted for something else. */
static struct mw_error *take_kept(struct mw_trace *trace, bool *ret_happened,
				  struct mw_trace_event *ret)
{
	struct mw_error *error = NULL;

	for (size_t i = 0; i < trace->threads.n && !*ret_happened && !error;
	     i++)
		if (trace->threads.v[i].has_status)
			error = take_stop(trace, trace->threads.v[i].tid,
					  trace->threads.v[i].status,
					  ret_happened, ret);
	return error;
}

struct mw_error *mw_trace_take_next(struct mw_trace *trace, bool *ret_happened,
				    struct mw_trace_event *ret)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL);

	if (tid < 0)
		return errno == EINTR ? NULL
				      : mw_error_errno(errno, "waiting for "
						       "process %d",
						       trace->pid);
	stop_clock(trace);
	if (has_ended(trace, tid, status))
		return NULL;
	return take_stop(trace, tid, status, ret_happened, ret);
}

struct mw_error *mw_trace_next(struct mw_trace *trace,
			       struct mw_trace_event *ret)
{
	struct mw_trace_event event;
	bool happened = false;
	struct mw_error *error;

	trace->resumed_ns = mw_kernel_now();
	error = take_kept(trace, &happened, &event);
	for (size_t i = 0; i < trace->threads.n && !happened && !error; i++)
		if (!trace->threads.v[i].runs)
			resume(trace, trace->threads.v[i].tid, 0);
	while (!happened && !error && !trace->ended)
		error = mw_trace_take_next(trace, &happened, &event);
	if (error)
		return error;
	if (!happened)
		event = (struct mw_trace_event){
			.kind = MW_TRACE_ENDED,
			.status = trace->end_status,
			.ran_ns = trace->ran_ns,
		};
	else
		halt_all(trace);
	*ret = event;
	return NULL;
}

/* The end */

pid_t mw_trace_pid(const struct mw_trace *trace)
{
	return trace->pid;
}

/** Whether a trap waits to be told, which the processor made in @tid. */
static bool is_trap_pending(pid_t tid)
{
	enum { MANY = 16 };
	struct __ptrace_peeksiginfo_args own = { .nr = MANY };
	siginfo_t list[MANY];
	long n = ptrace(PTRACE_PEEKSIGINFO, tid, &own, list);

	for (long i = 0; i < n; i++)
		if (list[i].si_signo == SIGTRAP &&
		    (list[i].si_code == TRAP_HWBKPT ||
		     list[i].si_code == SI_KERNEL))
			return true;
	return false;
}

/**
 * A thread that reached a place just when it was halted tells of its halt first.
 * The trap would end it once it is let go, so have that told, too: it is
 * delivered before the thread runs on. False: the thread has ended.
 */
static bool take_pending_trap(struct mw_trace *trace,
			      struct trace_thread *thread)
{
	int status;

	if (thread->runs || thread->has_status ||
	    !is_trap_pending(thread->tid) ||
	    ptrace(PTRACE_CONT, thread->tid, NULL, NULL) != 0 ||
	    waitpid(thread->tid, &status, __WALL) != thread->tid)
		return true;
	if (has_ended(trace, thread->tid, status))
		return false;
	keep_status(thread, status);
	return true;
}

void mw_trace_release(struct mw_trace *trace)
{
	if (trace->released || trace->ended)
		return;
	for (size_t i = 0; i < trace->threads.n; i++)
		if (trace->threads.v[i].has_status &&
		    makes_child(trace->threads.v[i].status))
			mw_error_free(
				meet_child(trace, trace->threads.v[i].tid));
	// Also those that were met just now.
	halt_all(trace);
	mw_trace_clear_places(trace);
	for (size_t i = 0; i < trace->threads.n;)
		i += take_pending_trap(trace, &trace->threads.v[i]);
	for (size_t i = 0; i < trace->threads.n; i++) {
		struct trace_thread *thread = &trace->threads.v[i];
		int number = 0;
		uint64_t va;

		// A signal that was about to be delivered, but for one that
		// came from a place of ours.
		if (thread->has_status && thread->status >> 16 == 0 &&
		    !(WSTOPSIG(thread->status) == SIGTRAP &&
		      mw_trace_take_place(trace, thread->tid, &va)))
			number = WSTOPSIG(thread->status);
		ptrace(PTRACE_DETACH, thread->tid, NULL,
		       (void *)(intptr_t)number);
	}
	trace->released = true;
}

struct mw_error *mw_trace_wait(struct mw_trace *trace, int *ret_status)
{
	while (!trace->ended) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno != EINTR)
			return mw_error_errno(errno, "waiting for process %d",
					      trace->pid);
		if (tid < 0 || has_ended(trace, tid, status))
			continue;
		let_go(trace, tid);
	}
	*ret_status = trace->end_status;
	return NULL;
}

void mw_trace_kill(struct mw_trace *trace)
{
	struct mw_error *error;
	int status;

	if (trace->pid <= 0 || trace->ended)
		return;
	kill(trace->pid, SIGKILL);
	error = mw_trace_wait(trace, &status);
	mw_error_free(error);
}

void mw_trace_free(struct mw_trace *trace)
{
	if (!trace)
		return;
	if (!trace->released)
		mw_trace_kill(trace);
	mw_trace_pass_signals(0);
	mw_vec_free(&trace->threads);
	mw_vec_free(&trace->patches);
	mw_vec_free(&trace->pages);
	mw_free(trace);
}
