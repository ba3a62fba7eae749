/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_LOCATE_H
#define MW_GO_LOCATE_H

#include "mw_go_goroutines.h"
#include "mw_go_spans.h"
#include "mw_go_unwind.h"
#include "mw_gort.h"

/*
 * What a Go program has at one address: from the heap's arena down to the slot
 * and the type of its object, whose stack it is, which of the runtime's own
 * structures and which member of it.
 */

#define MW_GO_TYPE_NAME 256

struct mw_go_slot {
	uint64_t index;
	uint64_t start, bytes;
	bool is_allocated;
	bool is_marked; /* by the collection that runs, or the last one */
	bool has_survived; /* it was there when the span was last swept */
	/*
	 * Several objects without pointers, of less than 16 bytes each, may
	 * share it.
	 */
	bool is_tiny_block;
	uint64_t header_bytes; /* in front of the object: its type */
	/* As the allocator was told; 0 when it does not keep it. */
	uint64_t type, type_bytes;
	char type_name[MW_GO_TYPE_NAME];
};

struct mw_go_stack_place {
	uint64_t g; /* its descriptor */
	uint64_t lo, hi;
	uint64_t sp; /* of its innermost frame; 0: not known */
	bool is_thread; /* a thread's own stack (g0, gsignal), no goroutine's */
	uint64_t thread; /* kernel's number; 0: none, or not known */
};

/** One of the runtime's own structures. */
struct mw_go_structure {
	const char *name; /* "runtime.mspan"; static */
	const char *variable; /* "runtime.mheap_"; NULL: it is none */
	uint64_t start, bytes;
	const char *field; /* that holds the address; NULL: not known */
	uint64_t field_offset; /* of the field in the structure */
	uint64_t index; /* in the field, where that is an array */
	bool has_index;
	uint64_t about; /* what it describes: a span's start, an arena's … */
	bool has_about;
};

struct mw_go_place {
	bool in_heap;
	uint64_t arena_start, arena_end;
	uint64_t heap_arena; /* descriptor; 0: there is none */
	bool has_span;
	struct mw_go_span span; /* without its holder */
	bool has_slot; /* false: behind the last one, or no objects */
	struct mw_go_slot slot;
	bool has_stack;
	struct mw_go_stack_place stack;
	bool has_structure;
	struct mw_go_structure structure;
};

/**
 * Tell what lies at @va, as far as it is Go's: nothing is set when it is not.
 * After mw_go_claim().
 *
 * Cost: O(log n) but for the lists of threads, which are walked.
 */
void mw_go_locate(struct mw_go *go, uint64_t va, struct mw_go_place *ret);

/**
 * Read the goroutine whose g is at @g and walk its stack as mw_go_unwind()
 * does. *@ret_found is false when it cannot be read. Where its stack begins
 * may not be known: then no frame is visited, and @ret->sp is 0.
 */
MW_MUST_USE struct mw_error *
mw_go_goroutine_walk(struct mw_go *go, uint64_t g,
		     bool (*visit)(const struct mw_go_frame *frame, void *ctx),
		     void *ctx, struct mw_go_goroutine *ret, bool *ret_found);

/**
 * The name of the type whose descriptor is at @type, cut to @size, and the
 * bytes of a value. False when there is none.
 */
bool mw_go_type_name(const struct mw_go *go, uint64_t type, char *to,
		     size_t size, uint64_t *ret_bytes);

#endif
