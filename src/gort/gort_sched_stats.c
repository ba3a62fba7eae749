/* SPDX-License-Identifier: Apache-2.0 */
#include "gort_goroutines.h"
#include "gort_stats.h"

/*
 * What runtime/metrics tells of the scheduler, as schedStatsAggregate makes it
 * (metrics.go, since 1.26), and what it sums up over all Ms.
 */

#define MAX_PS 65536
#define MAX_MS (1 << 20)
#define P_RUNNING 1
#define P_DEAD 4

static uint64_t now(const struct mw_go *go, uint64_t va, enum go_field field)
{
	uint64_t value = 0;

	return go_now(go, va, field, &value) ? value : 0;
}

/** Whether P @p has lent itself to a thread that is in a system call or in C. */
static bool is_in_call(const struct mw_go *go, uint64_t p)
{
	uint64_t m = now(go, p, GO_p_m);
	uint64_t g = m ? now(go, m, GO_m_curg) : 0;
	uint64_t status = g ? now(go, g, GO_g_atomicstatus) & ~GO_G_SCAN : 0;

	return status == GO_G_SYSCALL || status == GO_G_DEAD_EXTRA;
}

static void add_p(const struct mw_go *go, uint64_t p,
		  struct go_sched_stats *to)
{
	uint32_t queued = (uint32_t)now(go, p, GO_p_runqtail) -
			  (uint32_t)now(go, p, GO_p_runqhead);

	to->created += now(go, p, GO_p_goroutinesCreated);
	if ((uint32_t)now(go, p, GO_p_status) == P_RUNNING) {
		if (is_in_call(go, p))
			to->not_in_go++;
		else
			to->running++;
	}
	// Negative when it was caught in a change.
	to->runnable += queued <= INT32_MAX ? queued : 0;
	to->runnable += now(go, p, GO_p_runnext) != 0;
}

static bool add_ps(const struct mw_go *go, struct go_sched_stats *to)
{
	struct go_slice ps;

	if (!go_read_ps(go, &ps))
		return false;
	for (uint64_t i = 0; i < mw_min(ps.len, MAX_PS); i++) {
		uint64_t p;

		if (!go_read_now(go, ps.ptr + 8 * i, &p, sizeof(p)))
			return false;
		if (!p || (uint32_t)now(go, p, GO_p_status) == P_DEAD)
			break;
		add_p(go, p, to);
	}
	return true;
}

/** Threads that C has brought are no threads of Go's. */
static bool add_ms(const struct mw_go *go, struct go_sched_stats *to)
{
	uint64_t m, extra = 0, all;

	if (!go->allm || !go_read_now(go, go->allm, &m, sizeof(m)))
		return false;
	for (int n = 0; m; n++) {
		uint64_t next;

		// A cycle, or a list caught in a change.
		if (n == MAX_MS || !go_now(go, m, GO_m_alllink, &next))
			return false;
		extra += now(go, m, GO_m_isextra) & 1;
		to->go_to_c += now(go, m, GO_m_ncgocall);
		to->lock_wait_ns += now(go, m, GO_m_lockWaitTime);
		m = next;
	}
	all = now(go, go->sched, GO_schedt_mnext) -
	      now(go, go->sched, GO_schedt_nmfreed);
	to->threads = all - mw_min(all, extra);
	return true;
}

bool go_read_sched_stats(const struct mw_go *go, struct go_sched_stats *ret)
{
	struct go_sched_stats s = { 0 };
	uint64_t outside, moving;

	if (!go->sched || !add_ps(go, &s) || !add_ms(go, &s))
		return false;
	s.created += now(go, go->sched, GO_schedt_goroutinesCreated);
	s.runnable += (uint32_t)now(go, go->sched, GO_schedt_runq_size);
	outside = now(go, go->sched, GO_schedt_nGsyscallNoP);
	// It may be negative for a moment.
	s.not_in_go += (int32_t)outside > 0 ? (uint32_t)outside : 0;
	// With those of the runtime itself, which are among the others, too.
	s.all = go->info.goroutines +
		(uint32_t)now(go, go->sched, GO_schedt_ngsys);
	moving = s.running + s.runnable + s.not_in_go;
	s.waiting = s.all - mw_min(s.all, moving);
	s.lock_wait_ns += now(go, go->sched, GO_schedt_totalMutexWaitTime) +
			  now(go, go->sched,
			      GO_schedt_totalRuntimeLockWaitTime);
	s.threads_ended = now(go, go->sched, GO_schedt_nmfreed) != 0;
	*ret = s;
	return true;
}
