/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MW_CORE_H
#define MW_CORE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mw_error.h"
#include "mw_space.h"
#include "mw_vec.h"

/*
 * ELF core files of x86-64 Linux: bytes in, no process. Written by the kernel
 * (fs/binfmt_elf.c), gdb's gcore, Delve's dump (pkg/proc/dump.go), memwhy.
 *
 * A core that was cut short is read as far as it goes. All that is kept was
 * in the file: no count in it makes memwhy allocate more.
 */

/** A PT_LOAD: a range of the address space, and what the file has of it. */
struct mw_core_segment {
	uint64_t start, end; /* page aligned */
	uint64_t offset;
	uint64_t file_bytes; /* from @start; no more than the file has */
	uint64_t cut_bytes;  /* those behind them that it should have */
	uint8_t perms;	     /* enum mw_perm */
};

/** A file mapped into the process, from NT_FILE. */
struct mw_core_file {
	uint64_t start, end; /* page aligned */
	uint64_t offset;     /* of @start in the file, in bytes */
	uint32_t path;	     /* place in mw_core.paths */
	uint8_t perms;	     /* where no segment says otherwise */
};

/** A note that only memwhy writes: where its bytes lie. */
struct mw_core_note {
	uint32_t type;
	uint64_t offset, bytes;
};

struct mw_core {
	uint64_t bytes; /* of the file */
	MW_VEC(struct mw_core_segment) segments; /* sorted, disjoint */
	MW_VEC(struct mw_core_file) files;	 /* likewise */
	MW_VEC(char) paths;			 /* NUL-terminated */
	MW_VEC(struct mw_thread) threads; /* as they come; the first was hit */
	MW_VEC(struct mw_core_note) notes;
	bool has_psinfo;
	int32_t pid; /* 0 when not known */
	uint32_t uid;
	char comm[17];
	char args[81]; /* the command line's beginning */
	uint8_t *auxv;
	size_t auxv_bytes;
	bool has_signal;
	int32_t signal; /* that ended the process */
	/*
	 * What the file should have and does not, and where that begins:
	 * bytes of segments and of notes.
	 */
	uint64_t missing_bytes, missing_offset;
	uint64_t damaged_notes, damaged_offset;
};

/**
 * Read the tables and notes of the core open as @fd, which stays the caller's.
 *
 * Errors: MW_E_FORMAT when it is no core, or damaged, with the offset;
 *         MW_E_UNSUPPORTED for another machine's.
 */
MW_MUST_USE struct mw_error *mw_core_load(int fd, struct mw_core **ret);
void mw_core_free(struct mw_core *core);

static inline void mw_core_freep(struct mw_core **core)
{
	mw_core_free(*core);
	*core = NULL;
}

/** Whether the file begins like a core; false also when unreadable. */
bool mw_core_has_magic(int fd);

/** The segment that contains @va, or NULL. */
const struct mw_core_segment *mw_core_find(const struct mw_core *core,
					   uint64_t va);

/** Add a path to core->paths; false without memory. */
bool mw_core_add_path(struct mw_core *core, const char *path, size_t bytes,
		      uint32_t *ret);

/** Sort core->files and take out what overlaps. */
void mw_core_sort_files(struct mw_core *core);

/* Writing */

/** Bytes that are gathered for a file. */
struct mw_core_bytes {
	MW_VEC(uint8_t) data;
	bool failed; /* memory was short: what was added since is missing */
};

void mw_core_put(struct mw_core_bytes *out, const void *from, size_t bytes);
void mw_core_put_u64(struct mw_core_bytes *out, uint64_t value);

/** Begin a note; what is put until mw_core_note_end() is its content. */
size_t mw_core_note_begin(struct mw_core_bytes *out, const char *name,
			  uint32_t type);
void mw_core_note_end(struct mw_core_bytes *out, size_t begun);

/** What NT_PRSTATUS and its companions tell of one thread. */
struct mw_core_registers {
	int32_t tid;
	uint64_t general[27];	  /* struct user_regs_struct */
	const uint8_t *fp;	  /* FXSAVE image of 512 bytes, or NULL */
	const uint8_t *xstate;	  /* XSAVE image, or NULL */
	size_t xstate_bytes;
	const uint8_t *siginfo; /* 128 bytes, or NULL */
};

struct mw_core_process {
	int32_t pid, parent, group, session;
	uint32_t uid, gid;
	char state;
	const char *comm, *args;
};

void mw_core_put_thread(struct mw_core_bytes *out,
			const struct mw_core_registers *thread,
			const struct mw_core_process *process);
void mw_core_put_process(struct mw_core_bytes *out,
			 const struct mw_core_process *process);
/** NT_FILE, of the mappings that have a file. */
void mw_core_put_files(struct mw_core_bytes *out,
		       const struct mw_mappings *maps);

/** The ELF header of a core whose program headers lie at @phoff. */
void mw_core_put_header(struct mw_core_bytes *out, uint64_t phoff,
			uint64_t count, uint64_t shoff);
void mw_core_put_segment(struct mw_core_bytes *out, uint32_t type,
			 uint8_t perms, uint64_t offset, uint64_t va,
			 uint64_t file_bytes, uint64_t mem_bytes);
/** The section header that holds @count when it does not fit the header. */
void mw_core_put_count(struct mw_core_bytes *out, uint64_t count);

#endif
