/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel_int.h"
#include "kernel_threads.h"
#include "mw_map64.h"

/*
 * PTRACE_SEIZE does not stop and sends no signal; PTRACE_INTERRUPT then stops
 * the thread at its next way out of the kernel. No PTRACE_O_EXITKILL: when the
 * tracer dies, the kernel detaches and the target runs on.
 */

/** How long a thread may take to stop before it counts as not haltable. */
#define WAIT_NS UINT64_C(2000000000)

struct tracee {
	pid_t tid;
	char state; /* what it was doing before */
	bool done; /* stopped, or given up on */
	/*
	 * A signal that was being delivered when the thread stopped: lost if
	 * it were not handed back when the thread is released.
	 */
	int signal;
};

struct mw_stop {
	struct mw_process *process;
	MW_VEC(struct tracee) tracees;
	struct mw_map64 seen; /* TIDs that were seized or had ended */
	uint64_t begun_ns;
	size_t unhalted;
};

static bool has_ended(struct mw_process *process, pid_t tid)
{
	char state = mw_kernel_thread_state(process, tid);

	return state == 'Z' || state == 'X' || state == 0;
}

static struct mw_error *seize(struct mw_stop *stop, struct mw_process *process,
			      pid_t tid)
{
	struct tracee *tracee = mw_vec_push(&stop->tracees);

	if (!tracee)
		return mw_error_nomem();
	*tracee = (struct tracee){
		.tid = tid,
		.state = mw_kernel_thread_state(process, tid),
	};
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) {
		int errnum = errno;

		stop->tracees.n--;
		// It ended between listing and seizing, or the main thread
		// ended before the others.
		if (errnum == ESRCH || has_ended(process, tid))
			return NULL;
		return mw_error_errno(errnum, "process %d cannot be stopped "
				      "(another debugger holds it, or "
				      "kernel.yama.ptrace_scope forbids it); "
				      "use --live or run as root",
				      process->pid);
	}
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0 && errno != ESRCH)
		return mw_error_errno(errno, "stopping thread %d", tid);
	return NULL;
}

/**
 * Wait until every seized thread has stopped. One that ends instead is taken
 * out; one in an uninterruptible wait is counted and left: it executes nothing
 * of the target meanwhile.
 */
static void wait_all(struct mw_stop *stop, struct mw_process *process)
{
	uint64_t deadline = mw_kernel_now() + WAIT_NS;

	for (size_t i = 0; i < stop->tracees.n;) {
		struct tracee *tracee = &stop->tracees.v[i];
		int status;

		if (tracee->done) {
			i++;
			continue;
		}
		pid_t got = waitpid(tracee->tid, &status, __WALL | WNOHANG);
		if (got == tracee->tid && WIFSTOPPED(status)) {
			tracee->done = true;
			if (status >> 16 != PTRACE_EVENT_STOP)
				tracee->signal = WSTOPSIG(status);
			i++;
		} else if (got == tracee->tid || (got < 0 && errno == ECHILD)) {
			*tracee = stop->tracees.v[--stop->tracees.n];
		} else {
			char state = mw_kernel_thread_state(process,
							    tracee->tid);

			if (mw_kernel_now() > deadline ||
			    (state == 'D' &&
			     mw_kernel_now() > deadline - WAIT_NS * 9 / 10)) {
				stop->unhalted++;
				tracee->done = true;
				i++;
				continue;
			}
			mw_kernel_pause(20000);
		}
	}
}

struct mw_error *mw_stop_begin(struct mw_process *process,
			       struct mw_stop **ret)
{
	struct mw_stop *stop = mw_calloc(1, sizeof(*stop));
	struct mw_error *error = NULL;
	bool more = true;

