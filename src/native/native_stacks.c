/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "native_int.h"

/* Thread stacks */

/*
 * The thread descriptor, struct pthread, at the thread pointer A:
 *
 * glibc 2.31 to 2.43 (nptl/descr.h, sysdeps/x86_64/nptl/tls.h)
 *	0	u64 A itself (tcb)		0x10	u64 A itself (self)
 *	0x2d0	i32 tid, 0 once it has ended	0x2e0	robust_list_head
 *	about 0x690	u64 stackblock, u64 stackblock_size, u64 guardsize:
 *		the place varies, so the pair is looked for
 * musl 1.2 (src/internal/pthread_impl.h)
 *	0	u64 A itself (self)		48	i32 tid
 *	16, 24	u64 prev, next: ring of all threads
 *	72	u64 map_base			80	u64 map_size
 *	88	u64 stack, its upper end	96	u64 stack_size
 *	104	u64 guard_size
 */
#define GLIBC_SELF 0x10
#define GLIBC_ROBUST_HEAD 0x2e0
#define GLIBC_STACKBLOCK_FIRST 0x600
#define GLIBC_STACKBLOCK_LAST 0x800
#define GLIBC_DESCRIPTOR_BYTES 0x900
#define MUSL_PREV 16
#define MUSL_NEXT 24
#define MUSL_MAP_BASE 72
#define MUSL_STACK 88
#define MUSL_GUARD_SIZE 104

/** A stack this large is taken for damage. */
#define MAX_STACK MW_GIB(64)

static bool has_glibc_self(struct mw_target *target, uint64_t tcb)
{
	uint64_t self, again;

	return tcb && mw_is_aligned(tcb, 16) &&
	       mw_target_read_u64(target, tcb, &self) && self == tcb &&
	       mw_target_read_u64(target, tcb + GLIBC_SELF, &again) &&
	       again == tcb;
}

static bool has_musl_self(struct mw_target *target, uint64_t tcb)
{
	uint64_t self, prev, next, back;

	return tcb && mw_is_aligned(tcb, 8) &&
	       mw_target_read_u64(target, tcb, &self) && self == tcb &&
	       mw_target_read_u64(target, tcb + MUSL_PREV, &prev) &&
	       mw_target_read_u64(target, prev + MUSL_NEXT, &back) &&
	       back == tcb &&
	       mw_target_read_u64(target, tcb + MUSL_NEXT, &next) &&
	       mw_target_read_u64(target, next + MUSL_PREV, &back) &&
	       back == tcb;
}

enum native_libc native_libc_of(struct mw_target *target, uint64_t tcb)
{
	return has_glibc_self(target, tcb)  ? NATIVE_LIBC_GLIBC
	       : has_musl_self(target, tcb) ? NATIVE_LIBC_MUSL
					    : NATIVE_LIBC_NONE;
}

/** Look for a thread's descriptor above its stack pointer. */
static uint64_t scan_for_tcb(struct mw_target *target, uint64_t sp)
{
	const struct mw_mapping *m =
		mw_mappings_find(mw_target_mappings(target), sp);
	uint64_t end = m ? mw_min(m->end, sp + MW_MIB(8)) : 0;
	const struct mw_pages *pages = mw_target_pages(target);

	for (uint64_t va = mw_align_up(sp, 8); va + 8 <= end; va += 8) {
		uint64_t word;

		// Skip what is absent: a descriptor has been written.
		if (mw_is_aligned(va, MW_PAGE_BYTES) &&
		    !(mw_pages_state(pages, va) & MW_PAGE_PRESENT)) {
			va += MW_PAGE_BYTES - 8;
			continue;
		}
		if (mw_target_search(target, va, &word, 8) && word == va &&
		    (has_glibc_self(target, va) || has_musl_self(target, va)))
			return va;
	}
	return 0;
}

uint64_t mw_native_tcb(struct mw_target *target,
		       const struct mw_thread *thread)
{
	uint64_t by_robust = thread->robust_list - GLIBC_ROBUST_HEAD;

	if (thread->has_fs && (has_glibc_self(target, thread->fs_base) ||
			       has_musl_self(target, thread->fs_base)))
		return thread->fs_base;
	// glibc registers the list head in the descriptor when a thread
	// starts, which tells its place without stopping the thread.
	if (thread->robust_list && has_glibc_self(target, by_robust))
		return by_robust;
	if (thread->native_sp == MW_NO_NATIVE_STACK)
		return 0;
	if (thread->native_sp)
		return scan_for_tcb(target, thread->native_sp);
	return thread->has_sp ? scan_for_tcb(target, thread->sp) : 0;
}

