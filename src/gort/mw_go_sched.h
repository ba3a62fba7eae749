/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_SCHED_H
#define MW_GO_SCHED_H

#include "mw_go_stats.h"

/*
 * The scheduler: its threads (M), what each is doing, its processors (P), and
 * what waits for them.
 */

enum mw_go_m_state {
	MW_GO_M_RUNNING,  /* a goroutine */
	MW_GO_M_SYSCALL,  /* a goroutine in a system call */
	MW_GO_M_CGO,	  /* a goroutine in C */
	MW_GO_M_SPINNING, /* looks for work */
	MW_GO_M_IDLE,	  /* parked, waits to be given some */
	MW_GO_M_LOCKED,	  /* waits for the goroutine locked to it */
	MW_GO_M_EXTRA,	  /* kept for threads that C has made */
	MW_GO_M_RUNTIME,  /* does the runtime's own work */
};
const char *mw_go_m_state_name(enum mw_go_m_state state);

struct mw_go_m {
	uint64_t address;
	int64_t id;
	uint64_t tid; /* the kernel's number of the thread; 0: has none yet */
	char thread_state; /* as the kernel has it: R, S, D, …; 0: not known */
	enum mw_go_m_state state;
	bool has_p;
	uint64_t p; /* its number */
	uint64_t g; /* its id; 0: none */
	uint64_t locked_g; /* id of the goroutine locked to it; 0: none */
	const char *function; /* what it was started to run; "": none */
	const char *at; /* function that made the system call; "": none */
	/*
	 * How long it has run the same goroutine without a break, at least;
	 * 0: not known.
	 */
	uint64_t running_ns;
	uint64_t mallocing, locks;
};

struct mw_go_p {
	uint64_t address, id;
	const char *status; /* idle, running, syscall, gcstop, dead */
	bool has_m;
	int64_t m; /* its number */
	uint64_t sched_ticks, syscall_ticks;
	uint64_t runnable; /* goroutines in its queue */
	const char *gc_worker; /* dedicated, fractional, idle; "": none */
};

struct mw_go_sched {
	MW_VEC(struct mw_go_m) ms; /* ascending by id */
	MW_VEC(struct mw_go_p) ps;
	MW_VEC(struct mw_go_figure) figures; /* of sched itself */
	uint64_t torn; /* that could not be read */
};

/**
 * Read it. @now_ns as in mw_go_gc_read(). Strings are @go's, or static.
 *
 * Errors: MW_E_UNSUPPORTED when the lists of threads were not found.
 */
MW_MUST_USE struct mw_error *mw_go_sched_read(struct mw_go *go,
					      uint64_t now_ns,
					      struct mw_go_sched *ret);
void mw_go_sched_free(struct mw_go_sched *sched);

#endif
