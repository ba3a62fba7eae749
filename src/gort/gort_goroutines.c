/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "gort_goroutines.h"
#include "mw_go_locate.h"

#define MAX_G_BYTES 2048
#define MAX_STACK MW_GIB(1)

const char *mw_go_state_name(uint8_t status)
{
	static const char *const names[] = {
		"idle", "runnable", "running", "syscall", "waiting",
		"moribund", "dead", "enqueue", "copystack", "preempted",
		"leaked", "dead",
	};

	return status < MW_COUNT(names) ? names[status] : "?";
}

struct reading {
	struct mw_go *go;
	struct mw_go_goroutines *all;
	struct go_trace_set set;
	struct go_known_labels labels;
	uint8_t bytes[MAX_G_BYTES]; /* of the g being read */
};

static uint64_t get(const struct reading *r, enum go_field field)
{
	return go_has(r->go, field) ? go_get(r->go, r->bytes, field) : 0;
}

/* Names */

static const char *name_of(struct mw_go *go, uint64_t pc)
{
	const struct go_known_pc *known = pc ? go_look_up(go, pc) : NULL;

	return known ? mw_go_func_name(go->funcs, &known->func) : "?";
}

static bool is_runtime(const char *name)
{
	return strncmp(name, "runtime.", 8) == 0;
}

/** What runs finalizers and cleanups, which are the user's functions. */
static bool runs_user_code(const char *name)
{
	return strcmp(name, "runtime.runfinq") == 0 ||
	       strcmp(name, "runtime.runFinalizers") == 0 ||
	       strcmp(name, "runtime.runCleanups") == 0;
}

static bool is_user_line(const struct mw_go_line *line, size_t frame,
			 void *ctx)
{
	bool *found = ctx;

	(void)frame;
	*found = !is_runtime(line->function) &&
		 strncmp(line->function, "internal/", 9) != 0;
	return !*found;
}

/** As runtime.isSystemGoroutine says, and what the goroutine runs. */
static struct mw_error *describe(struct reading *r, struct mw_go_goroutine *g)
{
	const struct go_known_pc *start = go_look_up(r->go, g->start_pc);
	bool is_wrapper = start && mw_go_func_is_wrapper(r->go->funcs,
							 &start->func);
	const struct mw_go_trace *trace =
		g->trace == MW_GO_NO_TRACE ? NULL
					   : &r->all->traces.v[g->trace];
	bool in_user_code = false;
	struct mw_error *error = NULL;

	g->is_system = is_runtime(g->function) &&
		       strcmp(g->function, "runtime.main") != 0 &&
		       strcmp(g->function, "runtime.corostart") != 0 &&
		       strcmp(g->function, "runtime.handleAsyncEvent") != 0;
	if (trace && runs_user_code(g->function)) {
		error = mw_go_trace_lines(r->go, r->all, trace, is_user_line,
					  &in_user_code);
		g->is_system = !in_user_code;
	}
	// A go statement with arguments begins in a function of its own.
	if (trace && trace->is_whole && is_wrapper) {
		const char *inner = go_outermost(r->go, r->all, trace);

		g->function = inner ? inner : g->function;
	}
	return error;
}

/* One goroutine */

/** The thread that has its stack pointer in [@lo, @hi) just now, or NULL. */
static const struct mw_thread *thread_on(const struct reading *r, uint64_t lo,
					 uint64_t hi)
{
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(r->go->target, &count);

	for (size_t i = 0; i < count; i++)
		if (threads[i].has_sp && threads[i].sp >= lo &&
		    threads[i].sp < hi)
			return &threads[i];
	return NULL;
}

static bool start_at(const struct mw_thread *thread, uint64_t g,
		     struct mw_go_start *ret)
{
	if (!thread)
		return false;
	*ret = (struct mw_go_start){
		.pc = thread->pc,
		.sp = thread->sp,
		.g = g,
		.is_interrupted = true,
		.registers = thread->has_registers ? thread->registers : NULL,
	};
	return true;
}

/** Where the thread of a running goroutine is: on its stack, or in a signal. */
static bool find_thread(struct reading *r, const struct mw_go_goroutine *g,
			struct mw_go_start *ret)
{
	struct mw_go *go = r->go;
	uint64_t signal, lo, hi;

	if (start_at(thread_on(r, g->stack_lo, g->stack_hi), g->address, ret))
		return true;
	return go_read(go, get(r, GO_g_m), GO_m_gsignal, &signal) && signal &&
	       go_read(go, signal, GO_g_stack_lo, &lo) &&
	       go_read(go, signal, GO_g_stack_hi, &hi) &&
	       start_at(thread_on(r, lo, hi), signal, ret);
}

/**
 * A goroutine that asks the vdso for the time does so on its thread's stack;
 * m.vdsoSP and vdsoPC, side by side, tell the caller. They are told by what
 * they hold: the pc is the return address below the sp.
 */
static bool find_vdso_caller(struct reading *r,
			     const struct mw_go_goroutine *g,
			     struct mw_go_start *start)
{
	struct mw_go *go = r->go;
	uint64_t m = get(r, GO_g_m), size = go_size(go, GO_m), below;
	uint64_t words[512];

