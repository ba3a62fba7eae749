/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_VEC_H
#define MW_VEC_H

#include <stdbool.h>
#include <stddef.h>

#include "mw_mem.h"

/*
 * A growing array: MW_VEC(struct x) things = { 0 }. Elements are things.v[0]
 * to things.v[things.n - 1]; pointers to them hold until the next push.
 */
#define MW_VEC(type)        \
	struct {            \
		type *v;    \
		size_t n;   \
		size_t cap; \
	}

/** Make room for one more element; a pointer to it, or NULL without memory. */
#define mw_vec_push(vec)                                              \
	(mw_vec_grow((void **)&(vec)->v, &(vec)->cap, (vec)->n,         \
		     sizeof(*(vec)->v))                                 \
		 ? &(vec)->v[(vec)->n++]                                \
		 : NULL)

/** Release the elements; the vector is empty and usable afterwards. */
#define mw_vec_free(vec)                              \
	do {                                          \
		mw_free((vec)->v);                    \
		(vec)->v = NULL;                      \
		(vec)->n = (vec)->cap = 0;            \
	} while (0)

/** Make room behind @used elements of @bytes. False without memory. */
bool mw_vec_grow(void **elements, size_t *cap, size_t used, size_t bytes);

#endif
