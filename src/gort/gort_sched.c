/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "gort_goroutines.h"
#include "gort_stats.h"
#include "mw_go_sched.h"

/*
 * The scheduler (proc.go, runtime2.go). All Ms hang in a list from allm; those
 * that are parked in another, from sched.midle. What an M does follows from the
 * goroutine that it has and from that one's status.
 */

#define MAX_MS (1 << 20)
#define MAX_PS 65536

struct reader {
	struct mw_go *go;
	struct mw_go_sched *out;
	struct mw_map64 idle; /* addresses of parked Ms */
	uint64_t now_ns;
};

const char *mw_go_m_state_name(enum mw_go_m_state state)
{
	static const char *const names[] = {
		[MW_GO_M_RUNNING] = "running",
		[MW_GO_M_SYSCALL] = "syscall",
		[MW_GO_M_CGO] = "cgo",
		[MW_GO_M_SPINNING] = "spinning",
		[MW_GO_M_IDLE] = "idle",
		[MW_GO_M_LOCKED] = "locked",
		[MW_GO_M_EXTRA] = "extra",
		[MW_GO_M_RUNTIME] = "runtime",
	};

	return names[state];
}

/** A member that may be missing; 0 then. */
static uint64_t get(const struct mw_go *go, uint64_t va, enum go_field field)
{
	uint64_t value;

	return go_has(go, field) && go_read(go, va, field, &value) ? value : 0;
}

static struct mw_error *find_idle(struct reader *r)
{
	// Since 1.26 the list has links of its own.
	enum go_field link = go_has(r->go, GO_m_idleNode_next)
				     ? GO_m_idleNode_next
				     : GO_m_schedlink;
	uint64_t m = r->go->sched ? get(r->go, r->go->sched, GO_schedt_midle)
				  : 0;

	for (int n = 0; m && n < MAX_MS; n++) {
		uint64_t *place = mw_map64_at(&r->idle, m);

		if (!place)
			return mw_error_nomem();
		if ((*place)++)
			break; // a cycle
		m = get(r->go, m, link);
	}
	return NULL;
}

static const char *function_at(struct mw_go *go, uint64_t pc)
{
	struct mw_go_func func;

	return pc && mw_go_func_of(go->funcs, pc, &func)
		       ? mw_go_func_name(go->funcs, &func)
		       : "";
}

static char thread_state(const struct mw_go *go, uint64_t tid)
{
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(go->target, &count);

	for (size_t i = 0; i < count; i++)
		if ((uint64_t)threads[i].tid == tid)
			return threads[i].state;
	return 0;
}

static enum mw_go_m_state state_of(struct reader *r, uint64_t m, uint64_t g,
				   const struct mw_go_m *known)
{
	struct mw_go *go = r->go;
	uint64_t status = g ? get(go, g, GO_g_atomicstatus) & ~GO_G_SCAN : 0;

	if (g && get(go, m, GO_m_incgo))
		return MW_GO_M_CGO;
	if (g && status == GO_G_SYSCALL)
		return MW_GO_M_SYSCALL;
	// With a P it runs, even if its status is just being changed.
	if (g && (status == GO_G_RUNNING || known->has_p))
		return MW_GO_M_RUNNING;
	if (mw_map64_find(&r->idle, m))
		return MW_GO_M_IDLE;
	if (!known->tid || get(go, m, GO_m_isextra))
		return MW_GO_M_EXTRA;
	if (get(go, m, GO_m_spinning))
		return MW_GO_M_SPINNING;
	if (known->locked_g && !known->has_p)
		return MW_GO_M_LOCKED;
	return MW_GO_M_RUNTIME;
}

/** How long P has run one goroutine: sysmon notes when that changes. */
static uint64_t running_since(const struct reader *r, uint64_t p)
{
	const struct mw_go *go = r->go;
	uint64_t when = get(go, p, GO_p_sysmontick_schedwhen);

	if (!when || !r->now_ns || when > r->now_ns ||
	    (uint32_t)get(go, p, GO_p_sysmontick_schedtick) !=
		    (uint32_t)get(go, p, GO_p_schedtick))
		return 0;
	return r->now_ns - when;
}