	if (!stop)
		return mw_error_nomem();
	stop->process = process;
	stop->begun_ns = mw_kernel_now();
	// Until a whole round finds nobody new: a thread that still runs can
	// make others, one that is stopped cannot.
	while (more && !error) {
		MW_CLEANUP(mw_freep) pid_t *tids = NULL;
		size_t count = 0;

		more = false;
		error = mw_kernel_tids(process, &tids, &count);
		for (size_t i = 0; !error && i < count; i++) {
			uint64_t *seen = mw_map64_at(&stop->seen,
						     (uint64_t)tids[i]);

			if (seen && *seen)
				continue;
			error = seen ? seize(stop, process, tids[i])
				     : mw_error_nomem();
			if (!error)
				*seen = 1;
			more = true;
		}
		if (!error)
			wait_all(stop, process);
		if (!error && stop->tracees.n == 0)
			error = mw_error_new(MW_E_GONE, "process %d has ended",
					     process->pid);
	}
	if (error) {
		mw_stop_end(stop);
		return error;
	}
	process->is_stopped = true;
	*ret = stop;
	return NULL;
}

struct mw_error *mw_stop_threads(struct mw_stop *stop, struct mw_threads *ret)
{
	struct mw_threads threads = { 0 };

	for (size_t i = 0; i < stop->tracees.n; i++) {
		pid_t tid = stop->tracees.v[i].tid;
		struct mw_thread *thread = mw_vec_push(&threads.list);
		uint64_t general[sizeof(struct user_regs_struct) / 8];

		if (!thread) {
			mw_threads_free(&threads);
			return mw_error_nomem();
		}
		*thread = (struct mw_thread){
			.tid = tid,
			.state = stop->tracees.v[i].state,
			.robust_list = mw_kernel_robust_list(tid),
		};
		if (ptrace(PTRACE_GETREGS, tid, NULL, general) == 0)
			mw_thread_take_registers(thread, general);
	}
	*ret = threads;
	return NULL;
}

static bool get_set(pid_t tid, uintptr_t set, void *to, size_t size,
		    size_t *ret_bytes)
{
	struct iovec place = { to, size };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)set, &place) != 0)
		return false;
	*ret_bytes = place.iov_len;
	return true;
}

bool mw_stop_registers(const struct mw_stop *stop, int32_t tid,
		       struct mw_registers *ret)
{
	siginfo_t siginfo;
	size_t bytes;

	(void)stop; // only its holder may ask
	_Static_assert(sizeof(struct user_regs_struct) == sizeof(ret->general),
		       "the general registers of x86-64");
	_Static_assert(sizeof(siginfo) == sizeof(ret->siginfo), "siginfo");
	if (!get_set(tid, NT_PRSTATUS, ret->general, sizeof(ret->general),
		     &bytes) ||
	    bytes != sizeof(ret->general))
		return false;
	ret->has_fp = get_set(tid, NT_PRFPREG, ret->fp, sizeof(ret->fp),
			      &bytes) &&
		      bytes == sizeof(ret->fp);
	ret->xstate_bytes = 0;
	// A set that does not fit would come cut.
	if (get_set(tid, NT_X86_XSTATE, ret->xstate, sizeof(ret->xstate),
		    &bytes) &&
	    bytes < sizeof(ret->xstate))
		ret->xstate_bytes = bytes;
	ret->has_siginfo = ptrace(PTRACE_GETSIGINFO, tid, NULL, &siginfo) == 0;
	if (ret->has_siginfo)
		memcpy(ret->siginfo, &siginfo, sizeof(siginfo));
	return true;
}

size_t mw_stop_unhalted(const struct mw_stop *stop)
{
	return stop->unhalted;
}

uint64_t mw_stop_end(struct mw_stop *stop)
{
	if (!stop)
		return 0;
	// ESRCH from a thread that was not halted or was killed meanwhile: the
	// kernel releases the former when memwhy ends.
	for (size_t i = 0; i < stop->tracees.n; i++)
		ptrace(PTRACE_DETACH, stop->tracees.v[i].tid, NULL,
		       (void *)(intptr_t)stop->tracees.v[i].signal);

	uint64_t held = mw_kernel_now() - stop->begun_ns;
	stop->process->is_stopped = false;
	mw_vec_free(&stop->tracees);
	mw_map64_free(&stop->seen);
	mw_free(stop);
	return held;
}
