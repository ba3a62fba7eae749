/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_UNWIND_H
#define MW_GO_UNWIND_H

#include "mw_go_funcs.h"
#include "mw_gort.h"

/*
 * Stacks of Go code, walked as the runtime walks them: by the size of each
 * frame, which the function table has for every instruction.
 */

/** Where to begin. */
struct mw_go_start {
	uint64_t pc, sp;
	uint64_t g; /* whose stack it is; 0: stacks are not followed further */
	/*
	 * Whether pc is an instruction about to run, as in registers, and not
	 * a return address, as where a goroutine was left.
	 */
	bool is_interrupted;
	/* MW_REGISTERS of them, as they are at pc; NULL: not known */
	const uint64_t *registers;
};

/** A frame that is there in memory; inlined ones are in its lines. */
struct mw_go_frame {
	struct mw_go_func func;
	uint64_t pc;   /* as found: a return address for most */
	uint64_t line_pc; /* what to ask mw_go_lines() for */
	uint64_t sp, bytes; /* [sp, sp + bytes), with the return address */
	uint64_t g;    /* whose stack it lies on, 0 if not known */
	/*
	 * As they are at pc, of the innermost frame and of one that a signal
	 * interrupted; NULL when not known, as of all that have called. Good
	 * until the visit ends.
	 */
	const uint64_t *registers;
};

/** Why a walk ended. */
enum mw_go_end {
	MW_GO_END_TOP,	    /* at the outermost function: the walk is whole */
	MW_GO_END_STOPPED,  /* the visitor wanted no more, or the limit */
	MW_GO_END_FOREIGN,  /* at code that is not Go's */
	MW_GO_END_SP,	    /* at a function that moves its stack pointer */
	MW_GO_END_UNREADABLE, /* memory that cannot be read */
	MW_GO_END_DAMAGED, /* a stack that makes no sense */
};

/** In words, for a reader: "whole", "code that is not Go's", … */
const char *mw_go_end_name(enum mw_go_end end);

/**
 * Call @visit for each frame from the innermost outwards, until it returns
 * false; at most @max frames. The walk crosses the switches to and from a
 * thread's system stack, and signal frames.
 *
 * Errors: only those of opening the function table. A stack that cannot be
 *         followed is a result, *@ret.
 * Cost:   O(frames); what is known of a pc is kept.
 */
MW_MUST_USE struct mw_error *
mw_go_unwind(struct mw_go *go, const struct mw_go_start *start, uint64_t max,
	     bool (*visit)(const struct mw_go_frame *frame, void *ctx),
	     void *ctx, enum mw_go_end *ret);

/** The functions of the program; owned by @go. */
MW_MUST_USE struct mw_error *mw_go_functions(struct mw_go *go,
					     struct mw_go_funcs **ret);

#endif
