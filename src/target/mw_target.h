/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_TARGET_H
#define MW_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_elf.h"
#include "mw_error.h"
#include "mw_space.h"

/*
 * An address space to be explained: its mappings, the state of its pages, its
 * threads, the ELF images loaded into it, and its bytes. Walkers see this and
 * never the kernel.
 *
 * A target is a picture taken once: mappings and page states do not change
 * after it is opened. Bytes are read when they are asked for, so those of a
 * live process may be newer.
 */
struct mw_target;

enum mw_capture_mode {
	MW_CAPTURE_LIVE, /* the target is never stopped */
	MW_CAPTURE_STOP, /* all threads stopped until mw_target_release() */
	MW_CAPTURE_CORE, /* a core file: nothing moves */
};

/** Best source of page states to use: for tests, and to get round a kernel. */
enum mw_page_detail {
	MW_PAGE_DETAIL_SCAN,
	MW_PAGE_DETAIL_PAGEMAP,
	MW_PAGE_DETAIL_SMAPS,
};

struct mw_target_options {
	enum mw_capture_mode mode;
	enum mw_page_detail pages;
	bool file_pages; /* also tell which pages are of files: takes longer */
	bool no_images;	 /* do not look for ELF files: only to copy memory */
	/* Much is to be read of a process that runs, and may fork meanwhile. */
	bool may_fork;
	/* The executable of a core, where the core does not say; or NULL. */
	const char *exe;
};

/** What the kernel's own books say, taken together with the page states. */
struct mw_kernel_books {
	uint64_t vsz_bytes; /* VmSize and [vsyscall] */
	uint64_t rss_bytes;
	uint64_t swap_bytes;
	uint64_t rss_peak_bytes;
	uint64_t page_table_bytes;
	uint64_t locked_bytes;
	/* 0 when not known, as of a core */
	uint64_t rss_anon_bytes, rss_shmem_bytes;
};

enum mw_target_kind {
	MW_TARGET_PROCESS,
	MW_TARGET_FILE, /* an ELF file that does not run */
	MW_TARGET_CORE,
};

/** What kind of target it is. Strings are owned by the target. */
struct mw_target_info {
	enum mw_target_kind kind;
	int32_t pid; /* 0 for a file */
	const char *comm;
	const char *exe; /* as the kernel shows it; "" when not known */
	bool is_64;
	enum mw_capture_mode mode;
	enum mw_page_detail pages;
	bool can_read; /* whether memory may be read at all */
	uint64_t unhalted; /* threads that --stop could not halt */
	/*
	 * Of a core: whether memwhy wrote it, with the kernel's figures. In
	 * others what the core has counts as resident, and mappings have no
	 * device, inode and sharing.
	 */
	bool is_snapshot;
	bool no_contents; /* of a snapshot: without bytes that can be a user's */
	uint64_t snapshot_stopped_ns; /* how long it held the process */
	uint64_t snapshot_time_ns;    /* when, since 1970 */
	/* The same on the monotonic clock; 0: not known */
	uint64_t snapshot_monotonic_ns;
};

/**
 * Open a live process.
 *
 * Errors: those of mw_process_open() and mw_stop_begin(). A process that
 *         replaces itself by exec meanwhile is read again, at most 3 times.
 * Stops:  with MW_CAPTURE_STOP, until mw_target_release() or _close().
 */
MW_MUST_USE struct mw_error *
mw_target_open(int32_t pid, const struct mw_target_options *options,
	       struct mw_target **ret);

/**
 * Open an ELF file that does not run: an address space of its segments, at the
 * addresses that the file gives them, with its relative relocations done, so
 * that what reads a process reads it, too. No page is resident.
 *
 * Errors: those of opening, and of mw_elf_load().
 */
MW_MUST_USE struct mw_error *mw_target_open_file(const char *path,
						 struct mw_target **ret);

