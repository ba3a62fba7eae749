/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gort_int.h"
#include "mw_go_unwind.h"

/*
 * As runtime/traceback.go does it (Go 1.26: unwinder.resolveInternal and
 * next; up to 1.20: gentraceback), on amd64:
 *
 *	caller's sp = sp + frame size at pc + 8, its pc is in the word below
 *
 * until a function that is the outermost of its stack. On the stack of a g0,
 * morestack goes on where its goroutine was left, and systemstack on the
 * goroutine's stack; both are in g.sched. asmcgocall left it there too; the
 * runtime itself stops at it.
 *
 * sigtramp returns to sigreturn, with a ucontext above the return address
 * (Linux, arch/x86/include/uapi/asm/sigcontext.h):
 *	40	r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx
 *	160	rsp	168	rip
 */
#define UCONTEXT_REGISTERS 40
#define UCONTEXT_RSP 160
#define UCONTEXT_RIP 168
#define MAX_SWITCHES 64

enum role {
	ROLE_NONE,
	ROLE_TOP,
	ROLE_MCALL, /* leaves a goroutine's stack, never to return */
	ROLE_GOGO, /* enters one; it has no frame there */
	ROLE_SYSTEMSTACK,
	ROLE_MORESTACK,
	ROLE_ASMCGOCALL,
	ROLE_CGOCALLBACK, /* moves sp, but its frame is on both stacks */
	ROLE_INJECTED, /* called by a signal handler on an instruction */
	ROLE_SIGTRAMP, /* the outermost, but for the signal frame */
	ROLE_SIGRETURN,
};

/*
 * Told by name, which all releases have; up to 1.16 nothing else tells the
 * outermost functions.
 */
static const struct {
	const char *name;
	enum role role;
} roles[] = {
	{ "goexit", ROLE_TOP },
	{ "mstart", ROLE_TOP },
	{ "mcall", ROLE_MCALL },
	{ "gogo", ROLE_GOGO },
	{ "rt0_go", ROLE_TOP },
	{ "externalthreadhandler", ROLE_TOP },
	{ "systemstack", ROLE_SYSTEMSTACK },
	{ "morestack", ROLE_MORESTACK },
	{ "asmcgocall", ROLE_ASMCGOCALL },
	{ "cgocallback", ROLE_CGOCALLBACK },
	{ "cgocallback_gofunc", ROLE_CGOCALLBACK },
	{ "sigpanic", ROLE_INJECTED },
	{ "sigpanic0", ROLE_INJECTED },
	{ "asyncPreempt", ROLE_INJECTED },
	{ "debugCallV1", ROLE_INJECTED },
	{ "debugCallV2", ROLE_INJECTED },
	{ "sigtramp", ROLE_SIGTRAMP },
	{ "cgoSigtramp", ROLE_SIGTRAMP },
	{ "sigreturn", ROLE_SIGRETURN },
	{ "sigreturn__sigaction", ROLE_SIGRETURN },
};

static enum role role_of(const char *name)
{
	static const char package[] = "runtime.";

	if (strncmp(name, package, strlen(package)) != 0)
		return ROLE_NONE;
	for (size_t i = 0; i < MW_COUNT(roles); i++)
		if (strcmp(name + strlen(package), roles[i].name) == 0)
			return roles[i].role;
	return ROLE_NONE;
}

/* What is known of a pc */

#define MAX_KNOWN (1u << 16)

const struct go_known_pc *go_look_up(struct mw_go *go, uint64_t pc)
{
	uint64_t *at = mw_map64_find(&go->known_pcs, pc);
	struct go_known_pc *known;

	if (at)
		return &go->known.v[*at];
	// Random words of a hostile stack would fill it.
	if (go->known.n >= MAX_KNOWN) {
		go->known.n = 0;
		mw_map64_free(&go->known_pcs);
	}
	known = mw_vec_push(&go->known);
	if (!known)
		return NULL;
	*known = (struct go_known_pc){ 0 };
	if (!mw_go_func_of(go->funcs, pc, &known->func)) {
		go->known.n--;
		return NULL;
	}
	known->has_frame = mw_go_frame_bytes(go->funcs, &known->func, pc,
					     &known->frame_bytes);
	known->role = role_of(mw_go_func_name(go->funcs, &known->func));
	at = mw_map64_at(&go->known_pcs, pc);
	if (at)
		*at = go->known.n - 1;
	return known;
}

/* The walk */

struct walk {
	struct mw_go *go;
	uint64_t pc, sp, g;
	bool is_trap; /* pc is the instruction itself */
	bool is_innermost;
	bool has_crossed; /* to another stack, with this frame */
	unsigned switches;
	uint64_t max;
	const uint64_t *registers; /* at pc; NULL: not known */
	uint64_t interrupted[MW_REGISTERS];
	bool (*visit)(const struct mw_go_frame *frame, void *ctx);
	void *ctx;
};

