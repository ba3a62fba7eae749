/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_THREADS_H
#define KERNEL_THREADS_H

#include "mw_kernel.h"

/** The TIDs of a process; caller frees. MW_E_GONE when it has ended. */
MW_MUST_USE struct mw_error *mw_kernel_tids(struct mw_process *process,
					    pid_t **ret_tids,
					    size_t *ret_count);

/** State letter of a thread, 0 when it is gone. */
char mw_kernel_thread_state(struct mw_process *process, pid_t tid);

/** Address of the list head that the thread registered, 0 if none. */
uint64_t mw_kernel_robust_list(pid_t tid);

#endif
