/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_KERNEL_H
#define MW_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mw_error.h"
#include "mw_space.h"

/*
 * What the Linux kernel tells of a process: the only room that asks it about
 * a PID. Nothing here writes to the target; only mw_stop_*() halts it. (Programs
 * that memwhy starts itself are another matter: mw_trace.h.)
 */

/* Finding a process */

/**
 * The PIDs of all processes that are seen from here; caller frees.
 *
 * Errors: MW_E_NOMEM, MW_E_SYSTEM.
 */
MW_MUST_USE struct mw_error *mw_kernel_list(pid_t **ret_pids,
					    size_t *ret_count);

/**
 * The PID that @name stands for: a number, or a name that equals the comm, the
 * base name of the executable or the base name of argv[0] of exactly one
 * process other than memwhy.
 *
 * Errors: MW_E_NOT_FOUND; MW_E_AMBIGUOUS, with the candidates in the message.
 */
MW_MUST_USE struct mw_error *mw_kernel_find(const char *name, pid_t *ret_pid);

/** The process with the largest RSS whose memory the user may read. */
MW_MUST_USE struct mw_error *mw_kernel_find_largest(pid_t *ret_pid);

/* A process */

/**
 * An open process. It is held by open files of /proc, so that a PID used again
 * by another process cannot be taken for it.
 */
struct mw_process;

/** Figures of /proc/PID/status and stat; absent ones are 0. */
struct mw_status {
	char comm[64];
	char state; /* R, S, D, T, Z, … */
	uint32_t uid;
	uint32_t threads;
	uint64_t vsz_bytes; /* VmSize: without [vsyscall] */
	uint64_t rss_bytes;
	uint64_t rss_anon_bytes, rss_file_bytes, rss_shmem_bytes;
	uint64_t rss_peak_bytes; /* VmHWM */
	uint64_t swap_bytes;
	uint64_t locked_bytes;
	uint64_t page_table_bytes;
	uint64_t hugetlb_bytes;
	uint64_t start_ticks; /* since boot: tells a PID's processes apart */
	int32_t parent, group, session;
	uint32_t gid;
	struct mw_start_info start;
};

/**
 * Errors: MW_E_NOT_FOUND, MW_E_PERMISSION; MW_E_UNSUPPORTED for a kernel
 * thread and MW_E_GONE for a zombie, which have no memory to explain.
 */
MW_MUST_USE struct mw_error *mw_process_open(pid_t pid,
					     struct mw_process **ret);
void mw_process_close(struct mw_process *process);

static inline void mw_process_closep(struct mw_process **process)
{
	mw_process_close(*process);
	*process = NULL;
}

/**
 * What stat and status tell, at two moments if the process runs.
 *
 * Errors: MW_E_GONE when it has ended, MW_E_FORMAT, MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *mw_process_status(struct mw_process *process,
					       struct mw_status *ret);

/**
 * The mappings, [vsyscall] included. Read in several steps by the kernel, so
 * a process that maps and unmaps meanwhile may show a mixture; the result is
 * sorted and disjoint all the same.
 */
MW_MUST_USE struct mw_error *mw_process_mappings(struct mw_process *process,
						 struct mw_mappings *ret);

/** Where page states come from, best first. */
enum mw_page_source {
	MW_PAGES_SCAN,	  /* PAGEMAP_SCAN, Linux 6.7 */
	MW_PAGES_PAGEMAP, /* /proc/PID/pagemap */
	MW_PAGES_SMAPS,	  /* /proc/PID/smaps: per mapping only */
};

/**
 * The state of all pages of @mappings, from the best source not better than
 * @best. Those below MW_PAGES_SCAN may leave bytes of a mapping without a place
 * in it (mw_mapping.unplaced_*). MW_PAGE_FILE is told with @tell_file, and
 * without it where mw_mapping_may_be_copied(): the kernel must look at each page
 * for it, which takes three times as long.
 *
 * The target's memory map is locked for at most 64 MiB at a time, but for
 * smaps.
 */
MW_MUST_USE struct mw_error *
mw_process_pages(struct mw_process *process, struct mw_mappings *mappings,
		 enum mw_page_source best, bool tell_file,
		 struct mw_pages *ret, enum mw_page_source *ret_used);

/**
 * Add to @ret the pages of [@start, @end) that are present here and mapped by
 * another process, too. Page aligned, behind all that @ret has.
 */
MW_MUST_USE struct mw_error *
mw_process_shared_pages(struct mw_process *process, uint64_t start,
			uint64_t end, struct mw_pages *ret);

