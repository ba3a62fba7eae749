/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_PARALLEL_H
#define MW_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>

/**
 * How many threads should work at once, at most 4: half as many as there are
 * processors, since the target wants to run meanwhile; with @all, when it does
 * not run, as many.
 */
size_t mw_parallel_workers(bool all);

/**
 * Call run(job, ctx) once for each job in [0, @jobs), on this thread and on
 * others, @workers in all; returns when all are done. Jobs begin in ascending
 * order. Works, slower, when no thread can be made.
 */
void mw_parallel(size_t workers, size_t jobs,
		 void (*run)(size_t job, void *ctx), void *ctx);

#endif
