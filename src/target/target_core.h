/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_CORE_H
#define TARGET_CORE_H

#include "mw_core.h"
#include "mw_map64.h"
#include "target_int.h"

/* What a core as a target needs besides; target_core.c begins it. */

/** A file that the process had mapped, and whether the one now there is it. */
struct core_file {
	const char *path; /* owned by target->maps, or by the options */
	/* As they were when a snapshot was taken; 0 in other cores. */
	uint64_t bytes, mtime_ns;
	bool tried, same;
};

struct target_core {
	int fd;
	struct mw_core *core;
	char *exe_option; /* the executable that the user names, or NULL */
	MW_VEC(struct core_file) files;
	struct mw_map64 file_at; /* by mw_core_file_key(): 1 + index */
	struct mw_smaps_list smaps;
	/* Of a snapshot: the records of NOTE_IMAGES, and their names. */
	MW_VEC(uint64_t) image_words;
	MW_VEC(char) image_names;
	uint64_t executable; /* an address in it, 0 when not known */
};

/** Copy what the core has of [@va, @va + @bytes); how many from its start. */
size_t mw_core_target_read(const struct mw_target *target, uint64_t va,
			   void *to, size_t bytes);
bool mw_core_target_read_all(const struct mw_target *target, uint64_t va,
			     void *to, size_t bytes);

uint64_t mw_core_file_key(uint32_t dev_major, uint32_t dev_minor,
			  uint64_t inode);
/** Note the files of all mappings, each once. */
MW_MUST_USE struct mw_error *mw_core_list_files(struct mw_target *target);
/** Open the file of @mapping, if it is the same that was mapped. */
MW_MUST_USE struct mw_error *mw_core_open_file(struct mw_target *target,
					       const struct mw_mapping *mapping,
					       int *ret_fd);

/**
 * For a core without NT_FILE: the ELF files whose headers it has, and the
 * executable, as files mapped by their segments.
 */
MW_MUST_USE struct mw_error *mw_core_guess_files(struct mw_target *target);
/**
 * Whether the auxiliary vector fits @elf as the executable, and whether the
 * data of the file open as @fd is what the core has there: for cores that have
 * nothing of its headers.
 */
bool mw_core_is_what_ran(const struct mw_target *target,
			 const struct mw_elf *elf, uint64_t bias);
bool mw_core_data_agrees(const struct mw_target *target, int fd,
			 const struct mw_elf *elf, uint64_t bias);

/** Mappings and page states of a core that memwhy did not write. */
MW_MUST_USE struct mw_error *mw_core_make_picture(struct mw_target *target);

#endif
