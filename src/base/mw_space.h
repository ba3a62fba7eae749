/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_SPACE_H
#define MW_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_num.h"
#include "mw_vec.h"

/*
 * The vocabulary for an address space, whoever describes it (the kernel for a
 * live process, a core file): mappings, the state of their pages, threads.
 */

/* Mappings */

enum mw_perm {
	MW_PERM_R = 1,
	MW_PERM_W = 2,
	MW_PERM_X = 4,
	MW_PERM_SHARED = 8, /* MAP_SHARED; otherwise MAP_PRIVATE */
};

/** One line of /proc/PID/maps (proc_pid_maps(5)). */
struct mw_mapping {
	uint64_t start; /* first byte; page aligned, but for [vsyscall] too */
	uint64_t end;	/* one behind the last byte */
	uint64_t offset; /* of @start in the file, in bytes */
	uint64_t inode;	 /* 0 when there is no file */
	uint32_t dev_major;
	uint32_t dev_minor;
	uint8_t perms;	/* enum mw_perm */
	bool hugetlb;	/* pages from the hugetlb pool: not part of RSS */
	uint32_t path;	/* place in mw_mappings.paths */
	/*
	 * Bytes that are known to be present or swapped, without knowing
	 * which: only where the kernel gives no state of single pages.
	 */
	uint64_t unplaced_rss_bytes;
	uint64_t unplaced_swap_bytes;
};

/** All mappings of one address space: sorted, disjoint. Zeroed is empty. */
struct mw_mappings {
	MW_VEC(struct mw_mapping) list;
	MW_VEC(char) paths; /* NUL-terminated, as the kernel writes them */
};

/**
 * Add a mapping behind the last one. @path need not be terminated.
 * Returns the new mapping, NULL without memory.
 */
struct mw_mapping *mw_mappings_add(struct mw_mappings *maps, uint64_t start,
				   uint64_t end, const char *path,
				   size_t path_len);
void mw_mappings_free(struct mw_mappings *maps);

/** What stands in the last column of maps; "" for plain anonymous memory. */
const char *mw_mapping_path(const struct mw_mappings *maps,
			    const struct mw_mapping *mapping);

/** The mapping that contains @va, or NULL. */
const struct mw_mapping *mw_mappings_find(const struct mw_mappings *maps,
					  uint64_t va);

/** Index of the first mapping that ends above @va; the count if none does. */
size_t mw_mappings_after(const struct mw_mappings *maps, uint64_t va);

static inline uint64_t mw_mapping_bytes(const struct mw_mapping *mapping)
{
	return mapping->end - mapping->start;
}

/** Private memory without a file behind it. */
static inline bool mw_mapping_is_anonymous(const struct mw_mapping *mapping)
{
	return mapping->inode == 0 && !(mapping->perms & MW_PERM_SHARED);
}

/** A file's page that is written to becomes a copy, the process's own. */
static inline bool mw_mapping_may_be_copied(const struct mw_mapping *mapping)
{
	return mapping->inode != 0 && (mapping->perms & MW_PERM_W) &&
	       !(mapping->perms & MW_PERM_SHARED);
}

/** Whether a page without a state is known to be absent. */
static inline bool mw_mapping_has_states(const struct mw_mapping *mapping)
{
	return mapping->unplaced_rss_bytes == 0 &&
	       mapping->unplaced_swap_bytes == 0;
}

/* Page states */

enum mw_page_state {
	MW_PAGE_PRESENT = 1,
	MW_PAGE_SWAPPED = 2,
	MW_PAGE_ZERO = 4, /* the kernel's shared zero page: not part of RSS */
	MW_PAGE_HUGE = 8, /* part of a huge page: THP or hugetlb */
	/* Page cache or shared memory, where it was asked or may be a copy */
	MW_PAGE_FILE = 16,
	MW_PAGE_HUGETLB = 32, /* of the hugetlb pool: not part of RSS */
};

/**
 * The pages that are not simply absent, as runs of equal state. Sorted and
 * disjoint. Zeroed is empty.
 *
 * A run is packed into one word, since a large heap has millions of them:
 *
 *	bits  0..44  number of the first page (57-bit addresses)
 *	bits 45..50  enum mw_page_state
 *	bits 51..63  number of pages
 *
 * A longer run is stored as several.
 */
struct mw_pages {
	MW_VEC(uint64_t) runs;
};

#define MW_RUN_PAGE_BITS 45
#define MW_RUN_STATE_BITS 6
#define MW_RUN_MAX_PAGES ((UINT64_C(1) << 13) - 1)