	size = mw_min(size, sizeof(words)) & ~UINT64_C(7);
	if (!m || !mw_target_read(go->target, m, words, size))
		return false;
	for (size_t i = 0; i + 1 < size / 8; i++) {
		uint64_t sp = words[i], pc = words[i + 1];

		if (sp < g->stack_lo + 8 || sp >= g->stack_hi ||
		    !mw_target_read_u64(go->target, sp - 8, &below) ||
		    below != pc || !go_look_up(go, pc))
			continue;
		start->sp = sp;
		start->pc = pc;
		return true;
	}
	return false;
}

/** Where to begin the walk; false when nothing tells. */
static bool find_start(struct reading *r,
		       const struct mw_go_goroutine *g,
		       struct mw_go_start *ret)
{
	struct mw_go_start start = { .g = g->address };

	if (g->status == GO_G_RUNNING && find_thread(r, g, ret))
		return true;
	if (g->status == GO_G_SYSCALL && get(r, GO_g_syscallsp)) {
		start.pc = get(r, GO_g_syscallpc);
		start.sp = get(r, GO_g_syscallsp);
	} else {
		// Of one that runs this is 0, or where it left for its
		// thread's own stack.
		start.pc = get(r, GO_g_sched_pc);
		start.sp = get(r, GO_g_sched_sp);
	}
	if ((start.sp < g->stack_lo || start.sp > g->stack_hi) &&
	    !find_vdso_caller(r, g, &start))
		return false;
	*ret = start;
	return true;
}

static bool read_g(struct reading *r, uint64_t va, struct mw_go_goroutine *ret)
{
	struct mw_go *go = r->go;
	size_t size = go_size(go, GO_g);
	uint64_t m, bubble, procid, root;
	struct mw_go_goroutine g = {
		.address = va,
		.trace = MW_GO_NO_TRACE,
		.label_set = MW_GO_NO_LABELS,
		.wait_reason = "",
		.creator = "",
		.function = "?",
	};

	if (size == 0 || size > sizeof(r->bytes) ||
	    !mw_target_read(go->target, va, r->bytes, size))
		return false;
	g.status = (uint8_t)(get(r, GO_g_atomicstatus) & ~GO_G_SCAN);
	g.is_dead = g.status == GO_G_IDLE || g.status == GO_G_DEAD ||
		    g.status == GO_G_DEAD_EXTRA;
	g.id = get(r, GO_g_goid);
	g.parent_id = get(r, GO_g_parentGoid);
	g.go_pc = get(r, GO_g_gopc);
	g.start_pc = get(r, GO_g_startpc);
	g.is_locked = get(r, GO_g_lockedm) != 0;
	bubble = get(r, GO_g_bubble);
	if (bubble)
		go_read(go, bubble, GO_synctestBubble_id, &g.bubble);
	bubble = get(r, GO_g_syncGroup);
	if (bubble && go_read(go, bubble, GO_synctestGroup_root, &root))
		g.is_in_group = go_read(go, root, GO_g_goid, &g.bubble);
	g.stack_lo = get(r, GO_g_stack_lo);
	g.stack_hi = get(r, GO_g_stack_hi);
	if (g.status == GO_G_WAITING || g.status == GO_G_SYSCALL)
		g.waiting_since_ns = get(r, GO_g_waitsince);
	m = get(r, GO_g_m);
	if (m && go_read(go, m, GO_m_procid, &procid))
		g.thread = procid;
	// Torn, or not a g any more.
	if (g.status > GO_G_DEAD_EXTRA + 4 || g.stack_lo > g.stack_hi ||
	    g.stack_hi - g.stack_lo > MAX_STACK)
		return false;
	*ret = g;
	return true;
}

/**
 * Reasons that nothing outside a bubble of testing/synctest can end
 * (runtime2.go: isIdleInSynctest), and which the runtime prints otherwise there
 * (goroutineheader); such as wait inside only are named so already.
 */
static const struct {
	const char *reason, *in_bubble;
} durable[] = {
	{ "chan receive (nil chan)", "chan receive (nil chan) (durable)" },
	{ "chan send (nil chan)", "chan send (nil chan) (durable)" },
	{ "select (no cases)", "select (no cases) (durable)" },
	{ "sleep", "sleep (durable)" },
	{ "sync.Cond.Wait", "sync.Cond.Wait (durable)" },
	{ "coroutine", "coroutine (durable)" },
	{ "synctest.Run", "synctest.Run (durable)" },
	{ "synctest.Wait", "synctest.Wait (durable)" },
};

static void name_durable(struct mw_go_goroutine *g)
{
	enum { DURABLE = 0x80 }; // above the number of any reason

	for (size_t i = 0; i < MW_COUNT(durable); i++)
		if (strcmp(g->wait_reason, durable[i].reason) == 0) {
			g->wait_reason = durable[i].in_bubble;
			g->wait |= DURABLE;
			return;
		}
}

