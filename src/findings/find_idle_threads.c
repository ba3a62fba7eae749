/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "findings_int.h"

/*
 * Threads that sleep: each has a stack here, 16 KiB of kernel memory, and most
 * often an arena and caches of malloc (CASES 26; golang/go 14592: Go never
 * ends a thread that it has started).
 */
#define MANY_THREADS 64
#define TIMES_THE_CPUS 4
#define KERNEL_STACK MW_KIB(16)

bool find_idle_threads(const struct mw_situation *s, struct mw_finding *ret)
{
	uint64_t idle = s->go.is_known ? s->go.idle_threads
				       : s->sleeping_threads;
	uint64_t stacks = find_below(s, "stack/threads").rss_bytes;
	uint64_t bytes = s->threads ? stacks / s->threads * idle : 0;

	bytes += idle * KERNEL_STACK;
	if ((s->go.is_known && !s->go.has_threads) || idle < MANY_THREADS ||
	    idle / TIMES_THE_CPUS < s->cpus || !find_is_much(s, bytes))
		return false;
	ret->bytes = bytes;
	find_say(&ret->summary, "%" PRIu64 " of %" PRIu64 " threads do nothing "
		 "and take about %s, with what the kernel has for them.", idle,
		 s->threads, BYTES(bytes));
	find_say(&ret->evidence, "%s; stack/threads %s resident, and 16 KiB of "
		 "kernel stack each, which RSS leaves out; %" PRIu64
		 " processors",
		 s->go.is_known ? "runtime.sched.midle"
				: "state S in /proc/PID/task",
		 BYTES(stacks), s->cpus);
	if (s->go.is_known)
		find_say(&ret->advice, "Go keeps threads for ever once many "
			 "goroutines sat in system calls or C at a time: bound "
			 "these (a semaphore); a goroutine that ends locked "
			 "(runtime.LockOSThread) takes its thread along.");
	else
		find_say(&ret->advice, "Use a smaller pool of threads, and let "
			 "idle ones end.");
	return true;
}
