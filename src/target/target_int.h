/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_INT_H
#define TARGET_INT_H

#include <pthread.h>
#include <sys/stat.h>

#include "mw_kernel.h"
#include "mw_target.h"

#define BLOCK_BYTES MW_KIB(64)
#define BLOCK_PAGES 16
/* 2 MiB: walkers read in a few streams, not at random. */
#define CACHE_SETS 8
#define CACHE_WAYS 4
#define CACHE_BLOCKS (CACHE_SETS * CACHE_WAYS)

/** 64 KiB of the target that have been read. */
struct block {
	uint64_t va;	 /* of the first byte; block aligned */
	uint64_t used;	 /* time of last use, 0 for an empty place */
	uint32_t known;	 /* one bit a page: its bytes are in the block */
	uint8_t *bytes;
};

/** A file of the target that is kept open to read absent pages from. */
struct open_file {
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	int fd; /* -1: it could not be had */
};

#define OPEN_FILES 4

/**
 * What kinds of targets differ in: where bytes and files come from. One for a
 * live process (target_process.c), one for an ELF file that does not run
 * (target_file.c), one for a core (target_core.c).
 */
struct target_source {
	/**
	 * Copy ranges of present pages; returns the bytes copied, in order,
	 * before the first failure. May be called by several threads.
	 */
	size_t (*read_present)(const struct mw_target *target,
			       const struct mw_remote *ranges, size_t count);
	/**
	 * The same of a target that runs, which may have let go of pages since
	 * the picture was taken: what is absent now is not asked for, as that
	 * would bring it back. NULL for what does not run.
	 */
	size_t (*read_still_present)(const struct mw_target *target,
				     const struct mw_remote *ranges,
				     size_t count);
	/** See mw_target_read_now(); NULL for what does not run. */
	bool (*read_now)(const struct mw_target *target, uint64_t va,
			 void *to, size_t bytes);
	/**
	 * Fill @to with the page at @va of @mapping, which is neither present
	 * nor swapped. False when its bytes cannot be known.
	 */
	bool (*read_absent)(struct mw_target *target,
			    const struct mw_mapping *mapping, uint64_t va,
			    uint8_t *to);
	/** The file behind @mapping; caller closes it. */
	struct mw_error *(*open_file)(struct mw_target *target,
				      const struct mw_mapping *mapping,
				      int *ret_fd);
	/**
	 * The tables of @mapping's file, when that cannot be had; *@ret is NULL
	 * where they are not known. NULL when they never are.
	 */
	struct mw_error *(*tables)(struct mw_target *target,
				   const struct mw_mapping *mapping,
				   struct mw_elf **ret);
	/** What smaps tells. */
	struct mw_error *(*smaps)(struct mw_target *target,
				  struct mw_smaps_list *ret);
	/**
	 * Which pages others map, too, as mw_process_shared_pages(); NULL
	 * where that is not known.
	 */
	struct mw_error *(*shared_pages)(struct mw_target *target,
					 uint64_t start, uint64_t end,
					 struct mw_pages *ret);
	/** Let the target run on; how long it was held, in ns. */
	uint64_t (*release)(struct mw_target *target);
	/** Free what target->of has. */
	void (*close)(struct mw_target *target);
};

/** An ELF file that does not run. */
struct target_file {
	int fd;
	struct mw_elf *elf; /* the only image's, and owned by it */
	struct target_relocs *relocs;
};

struct target_core;

struct mw_target {
	struct mw_target_info info;
	const struct target_source *source;
	struct {
		struct mw_process *process;
		struct mw_stop *stop;
		struct target_file file;
		struct target_core *core;
	} of;
	struct mw_kept *kept; /* what a snapshot without contents keeps */
	/* An absent anonymous page may be one that a core leaves out. */
	bool absent_is_unknown;
	struct mw_mappings maps;
	struct mw_pages pages;
	struct mw_threads threads;
	struct mw_status status;
	struct mw_kernel_books books;
	char *exe;
	uint64_t exe_inode, exe_dev;
	uint8_t *auxv;
	size_t auxv_bytes;
	MW_VEC(char *) notes;
	MW_VEC(struct mw_image) images;
	uint32_t *image_of; /* per mapping: 1 + index of its image, or 0 */
	/* Reading */
	struct block cache[CACHE_SETS][CACHE_WAYS];
	uint8_t *cache_bytes; /* of all blocks, allocated when first used */
	struct block *last; /* the block of the last read, to begin with */
	uint64_t clock;
	size_t run_hint;
	struct open_file files[OPEN_FILES];
	size_t next_file;
	pthread_mutex_t files_lock; /* for streams on several threads */
};

/** A zeroed target of @source; NULL without memory. */
struct mw_target *mw_target_new(const struct target_source *source);
/** Forget mappings, page states, threads: before they are read again. */
void mw_target_clear_picture(struct mw_target *target);

/** Whether a snapshot without contents keeps anything of the page at @va. */
bool mw_kept_has(const struct mw_target *target, uint64_t va);
/** Zero what it does not keep of the page at @va, whose bytes are at @page. */
void mw_kept_mask(const struct mw_target *target, uint64_t va, uint8_t *page);
void mw_kept_free(struct mw_kept *kept);
/** Keep what was read, unless it is more than a structure. */
void mw_kept_note_read(const struct mw_target *target, uint64_t va,
		       size_t bytes);

/** Fill @to with the page at @va of @mapping, from the file open as @fd. */
bool mw_target_read_file_page(int fd, const struct mw_mapping *mapping,
			      uint64_t va, uint8_t *to);

/** The file behind @mapping, kept open; -1 when it cannot be had. */
int mw_target_file_of(struct mw_target *target,
		      const struct mw_mapping *mapping);

MW_MUST_USE struct mw_error *mw_target_find_images(struct mw_target *target);
/** Add the programs that were unpacked to memory, target_images_memory.c. */
MW_MUST_USE struct mw_error *mw_target_find_unpacked(struct mw_target *target);
/** The span of all segments of an image. */
void mw_target_find_span(const struct mw_elf *elf, uint64_t bias,
			 uint64_t *ret_start, uint64_t *ret_end);
MW_MUST_USE struct mw_error *mw_target_no_images(struct mw_target *target);
/** Make the ELF file behind the first mapping the only image; takes @elf. */
MW_MUST_USE struct mw_error *mw_target_add_only_image(struct mw_target *target,
						      struct mw_elf *elf,
						      const char *path);
void mw_target_free_images(struct mw_target *target);
void mw_target_free_cache(struct mw_target *target);

#endif
