/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_PARSE_H
#define KERNEL_PARSE_H

#include "mw_kernel.h"

/*
 * Parsers of /proc files: bytes in, no process. They take what a kernel (or a
 * fuzzer) writes; lines that make no sense are passed over.
 */

/**
 * Take a number in base 10 or 16 off the front of [*@at, @end); false, and
 * *@at untouched, when there is no digit or it does not fit in 64 bits.
 */
bool mw_parse_u64(const char **at, const char *end, unsigned base,
		  uint64_t *ret);

/**
 * Add the mappings of a piece of /proc/PID/maps that ends with a line end.
 * Mappings that do not ascend are left out: the kernel prints such when the
 * target changes its map between two reads.
 */
MW_MUST_USE struct mw_error *mw_parse_maps(const char *text, size_t bytes,
					   struct mw_mappings *maps);

/** /proc/PID/stat into the fields that it has of @status. */
MW_MUST_USE struct mw_error *mw_parse_stat(const char *text, size_t bytes,
					   struct mw_status *status);

/** /proc/PID/status, likewise. */
void mw_parse_status(const char *text, size_t bytes, struct mw_status *status);

/** /proc/PID/smaps; a piece that ends with a line end. */
MW_MUST_USE struct mw_error *mw_parse_smaps(const char *text, size_t bytes,
					    struct mw_smaps_list *smaps);

/** /proc/PID/task/TID/syscall: stack pointer and program counter. */
void mw_parse_syscall(const char *text, size_t bytes,
		      struct mw_thread *thread);

/**
 * /proc/PID/cgroup: version and path of the group that the memory controller
 * has the process in. *@ret_path points into @text. False if there is none.
 */
bool mw_parse_cgroup(const char *text, size_t bytes, unsigned *ret_version,
		     const char **ret_path, size_t *ret_path_bytes);

/**
 * /proc/PID/mountinfo: the mount of the memory controller's hierarchy that
 * shows group @path, as the same reader sees both; where it is mounted, and the
 * group's directory. Caller frees both. False, and NULL, if there is none, or
 * without memory.
 */
bool mw_parse_cgroup_mount(const char *text, size_t bytes, unsigned version,
			   const char *path, char **ret_point, char **ret_dir);

/** memory.stat, into the fields that it has of @group (with its version). */
void mw_parse_memory_stat(const char *text, size_t bytes,
			  struct mw_cgroup *group);

/** A limit: a number of bytes, or "max". UINT64_MAX when it is none. */
uint64_t mw_parse_limit(const char *text, size_t bytes);

/** The word in brackets of "always [madvise] never"; "" if there is none. */
void mw_parse_choice(const char *text, size_t bytes, char *ret, size_t room);

#endif
