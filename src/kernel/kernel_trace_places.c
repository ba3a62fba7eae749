/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_trace.h"
#include "mw_num.h"

/*
 * Debug registers (Intel SDM 3B, 18.2): DR0-3 hold addresses; DR7 enables them
 * by bits 0, 2, 4, 6, and where its bits 16-31 are 0, all four mean execution
 * of an instruction of any length. The trap comes before the instruction, and
 * the kernel sets RF, so that the thread passes when it is continued.
 */

#define DEBUG_REGISTER(n) (offsetof(struct user, u_debugreg) + 8 * (size_t)(n))
#define INT3 0xcc

static bool poke_user(pid_t tid, size_t offset, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, tid, (void *)offset,
		      (void *)(uintptr_t)value) == 0;
}

static bool peek(pid_t pid, uint64_t va, uint64_t *ret)
{
	errno = 0;
	long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)va, NULL);

	if (errno)
		return false;
	*ret = (uint64_t)word;
	return true;
}

/** Replace one byte, by way of the word around it that leaves no page. */
static bool poke_byte(pid_t pid, uint64_t va, uint8_t byte, uint8_t *ret_was)
{
	uint64_t at = mw_align_down(va, 8), shift = 8 * (va - at), word;

	if (!peek(pid, at, &word))
		return false;
	*ret_was = (uint8_t)(word >> shift);
	word = (word & ~(UINT64_C(0xff) << shift)) | (uint64_t)byte << shift;
	return ptrace(PTRACE_POKETEXT, pid, (void *)(uintptr_t)at,
		      (void *)(uintptr_t)word) == 0;
}

/* Debug registers */

__attribute__((noinline)) static void probed(void)
{
	__asm__ volatile("");
}

/** Where mw_trace_registers_work() tries. */
static void probe(pid_t parent)
{
	// It would be left stopped where memwhy is killed meanwhile.
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	probed();
	_exit(0);
}

bool mw_trace_registers_work(void)
{
	bool works = false;
	int status;
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		probe(parent);
	if (pid < 0)
		return false;
	if (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (poke_user(pid, DEBUG_REGISTER(0),
			      (uint64_t)(uintptr_t)probed) &&
		    poke_user(pid, DEBUG_REGISTER(7), 1) &&
		    ptrace(PTRACE_CONT, pid, NULL, NULL) == 0)
			works = waitpid(pid, &status, 0) == pid &&
				WIFSTOPPED(status) &&
				WSTOPSIG(status) == SIGTRAP;
		if (!WIFEXITED(status)) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
	}
	return works;
}

/** Whether a debug register is free. */
static bool has_register(const struct mw_trace *trace)
{
	for (int i = 0; trace->has_registers && i < TRACE_REGISTERS; i++)
		if (!trace->registers[i].va)
			return true;
	return false;
}

void mw_trace_set_registers(const struct mw_trace *trace, pid_t tid)
{
	uint64_t enabled = 0;

	if (!trace->has_registers)
		return;
	// An address may only change while its register is off.
	poke_user(tid, DEBUG_REGISTER(7), 0);
	for (int i = 0; i < TRACE_REGISTERS; i++)
		if (trace->registers[i].va &&
		    poke_user(tid, DEBUG_REGISTER(i), trace->registers[i].va))
			enabled |= UINT64_C(1) << (2 * i);
	poke_user(tid, DEBUG_REGISTER(7), enabled);
}

static void set_all(const struct mw_trace *trace)
{
	for (size_t i = 0; i < trace->threads.n; i++)
		mw_trace_set_registers(trace, trace->threads.v[i].tid);
}

static struct trace_register *register_of(struct mw_trace *trace, uint64_t va)
{
	for (int i = 0; i < TRACE_REGISTERS; i++)
		if (trace->registers[i].va == va)
			return &trace->registers[i];
	return NULL;
}

static bool use_register(struct mw_trace *trace, uint64_t va, bool stays)
{
	if (!has_register(trace))
		return false;
	*register_of(trace, 0) = (struct trace_register){ va, stays };
	set_all(trace);
	return true;
}

/* Patches */

static struct trace_patch *patch_of(const struct mw_trace *trace, uint64_t va)
{
	for (size_t i = 0; i < trace->patches.n; i++)
		if (trace->patches.v[i].va == va)
			return &trace->patches.v[i];
	return NULL;
}

