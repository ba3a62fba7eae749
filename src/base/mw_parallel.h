/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_PARALLEL_H
#define MW_PARALLEL_H

#include <stddef.h>

/**
 * Call run(job, ctx) once for each job in [0, @jobs), on this thread and on
 * others, half as many as there are processors and at most 4 in all; returns
 * when all are done. Jobs begin in ascending order. Works, slower, when no
 * thread can be made.
 */
void mw_parallel(size_t jobs, void (*run)(size_t job, void *ctx), void *ctx);

/** The same on @want threads in all; at most 4, too. */
void mw_parallel_on(size_t want, size_t jobs,
		    void (*run)(size_t job, void *ctx), void *ctx);

/** How many processors there are for this process. */
size_t mw_processors(void);

#endif