static bool is_stack_range(uint64_t start, uint64_t bytes, uint64_t tcb)
{
	return mw_is_aligned(start | bytes, MW_PAGE_BYTES) && bytes > 0 &&
	       bytes <= MAX_STACK && mw_within(tcb, 8, start, start + bytes);
}

/** Bounds by glibc's descriptor: the pair of block and size that holds it. */
static bool find_glibc_bounds(struct mw_native *native, uint64_t tcb,
			      struct native_stack *stack)
{
	uint64_t words[(GLIBC_STACKBLOCK_LAST - GLIBC_STACKBLOCK_FIRST) / 8];

	if (!mw_target_read(native->target, tcb + GLIBC_STACKBLOCK_FIRST,
			    words, sizeof(words)))
		return false;
	for (size_t i = 0; i + 2 < MW_COUNT(words); i++) {
		uint64_t start = words[i], bytes = words[i + 1];
		uint64_t guard = words[i + 2];

		if (!is_stack_range(start, bytes, tcb) ||
		    start + bytes - tcb > MW_KIB(64))
			continue;
		if (!mw_is_aligned(guard, MW_PAGE_BYTES) || guard >= bytes)
			guard = 0;
		stack->start = start;
		stack->end = start + bytes;
		stack->guard_end = start + guard;
		stack->tls_start = tcb - mw_min(native->tls_bytes, tcb - start);
		return true;
	}
	return false;
}

static bool find_musl_bounds(struct mw_native *native, uint64_t tcb,
			     struct native_stack *stack)
{
	struct mw_target *target = native->target;
	uint64_t base[2], top[2], guard;

	if (!mw_target_read(target, tcb + MUSL_MAP_BASE, base, sizeof(base)) ||
	    !mw_target_read(target, tcb + MUSL_STACK, top, sizeof(top)) ||
	    !mw_target_read_u64(target, tcb + MUSL_GUARD_SIZE, &guard) ||
	    !is_stack_range(base[0], base[1], tcb) ||
	    !mw_within(top[0], 0, base[0], tcb) || guard >= base[1])
		return false;
	stack->start = base[0];
	stack->end = base[0] + base[1];
	stack->guard_end = base[0] + mw_align_up(guard, MW_PAGE_BYTES);
	stack->tls_start = top[0];
	return true;
}

static struct mw_error *refine_thread(void *ctx, const struct mw_claim *claim,
				      struct mw_parts *parts)
{
	const struct native_stack *s = ctx;
	const struct mw_native *native = s->native;
	// A stack that no thread uses has no live frames. One whose stack
	// pointer is not known may be live from end to end.
	uint64_t sp = s->tid == 0 ? s->tls_start
		      : s->sp	  ? mw_min(s->sp, s->tls_start)
				  : s->guard_end;

	(void)claim;
	mw_part_range(parts, s->guard_end, sp - s->guard_end,
		      native->thread_unused);
	mw_part_range(parts, sp, s->tls_start - sp, native->thread_used);
	mw_part_range(parts, s->tls_start, s->end - s->tls_start,
		      native->thread_tls);
	return NULL;
}

/** Claim @bounds for thread @tid, or for none (0). */
static struct mw_error *claim_stack(struct mw_native *native,
				    const struct native_stack *bounds)
{
	struct native_stack *stack = mw_alloc(sizeof(*stack));
	struct native_stack **place =
		stack ? mw_vec_push(&native->stacks) : NULL;
	struct mw_error *error = NULL;

	if (!place) {
		mw_free(stack);
		return mw_error_nomem();
	}
	*place = stack;
	*stack = *bounds;
	stack->native = native;
	if (stack->guard_end > stack->tls_start)
		stack->guard_end = stack->start;
	if (stack->tid) {
		snprintf(stack->what, sizeof(stack->what),
			 "thread stack of TID %d", stack->tid);
		snprintf(stack->guard, sizeof(stack->guard),
			 "guard of TID %d", stack->tid);
	} else {
		snprintf(stack->what, sizeof(stack->what),
			 "cached thread stack");
		snprintf(stack->guard, sizeof(stack->guard),
			 "guard of a cached stack");
	}
	if (stack->guard_end > stack->start)
		error = mw_sink_claim(native->sink, &(struct mw_claim){
			.start = stack->start,
			.bytes = stack->guard_end - stack->start,
			.layer = MW_LAYER_OWNER,
			.account = native->thread_guard,
			.walker = "stacks",
			.what = stack->guard,
		});
	return error ? error
		     : mw_sink_claim(native->sink, &(struct mw_claim){
			.start = stack->guard_end,
			.bytes = stack->end - stack->guard_end,
			.layer = MW_LAYER_OWNER,
			.account = native->thread_unused,
			.walker = "stacks",
			.what = stack->what,
			.refine = refine_thread,
			.ctx = stack,
		});
}

