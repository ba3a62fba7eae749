/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_ALLOCS_H
#define MW_GO_ALLOCS_H

#include "mw_go_types.h"

/* The functions of Go's runtime that allocate on the heap, and size classes. */

#define MW_GO_NO_ARG (-1)

/**
 * One of them. Arguments are counted in words; since Go 1.17 the first ones are
 * in registers, before they were on the stack.
 */
struct mw_go_alloc {
	const char *name; /* behind its package; of all that begin so */
	bool is_prefix;
	/* Which argument is a type descriptor; a second place it may have. */
	int8_t type_arg, other_type_arg;
	bool is_itab;	   /* that argument is an itab */
	bool is_element;   /* the type is an element's: a slice is made */
	int8_t count_arg;  /* how many elements */
	int8_t bytes_arg;  /* how many bytes */
	bool has_type_size; /* it makes one object of the type */
	const char *made;   /* type of the result where no argument tells it */
	uint8_t bytes;	    /* its size; 0: not known */
};

/** The one that @function, "runtime.newobject", is; or NULL. */
const struct mw_go_alloc *mw_go_alloc_named(const char *function);

/** The number of the register that has argument @arg since Go 1.17; or -1. */
int mw_go_arg_register(int arg);

struct mw_go_classes {
	uint16_t bytes[128];
	size_t count;
	bool has_headers;
};

/**
 * The size classes of the Go program in @target, as its runtime has them.
 * False when they are not found.
 */
bool mw_go_classes_read(struct mw_target *target, struct mw_go_classes *ret);

/**
 * What an object of @bytes takes: its class, or whole pages of 8 KiB.
 * @pointer_bytes as in mw_go_type.
 */
uint64_t mw_go_class_bytes(const struct mw_go_classes *classes, uint64_t bytes,
			   uint64_t pointer_bytes);

#endif