static bool add_m(struct reader *r, uint64_t m)
{
	struct mw_go *go = r->go;
	struct mw_go_m *to = mw_vec_push(&r->out->ms);
	uint64_t g = get(go, m, GO_m_curg), p = get(go, m, GO_m_p);
	uint64_t locked = get(go, m, GO_m_lockedg), code;

	if (!to)
		return false;
	*to = (struct mw_go_m){
		.address = m,
		.id = (int64_t)get(go, m, GO_m_id),
		.tid = get(go, m, GO_m_procid),
		.has_p = p != 0,
		.p = p ? get(go, p, GO_p_id) & UINT32_MAX : 0,
		.g = g ? get(go, g, GO_g_goid) : 0,
		.locked_g = locked ? get(go, locked, GO_g_goid) : 0,
		.function = "",
		.at = "",
		.mallocing = get(go, m, GO_m_mallocing),
		.locks = get(go, m, GO_m_locks),
	};
	to->thread_state = thread_state(go, to->tid);
	to->state = state_of(r, m, g, to);
	if (g) {
		to->function = function_at(go, get(go, g, GO_g_startpc));
		if (to->state == MW_GO_M_SYSCALL || to->state == MW_GO_M_CGO)
			to->at = function_at(go, get(go, g, GO_g_syscallpc));
	} else if (to->state == MW_GO_M_RUNTIME &&
		   go_has(go, GO_m_mstartfn) &&
		   mw_target_read_u64(go->target, get(go, m, GO_m_mstartfn),
				      &code)) {
		to->function = function_at(go, code);
	}
	if (to->state == MW_GO_M_RUNNING && p)
		to->running_ns = running_since(r, p);
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct mw_go_m *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct mw_error *read_ms(struct reader *r)
{
	struct mw_go *go = r->go;
	uint64_t m = 0;

	if (!mw_target_read_u64(go->target, go->allm, &m))
		return mw_error_at(MW_E_ABSENT, go->allm,
				   "the list of threads cannot be read");
	for (int n = 0; m && n < MAX_MS; n++) {
		uint64_t g0;

		// One that is not an M is a list caught in a change.
		if (!go_read(go, m, GO_m_g0, &g0) || get(go, g0, GO_g_m) != m) {
			r->out->torn++;
			break;
		}
		if (!add_m(r, m))
			return mw_error_nomem();
		m = get(go, m, GO_m_alllink);
	}
	if (r->out->ms.n > 0)
		qsort(r->out->ms.v, r->out->ms.n, sizeof(*r->out->ms.v), by_id);
	return NULL;
}

static struct mw_error *add_p(struct mw_go *go, uint64_t index, uint64_t p,
			      void *ctx)
{
	static const char *const statuses[] = { "idle", "running", "syscall",
						"gcstop", "dead" };
	static const char *const modes[] = { "", "dedicated", "fractional",
					     "idle" };
	struct mw_go_sched *out = ctx;
	struct mw_go_p *to;
	uint64_t status, m = get(go, p, GO_p_m);
	uint64_t mode = get(go, p, GO_p_gcMarkWorkerMode);

	(void)index;
	if (!go_read(go, p, GO_p_status, &status) ||
	    status >= MW_COUNT(statuses) || out->ps.n >= MAX_PS) {
		out->torn++;
		return NULL;
	}
	to = mw_vec_push(&out->ps);
	if (!to)
		return mw_error_nomem();
	*to = (struct mw_go_p){
		.address = p,
		.id = get(go, p, GO_p_id) & UINT32_MAX,
		.status = statuses[status],
		.has_m = m != 0,
		.m = m ? (int64_t)get(go, m, GO_m_id) : 0,
		.sched_ticks = get(go, p, GO_p_schedtick),
		.syscall_ticks = get(go, p, GO_p_syscalltick),
		.runnable = (uint32_t)(get(go, p, GO_p_runqtail) -
				       get(go, p, GO_p_runqhead)) +
			    (get(go, p, GO_p_runnext) != 0),
		.gc_worker = mode < MW_COUNT(modes) ? modes[mode] : "?",
	};
	return NULL;
}

static bool add_figure(struct mw_go_sched *out, const char *name, bool known,
		       uint64_t value)
{
	struct mw_go_figure *f = mw_vec_push(&out->figures);

	if (!f)
		return false;
	*f = (struct mw_go_figure){
		.name = name,
		.unit = MW_GO_UNIT_COUNT,
		.is_known = known,
		.value = value,
		.note = known ? NULL : "sched was not found",
	};
	return true;
}

static struct mw_error *add_figures(struct reader *r)
{
	static const struct {
		const char *name;
		enum go_field field, other;
	} members[] = {
		{ "idle_ps", GO_schedt_npidle, GO_schedt_npidle },
		{ "idle_ms", GO_schedt_nmidle, GO_schedt_nmidle },
		{ "idle_locked_ms", GO_schedt_nmidlelocked,
		  GO_schedt_nmidlelocked },
		{ "spinning_ms", GO_schedt_nmspinning, GO_schedt_nmspinning },
		{ "max_ms", GO_schedt_maxmcount, GO_schedt_maxmcount },
		{ "global_queue", GO_schedt_runqsize, GO_schedt_runq_size },
		{ "system_goroutines", GO_schedt_ngsys, GO_schedt_ngsys },
		{ "world_stopping", GO_schedt_gcwaiting, GO_schedt_gcwaiting },
		{ "sysmon_asleep", GO_schedt_sysmonwait, GO_schedt_sysmonwait },
	};
	struct mw_go *go = r->go;
	uint64_t runnable = 0;
	bool good = add_figure(r->out, "gomaxprocs", true, r->out->ps.n) &&
		    add_figure(r->out, "ms", true, r->out->ms.n) &&
		    add_figure(r->out, "goroutines", go->info.has_goroutines,
			       go->info.goroutines);

	for (size_t i = 0; i < r->out->ps.n; i++)
		runnable += r->out->ps.v[i].runnable;
	good = good && add_figure(r->out, "local_queues", true, runnable);
	for (size_t i = 0; good && i < MW_COUNT(members); i++) {
		enum go_field field = go_has(go, members[i].field)
					      ? members[i].field
					      : members[i].other;
		uint64_t value = 0;
		bool known = go->sched &&
			     go_read(go, go->sched, field, &value);

		good = add_figure(r->out, members[i].name, known, value);
	}
	return good ? NULL : mw_error_nomem();
}

struct mw_error *mw_go_sched_read(struct mw_go *go, uint64_t now_ns,
				  struct mw_go_sched *ret)
{
	struct mw_go_sched out = { 0 };
	struct reader r = { .go = go, .out = &out, .now_ns = now_ns };
	struct go_slice ps;
	struct mw_error *error;

	if (!go->allm || !go_read_ps(go, &ps))
		return mw_error_at(MW_E_UNSUPPORTED, go->mheap,
				   "the lists of threads and processors of "
				   "this Go runtime were not found");
	error = go_open_funcs(go);
	if (!error)
		error = find_idle(&r);
	if (!error)
		error = read_ms(&r);
	if (!error)
		error = go_each_pointer(go, ps.ptr, ps.len, add_p, &out);
	if (!error)
		error = add_figures(&r);
	mw_map64_free(&r.idle);
	if (error) {
		mw_go_sched_free(&out);
		return error;
	}
	*ret = out;
	return NULL;
}

void mw_go_sched_free(struct mw_go_sched *sched)
{
	mw_vec_free(&sched->ms);
	mw_vec_free(&sched->ps);
	mw_vec_free(&sched->figures);
}