static bool is_claimed(const struct mw_native *native, uint64_t start,
		       uint64_t end)
{
	for (size_t i = 0; i < native->stacks.n; i++)
		if (native->stacks.v[i]->start < end &&
		    start < native->stacks.v[i]->end)
			return true;
	return false;
}

/**
 * A thread without a descriptor that we know: a mapping with a guard below
 * that holds its stack pointer is its stack, as far as nobody else owns it.
 */
static struct mw_error *claim_unknown_stack(struct mw_native *native,
					    const struct mw_thread *thread)
{
	const struct mw_mappings *maps = mw_target_mappings(native->target);
	const struct mw_mapping *m =
		thread->has_sp && !thread->native_sp
			? mw_mappings_find(maps, thread->sp)
			: NULL;
	const struct mw_mapping *below = m && m > maps->list.v ? m - 1 : NULL;

	if (!below || !mw_mapping_is_anonymous(m) ||
	    !mw_mapping_is_anonymous(below) || below->end != m->start ||
	    (below->perms & (MW_PERM_R | MW_PERM_W | MW_PERM_X)) ||
	    mw_mapping_bytes(below) > MW_MIB(1) ||
	    mw_mapping_bytes(m) > MW_MIB(64))
		return NULL;

	const struct {
		uint64_t start, end;
		mw_account_id account;
	} parts[] = {
		{ below->start, below->end, native->thread_guard },
		{ m->start, thread->sp, native->thread_unused },
		{ thread->sp, m->end, native->thread_used },
	};
	for (size_t i = 0; i < MW_COUNT(parts); i++) {
		if (parts[i].start >= parts[i].end)
			continue;
		struct mw_error *error = mw_sink_claim(
			native->sink, &(struct mw_claim){
			.start = parts[i].start,
			.bytes = parts[i].end - parts[i].start,
			.layer = MW_LAYER_REMAINDER,
			.account = parts[i].account,
			.walker = "stacks",
			.what = "thread stack",
		});
		if (error)
			return error;
	}
	return NULL;
}

/** The main thread's descriptor and TLS, which the loader allocated. */
static struct mw_error *claim_main_tls(struct mw_native *native, uint64_t tcb)
{
	const struct mw_mapping *m =
		mw_mappings_find(mw_target_mappings(native->target), tcb);
	uint64_t start = tcb - mw_min(native->tls_bytes, tcb);
	uint64_t end = tcb + GLIBC_DESCRIPTOR_BYTES;

	// musl keeps it in its .bss, which is the library's.
	if (!m || !mw_mapping_is_anonymous(m) ||
	    !has_glibc_self(native->target, tcb))
		return NULL;
	start = mw_max(start, m->start);
	end = mw_min(end, m->end);
	return mw_sink_claim(native->sink, &(struct mw_claim){
		.start = start,
		.bytes = end - start,
		.layer = MW_LAYER_OWNER,
		.account = native->thread_tls,
		.walker = "stacks",
		.what = "TLS of the main thread",
	});
}

/* Stacks that glibc keeps for new threads: their descriptors are left */

/** Where struct pthread begins is within so many bytes of a stack's end. */
#define DESCRIPTOR_ROOM MW_PAGE_BYTES

/** A stack with the bounds and the descriptor's place of @like, in @m. */
static bool find_cached_like(const struct mw_mapping *m,
			     const struct native_stack *like,
			     struct native_stack *ret)
{
	uint64_t guard = like->guard_end - like->start;
	uint64_t bytes = like->end - like->start;

	*ret = (struct native_stack){
		.start = m->start - guard,
		.end = m->start - guard + bytes,
		.guard_end = m->start,
		.tcb = m->start - guard + (like->tcb - like->start),
	};
	ret->tls_start = ret->tcb - (like->tcb - like->tls_start);
	return guard > 0 && mw_mapping_bytes(m - 1) >= guard &&
	       m->end >= ret->end;
}

