/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_CGROUP_H
#define KERNEL_CGROUP_H

#include "kernel_int.h"

/** A file as text; NULL when it cannot be read, or without memory. */
char *mw_cgroup_slurp(int dir_fd, const char *name, size_t *ret_bytes);

/**
 * Fill in what is known of the processes in the group at @dir_fd and in those
 * below it, of which @own is the one that is looked at.
 */
void mw_cgroup_read_members(int dir_fd, pid_t own, struct mw_cgroup *group);

#endif