/**
 * Open a core: what the process had when it was written. Pages of files that
 * the core leaves out come from the files, where these are known to be the
 * same; what is missing otherwise cannot be read.
 *
 * Errors: those of opening, and of mw_core_load().
 */
MW_MUST_USE struct mw_error *
mw_target_open_core(const char *path, const struct mw_target_options *options,
		    struct mw_target **ret);

/** Open the core or the ELF file at @path. */
MW_MUST_USE struct mw_error *
mw_target_open_path(const char *path, const struct mw_target_options *options,
		    struct mw_target **ret);

/**
 * Let a stopped target run on; how long it was held, in ns. Its memory must
 * not be read any more. Does nothing for a target that is not stopped.
 */
uint64_t mw_target_release(struct mw_target *target);

/** Lets a stopped target run on first. */
void mw_target_close(struct mw_target *target);

static inline void mw_target_closep(struct mw_target **target)
{
	mw_target_close(*target);
	*target = NULL;
}

/*
 * What was read when the target was opened; borrowed, until it is closed. Each
 * is empty where a core does not tell.
 */
const struct mw_target_info *mw_target_info(const struct mw_target *target);
const struct mw_mappings *mw_target_mappings(const struct mw_target *target);
const struct mw_pages *mw_target_pages(const struct mw_target *target);
const struct mw_kernel_books *mw_target_books(const struct mw_target *target);
const struct mw_start_info *mw_target_start(const struct mw_target *target);
const struct mw_thread *mw_target_threads(const struct mw_target *target,
					  size_t *ret_count);

/**
 * Note that thread @tid, if it runs on another stack just now, left its own at
 * @sp, or that it has none (MW_NO_NATIVE_STACK). For walkers of runtimes that
 * switch stacks.
 */
void mw_target_set_native_sp(struct mw_target *target, int32_t tid,
			     uint64_t sp);

/** The auxiliary vector's value of @type (AT_PHDR, …); false if absent. */
bool mw_target_auxv(const struct mw_target *target, uint64_t type,
		    uint64_t *ret);

/** Things the reader of a report should know, in order of appearance. */
const char *const *mw_target_notes(const struct mw_target *target,
				   size_t *ret_count);
/** Add one, unless it is there already, or there are many. */
void mw_target_note(struct mw_target *target, const char *fmt, ...)
	MW_PRINTF(2, 3);

/**
 * Per mapping, what only smaps tells: @ret has one element a mapping, zeroed
 * where a mapping has changed since. NULL where nobody tells, as in a core.
 * Caller frees.
 *
 * The kernel holds the target's memory map locked while it counts.
 */
struct mw_smaps_figures {
	uint64_t rss_bytes, pss_bytes, swap_bytes;
	uint64_t dirty_bytes, lazy_free_bytes, locked_bytes;
	uint64_t huge_bytes; /* transparent huge pages */
	uint64_t hugetlb_bytes;
};
MW_MUST_USE struct mw_error *
mw_target_smaps(struct mw_target *target, struct mw_smaps_figures **ret);

/**
 * Add to @ret the pages of [@start, @end) that are present and mapped by
 * another process, too. Page aligned, behind all that @ret has.
 *
 * Errors: MW_E_UNSUPPORTED for targets that do not know.
 */
MW_MUST_USE struct mw_error *mw_target_shared_pages(struct mw_target *target,
						    uint64_t start,
						    uint64_t end,
						    struct mw_pages *ret);

/* Images */

enum mw_image_kind {
	MW_IMAGE_EXECUTABLE,
	MW_IMAGE_LIBRARY,
	MW_IMAGE_LOADER, /* the program interpreter, ld.so */
	MW_IMAGE_VDSO,
};

/** An ELF file loaded into the address space. */
struct mw_image {
	enum mw_image_kind kind;
	bool from_memory; /* the file could not be had: headers from memory */
	bool is_unpacked; /* and none is mapped: a packer has written it */
	const char *path;
	const char *name; /* soname or base name */
	uint64_t bias;	  /* address = p_vaddr + bias */
	uint64_t start, end; /* span of all segments, page aligned */
	const struct mw_elf *elf;
};

