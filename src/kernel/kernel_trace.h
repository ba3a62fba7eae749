/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include "mw_trace.h"
#include "mw_vec.h"

#define TRACE_REGISTERS 4

/** A byte of code that was replaced by int3. */
struct trace_patch {
	uint64_t va;
	uint8_t was;
	bool is_set; /* else it was, and a thread may just be behind it */
};

struct trace_thread {
	pid_t tid;
	bool runs;
	bool has_status; /* of a stop that is still to be dealt with */
	int status;
};

struct mw_trace {
	pid_t pid;
	bool released, ended, has_registers;
	int end_status;
	uint64_t ran_ns, resumed_ns;
	MW_VEC(struct trace_thread) threads;
	struct trace_register {
		uint64_t va; /* 0: free */
		bool stays;
	} registers[TRACE_REGISTERS];
	MW_VEC(struct trace_patch) patches;
	MW_VEC(uint64_t) pages; /* that were written to */
};

/** Wait for a stop, or an end, and deal with it; *@ret_happened: @ret tells it. */
MW_MUST_USE struct mw_error *mw_trace_take_next(struct mw_trace *trace,
						bool *ret_happened,
						struct mw_trace_event *ret);

/** Whether this machine's debug registers stop a program. */
bool mw_trace_registers_work(void);

/** Give a thread that is halted the debug registers as they should be. */
void mw_trace_set_registers(const struct mw_trace *trace, pid_t tid);

/**
 * Whether thread @tid, which has a SIGTRAP, is at a place of ours. True also
 * for one that is not watched any more: then *@ret_va is 0. A place that is not
 * to stay is not watched any more when this returns, and the thread is about to
 * execute it.
 */
bool mw_trace_take_place(struct mw_trace *trace, pid_t tid, uint64_t *ret_va);

/** Put back what was replaced, in the memory of process @pid. */
void mw_trace_unpatch(const struct mw_trace *trace, pid_t pid);

/** Take back all, or forget it: another program is there. */
void mw_trace_clear_places(struct mw_trace *trace);
void mw_trace_forget_places(struct mw_trace *trace);

/** Pass signals that others send to memwhy on to @pid; 0 ends this. */
void mw_trace_pass_signals(pid_t pid);

#endif