/** One mapping's figures of smaps, in bytes (proc_pid_smaps(5)). */
struct mw_smaps {
	uint64_t start, end;
	uint64_t rss_bytes, pss_bytes;
	uint64_t shared_dirty_bytes, private_dirty_bytes;
	uint64_t lazy_free_bytes;
	uint64_t anon_huge_bytes, shmem_huge_bytes, file_huge_bytes;
	uint64_t hugetlb_bytes; /* shared and private */
	uint64_t swap_bytes, swap_pss_bytes;
	uint64_t locked_bytes;
	uint64_t kernel_page_bytes;
};

struct mw_smaps_list {
	MW_VEC(struct mw_smaps) list;
};

/**
 * Read smaps. The kernel walks the page tables of one mapping after the other
 * with the target's memory map locked, which can delay its own mmap by tens of
 * milliseconds a gigabyte: only for what no other source tells.
 */
MW_MUST_USE struct mw_error *mw_process_smaps(struct mw_process *process,
					      struct mw_smaps_list *ret);
void mw_smaps_free(struct mw_smaps_list *smaps);

/**
 * All threads, with what can be known of their registers without stopping
 * them: a thread that runs has no stack pointer here.
 */
struct mw_threads {
	MW_VEC(struct mw_thread) list;
};

MW_MUST_USE struct mw_error *mw_process_threads(struct mw_process *process,
						struct mw_threads *ret);
void mw_threads_free(struct mw_threads *threads);

/**
 * Copy @bytes at @va of the target to @to. Pages that are absent would be
 * faulted in, so the caller must know them to be present.
 *
 * Returns the number of bytes read, from the start: fewer when a page is gone
 * or may not be read.
 */
size_t mw_process_read(struct mw_process *process, uint64_t va, void *to,
		       size_t bytes);

/** A range for mw_process_read_many(), and where its bytes go. */
struct mw_remote {
	uint64_t va;
	void *to;
	size_t bytes;
};

/**
 * The same for @count ranges in as few system calls as possible. Returns the
 * bytes read, in the order of the ranges, before the first failure.
 */
size_t mw_process_read_many(struct mw_process *process,
			    const struct mw_remote *ranges, size_t count);

/**
 * Find out whether another process may have pages of this one since fork(): one
 * that runs the same executable, or cannot be seen. Before its memory is read.
 *
 * Cost: a system call for each process of the machine.
 */
void mw_process_find_relatives(struct mw_process *process);

/**
 * Instead: read it as if there were some, since it runs on and may fork while it
 * is read. mw_process_still_present() needs it.
 */
void mw_process_expect_relatives(struct mw_process *process);

/**
 * How many of the @bytes from @va on, whole pages, are present just now and so
 * can be read without being faulted in.
 */
size_t mw_process_still_present(struct mw_process *process, uint64_t va,
				size_t bytes);

/**
 * Whether a page of memory stands at @va just now that is this process's alone:
 * mw_process_read() does nothing to it.
 */
bool mw_process_has_now(const struct mw_process *process, uint64_t va);

/** Whether a page of its private memory may be another process's since fork(). */
bool mw_process_may_share(const struct mw_process *process);

/**
 * mw_process_read() of such pages, in readable private mappings of memory and
 * files only: of devices it would read their registers. The other way, in which
 * the kernel pins pages, it would first give the target a copy of its own
 * (gup_must_unshare() in mm/gup.c, since Linux 5.19). This takes about twice as
 * long for much; so while the target is stopped and cannot fork, what no other
 * process maps is read the other way.
 */
size_t mw_process_read_shared(struct mw_process *process, uint64_t va,
			      void *to, size_t bytes);

/** Whether the kernel lets us read the target's memory at all. */
bool mw_process_may_read(struct mw_process *process);

/**
 * Open the file behind @mapping, the one that is really mapped: through
 * map_files where allowed, else by its path below the target's root if that
 * still is the same inode, else (for the executable) /proc/PID/exe.
 *
 * Errors: MW_E_NOT_FOUND when it cannot be had.
 */
MW_MUST_USE struct mw_error *
mw_process_open_file(struct mw_process *process,
		     const struct mw_mappings *mappings,
		     const struct mw_mapping *mapping, int *ret_fd);

/** Path of the executable as the kernel shows it; caller frees. */
MW_MUST_USE struct mw_error *mw_process_exe(struct mw_process *process,
					    char **ret_path,
					    uint64_t *ret_inode,
					    uint64_t *ret_dev);