static inline uint64_t mw_run_start(uint64_t run)
{
	return (run & ((UINT64_C(1) << MW_RUN_PAGE_BITS) - 1))
	       << MW_PAGE_SHIFT;
}

static inline unsigned mw_run_state(uint64_t run)
{
	return (unsigned)(run >> MW_RUN_PAGE_BITS) &
	       ((1U << MW_RUN_STATE_BITS) - 1);
}

static inline uint64_t mw_run_bytes(uint64_t run)
{
	return (run >> (MW_RUN_PAGE_BITS + MW_RUN_STATE_BITS))
	       << MW_PAGE_SHIFT;
}

static inline uint64_t mw_run_end(uint64_t run)
{
	return mw_run_start(run) + mw_run_bytes(run);
}

/**
 * Add [@start, @end) with @state behind the last run. Page aligned; what does
 * not ascend, or is empty, is refused as not added. False without memory.
 */
bool mw_pages_add(struct mw_pages *pages, uint64_t start, uint64_t end,
		  unsigned state);
/** Add all runs of @more, which lie behind those of @pages. */
bool mw_pages_append(struct mw_pages *pages, const struct mw_pages *more);
void mw_pages_free(struct mw_pages *pages);

/** Index of the first run that ends above @va; the count if none does. */
size_t mw_pages_after(const struct mw_pages *pages, uint64_t va);

/**
 * The same, quick when asked with ascending addresses: @hint is a former
 * answer (any value is allowed).
 */
size_t mw_pages_after_hint(const struct mw_pages *pages, uint64_t va,
			   size_t hint);

/**
 * The first multiple of @align at @va or behind it whose page is present;
 * UINT64_MAX if there is none. @hint as above, updated. Mappings may have
 * petabytes that are not present, so nobody should ask for each.
 */
uint64_t mw_pages_next_aligned(const struct mw_pages *pages, uint64_t va,
			       uint64_t align, size_t *hint);

/** State of the page that contains @va; 0 when absent. */
unsigned mw_pages_state(const struct mw_pages *pages, uint64_t va);

/** Bytes of a range that count in a domain. */
struct mw_tally {
	uint64_t vsz_bytes;
	uint64_t rss_bytes;
	uint64_t swap_bytes;
};

/** Whether a page counts in RSS, as the kernel counts it in smaps. */
static inline bool mw_state_is_rss(unsigned state)
{
	return (state & (MW_PAGE_PRESENT | MW_PAGE_ZERO | MW_PAGE_HUGETLB)) ==
	       MW_PAGE_PRESENT;
}

/**
 * Add to @tally what of [@start, @end) is resident and swapped, to the byte
 * (vsz_bytes is left alone). *@hint as in mw_pages_after_hint(), updated.
 */
void mw_pages_tally(const struct mw_pages *pages, size_t *hint, uint64_t start,
		    uint64_t end, struct mw_tally *tally);

/* Threads */

#define MW_NO_NATIVE_STACK UINT64_MAX
/*
 * The registers of x86-64 as DWARF numbers them: rax, rdx, rcx, rbx, rsi, rdi,
 * rbp, rsp, r8 to r15, rip.
 */
#define MW_REGISTERS 17

struct mw_thread {
	int32_t tid;
	char state; /* as in /proc/PID/stat: R, S, D, … */
	bool has_sp; /* false for a thread that runs while it is looked at */
	bool has_fs;
	uint64_t sp;
	uint64_t pc;
	uint64_t fs_base; /* thread pointer: the TCB on x86-64 */
	uint64_t robust_list; /* head registered by the thread, 0 if none */
	/*
	 * Where the frames on the thread's own stack end while it runs on
	 * another one (a goroutine's), 0 when not known; MW_NO_NATIVE_STACK
	 * when all its stacks are a runtime's.
	 */
	uint64_t native_sp;
	/* Of one that was halted: sp and pc among them. */
	bool has_registers;
	uint64_t registers[MW_REGISTERS];
};

/** What struct user_regs_struct of the kernel has of @thread's registers. */
void mw_thread_take_registers(struct mw_thread *thread,
			      const uint64_t general[27]);

/**
 * What the kernel remembers of a process's start, from /proc/PID/stat. 0 when
 * not known. All are addresses in the target.
 */
struct mw_start_info {
	uint64_t start_stack; /* points to argc */
	uint64_t arg_start, arg_end;
	uint64_t env_start, env_end;
	uint64_t start_brk;
	uint64_t start_code;
};

#endif
