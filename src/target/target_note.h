/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TARGET_NOTE_H
#define TARGET_NOTE_H

#include "mw_core.h"
#include "target_int.h"

/*
 * The notes that a snapshot has besides those of every core: what the kernel
 * told of the process and its pages. Their name is "memwhy"; all numbers are
 * u64, little-endian, but for text. A number of words comes first where more
 * may be added one day: a reader takes those it knows.
 *
 * type
 *	1 picture	version (1), number of words, then as many:
 *			pid, source of page states, threads not halted, uid,
 *			threads, flags; VSZ, RSS, swap, peak RSS, page tables,
 *			locked; start_stack, arg_start, arg_end, env_start,
 *			env_end, start_brk, start_code; inode, device of the
 *			executable; time stopped in ns, time of day in ns;
 *			time of the monotonic clock in ns (0: not known).
 *			Then comm and the executable's path, NUL-terminated
 *	2 mappings	number of mappings, words in each (9), then each:
 *			start, end, offset, inode, device (major << 32 | minor),
 *			enum mw_perm (| 256: hugetlb), place of the path, bytes
 *			resident and swapped without a place. Then all paths,
 *			NUL-terminated
 *	3 pages		runs as in struct mw_pages
 *	4 threads	words in each (6): tid, state (| 256: has sp, | 512: has
 *			fs), sp, pc, fs_base, robust_list
 *	5 smaps		words in each (15): struct mw_smaps
 *	6 files		words in each (4): device, inode, size, time of change
 *			in ns; of each mapped file
 *	7 remarks	text, lines for the reader
 *	8 images	number of records, words in each (9). What the file of
 *			each ELF image has, should it be gone: a record for the
 *			image: 0, device, inode, ELF type | machine << 16 |
 *			1 << 32 if of 64 bits, entry, place of the soname (0:
 *			none), size of the file, place of its program headers,
 *			bytes of them | bytes of the ELF header << 32. Behind
 *			it, its build id: 1, bytes, then these; segments: 2,
 *			type | flags << 32, offset, vaddr, paddr, filesz,
 *			memsz, align, 0; sections: 3, type, flags, addr,
 *			offset, size, place of the name, link | info << 32,
 *			align. Then all names, NUL-terminated
 */
enum note_type {
	NOTE_PICTURE = 1,
	NOTE_MAPPINGS,
	NOTE_PAGES,
	NOTE_THREADS,
	NOTE_SMAPS,
	NOTE_FILES,
	NOTE_REMARKS,
	NOTE_IMAGES,
};

/* Records of NOTE_IMAGES. */
enum { IMAGE_FILE, IMAGE_BUILD_ID, IMAGE_SEGMENT, IMAGE_SECTION };
#define IMAGE_WORDS 9

#define NOTE_NAME "memwhy"
#define NOTE_VERSION 1

/** Flags of a picture. */
enum {
	NOTE_NO_CONTENTS = 1, /* bytes that can be a user's are left out */
};

/** What a snapshot has that the target does not. */
struct note_extra {
	uint64_t flags;
	uint64_t stopped_ns, time_ns, monotonic_ns;
	struct mw_smaps_list smaps;
	MW_VEC(char *) remarks;
};

/** Put all notes but the pages' into @out. */
void mw_note_put(struct mw_core_bytes *out, const struct mw_target *target,
		 const struct note_extra *extra);

/** Put those of the images, target_note_images.c. */
void mw_note_put_images(struct mw_core_bytes *out,
			const struct mw_target *target);
/** As struct target_source.tables, of what NOTE_IMAGES had. */
MW_MUST_USE struct mw_error *mw_note_tables(struct mw_target *target,
					    const struct mw_mapping *mapping,
					    struct mw_elf **ret);

/**
 * Take what the notes of @core tell into @target. *@ret_found: whether there
 * are any.
 *
 * Errors: MW_E_FORMAT when they are damaged, with the offset;
 *         MW_E_UNSUPPORTED when a newer memwhy wrote them.
 */
MW_MUST_USE struct mw_error *mw_note_load(struct mw_target *target,
					  const struct mw_core *core, int fd,
					  bool *ret_found);

#endif