/** Contents of /proc/PID/auxv: @ret_bytes bytes, caller frees. */
MW_MUST_USE struct mw_error *mw_process_auxv(struct mw_process *process,
					     uint8_t **ret, size_t *ret_bytes);

/* Stopping */

/** A process all of whose threads are held in a ptrace stop. */
struct mw_stop;

/**
 * Stop every thread, also those born meanwhile. If memwhy dies, the kernel
 * lets them go.
 *
 * Errors: MW_E_PERMISSION (another tracer, Yama, another user); whatever the
 * error, nothing is left stopped.
 * Stops: the target, until mw_stop_end().
 */
MW_MUST_USE struct mw_error *mw_stop_begin(struct mw_process *process,
					   struct mw_stop **ret);

/**
 * Threads with their registers, and the states that they had before they were
 * stopped. @ret is filled as by mw_process_threads().
 */
MW_MUST_USE struct mw_error *mw_stop_threads(struct mw_stop *stop,
					     struct mw_threads *ret);

/** All registers of a thread, as a core file has them. */
struct mw_registers {
	uint64_t general[27]; /* struct user_regs_struct */
	bool has_fp;
	uint8_t fp[512]; /* FXSAVE image */
	uint8_t xstate[16384]; /* XSAVE image; larger ones are left out */
	size_t xstate_bytes;
	bool has_siginfo;
	uint8_t siginfo[128];
};

/** Registers of thread @tid; false when it is not halted. */
bool mw_stop_registers(const struct mw_stop *stop, int32_t tid,
		       struct mw_registers *ret);

/** Threads that sat in an uninterruptible wait and so were not halted. */
size_t mw_stop_unhalted(const struct mw_stop *stop);

/** Resume all threads and free @stop (NULL allowed). Time held, in ns. */
uint64_t mw_stop_end(struct mw_stop *stop);

/* Around a process */

#define MW_CGROUP_OTHERS 3

/** Another process of a group. */
struct mw_cgroup_other {
	pid_t pid;
	char comm[64];
	uint64_t anon_bytes; /* RssAnon */
};

/**
 * What the memory controller says of the control group that a process is in,
 * with the groups below it. With limits, of the one at or above that group
 * which has the least room left below its limit.
 */
struct mw_cgroup {
	unsigned version; /* 1, 2; 0: nothing is known */
	char *path; /* of the group's directory */
	uint64_t current_bytes;
	uint64_t limit_bytes; /* UINT64_MAX: none */
	/*
	 * The file that sets it. Above memory.high the kernel only takes back
	 * and slows down.
	 */
	const char *limit_file;
	/*
	 * Of memory.stat. Version 1 does not tell the kernel's memory apart,
	 * only how much it is in all; buffers of TCP sockets are not part of
	 * that, and in version 1 not of current_bytes either.
	 */
	uint64_t anon_bytes, file_bytes, shmem_bytes;
	uint64_t droppable_bytes; /* of file: on the lists of page cache */
	uint64_t swap_bytes, swap_limit_bytes; /* UINT64_MAX: none */
	uint64_t slab_bytes, sock_bytes, kernel_stack_bytes, page_table_bytes;
	uint64_t slab_kept_bytes; /* of slab: not reclaimable */
	uint64_t kernel_bytes;
	/* Where there is a limit: */
	uint64_t processes;
	struct mw_cgroup_other others[MW_CGROUP_OTHERS]; /* largest first */
	/* The sum over those of the processes that can be seen from here */
	struct {
		uint64_t kernel_stack_bytes, page_table_bytes;
	} members;
};

/**
 * Read it. ret->version is 0 when the process has no such group, or one that
 * cannot be seen from here.
 *
 * Errors: MW_E_NOMEM.
 */
MW_MUST_USE struct mw_error *mw_kernel_cgroup(pid_t pid,
					      struct mw_cgroup *ret);
void mw_cgroup_free(struct mw_cgroup *group);

/** How the system treats huge pages; "" and 0 where it does not say. */
struct mw_thp {
	char enabled[16], defrag[16]; /* always, madvise, never, … */
	uint64_t max_ptes_none; /* absent pages that khugepaged may fill up */
};
/** Read it; costs opening three files. */
void mw_kernel_thp(struct mw_thp *ret);

/** Monotonic clock in ns. */
uint64_t mw_kernel_now(void);

/** Sleep, for less than a second, or until a signal comes. */
void mw_kernel_pause(long ns);

/** Sleep for @ns, or until the process @pid ends. */
void mw_kernel_wait_for_end(pid_t pid, uint64_t ns);

#endif