static bool note_page(struct mw_trace *trace, uint64_t va)
{
	uint64_t page = mw_align_down(va, MW_PAGE_BYTES), *place;

	for (size_t i = 0; i < trace->pages.n; i++)
		if (trace->pages.v[i] == page)
			return true;
	place = mw_vec_push(&trace->pages);
	if (place)
		*place = page;
	return place;
}

static struct mw_error *patch(struct mw_trace *trace, uint64_t va)
{
	struct trace_patch *p = patch_of(trace, va);
	bool is_new = !p;

	if (p && p->is_set)
		return NULL;
	if (!p)
		p = mw_vec_push(&trace->patches);
	if (!p || !note_page(trace, va))
		return mw_error_nomem();
	*p = (struct trace_patch){ .va = va };
	p->is_set = poke_byte(trace->pid, va, INT3, &p->was);
	if (p->is_set)
		return NULL;
	if (is_new)
		trace->patches.n--;
	return mw_error_at(MW_E_RANGE, va, "no code at 0x%llx",
			   (unsigned long long)va);
}

static void unpatch(struct mw_trace *trace, struct trace_patch *p)
{
	uint8_t byte;

	if (p->is_set)
		poke_byte(trace->pid, p->va, p->was, &byte);
	p->is_set = false;
}

void mw_trace_unpatch(const struct mw_trace *trace, pid_t pid)
{
	// Also those that are not set any more: a copy may be older.
	for (size_t i = 0; i < trace->patches.n; i++) {
		const struct trace_patch *p = &trace->patches.v[i];
		uint64_t at = mw_align_down(p->va, 8), word;
		uint8_t byte;

		if (peek(pid, at, &word) &&
		    (uint8_t)(word >> (8 * (p->va - at))) == INT3)
			poke_byte(pid, p->va, p->was, &byte);
	}
}

/* Both */

struct mw_error *mw_trace_watch(struct mw_trace *trace, uint64_t va)
{
	// A look at the code would bring its page into memory, and the kernel
	// maps its neighbours along with it.
	if (va && register_of(trace, va))
		return NULL;
	if (!va)
		return mw_error_new(MW_E_RANGE, "no code at address 0");
	return use_register(trace, va, false) ? NULL : patch(trace, va);
}

bool mw_trace_watch_on(struct mw_trace *trace, uint64_t va)
{
	struct trace_register *r = va ? register_of(trace, va) : NULL;

	if (r)
		r->stays = true;
	return r || (va && use_register(trace, va, true));
}

/** What is not watched is left alone. */
static void unwatch(struct mw_trace *trace, uint64_t va)
{
	struct trace_register *r = va ? register_of(trace, va) : NULL;
	struct trace_patch *p = patch_of(trace, va);

	if (p)
		unpatch(trace, p);
	if (!r)
		return;
	*r = (struct trace_register){ 0 };
	set_all(trace);
}

uint64_t mw_trace_pages_written(const struct mw_trace *trace)
{
	return trace->pages.n;
}

bool mw_trace_take_place(struct mw_trace *trace, pid_t tid, uint64_t *ret_va)
{
	struct user_regs_struct regs;
	struct trace_register *r;
	struct trace_patch *p;
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) != 0 ||
	    ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0)
		return false;
	*ret_va = 0;
	if (info.si_code == TRAP_HWBKPT && trace->has_registers) {
		r = register_of(trace, regs.rip);
		if (r && r->va) {
			*ret_va = r->va;
			if (!r->stays)
				unwatch(trace, r->va);
		}
		return true;
	}
	p = info.si_code == SI_KERNEL ? patch_of(trace, regs.rip - 1) : NULL;
	if (!p)
		return false;
	if (p->is_set)
		*ret_va = p->va;
	unpatch(trace, p);
	return poke_user(tid, offsetof(struct user, regs.rip), p->va);
}

void mw_trace_forget_places(struct mw_trace *trace)
{
	for (int i = 0; i < TRACE_REGISTERS; i++)
		trace->registers[i] = (struct trace_register){ 0 };
	trace->patches.n = trace->pages.n = 0;
}

void mw_trace_clear_places(struct mw_trace *trace)
{
	mw_trace_unpatch(trace, trace->pid);
	for (int i = 0; i < TRACE_REGISTERS; i++)
		trace->registers[i] = (struct trace_register){ 0 };
	set_all(trace);
	for (size_t i = 0; i < trace->patches.n; i++)
		trace->patches.v[i].is_set = false;
}