/** What it runs, who made it and what it waits for. */
static void name_g(struct mw_go *go, struct mw_go_goroutine *g)
{
	uint64_t number;

	if (g->is_dead)
		return;
	g->function = name_of(go, g->start_pc);
	// The first has no go statement.
	if (g->go_pc && g->id != 1)
		g->creator = name_of(go, g->go_pc - 1);
	if (g->status == GO_G_WAITING || g->status == GO_G_LEAKED) {
		g->wait_reason = go_wait_reason(go, g->address);
		if (go_read(go, g->address, GO_g_waitreason, &number))
			g->wait = (uint8_t)number;
		if (g->bubble && !g->is_in_group &&
		    g->status == GO_G_WAITING)
			name_durable(g);
	}
}

static struct mw_error *add_g(struct mw_go *go, uint64_t index, uint64_t va,
			      void *ctx)
{
	struct reading *r = ctx;
	struct mw_go_goroutine g, *place;

	(void)index;
	if (!read_g(r, va, &g))
		return NULL;
	name_g(go, &g);
	place = mw_vec_push(&r->all->list);
	if (!place)
		return mw_error_nomem();
	*place = g;
	return g.is_dead ? NULL
			 : go_labels(r->go, r->all, &r->labels,
				     get(r, GO_g_labels), &place->label_set);
}

/* All */

static int by_stack(const void *a, const void *b)
{
	const struct mw_go_goroutine *x = a, *y = b;

	return x->stack_lo < y->stack_lo ? -1 : x->stack_lo > y->stack_lo;
}

static int by_id(const void *a, const void *b)
{
	const struct mw_go_goroutine *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

/** Walk all stacks in the order of their memory, which is read in blocks. */
static struct mw_error *walk_all(struct reading *r)
{
	struct mw_error *error = NULL;

	if (r->all->list.n > 0)
		qsort(r->all->list.v, r->all->list.n, sizeof(*r->all->list.v),
		      by_stack);
	for (size_t i = 0; i < r->all->list.n && !error; i++) {
		struct mw_go_goroutine *g = &r->all->list.v[i];
		struct mw_go_start start;

		if (g->is_dead ||
		    !mw_target_read(r->go->target, g->address, r->bytes,
				    go_size(r->go, GO_g)))
			continue;
		if (find_start(r, g, &start))
			error = go_trace(r->go, &r->set, g, &start);
		if (!error)
			error = describe(r, g);
	}
	return error;
}

static struct mw_error *read_all(struct reading *r)
{
	struct go_slice allgs;
	struct mw_error *error = go_open_funcs(r->go);

	if (error)
		return error;
	if (!r->go->allgs || !go_read_slice(r->go, r->go->allgs, &allgs))
		return mw_error_new(MW_E_UNSUPPORTED,
				    "the list of goroutines was not found");
	go_find_wait_reasons(r->go);
	error = go_each_pointer(r->go, allgs.ptr, allgs.len, add_g, r);
	// Some may be torn, or in memory that was not there a moment ago: the
	// list moves when it grows.
	r->all->torn = allgs.len - mw_min(allgs.len, r->all->list.n);
	return error ? error : walk_all(r);
}

struct mw_error *mw_go_goroutines_read(struct mw_go *go,
				       struct mw_go_goroutines *ret)
{
	struct mw_go_goroutines all = { 0 };
	struct reading *r = mw_calloc(1, sizeof(*r));
	struct mw_error *error;

	if (!r)
		return mw_error_nomem();
	r->go = go;
	r->all = r->set.all = &all;
	error = read_all(r);
	go_trace_set_free(&r->set);
	go_known_labels_free(&r->labels);
	mw_free(r);
	if (error) {
		mw_go_goroutines_free(&all);
		return error;
	}
	if (all.list.n > 0)
		qsort(all.list.v, all.list.n, sizeof(*all.list.v), by_id);
	*ret = all;
	return NULL;
}

struct mw_error *
mw_go_goroutine_walk(struct mw_go *go, uint64_t g,
		     bool (*visit)(const struct mw_go_frame *frame, void *ctx),
		     void *ctx, struct mw_go_goroutine *ret, bool *ret_found)
{
	enum { MAX_FRAMES = 1 << 20 };
	struct reading r = { .go = go };
	struct mw_go_goroutine one;
	struct mw_error *error = go_open_funcs(go);
	struct mw_go_start start;
	enum mw_go_end end;

	if (error)
		return error;
	if (!read_g(&r, g, &one)) {
		*ret_found = false;
		return NULL;
	}
	go_find_wait_reasons(go);
	name_g(go, &one);
	if (!one.is_dead && find_start(&r, &one, &start)) {
		one.sp = start.sp;
		error = mw_go_unwind(go, &start, MAX_FRAMES, visit, ctx, &end);
	}
	if (error)
		return error;
	*ret = one;
	*ret_found = true;
	return NULL;
}

void mw_go_goroutines_free(struct mw_go_goroutines *all)
{
	mw_vec_free(&all->list);
	mw_vec_free(&all->traces);
	mw_vec_free(&all->pcs);
	go_labels_free(all);
}