/** The goroutine that left its stack for the g0 it is on; false if none. */
static bool user_g(const struct walk *w, uint64_t *ret)
{
	uint64_t m, g0, curg, its_m;

	if (!w->g || !go_read(w->go, w->g, GO_g_m, &m) || !m ||
	    !go_read(w->go, m, GO_m_g0, &g0) || g0 != w->g ||
	    !go_read(w->go, m, GO_m_curg, &curg) || !curg ||
	    !go_read(w->go, curg, GO_g_m, &its_m) || its_m != m)
		return false;
	*ret = curg;
	return true;
}

/** Go on at the goroutine's own stack, where g.sched says. */
static bool leave_system_stack(struct walk *w, bool with_pc)
{
	uint64_t g, sp, pc;

	if (!user_g(w, &g) || ++w->switches > MAX_SWITCHES ||
	    !go_read(w->go, g, GO_g_sched_sp, &sp) || sp == 0 ||
	    !go_read(w->go, g, GO_g_sched_pc, &pc))
		return false;
	w->g = g;
	w->sp = sp;
	if (with_pc)
		w->pc = pc;
	return true;
}

/** Those of the ucontext at @va, which are a user's. */
static void take_registers(struct walk *w, uint64_t va)
{
	enum { R8, R9, R10, R11, R12, R13, R14, R15, RDI, RSI, RBP, RBX, RDX,
	       RAX, RCX, RSP, RIP };
	static const uint8_t order[MW_REGISTERS] = {
		RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8,
		R9,  R10, R11, R12, R13, R14, R15, RIP,
	};
	uint64_t saved[MW_REGISTERS];

	w->registers = NULL;
	if (!mw_target_search(w->go->target, va + UCONTEXT_REGISTERS, saved,
			      sizeof(saved)))
		return;
	for (size_t i = 0; i < MW_REGISTERS; i++)
		w->interrupted[i] = saved[order[i]];
	w->registers = w->interrupted;
}

/** At sigreturn: sp points to the ucontext of what was interrupted. */
static bool leave_signal(struct walk *w)
{
	uint64_t sp, pc;

	if (w->sp > UINT64_MAX - UCONTEXT_RIP ||
	    ++w->switches > MAX_SWITCHES ||
	    !mw_target_read_u64(w->go->target, w->sp + UCONTEXT_RSP, &sp) ||
	    !mw_target_read_u64(w->go->target, w->sp + UCONTEXT_RIP, &pc))
		return false;
	take_registers(w, w->sp);
	w->sp = sp;
	w->pc = pc;
	w->is_trap = true;
	// It may have been on any of the thread's stacks.
	w->g = go_stack_owner(w->go, sp);
	return true;
}

/** Whether the code at @pc is the C library's own sigreturn. */
static bool is_restorer(const struct walk *w)
{
	// mov $15, %rax; syscall
	static const uint8_t code[] = { 0x48, 0xc7, 0xc0, 0x0f, 0,
					0,    0,    0x0f, 0x05 };
	uint8_t bytes[sizeof(code)];

	return mw_target_read(w->go->target, w->pc, bytes, sizeof(bytes)) &&
	       memcmp(bytes, code, sizeof(code)) == 0;
}

/** Follow a switch of stacks; false when that ends the walk. */
static bool cross(struct walk *w, const struct go_known_pc **known)
{
	enum role role = (*known)->role;
	bool with_pc = role != ROLE_SYSTEMSTACK;

	w->has_crossed = false;
	if (role != ROLE_MORESTACK && role != ROLE_ASMCGOCALL &&
	    role != ROLE_SYSTEMSTACK)
		return true;
	w->has_crossed = leave_system_stack(w, with_pc);
	if (!w->has_crossed || !with_pc)
		return true;
	w->is_trap = false;
	*known = go_look_up(w->go, w->pc);
	return *known != NULL;
}

static bool is_top(const struct walk *w, const struct go_known_pc *known)
{
	// Interrupted before they leave the goroutine's stack, these two have
	// just been called.
	if ((known->role == ROLE_MCALL || known->role == ROLE_MORESTACK) &&
	    w->is_innermost && w->is_trap && go_is_user_stack(w->go, w->sp))
		return false;
	return known->role == ROLE_TOP || known->role == ROLE_MCALL ||
	       known->role == ROLE_MORESTACK ||
	       ((known->func.flags & MW_GO_FUNC_TOP_FRAME) &&
		known->role != ROLE_SIGTRAMP);
}

