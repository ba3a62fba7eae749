/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_GOROUTINES_H
#define MW_GO_GOROUTINES_H

#include "mw_go_funcs.h"
#include "mw_gort.h"
#include "mw_vec.h"

/*
 * All goroutines of a target, with their stacks walked. Identical stacks are
 * kept once.
 */

struct mw_go_goroutine {
	uint64_t address; /* of its g */
	uint64_t id, parent_id; /* parent_id 0: not known (before Go 1.21) */
	uint8_t status; /* as the runtime numbers them, without the scan bit */
	uint8_t wait; /* tells reasons apart, see wait_reason */
	bool is_dead; /* or not begun: its stack is kept for another */
	bool is_system; /* the runtime's own, not in its profile */
	bool is_locked; /* to a thread */
	const char *wait_reason; /* "" when it does not wait */
	/*
	 * Monotonic time at which a collection first saw it blocked; 0 when
	 * none has since.
	 */
	uint64_t waiting_since_ns;
	uint64_t bubble; /* of testing/synctest that it is in; 0: none */
	/*
	 * Go 1.24's experiment: bubble is the goroutine that called Run, and
	 * the runtime calls it a group.
	 */
	bool is_in_group;
	uint64_t go_pc;	  /* of the go statement; 0 for the first */
	uint64_t start_pc; /* where it began */
	const char *creator;  /* function of go_pc; "" if there is none */
	const char *function; /* that it runs; "?" if not known */
	uint64_t stack_lo, stack_hi;
	uint64_t sp; /* of its innermost frame; 0 when it just runs */
	uint64_t thread; /* kernel's number of the thread that has it, or 0 */
	uint32_t trace; /* in traces; MW_GO_NO_TRACE when not known */
	uint32_t label_set; /* in label_sets; MW_GO_NO_LABELS without any */
};

#define MW_GO_NO_TRACE UINT32_MAX
#define MW_GO_NO_LABELS UINT32_MAX

/** What runtime/pprof.Do, or SetGoroutineLabels, gave a goroutine. */
struct mw_go_label {
	char *key, *value;
};

/** Those of one goroutine, or of many; ascending by key. */
struct mw_go_label_set {
	size_t first; /* in labels */
	uint32_t count;
};

/** One stack, of one goroutine or of many. */
struct mw_go_trace {
	size_t first; /* in pcs: what to ask mw_go_lines() for, innermost first */
	uint32_t count;
	bool is_whole; /* down to where the goroutine began */
	const char *end; /* why the walk ended, in words */
	uint64_t goroutines; /* that have it */
	/* The function whose frames take most of it, and how many bytes. */
	const char *largest;
	uint64_t largest_bytes, bytes;
};

struct mw_go_goroutines {
	MW_VEC(struct mw_go_goroutine) list; /* ascending by id */
	MW_VEC(struct mw_go_trace) traces;
	MW_VEC(uint64_t) pcs;
	MW_VEC(struct mw_go_label_set) label_sets;
	MW_VEC(struct mw_go_label) labels;
	uint64_t label_bytes; /* that they take */
	uint64_t torn; /* that could not be read or made no sense */
};

/**
 * Read them.
 *
 * Owns:   strings are @go's.
 * Errors: MW_E_UNSUPPORTED when the runtime's list of them was not found.
 * Cost:   memory for each of about 150 bytes, and for each distinct stack.
 */
MW_MUST_USE struct mw_error *
mw_go_goroutines_read(struct mw_go *go, struct mw_go_goroutines *ret);
void mw_go_goroutines_free(struct mw_go_goroutines *all);

/** "waiting", "running", …; with that of Go 1.27 for new ones. */
const char *mw_go_state_name(uint8_t status);

/**
 * Call @visit for each line of a stack, inlined ones too, innermost first,
 * without the wrappers that the compiler made, as the runtime prints it, with
 * the number of its frame in @trace; until it returns false.
 */
MW_MUST_USE struct mw_error *
mw_go_trace_lines(struct mw_go *go, const struct mw_go_goroutines *all,
		  const struct mw_go_trace *trace,
		  bool (*visit)(const struct mw_go_line *line, size_t frame,
				void *ctx),
		  void *ctx);

#endif
