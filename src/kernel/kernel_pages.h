/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_PAGES_H
#define KERNEL_PAGES_H

#include "kernel_int.h"

/* Two of the ways in which mw_process_pages() asks; @fd is /proc/PID/pagemap. */

/**
 * By PAGEMAP_SCAN, with several threads.
 *
 * Errors: MW_E_SYSTEM where the kernel has it not; MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *
mw_pages_by_scan(int fd, const struct mw_process *process,
		 const struct mw_mappings *maps, bool tell_file,
		 struct mw_pages *pages);

/** By the words of /proc/PID/pagemap, and smaps where these do not decide. */
MW_MUST_USE struct mw_error *
mw_pages_by_pagemap(int fd, struct mw_process *process,
		    struct mw_mappings *maps, struct mw_pages *pages);

#endif
