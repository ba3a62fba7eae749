/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd_allocs_flow.h"
#include "mw_guard.h"

/*
 * What is known where several ways meet is what all of them agree in. A way
 * that jumps back is seen later than the place where it leads: so the code is
 * gone through until nothing is learnt any more, each time with what is known of
 * all ways seen; that only ever becomes less. In a function with a jump table
 * nothing is known wherever anything jumps to, since the table's ways are not
 * seen.
 */

/** More passes are not worth their time. */
#define MOST_PASSES 10

/* In flow->places: no jump leads there; one that was not seen yet does. */
enum { NO_TARGET, UNSEEN, FIRST };

/** Leave in @state what @other agrees in; whether that is less. */
static bool meet(struct allocs_state *state, const struct allocs_state *other)
{
	struct allocs_state before = *state;

	state->known_regs &= other->known_regs;
	state->known_slots &= other->known_slots;
	for (unsigned i = 0; i < MW_COUNT(state->regs); i++)
		if (state->regs[i] != other->regs[i])
			state->known_regs &= ~(1u << i);
	for (unsigned i = 0; i < MW_COUNT(state->slots); i++)
		if (state->slots[i] != other->slots[i])
			state->known_slots &= ~(1u << i);
	return state->known_regs != before.known_regs ||
	       state->known_slots != before.known_slots;
}

static bool is_jump(const struct allocs_flow *flow, const struct mw_insn *insn)
{
	return insn->has_target && insn->kind != MW_INSN_CALL &&
	       insn->target - flow->code->start < flow->code->bytes;
}

static bool mark_targets(struct allocs_flow *flow)
{
	const struct cmd_code *code = flow->code;

	if (code->bytes > flow->room) {
		uint32_t *grown = mw_realloc(flow->places, code->bytes,
					     sizeof(*grown));

		if (!grown)
			return false;
		flow->places = grown;
		flow->room = code->bytes;
	}
	memset(flow->places, 0, code->bytes * sizeof(*flow->places));
	flow->is_blind = false;
	for (size_t i = 0; i < code->count; i++) {
		const struct mw_insn *insn = &code->insns[i];

		if (is_jump(flow, insn))
			flow->places[insn->target - code->start] = UNSEEN;
		else if (insn->kind == MW_INSN_JUMP && !insn->has_target)
			flow->is_blind = true;
	}
	return true;
}

/** Begin a pass; a function's arguments are not known. */
static void begin(struct allocs_flow *flow)
{
	flow->now = (struct allocs_state){ 0 };
	flow->is_dead = false;
}

void allocs_flow_enter(struct allocs_flow *flow, const struct mw_insn *insn)
{
	uint32_t place = flow->places[insn->va - flow->code->start];

	if (place != NO_TARGET && flow->is_blind)
		flow->now = (struct allocs_state){ 0 };
	else if (place >= FIRST && flow->is_dead)
		flow->now = flow->states.v[place - FIRST];
	else if (place >= FIRST)
		meet(&flow->now, &flow->states.v[place - FIRST]);
	else if (flow->is_dead)
		flow->now = (struct allocs_state){ 0 };
	flow->is_dead = false;
}

void allocs_flow_leave(struct allocs_flow *flow, const struct mw_insn *insn)
{
	if (insn->kind == MW_INSN_CALL && insn->has_target &&
	    mw_map64_find(&flow->allocs->barriers, insn->target))
		allocs_pass_barrier(&flow->now);
	else
		allocs_step(&flow->now, flow->allocs->target, insn);
	flow->is_dead = insn->kind == MW_INSN_JUMP ||
			insn->kind == MW_INSN_RETURN;
}

/** Keep what is known on the way to @offset. False without memory. */
static bool keep(struct allocs_flow *flow, uint64_t offset, bool *changed)
{
	uint32_t *place = &flow->places[offset];
	struct allocs_state *state;

	if (*place >= FIRST) {
		*changed |= meet(&flow->states.v[*place - FIRST], &flow->now);
		return true;
	}
	state = mw_vec_push(&flow->states);
	if (!state)
		return false;
	*state = flow->now;
	*place = (uint32_t)(flow->states.n - 1) + FIRST;
	*changed = true;
	return true;
}

/** Go through the code once. False without memory. */
static bool pass(struct allocs_flow *flow, bool *changed)
{
	begin(flow);
	for (size_t i = 0; i < flow->code->count; i++) {
		const struct mw_insn *insn = &flow->code->insns[i];

		// No way that was seen yet leads here. (Where none ever will,
		// as to what recovers from a panic, nothing is known.)
		if (flow->is_dead &&
		    flow->places[insn->va - flow->code->start] == UNSEEN)
			continue;
		allocs_flow_enter(flow, insn);
		if (is_jump(flow, insn) &&
		    !keep(flow, insn->target - flow->code->start, changed))
			return false;
		allocs_flow_leave(flow, insn);
	}
	return true;
}

bool allocs_flow_begin(struct allocs_flow *flow, const struct cmd_code *code)
{
	bool changed = true;

	flow->code = code;
	flow->states.n = 0;
	if (!mark_targets(flow))
		return false;
	for (int i = 0; !flow->is_blind && changed; i++) {
		changed = false;
		flow->is_blind = i == MOST_PASSES;
		if (!pass(flow, &changed))
			return false;
	}
	begin(flow);
	return true;
}

void allocs_flow_free(struct allocs_flow *flow)
{
	mw_free(flow->places);
	mw_vec_free(&flow->states);
}