/** All of them; borrowed, until the target is closed. */
const struct mw_image *mw_target_images(const struct mw_target *target,
					size_t *ret_count);

struct stat;
/**
 * Open the regular file at @path to read it, without waiting for anybody;
 * caller closes it. @ret_st may be NULL.
 */
MW_MUST_USE struct mw_error *mw_target_open_regular(const char *path,
						    int *ret_fd,
						    struct stat *ret_st);

/**
 * Open the file of @image, the one that is really mapped; caller closes it.
 * Errors: MW_E_NOT_FOUND when it cannot be had.
 */
MW_MUST_USE struct mw_error *mw_target_open_image(struct mw_target *target,
						  const struct mw_image *image,
						  int *ret_fd);

/** The image whose file @mapping maps as a part of it, or NULL. */
const struct mw_image *mw_target_image_of(const struct mw_target *target,
					  const struct mw_mapping *mapping);

/* Bytes */

/**
 * Read what the program itself would read at @va, without disturbing it:
 * present pages from its memory; absent pages of files from the file; absent
 * private anonymous pages are zeros. False, and @to undefined, when any byte
 * cannot be known that way: not mapped, not readable, swapped out, or an
 * absent page of shared memory.
 *
 * Cost: one system call for 64 KiB, which are kept.
 */
bool mw_target_read(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes);

/**
 * The same, for those who search and do not know what they read: a snapshot
 * without contents keeps nothing of it, see mw_target_keep().
 */
bool mw_target_search(struct mw_target *target, uint64_t va, void *to,
		      size_t bytes);

/**
 * The same as mw_target_search() without a copy: a pointer to the bytes, good
 * until the next read.
 * NULL also when they do not lie in one 64 KiB block.
 */
const void *mw_target_view(struct mw_target *target, uint64_t va,
			   size_t bytes);

/**
 * The same for a few bytes whose neighbours will not be asked for, such as the
 * links of a list of large blocks.
 */
bool mw_target_peek(struct mw_target *target, uint64_t va, void *to,
		    size_t bytes);

/**
 * The same as mw_target_search(), but not for pages of files, and past all that
 * is in the cache: any number of threads may do this at once.
 */
bool mw_target_copy(const struct mw_target *target, uint64_t va, void *to,
		    size_t bytes);

/**
 * Read up to a page of memory that came after the picture was taken, or that was
 * empty then: of a process that runs on, what stands there now. False when it is
 * not present, or is not the process's alone, or the target does not run on.
 */
bool mw_target_read_now(const struct mw_target *target, uint64_t va, void *to,
			size_t bytes);

/** Read one little-endian word. */
bool mw_target_read_u64(struct mw_target *target, uint64_t va, uint64_t *ret);
bool mw_target_read_u32(struct mw_target *target, uint64_t va, uint32_t *ret);

/** Forget what is kept of a range, to read it afresh from a live target. */
void mw_target_forget(struct mw_target *target, uint64_t va, uint64_t bytes);

/**
 * From now on note what of the target's memory is structure, so that a
 * snapshot can leave out everything else: what walkers read in small pieces
 * and what they mark with mw_target_keep(). False without memory.
 */
bool mw_target_keep_structure(struct mw_target *target);

/**
 * Say that these bytes are a runtime's or an allocator's, not the user's: for
 * walkers that read more at once. Does nothing when nobody wants to know; any
 * number of threads may call it.
 */
void mw_target_keep(const struct mw_target *target, uint64_t va,
		    uint64_t bytes);

/** Whether mw_target_keep() does anything: not in a loop, if it does not. */
bool mw_target_keeps(const struct mw_target *target);

/**
 * How many threads should read at once: see mw_parallel_workers(). All
 * processors are free for it while the target is stopped.
 */
size_t mw_target_workers(const struct mw_target *target);

#endif