/** Whether the frame's size may be wrong, as the code moves sp at will. */
static bool is_unsure(const struct walk *w, const struct go_known_pc *known)
{
	if (w->has_crossed || known->role == ROLE_CGOCALLBACK)
		return false;
	// Called back from C, a goroutine's stack goes on below it (to 1.16).
	if (known->role == ROLE_ASMCGOCALL)
		return !go_is_user_stack(w->go, w->sp);
	if (known->role == ROLE_GOGO)
		return true;
	if (!(known->func.flags & MW_GO_FUNC_SP_WRITE))
		return false;
	// Where a goroutine was left it had not moved sp yet; and one that
	// moves it goes to its thread's stack.
	return !w->is_innermost ||
	       (w->is_trap && w->pc != known->func.entry &&
		!go_is_user_stack(w->go, w->sp));
}

/** Visit the frame at pc and step out of it; true ends the walk. */
static bool step(struct walk *w, enum mw_go_end *ret)
{
	const struct go_known_pc *known = go_look_up(w->go, w->pc);
	struct mw_go_frame frame;
	uint64_t caller;
	bool was_sigreturn = known && known->role == ROLE_SIGRETURN;

	if (was_sigreturn || (!known && is_restorer(w))) {
		*ret = MW_GO_END_DAMAGED;
		return !leave_signal(w);
	}
	*ret = MW_GO_END_FOREIGN;
	if (!known || !cross(w, &known))
		return true;
	*ret = MW_GO_END_DAMAGED;
	if (!known->has_frame || w->sp > UINT64_MAX - known->frame_bytes - 8)
		return true;
	frame = (struct mw_go_frame){
		.func = known->func,
		.pc = w->pc,
		.line_pc = w->pc - (!w->is_trap && w->pc > known->func.entry),
		.sp = w->sp,
		.bytes = known->frame_bytes + 8,
		.g = w->g,
		.registers = w->has_crossed ? NULL : w->registers,
	};
	enum role role = known->role;
	bool top = is_top(w, known), unsure = is_unsure(w, known);
	uint64_t bytes = known->frame_bytes;

	*ret = MW_GO_END_STOPPED;
	if (!w->visit(&frame, w->ctx))
		return true;
	*ret = top ? MW_GO_END_TOP : MW_GO_END_SP;
	if (top || unsure)
		return true;
	*ret = MW_GO_END_UNREADABLE;
	if (!mw_target_read_u64(w->go->target, frame.sp + bytes, &caller))
		return true;
	w->pc = caller;
	w->sp = frame.sp + frame.bytes;
	w->is_trap = role == ROLE_INJECTED;
	w->is_innermost = false;
	w->registers = NULL;
	// A zero is where a stack begins that has no outermost function.
	*ret = MW_GO_END_TOP;
	return caller == 0;
}

struct mw_error *mw_go_unwind(struct mw_go *go, const struct mw_go_start *start,
			      uint64_t max,
			      bool (*visit)(const struct mw_go_frame *frame,
					    void *ctx),
			      void *ctx, enum mw_go_end *ret)
{
	struct mw_error *error = go_open_funcs(go);
	enum mw_go_end end = MW_GO_END_STOPPED;
	struct walk w = {
		.go = go,
		.pc = start->pc,
		.sp = start->sp,
		.g = start->g,
		.is_trap = start->is_interrupted,
		.registers = start->registers,
		.is_innermost = true,
		.visit = visit,
		.ctx = ctx,
	};

	if (error)
		return error;
	// A call of a nil function; its caller's frame is whole.
	if (w.pc == 0) {
		if (!mw_target_read_u64(go->target, w.sp, &w.pc)) {
			*ret = MW_GO_END_UNREADABLE;
			return NULL;
		}
		w.sp += 8;
		w.is_trap = false;
		w.registers = NULL;
	}
	// Each step goes up one stack, or to another, which is counted.
	while (max-- > 0 && !step(&w, &end))
		end = MW_GO_END_STOPPED;
	*ret = end;
	return NULL;
}

struct mw_error *mw_go_functions(struct mw_go *go, struct mw_go_funcs **ret)
{
	struct mw_error *error = go_open_funcs(go);

	if (!error)
		*ret = go->funcs;
	return error;
}

const char *mw_go_end_name(enum mw_go_end end)
{
	static const char *const names[] = {
		[MW_GO_END_TOP] = "whole",
		[MW_GO_END_STOPPED] = "cut off",
		[MW_GO_END_FOREIGN] = "ends at code that is not Go's",
		[MW_GO_END_SP] = "ends at code that moves its stack pointer",
		[MW_GO_END_UNREADABLE] = "ends at memory that cannot be read",
		[MW_GO_END_DAMAGED] = "ends where it makes no sense",
	};

	return names[end];
}
