/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_GUARD_H
#define MW_GUARD_H

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "mw_mem.h"

/*
 * Scope guards: the variable is released when it goes out of scope. A value
 * that is handed on leaves through mw_steal(), which puts NULL in its place.
 */
#define MW_CLEANUP(function) __attribute__((cleanup(function)))

#define mw_steal(pointer)                               \
	({                                              \
		__typeof__(pointer) *mw_p_ = &(pointer); \
		__typeof__(pointer) mw_v_ = *mw_p_;      \
		*mw_p_ = NULL;                          \
		mw_v_;                                  \
	})

static inline void mw_freep(void *pointer)
{
	void *memory;

	__builtin_memcpy(&memory, pointer, sizeof(memory));
	mw_free(memory);
}

static inline void mw_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void mw_fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
	*file = NULL;
}

#endif