/** Where there is no other thread: a stack at the end of @m. */
static bool find_cached_alone(struct mw_native *native,
			      const struct mw_mapping *m,
			      struct native_stack *ret)
{
	uint64_t tcb = mw_mapping_bytes(m) > DESCRIPTOR_ROOM
			       ? scan_for_tcb(native->target,
					    m->end - DESCRIPTOR_ROOM)
			       : 0;

	*ret = (struct native_stack){ .tcb = tcb };
	return tcb && find_glibc_bounds(native, tcb, ret) &&
	       ret->guard_end == m->start && ret->end == m->end;
}

static bool is_above_guard(const struct mw_mapping *m)
{
	const struct mw_mapping *guard = m - 1;

	return mw_mapping_is_anonymous(guard) && mw_mapping_is_anonymous(m) &&
	       guard->end == m->start && (m->perms & MW_PERM_W) &&
	       !(guard->perms & (MW_PERM_R | MW_PERM_W | MW_PERM_X));
}

/** @like is a live thread's stack; with tcb 0 there is none. */
static struct mw_error *claim_cached_stacks(struct mw_native *native,
					    const struct native_stack *like)
{
	const struct mw_mappings *maps = mw_target_mappings(native->target);
	struct mw_error *error = NULL;

	for (size_t i = 1; i < maps->list.n && !error; i++) {
		const struct mw_mapping *m = &maps->list.v[i];
		struct native_stack stack;

		if (is_above_guard(m) &&
		    (like->tcb ? find_cached_like(m, like, &stack)
			       : find_cached_alone(native, m, &stack)) &&
		    (mw_pages_state(mw_target_pages(native->target),
				    stack.tcb) & MW_PAGE_PRESENT) &&
		    !is_claimed(native, stack.start, stack.end) &&
		    has_glibc_self(native->target, stack.tcb))
			error = claim_stack(native, &stack);
	}
	return error;
}

struct mw_error *mw_native_claim_threads(struct mw_native *native)
{
	struct native_stack like = { 0 };
	struct mw_error *error = NULL;
	size_t count;
	const struct mw_thread *threads =
		mw_target_threads(native->target, &count);

	for (size_t i = 0; !error && i < count; i++) {
		const struct mw_thread *thread = &threads[i];
		struct native_stack stack = { .tid = thread->tid };
		uint64_t tcb = mw_native_tcb(native->target, thread);

		if (thread->tid == mw_target_info(native->target)->pid) {
			error = tcb ? claim_main_tls(native, tcb) : NULL;
		} else if (tcb && (find_glibc_bounds(native, tcb, &stack) ||
				   find_musl_bounds(native, tcb, &stack))) {
			stack.sp = native_sp_on(thread, stack.start, stack.end);
			stack.tcb = tcb;
			error = claim_stack(native, &stack);
			if (has_glibc_self(native->target, tcb))
				like = stack;
		} else {
			error = claim_unknown_stack(native, thread);
		}
	}
	return error ? error : claim_cached_stacks(native, &like);
}

static void describe(const struct mw_native *native,
		     const struct native_stack *s, struct mw_native_stack *ret)
{
	*ret = (struct mw_native_stack){
		.tid = s->tid,
		.start = s->start,
		.end = s->end,
		.guard_end = s->guard_end,
		.frames_end = s->tls_start,
		.sp = s->sp,
		.tcb = s->tcb,
		.is_main = s == &native->main_stack,
	};
}

bool mw_native_stack_at(const struct mw_native *native, uint64_t va,
			struct mw_native_stack *ret)
{
	const struct native_stack *s = NULL;

	if (native_in(va, native->main_stack.start, native->main_stack.end))
		s = &native->main_stack;
	for (size_t i = 0; !s && i < native->stacks.n; i++)
		if (native_in(va, native->stacks.v[i]->start,
		       native->stacks.v[i]->end))
			s = native->stacks.v[i];
	if (s)
		describe(native, s, ret);
	return s != NULL;
}

bool mw_native_thread_stack(const struct mw_native *native, size_t i,
			    struct mw_native_stack *ret)
{
	if (i >= native->stacks.n)
		return false;
	describe(native, native->stacks.v[i], ret);
	return true;
}
