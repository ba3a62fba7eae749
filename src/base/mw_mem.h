/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_MEM_H
#define MW_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Every allocation of memwhy passes here, so that tests can make any one of
 * them fail. All return NULL when memory is short; none ever exits, since a
 * target may be stopped.
 */

/** @bytes of memory with any content; never NULL for 0 bytes if it succeeds. */
void *mw_alloc(size_t bytes);
/** Zeroed memory for @count elements; NULL also if the product overflows. */
void *mw_calloc(size_t count, size_t bytes);
void *mw_realloc(void *old, size_t count, size_t bytes);
/** The @bytes at @from in memory of their own, with a NUL behind them. */
char *mw_strndup(const char *from, size_t bytes);
char *mw_strdup(const char *from);
char *mw_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *mw_vformat(const char *fmt, va_list args)
	__attribute__((format(printf, 1, 0)));
void mw_free(void *memory);

/**
 * @bytes of zeroed memory for a large array, backed by huge pages where the
 * system has them for the asking: a fault for 2 MiB instead of for 4 KiB. To be
 * released by mw_unmap() with the same size.
 */
void *mw_map(size_t bytes);
void mw_unmap(void *memory, size_t bytes);

/**
 * For tests: let the next @count allocations succeed and fail all after them;
 * a negative @count ends this. mw_alloc_failed() tells whether one was refused
 * since.
 */
void mw_alloc_fail_after(long count);
bool mw_alloc_failed(void);

#endif
