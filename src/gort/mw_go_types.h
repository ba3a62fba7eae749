/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GO_TYPES_H
#define MW_GO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_target.h"

/*
 * The types of a Go program, from the descriptors that its runtime uses: they
 * are there in stripped binaries, too. Nothing in them is trusted.
 */
struct mw_go_types;

/** As reflect.Kind numbers them. */
enum mw_go_kind {
	MW_GO_BOOL = 1,
	MW_GO_INT, MW_GO_INT8, MW_GO_INT16, MW_GO_INT32, MW_GO_INT64,
	MW_GO_UINT, MW_GO_UINT8, MW_GO_UINT16, MW_GO_UINT32, MW_GO_UINT64,
	MW_GO_UINTPTR, MW_GO_FLOAT32, MW_GO_FLOAT64,
	MW_GO_COMPLEX64, MW_GO_COMPLEX128,
	MW_GO_ARRAY, MW_GO_CHAN, MW_GO_FUNC, MW_GO_INTERFACE, MW_GO_MAP,
	MW_GO_POINTER, MW_GO_SLICE, MW_GO_STRING, MW_GO_STRUCT,
	MW_GO_UNSAFE_POINTER,
	MW_GO_KINDS,
};

struct mw_go_type {
	uint64_t address; /* of its descriptor */
	/* As reflect has it: "*http.Request"; owned by the mw_go_types. */
	const char *name;
	uint64_t bytes;		/* of a value */
	uint64_t pointer_bytes; /* up to the end of its last pointer; 0: none */
	enum mw_go_kind kind;
	uint64_t elem; /* descriptor: of an array, chan, map, pointer, slice */
	uint64_t key;	 /* of a map */
	uint64_t length; /* of an array */
};

/**
 * The types of all modules of the Go program in @target. *@ret is NULL when
 * there is none, which is not an error.
 */
MW_MUST_USE struct mw_error *mw_go_types_open(struct mw_target *target,
					      struct mw_go_types **ret);
/**
 * An empty list of modules, and one whose descriptors lie in a range. Those of
 * maps take @map_bytes, which differs between releases; 0: not known.
 */
MW_MUST_USE struct mw_error *mw_go_types_new(struct mw_target *target,
					     struct mw_go_types **ret);
MW_MUST_USE struct mw_error *
mw_go_types_add(struct mw_go_types *types, uint64_t start, uint64_t end,
		uint64_t map_bytes);
void mw_go_types_close(struct mw_go_types *types);

static inline void mw_go_types_closep(struct mw_go_types **types)
{
	mw_go_types_close(*types);
	*types = NULL;
}

/**
 * The type whose descriptor is at @va; false when none can be there.
 * Cost: O(1); what was found is kept.
 */
bool mw_go_type_at(struct mw_go_types *types, uint64_t va,
		   struct mw_go_type *ret);

/** Whether an interface holds a value of it itself, and not where it lies. */
bool mw_go_type_is_direct(struct mw_go_types *types,
			  const struct mw_go_type *type);

/** Whether @va lies where descriptors are, without looking for one there. */
bool mw_go_types_has(const struct mw_go_types *types, uint64_t va);

struct mw_go_field {
	const char *name; /* only while it is visited */
	struct mw_go_type type;
	uint64_t offset; /* all of it lies in the struct */
};

/**
 * Call @visit with each field of the struct @type. False when @visit has said
 * so, or when what is left cannot be read.
 */
bool mw_go_type_fields(struct mw_go_types *types,
		       const struct mw_go_type *type,
		       bool (*visit)(const struct mw_go_field *field,
				     void *ctx),
		       void *ctx);

/* What types take, gort_type_walk.c and gort_type_pieces.c */

/**
 * The next descriptor at or behind *@at, which is moved behind it; 0 at first.
 * They are told by what they look like, so that those are among them which only
 * code leads to. False when there are no more.
 */
bool mw_go_types_next(struct mw_go_types *types, uint64_t *at,
		      struct mw_go_type *ret);

/**
 * The import path of the package that @type belongs to: its own, or that of the
 * type that it is made of. "" for what consists of Go's own types. Owned by
 * @types.
 */
const char *mw_go_type_package(struct mw_go_types *types,
			       const struct mw_go_type *type);

/**
 * Call @visit with each stretch of memory that describes @type: its descriptor,
 * the names in it, which of its words are pointers. Types share names and
 * masks. False when @visit has said so.
 */
bool mw_go_type_pieces(struct mw_go_types *types,
		       const struct mw_go_type *type,
		       bool (*visit)(uint64_t va, uint64_t bytes, void *ctx),
		       void *ctx);

/**
 * The next table of methods for an interface (itab) in [*@at, @end), which is
 * moved behind it: the type that has the methods, and where it lies.
 */
bool mw_go_itabs_next(struct mw_go_types *types, uint64_t *at, uint64_t end,
		      struct mw_go_type *ret_type, uint64_t *ret_va,
		      uint64_t *ret_bytes);

#endif
