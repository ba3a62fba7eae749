/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "gort_int.h"
#include "mw_search.h"

/*
 * Goroutine stacks lie in spans of the heap; so do those of g0 without cgo,
 * and of gsignal. Where a stack's live frames begin:
 *
 *	the thread's stack pointer, if it lies in this stack (it runs here)
 *	g.syscallsp while the goroutine is in a system call
 *	g.sched.sp otherwise, where the goroutine was left
 *
 * Status (runtime2.go): 3 syscall, 6 dead, 0 idle; +0x1000 while scanned.
 */
#define STATUS_SCAN UINT64_C(0x1000)
#define STATUS_IDLE 0
#define STATUS_SYSCALL 3
#define STATUS_DEAD 6
#define STATUS_DEAD_EXTRA 11
#define MAX_STACK MW_GIB(1)

static struct mw_error *add_stack(struct mw_go *go, uint64_t g, uint64_t m,
				  bool is_user)
{
	struct go_stack stack = { .m = m, .g = g, .runs_user_g = is_user };
	struct go_stack *place;
	uint64_t status, sp;

	if (!go_read(go, g, GO_g_stack_lo, &stack.lo) ||
	    !go_read(go, g, GO_g_stack_hi, &stack.hi) ||
	    stack.lo == 0 || stack.lo >= stack.hi ||
	    stack.hi - stack.lo > MAX_STACK)
		return NULL;
	if (go_read(go, g, GO_g_atomicstatus, &status) &&
	    (status & ~STATUS_SCAN) == STATUS_SYSCALL &&
	    go_read(go, g, GO_g_syscallsp, &sp) && sp >= stack.lo &&
	    sp < stack.hi)
		stack.sp = sp;
	else if (go_read(go, g, GO_g_sched_sp, &sp) && sp >= stack.lo &&
		 sp <= stack.hi)
		stack.sp = sp;
	// A dead goroutine's stack is kept for the next one.
	if (is_user && (status == STATUS_DEAD || status == STATUS_IDLE))
		stack.sp = stack.hi;
	place = mw_vec_push(&go->stacks);
	if (!place)
		return mw_error_nomem();
	*place = stack;
	return NULL;
}

static struct mw_error *add_g(struct mw_go *go, uint64_t index, uint64_t g,
			      void *ctx)
{
	uint64_t *counted = ctx;
	uint64_t status, m = 0;

	(void)index;
	if (!go_read(go, g, GO_g_atomicstatus, &status))
		return NULL;
	status &= ~STATUS_SCAN;
	go_read(go, g, GO_g_m, &m);
	// A dead one with an M waits for a call from C; the runtime counts it,
	// and as a system goroutine too.
	if ((status != STATUS_IDLE && status != STATUS_DEAD &&
	     status != STATUS_DEAD_EXTRA) || m)
		++*counted;
	return add_stack(go, g, m, true);
}

static struct mw_error *add_threads(struct mw_go *go)
{
	enum { LIMIT = 1 << 20 };
	struct mw_error *error = NULL;
	uint64_t m = 0, g;

	if (!go->allm || !mw_target_read_u64(go->target, go->allm, &m))
		return NULL;
	for (int n = 0; m && !error && n < LIMIT; n++) {
		if (go_read(go, m, GO_m_g0, &g) && g) {
			uint64_t lo = 0;

			// Only cgo puts the stacks of threads elsewhere, but
			// for the first thread, which is a variable's.
			if (go_read(go, g, GO_g_stack_lo, &lo) && lo &&
			    !go_in_heap(go, lo)) {
				uint64_t next;

				if (go_read(go, m, GO_m_alllink, &next) &&
				    next)
					go->info.cgo = true;
			} else {
				error = add_stack(go, g, m, false);
			}
		}
		if (!error && go_read(go, m, GO_m_gsignal, &g) && g)
			error = add_stack(go, g, m, false);
		if (!go_read(go, m, GO_m_alllink, &m))
			break;
	}
	return error;
}

static int by_lo(const void *a, const void *b)
{
	const struct go_stack *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/** Sort, and leave out stacks that overlap one before: caught in a change. */
static void tidy(struct mw_go *go)
{
	size_t kept = 0;

	if (go->stacks.n > 0)
		qsort(go->stacks.v, go->stacks.n, sizeof(*go->stacks.v),
		      by_lo);
	for (size_t i = 0; i < go->stacks.n; i++)
		if (kept == 0 ||
		    go->stacks.v[kept - 1].hi <= go->stacks.v[i].lo)
			go->stacks.v[kept++] = go->stacks.v[i];
	go->stacks.n = kept;
}

struct go_stack *go_find_stack(const struct mw_go *go, uint64_t va)
{
	size_t at = mw_first(i, 0, go->stacks.n, go->stacks.v[i].hi > va);

	return at < go->stacks.n && go->stacks.v[at].lo <= va
		       ? &go->stacks.v[at]
		       : NULL;
}

uint64_t go_stack_owner(const struct mw_go *go, uint64_t va)
{
	const struct go_stack *stack = go_find_stack(go, va);

	return stack ? stack->g : 0;
}

bool go_is_user_stack(const struct mw_go *go, uint64_t va)
{
	const struct go_stack *stack = go_find_stack(go, va);

	return stack && stack->runs_user_g;
}

/**
 * Threads tell where the stacks they run on are live, and the runtime tells
 * where they left their own.
 */
static void place_threads(struct mw_go *go)
{
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(go->target, &count);

	for (size_t i = 0; i < count; i++) {
		struct go_stack *stack =
			threads[i].has_sp ? go_find_stack(go, threads[i].sp)
					  : NULL;
		uint64_t g0, sp;

		if (!stack)
			continue;
		stack->sp = threads[i].sp;
		if (stack->m && go_read(go, stack->m, GO_m_g0, &g0) &&
		    go_read(go, g0, GO_g_sched_sp, &sp))
			mw_target_set_native_sp(
				go->target, threads[i].tid,
				go_in_heap(go, sp) ? MW_NO_NATIVE_STACK : sp);
	}
}

struct mw_error *go_find_stacks(struct mw_go *go)
{
	struct go_slice allgs;
	uint64_t counted = 0, system;
	struct mw_error *error = NULL;

	if (go->allgs && go_read_slice(go, go->allgs, &allgs)) {
		error = go_each_pointer(go, allgs.ptr, allgs.len, add_g,
					&counted);
		if (go->sched &&
		    go_read(go, go->sched, GO_schedt_ngsys, &system) &&
		    system <= counted) {
			go->info.goroutines = counted - system;
			go->info.dead_goroutines =
				allgs.len - mw_min(counted, allgs.len);
			go->info.has_goroutines = true;
		}
	}
	if (!error)
		error = add_threads(go);
	if (error)
		return error;
	tidy(go);
	place_threads(go);
	return NULL;
}
