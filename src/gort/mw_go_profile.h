/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_PROFILE_H
#define MW_GO_PROFILE_H

#include "mw_go_funcs.h"
#include "mw_gort.h"
#include "mw_vec.h"

/*
 * The heap profile that the runtime keeps for runtime/pprof: of a sample of
 * all allocations, where they were made.
 */

/** What was sampled at one stack, in objects and bytes that were not scaled. */
struct mw_go_sampled {
	size_t first; /* in pcs: return addresses, innermost first */
	uint32_t count;
	uint64_t size; /* of each object, rounded up to its class */
	uint64_t allocs, frees, alloc_bytes, free_bytes;
};

struct mw_go_heap_profile {
	MW_VEC(struct mw_go_sampled) list;
	MW_VEC(uint64_t) pcs;
	/*
	 * runtime.MemProfileRate: a sample for so many bytes allocated, on
	 * average; 0: none is taken, as when the linker has found that nothing
	 * asks for them. Not set when it was not found.
	 */
	bool has_rate;
	uint64_t rate;
	bool is_found; /* false: there is no sample, or no list was found */
	/*
	 * No collection has ended yet, so that the figures are those of the
	 * moment and not of the last collection's end.
	 */
	bool is_first_cycle;
	uint64_t torn; /* that were damaged, or changed while they were read */
};

/**
 * Read it, as of the end of the last collection but one, which is what
 * runtime/pprof shows.
 *
 * Errors: MW_E_NOMEM; those of opening the function table.
 */
MW_MUST_USE struct mw_error *
mw_go_heap_profile_read(struct mw_go *go, struct mw_go_heap_profile *ret);
void mw_go_heap_profile_free(struct mw_go_heap_profile *profile);

/** Estimate what was allocated from what was sampled, as runtime/pprof does. */
void mw_go_scale_sample(uint64_t objects, uint64_t bytes, uint64_t rate,
			int64_t *ret_objects, int64_t *ret_bytes);

/**
 * Call @visit for each place of a stack of return addresses, innermost first,
 * with the index of its address in @pcs; until it returns false. Where the
 * runtime has noted an address for each inlined call, each is a place of its
 * own; where it has not, they are told from the function table.
 */
void mw_go_stack_lines(struct mw_go_funcs *funcs, const uint64_t *pcs,
		       size_t count,
		       bool (*visit)(const struct mw_go_line *line,
				     size_t index, void *ctx),
		       void *ctx);

#endif
