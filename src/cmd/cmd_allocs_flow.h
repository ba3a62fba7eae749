/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_ALLOCS_FLOW_H
#define CMD_ALLOCS_FLOW_H

#include "cmd_allocs.h"

/* What is known at each instruction of a function, on all ways to it. */

struct allocs_flow {
	const struct allocs *allocs;
	struct allocs_state now;
	/* The rest is its own. */
	const struct cmd_code *code;
	uint32_t *places; /* by offset: of a jump's target, its place in states */
	size_t room;
	bool is_blind; /* not all ways to where jumps lead are known */
	bool is_dead;  /* the last instruction does not go on to the next */
	MW_VEC(struct allocs_state) states;
};

/**
 * Find what is known in @code, which outlives its use. False without memory.
 *
 * Cost: some passes over the instructions, mostly two.
 */
bool allocs_flow_begin(struct allocs_flow *flow, const struct cmd_code *code);
/** Before each instruction, in order: flow->now is what is known there. */
void allocs_flow_enter(struct allocs_flow *flow, const struct mw_insn *insn);
/** Let @insn take effect. */
void allocs_flow_leave(struct allocs_flow *flow, const struct mw_insn *insn);
void allocs_flow_free(struct allocs_flow *flow);

#endif
